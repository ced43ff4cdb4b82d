/// Reads the parts of a stack file and collects all problems, so that one run reports them all.
///
/// A reading function returns `nil` if it has recorded a problem and there is no sensible value to continue with.
final class StackReader {
    /// The problems found so far.
    var problems: [StackProblem] = []
    /// The folder to which relative paths refer.
    let directory: String

    init(directory: String) {
        self.directory = directory
    }

    /// Records a problem at a node.
    func report(_ message: String, at node: YAMLTree, remedy: String) {
        // A hundred problems are enough for a file that is no stack file at all.
        guard problems.count < 100 else { return }
        problems.append(StackProblem(line: node.line, column: node.column, message: message, remedy: remedy))
    }

    // MARK: - Keys with values

    /// Reads a mapping, in which each key may occur once.
    ///
    /// - Parameters:
    ///   - node: The mapping.
    ///   - what: Its subject in messages, such as "a guest".
    ///   - keys: The keys that it may have.
    /// - Returns: The values of known keys.
    func section(_ node: YAMLTree, of what: String, keys: [String]) -> StackSection? {
        guard case .mapping(let pairs) = node.content else {
            report(
                "\(what) must be described by keys with values; found \(node.kind)", at: node,
                remedy: "Write `KEY: VALUE` lines; the keys of \(what) are \(list(keys)).")
            return nil
        }
        var values: [String: YAMLTree] = [:]
        var names = Unique()
        for (key, value) in pairs {
            guard case .scalar(let name, _) = key.content else {
                report("a key must be a word; found \(key.kind)", at: key, remedy: "Known keys: \(list(keys)).")
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

    /// Reads a list; a missing value is an empty list.
    func elements(_ section: StackSection, _ key: String) -> [YAMLTree] {
        guard let node = section.values[key], !node.isNull else { return [] }
        guard case .sequence(let elements) = node.content else {
            report(
                "`\(key)` must be a list; found \(node.kind)", at: node,
                remedy: "Write one `- …` line for each element, or [A, B].")
            return []
        }
        return elements
    }

    // MARK: - Single values

    /// Reads a string.
    func text(_ node: YAMLTree, _ what: String) -> String? {
        guard case .scalar(let text, _) = node.content, !node.isNull else {
            report(
                "\(what) must be a text; found \(node.kind)", at: node,
                remedy: "Write the text, or remove the line.")
            return nil
        }
        guard !text.utf8.contains(0) else {
            report("\(what) contains a zero byte", at: node, remedy: "Remove it: a program argument cannot contain it.")
            return nil
        }
        return text
    }

    /// Reads a required string.
    func required(_ section: StackSection, _ key: String, remedy: String) -> String? {
        guard let node = section.values[key] else {
            report("\(section.what) needs `\(key)`", at: section.node, remedy: remedy)
            return nil
        }
        return text(node, "`\(key)`")
    }

    /// Reads an optional string.
    func optional(_ section: StackSection, _ key: String) -> String? {
        section.values[key].flatMap { text($0, "`\(key)`") }
    }

    /// Reads a list of strings.
    func texts(_ section: StackSection, _ key: String) -> [String] {
        elements(section, key).compactMap { text($0, "an element of `\(key)`") }
    }

    /// Reads a whole number; returns the default if it is absent or wrong.
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
            "\(what) must be a whole number from \(range.lowerBound) to \(range.upperBound); found \(node.kind)",
            at: node,
            remedy: "Write such a number without quotes.")
        return nil
    }

    /// Reads a Boolean.
    func flag(_ section: StackSection, _ key: String, default: Bool) -> Bool {
        guard let node = section.values[key] else { return `default` }
        if case .scalar(let text, isPlain: true) = node.content {
            switch text {
            case "true", "yes", "on": return true
            case "false", "no", "off": return false
            default: break
            }
        }
        report("`\(key)` must be true or false; found \(node.kind)", at: node, remedy: "Write true or false.")
        return `default`
    }

    /// Reads one of several words.
    func choice<Choice: RawRepresentable & CaseIterable>(
        _ section: StackSection, _ key: String, default: Choice
    ) -> Choice where Choice.RawValue == String {
        guard let node = section.values[key] else { return `default` }
        let words = Choice.allCases.map(\.rawValue)
        guard case .scalar(let text, _) = node.content, let choice = Choice(rawValue: text) else {
            report(
                "`\(key)` must be one of \(list(words)); found \(node.kind)", at: node, remedy: "Write one of them.")
            return `default`
        }
        return choice
    }

    // MARK: - Text of errors

    /// Formats words as a list for an error message.
    func list(_ words: [String]) -> String {
        words.map { "`\($0)`" }.joined(separator: ", ")
    }

    /// Suggests the known word that was probably meant; otherwise lists all known words.
    private func suggestion(for word: String, among known: [String]) -> String {
        guard let nearest = Spelling.nearest(to: word, among: known) else { return "Known keys: \(list(known))." }
        return "Did you mean `\(nearest)`? Known keys: \(list(known))."
    }
}

/// A mapping and its subject.
struct StackSection {
    /// The mapping's node.
    let node: YAMLTree
    /// The subject in messages, such as "a guest".
    let what: String
    /// The values of the known keys.
    let values: [String: YAMLTree]
}
