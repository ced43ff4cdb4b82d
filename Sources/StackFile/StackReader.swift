internal import Linux

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
                "\(what) must be text; found \(node.kind)", at: node,
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

// MARK: - Stack

extension StackReader {
    /// Reads a whole stack file.
    func stack(_ root: YAMLTree) -> Stack? {
        let keys = ["version", "name", "hyperplexor", "networks", "hypervisors", "systems"]
        guard let section = section(root, of: "a stack", keys: keys) else { return nil }
        version(section)
        let name = name(section)
        let hyperplexor = hyperplexor(section, stack: name ?? "stack")
        let earlierProblems = problems.count
        let networks = networks(section)
        let context = GuestContext(
            stack: name ?? "stack", networks: Set(networks.map(\.name)),
            areNetworksKnown: problems.count == earlierProblems)
        if ["hypervisors", "systems"].allSatisfy({ section.values[$0]?.isEmpty ?? true }) {
            report(
                "a stack needs `hypervisors` or `systems`",
                at: section.values["hypervisors"] ?? section.values["systems"] ?? section.node,
                remedy: "Add `hypervisors:` (for guests) or `systems:` (for containers) with at least one `- name: …`.")
        }
        let hypervisors =
            hypervisors(section, context: context, hyperplexor: hyperplexor)
            + systems(section, context: context, hyperplexor: hyperplexor)
        checkCores(hyperplexor, hypervisors: hypervisors, at: section)
        guard let name else { return nil }
        return Stack(
            name: name, directory: directory, hyperplexor: hyperplexor, networks: networks, hypervisors: hypervisors)
    }

    private func version(_ section: StackSection) {
        guard let node = section.values["version"] else {
            report("a stack needs `version`", at: section.node, remedy: "Add `version: 1` as the first line.")
            return
        }
        if case .scalar("1", isPlain: true) = node.content { return }
        report(
            "`version` must be 1; found \(node.kind)", at: node,
            remedy: "Write `version: 1`; a later version needs a later hyperfresh.")
    }

    // MARK: - The hyperplexor

    private func hyperplexor(_ stack: StackSection, stack name: String) -> HyperplexorSpec {
        var spec = HyperplexorSpec(
            memoryDirectory: "/dev/shm/hyperfresh-\(name)", hugePages: .none, cores: [], accelerator: .auto,
            qemu: "/usr/bin/qemu-system-x86_64")
        let keys = ["memory-directory", "huge-pages", "cores", "accelerator", "qemu"]
        guard let node = stack.values["hyperplexor"], let section = section(node, of: "the hyperplexor", keys: keys)
        else { return spec }
        spec.hugePages = choice(section, "huge-pages", default: .none)
        spec.accelerator = choice(section, "accelerator", default: .auto)
        spec.cores = cores(section)
        if let path = path(section, "memory-directory") {
            spec.memoryDirectory = path
        } else if [.twoMiB, .oneGiB].contains(spec.hugePages), section.values["memory-directory"] == nil,
            let node = section.values["huge-pages"]
        {
            report(
                "`huge-pages: \(spec.hugePages.rawValue)` needs a `memory-directory` on a hugetlbfs", at: node,
                remedy: "Add `memory-directory: /dev/hugepages/hyperfresh-\(name)`, or a folder on another hugetlbfs.")
        }
        if let node = section.values["qemu"], let text = text(node, "`qemu`") {
            if text.contains("/") {
                spec.qemu = absolute(text)
            } else {
                report(
                    "`qemu` must be the path of a program; found `\(text)`", at: node,
                    remedy: "Write /usr/bin/\(text).")
            }
        }
        return spec
    }

    private func cores(_ section: StackSection) -> [Int] {
        var cores: [Int] = []
        for element in elements(section, "cores") {
            guard let range = range(element) else { continue }
            for core in range where cores.contains(core) {
                report("core \(core) is given twice", at: element, remedy: "List each core once.")
            }
            cores.append(contentsOf: range.filter { !cores.contains($0) })
        }
        return cores
    }

    /// Reads one core or several: `4` or `4-7`.
    private func range(_ node: YAMLTree) -> ClosedRange<Int>? {
        if case .scalar(let text, _) = node.content {
            let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            if let low = ends.first ?? nil, let high = ends.last ?? nil, ends.count <= 2, low >= 0, low <= high,
                high < 8192
            {
                return low...high
            }
        }
        report(
            "an element of `cores` must be a core's number or a range such as 4-7; found \(node.kind)", at: node,
            remedy: "Run `lscpu -e` to list the cores of this host.")
        return nil
    }

    /// Requires a core for each vCPU: two vCPUs must not share one.
    private func checkCores(_ hyperplexor: HyperplexorSpec, hypervisors: [HypervisorSpec], at stack: StackSection) {
        let needed = hypervisors.reduce(0) { $0 + $1.cpus }
        guard !hyperplexor.cores.isEmpty, needed > hyperplexor.cores.count else { return }
        report(
            "hypervisors and systems have \(needed) CPUs together, but `cores` names \(hyperplexor.cores.count)",
            at: stack.values["hyperplexor"] ?? stack.node,
            remedy: "List a core for each CPU, give them fewer CPUs, or remove `cores`.")
    }
}

// MARK: - Names

/// The syntax of names, which become part of the names of files, units, bridges and sockets.
enum NameRule {
    /// The limit for names of stacks, hypervisors and guests; it keeps socket paths below the kernel's limit of 108
    /// bytes.
    static let ordinaryLimit = 20
    /// The limit for names of networks: the bridge is called `br-NETWORK`, and Linux limits interface names to 15
    /// characters.
    static let networkLimit = 12
    /// The limit for names of disks: GUEST.DISK is a serial number, and SCSI shows 36 characters of it.
    static let diskLimit = 15

    /// Returns whether a name consists of lower-case letters, digits and dashes, and begins with a letter or digit.
    static func isValid(_ name: String, limit: Int) -> Bool {
        guard let first = name.utf8.first, name.utf8.count <= limit else { return false }
        return isLetterOrDigit(first) && name.utf8.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}

extension StackReader {
    /// Reads a required name.
    func name(_ section: StackSection, limit: Int = NameRule.ordinaryLimit) -> String? {
        let remedy = "Use up to \(limit) lower-case letters, digits and dashes, beginning with a letter or digit."
        guard let name = required(section, "name", remedy: "Add `name: …`. " + remedy),
            let node = section.values["name"]
        else { return nil }
        guard NameRule.isValid(name, limit: limit) else {
            report(
                "`\(name.prefix(60))` cannot be the name of \(section.what): "
                    + "it becomes part of file, unit and socket names",
                at: node, remedy: remedy)
            return nil
        }
        return name
    }

    /// Reads a file name and makes it absolute.
    func path(_ node: YAMLTree, _ what: String) -> String? {
        guard let text = text(node, what) else { return nil }
        guard !text.isEmpty, !text.hasSuffix("/") else {
            report("\(what) does not name a file: `\(text)`", at: node, remedy: "Write the path of a file.")
            return nil
        }
        return absolute(text)
    }

    /// Reads an optional file name.
    func path(_ section: StackSection, _ key: String) -> String? {
        section.values[key].flatMap { path($0, "`\(key)`") }
    }

    /// Returns an absolute path without `.`, `..` and double slashes; does not access the file system.
    func absolute(_ path: String) -> String {
        Paths.normalized(Paths.absolute(path, in: directory))
    }
}

/// Remembers values that must be unique, each with the line of its first occurrence.
struct Unique {
    private var lines: [String: Int] = [:]

    /// Returns the line of an earlier occurrence; `nil` if this is the first one.
    mutating func earlierLine(of value: String, now line: Int) -> Int? {
        if let earlier = lines[value] { return earlier }
        lines[value] = line
        return nil
    }
}

/// Finds the known word closest to a misspelled one.
enum Spelling {
    /// Returns the word that was most likely meant; `nil` if none is close.
    static func nearest(to word: String, among known: [String]) -> String? {
        // A long word is no misspelling of a short one, and the comparison would take long.
        guard word.count <= 64 else { return nil }
        let best = known.map { (word: $0, distance: distance(word.lowercased(), $0)) }.min { $0.distance < $1.distance }
        guard let best, best.distance <= max(2, best.word.count / 3) else { return nil }
        return best.word
    }

    /// Returns the number of characters to add, remove or replace to turn one word into the other (Levenshtein
    /// distance).
    static func distance(_ first: String, _ second: String) -> Int {
        let second = Array(second)
        var row = Array(0...second.count)
        for (index, character) in first.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in second.indices {
                let replaced = diagonal + (character == second[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
            }
        }
        return row[second.count]
    }
}
