public import JSON

/// The parts of the schema that a shell needs.
///
/// A line is a command's name followed by `key=value` words. Dots in a key lead into objects (`backend.type=null`); a
/// value that is not a string, number, boolean or enumeration is JSON.
extension QMPSchema {
    /// An argument as a shell shows it.
    public struct Argument: Sendable, Hashable {
        /// Its name.
        public let name: String

        /// `string`, `int`, `number`, `boolean`, `enum`, `object`, `array`, `value` (anything), `null`, or several of
        /// them separated by `|`.
        public let type: String

        /// Whether it may be omitted.
        public let isOptional: Bool

        /// The possible values of an enumeration or a boolean; sorted.
        public let values: [String]
    }

    /// Returns the arguments of a command, in the schema's order.
    ///
    /// - Parameters:
    ///   - command: The command's name in QMP.
    ///   - path: The names of the objects to look into; empty for the arguments themselves.
    ///   - given: The settings so far, by dotted key; they select variants.
    /// - Returns: The arguments; empty if the schema leaves them open.
    public func arguments(of command: String, within path: [String] = [], given: [String: String] = [:]) -> [Argument] {
        guard case .command(let type, _, _) = entities[command] else { return [] }
        var objects = [type]
        var prefix = ""
        for key in path {
            let members = objects.flatMap { self.members(of: $0, prefix: prefix, given: given) }
            objects = members.filter { $0.name == key }.map(\.type)
            prefix += "\(key)."
        }
        return objects.flatMap { self.members(of: $0, prefix: prefix, given: given) }.map(argument)
    }

    /// Returns the possible completions of the last word of a line.
    ///
    /// - Parameter words: The words so far; the last one is incomplete and may be empty.
    /// - Returns: Whole words that begin with the last one: names of commands, keys followed by `=` (`.` for objects),
    ///   and keys with values.
    public func completions(for words: [String]) -> [String] {
        guard let word = words.last else { return commands }
        guard let command = words.first, words.count > 1 else { return commands.filter { $0.hasPrefix(word) } }
        let given = Self.settings(in: words.dropFirst().dropLast())
        let (key, value) = Self.split(word)
        let path = key.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        let candidates = arguments(of: command, within: path.dropLast(), given: given)
        let prefix = path.dropLast().map { "\($0)." }.joined()
        let texts = candidates.flatMap { argument -> [String] in
            let key = prefix + argument.name
            if value != nil { return argument.values.map { "\(key)=\($0)" } }
            if given[key] != nil { return [] }
            return [key + (argument.type == "object" ? "." : "=")]
        }
        return Array(Set(texts.filter { $0.hasPrefix(word) })).sorted()
    }

    /// Parses the `key=value` words of a line.
    ///
    /// - Parameters:
    ///   - words: The words after the command's name.
    ///   - command: The command's name in QMP.
    /// - Returns: The arguments, each with the type in the schema; if the schema leaves it open, JSON if the value can
    ///   be parsed as such, and a string otherwise.
    /// - Throws: `invalidCommand` for a word without `=`, and for a value of the wrong type.
    public func arguments(
        from words: some Sequence<String>,
        for command: String
    ) throws(QMPError) -> [String: JSONValue] {
        var arguments = JSONValue.object([:])
        for word in words {
            let (key, value) = Self.split(word)
            guard let value, !key.isEmpty else { throw Self.misread("'\(word)' is not of the form key=value") }
            let path = key.split(separator: ".").map(String.init)
            let known = self.arguments(of: command, within: path.dropLast(), given: Self.settings(in: words))
            let types = Set(
                known.filter { $0.name == path.last }.flatMap { $0.type.split(separator: "|").map(String.init) })
            arguments = Self.setting(path[...], to: try Self.value(value, types: types, key: key), in: arguments)
        }
        return arguments.object ?? [:]
    }

    /// Returns the members of an object in the variant that the settings select, or in all variants if they select
    /// none.
    private func members(of type: String, prefix: String, given: [String: String]) -> [Member] {
        guard case .object(let members, let tag, let variants) = entities[type] else {
            if case .array(let element) = entities[type] {
                return self.members(of: element, prefix: prefix, given: given)
            }
            if case .alternate(let types) = entities[type] {
                return types.flatMap { self.members(of: $0, prefix: prefix, given: given) }
            }
            return []
        }
        let chosen =
            tag.flatMap { given[prefix + $0] }.flatMap { variants[$0] }.map { [$0] } ?? variants.values.sorted()
        var seen = Set(members.map(\.name))
        let extra = chosen.flatMap { self.members(of: $0, prefix: prefix, given: given) }
        return members + extra.filter { seen.insert($0.name).inserted }
    }

    private func argument(_ member: Member) -> Argument {
        let kinds = self.kinds(of: member.type)
        let values = kinds.contains("boolean") ? ["false", "true"] : self.values(of: member.type).sorted()
        return Argument(
            name: member.name,
            type: kinds.joined(separator: "|"),
            isOptional: member.isOptional,
            values: values
        )
    }

    private func kinds(of type: String) -> [String] {
        switch entities[type] {
        case .builtin(let json): [json]
        case .enumeration: ["enum"]
        case .array: ["array"]
        case .object: ["object"]
        case .alternate(let types): types.flatMap { kinds(of: $0) }
        case .command, .event, nil: ["value"]
        }
    }

    private static func split(_ word: String) -> (key: String, value: String?) {
        guard let sign = word.firstIndex(of: "=") else { return (word, nil) }
        return (String(word[..<sign]), String(word[word.index(after: sign)...]))
    }

    private static func settings(in words: some Sequence<String>) -> [String: String] {
        var settings: [String: String] = [:]
        for word in words {
            let (key, value) = split(word)
            settings[key] = value
        }
        return settings
    }

    private static func value(_ text: String, types: Set<String>, key: String) throws(QMPError) -> JSONValue {
        let parsed = try? JSONValue(parsing: text)
        if types.contains("int"), let parsed, parsed.integer != nil || parsed.unsigned != nil { return parsed }
        if types.contains("number"), let parsed, parsed.double != nil { return parsed }
        if types.contains("boolean"), ["true", "on", "yes"].contains(text) { return true }
        if types.contains("boolean"), ["false", "off", "no"].contains(text) { return false }
        if types.contains("null"), text == "null" { return .null }
        if types.contains("array"), let parsed, parsed.array != nil { return parsed }
        if types.contains("object"), let parsed, parsed.object != nil { return parsed }
        if types.isEmpty || types.contains("value") { return parsed ?? .string(text) }
        if types.contains("string") || types.contains("enum") { return .string(text) }
        throw misread("'\(key)' takes \(types.sorted().joined(separator: " or ")), not '\(text)'")
    }

    private static func setting(_ path: ArraySlice<String>, to value: JSONValue, in target: JSONValue) -> JSONValue {
        guard let key = path.first else { return value }
        var members = target.object ?? [:]
        members[key] = setting(path.dropFirst(), to: value, in: members[key] ?? .object([:]))
        return .object(members)
    }

    private static func misread(_ what: String) -> QMPError {
        QMPError(.invalidCommand, "\(what); nothing was sent")
    }
}
