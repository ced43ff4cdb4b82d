/// Reads the parts of a stack file and collects what is wrong with them, so that one run tells everything.
///
/// A reading function returns `nil` where it has recorded a problem and there is nothing sensible to go on with.
final class StackReader {
    /// What is wrong so far.
    var problems: [StackProblem] = []
    /// The folder against which relative paths are read.
    let directory: String

    init(directory: String) {
        self.directory = directory
    }

    /// Records what is wrong at a place.
    func report(_ message: String, at node: YAMLTree, remedy: String) {
        // A file that is something else altogether need not be told so a thousand times.
        guard problems.count < 100 else { return }
        problems.append(StackProblem(line: node.line, column: node.column, message: message, remedy: remedy))
    }

    // MARK: - Keys with values

    /// Reads keys with values, of which each may be there once.
    ///
    /// - Parameters:
    ///   - node: Where they stand.
    ///   - what: Whose they are, such as "a guest".
    ///   - keys: The keys that it may have.
    /// - Returns: The values of known keys.
    func section(_ node: YAMLTree, of what: String, keys: [String]) -> StackSection? {
        guard case .mapping(let pairs) = node.content else {
            report(
                "\(what) is described by keys with values; here is \(node.kind)", at: node,
                remedy: "Write `KEY: VALUE` lines; the keys of \(what) are \(list(keys)).")
            return nil
        }
        var values: [String: YAMLTree] = [:]
        var names = Unique()
        for (key, value) in pairs {
            guard case .scalar(let name, _) = key.content else {
                report("a key has to be a word; here is \(key.kind)", at: key, remedy: "Known keys: \(list(keys)).")
                continue
            }
            if let line = names.earlierLine(of: name, now: key.line) {
                report(
                    "`\(name)` is given twice; first in line \(line)", at: key, remedy: "Keep one of the two.")
            } else if !keys.contains(name) {
                report("\(what) has no key `\(name)`", at: key, remedy: suggestion(for: name, among: keys))
            } else {
                values[name] = value
            }
        }
        return StackSection(node: node, what: what, values: values)
    }

    /// Reads a list; nothing at all is an empty one.
    func elements(_ section: StackSection, _ key: String) -> [YAMLTree] {
        guard let node = section.values[key], !node.isNull else { return [] }
        guard case .sequence(let elements) = node.content else {
            report(
                "`\(key)` is a list; here is \(node.kind)", at: node,
                remedy: "Write one `- …` line for each element, or [A, B].")
            return []
        }
        return elements
    }

    // MARK: - Single values

    /// Reads a text.
    func text(_ node: YAMLTree, _ what: String) -> String? {
        guard case .scalar(let text, _) = node.content, !node.isNull else {
            report("\(what) is a text; here is \(node.kind)", at: node, remedy: "Write the text, or remove the line.")
            return nil
        }
        guard !text.utf8.contains(0) else {
            report("\(what) contains a zero byte", at: node, remedy: "Remove it: no program argument can hold it.")
            return nil
        }
        return text
    }

    /// Reads a text that has to be there.
    func required(_ section: StackSection, _ key: String, remedy: String) -> String? {
        guard let node = section.values[key] else {
            report("\(section.what) needs `\(key)`", at: section.node, remedy: remedy)
            return nil
        }
        return text(node, "`\(key)`")
    }

    /// Reads a text that may be absent.
    func optional(_ section: StackSection, _ key: String) -> String? {
        section.values[key].flatMap { text($0, "`\(key)`") }
    }

    /// Reads texts.
    func texts(_ section: StackSection, _ key: String) -> [String] {
        elements(section, key).compactMap { text($0, "an element of `\(key)`") }
    }

    /// Reads a whole number; the default also where it is wrong.
    func integer(_ section: StackSection, _ key: String, default: Int, in range: ClosedRange<Int>) -> Int {
        guard let node = section.values[key] else { return `default` }
        return integer(node, "`\(key)`", in: range) ?? `default`
    }

    /// Reads a whole number.
    func integer(_ node: YAMLTree, _ what: String, in range: ClosedRange<Int>) -> Int? {
        if case .scalar(let text, isPlain: true) = node.content, let number = Int(text), range.contains(number) {
            return number
        }
        report(
            "\(what) is a whole number from \(range.lowerBound) to \(range.upperBound); here is \(node.kind)", at: node,
            remedy: "Write such a number without quotes.")
        return nil
    }

    /// Reads a yes or no.
    func flag(_ section: StackSection, _ key: String, default: Bool) -> Bool {
        guard let node = section.values[key] else { return `default` }
        if case .scalar(let text, isPlain: true) = node.content {
            switch text {
            case "true", "yes", "on": return true
            case "false", "no", "off": return false
            default: break
            }
        }
        report("`\(key)` is true or false; here is \(node.kind)", at: node, remedy: "Write true or false.")
        return `default`
    }

    /// Reads one of several words.
    func choice<Choice: RawRepresentable & CaseIterable>(
        _ section: StackSection, _ key: String, default: Choice
    ) -> Choice where Choice.RawValue == String {
        guard let node = section.values[key] else { return `default` }
        let words = Choice.allCases.map(\.rawValue)
        guard case .scalar(let text, _) = node.content, let choice = Choice(rawValue: text) else {
            report("`\(key)` is one of \(list(words)); here is \(node.kind)", at: node, remedy: "Write one of them.")
            return `default`
        }
        return choice
    }

    // MARK: - Words for errors

    /// Words in an error.
    func list(_ words: [String]) -> String {
        words.map { "`\($0)`" }.joined(separator: ", ")
    }

    /// The known word that is meant, or all of them.
    private func suggestion(for word: String, among known: [String]) -> String {
        guard let nearest = Spelling.nearest(to: word, among: known) else { return "Known keys: \(list(known))." }
        return "Did you mean `\(nearest)`? Known keys: \(list(known))."
    }
}

/// Keys with values of which it is known whose they are.
struct StackSection {
    /// Where it begins.
    let node: YAMLTree
    /// Whose keys they are, such as "a guest".
    let what: String
    /// The values of the known keys.
    let values: [String: YAMLTree]
}
