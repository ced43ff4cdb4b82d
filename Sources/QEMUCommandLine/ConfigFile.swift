/// QEMU's own configuration format, as `-readconfig` reads it (util/qemu-config.c).
///
/// ```
/// # a comment
/// [group "id"]
///   key = "value"
/// ```
///
/// This is not GLib's key file format: a group may occur several times, each time as a separate object, and quoted
/// values have no escapes.
enum ConfigFile {
    /// Why a file is not in this format.
    struct Malformed: Error {
        let line: Int
        let message: String
    }

    /// Returns the options that have the same effect as the file, in the order of its groups.
    static func options(in text: String) throws(Malformed) -> [CommandLineOption] {
        var options: [CommandLineOption] = []
        for group in try groups(in: text) {
            if let option = try option(for: group) { options.append(option) }
        }
        return options
    }

    /// One group with its keys; if a key occurs twice, the last value counts.
    struct Group: Hashable {
        let name: String
        let id: String?
        let line: Int
        var keys: [String] = []
        var values: [String: String] = [:]
    }

    /// Splits the file into its groups.
    static func groups(in text: String) throws(Malformed) -> [Group] {
        var groups: [Group] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.isEmpty || line.hasPrefix("#") { continue }
            if line.hasPrefix("[") {
                groups.append(try group(line, number: index + 1))
                continue
            }
            guard let (key, value) = assignment(line) else {
                throw Malformed(line: index + 1, message: "Expected [group \"id\"] or key = \"value\".")
            }
            guard var last = groups.popLast() else {
                throw Malformed(line: index + 1, message: "A key precedes the first [group].")
            }
            if last.values.updateValue(value, forKey: key) == nil { last.keys.append(key) }
            groups.append(last)
        }
        return groups
    }

    /// Parses `[name]` or `[name "id"]`.
    private static func group(_ line: Substring, number: Int) throws(Malformed) -> Group {
        guard let close = line.lastIndex(of: "]") else {
            throw Malformed(line: number, message: "A [group] is not closed.")
        }
        let inside = line[line.index(after: line.startIndex)..<close]
        let name = inside.prefix { !$0.isWhitespace }
        let quoted = inside.dropFirst(name.count).drop(while: \.isWhitespace)
        guard quoted.hasPrefix("\"") else {
            return Group(name: String(inside), id: nil, line: number)
        }
        return Group(name: String(name), id: String(quoted.dropFirst().prefix { $0 != "\"" }), line: number)
    }

    /// Parses `key = "value"`; ignores text after the closing quote.
    private static func assignment(_ line: Substring) -> (key: String, value: String)? {
        let trimmed = line.drop(while: \.isWhitespace)
        let key = trimmed.prefix { !$0.isWhitespace }
        var rest = trimmed.dropFirst(key.count).drop(while: \.isWhitespace)
        guard !key.isEmpty, rest.first == "=" else { return nil }
        rest = rest.dropFirst().drop(while: \.isWhitespace)
        guard rest.first == "\"" else { return nil }
        rest = rest.dropFirst()
        guard let close = rest.firstIndex(of: "\"") else { return nil }
        return (String(key), String(rest[..<close]))
    }
}

// MARK: - Groups as options

extension ConfigFile {
    /// The options whose names differ from those of their groups (`qemu_add_opts` in system/vl.c).
    private static let renamed = ["memory": "m", "smp-opts": "smp", "boot-opts": "boot"]

    /// Groups that QEMU accepts in a file but ignores: it acts on the option while it reads the command line, never on
    /// the group.
    private static let ineffective: Set = [
        "acpi", "smbios", "virtfs", "option-rom", "msg", "run-with", "trace", "plugin", "semihosting-config",
    ]

    private static let groupsWithOption: Set = [
        "accel", "action", "add-fd", "audiodev", "boot-opts", "chardev", "device", "drive", "fsdev", "fw_cfg",
        "global", "icount", "iscsi", "machine", "memory", "mon", "name", "net", "netdev", "nic", "numa", "object",
        "overcommit", "rtc", "sandbox", "smp-opts", "spice", "tpmdev", "vnc",
    ]

    private static func option(for group: Group) throws(Malformed) -> CommandLineOption? {
        if ineffective.contains(group.name) { return nil }
        guard groupsWithOption.contains(group.name) else {
            throw Malformed(
                line: group.line,
                message: "QEMU has no group [\(group.name)], or the group corresponds to no option. "
                    + "Put its settings on the command line."
            )
        }
        let name = renamed[group.name] ?? group.name
        guard case .properties(let impliedKey, _) = OptionTable.syntax(of: name) else {
            return CommandLineOption(name, globalText(group))
        }
        let first = group.keys.filter { $0 == impliedKey }
        let rest = group.keys.filter { $0 != impliedKey && !($0 == "id" && group.id != nil) }
        var pairs = first.map { (key: $0, value: group.values[$0] ?? "") }
        if let id = group.id { pairs.append((key: "id", value: id)) }
        pairs += rest.map { (key: $0, value: group.values[$0] ?? "") }
        return CommandLineOption(name, properties: OptionProperties(pairs, impliedKey: impliedKey))
    }

    /// `-global` takes the same keys as its group.
    private static func globalText(_ group: Group) -> String {
        OptionProperties(group.keys.map { (key: $0, value: group.values[$0] ?? "") }).text
    }
}
