package import JSON

/// Parses and formats QEMU's key=value lists.
enum KeyValueText {
    typealias Entry = OptionProperties.Entry

    /// Parses a list as QEMU's `opts_do_parse` does.
    ///
    /// A key ends at the first `=` or `,`, a value at the first single `,`; a doubled comma is one comma of the value.
    static func parse(_ text: String, impliedKey: String?) -> [Entry] {
        var entries: [Entry] = []
        var rest = Substring(text)
        var impliedKey = impliedKey
        while !rest.isEmpty {
            let end = rest.firstIndex { $0 == "=" || $0 == "," } ?? rest.endIndex
            let key = String(rest[..<end])
            if end < rest.endIndex, rest[end] == "=" {
                rest = rest[rest.index(after: end)...]
                entries.append(Entry(key: key, value: takeValue(from: &rest), form: .pair))
            } else if let implied = impliedKey {
                entries.append(Entry(key: implied, value: takeValue(from: &rest), form: .implied))
            } else {
                rest = rest[end...]
                entries.append(flag(key))
            }
            rest = rest.dropFirst()
            impliedKey = nil
        }
        return entries
    }

    /// Returns the list in the form that QEMU parses.
    static func text(of entries: [Entry]) -> String {
        // QEMU ignores a trailing comma, so an empty last entry needs one more.
        let end = entries.last.map { text(of: $0).isEmpty } == true ? "," : ""
        return entries.map(text).joined(separator: ",") + end
    }

    /// Returns the entry of a key without a value: on, or off if it begins with `no`.
    private static func flag(_ word: String) -> Entry {
        word.hasPrefix("no")
            ? Entry(key: String(word.dropFirst(2)), value: "off", form: .flag)
            : Entry(key: word, value: "on", form: .flag)
    }

    /// Removes a value from the front, up to the comma that ends it, and returns it.
    private static func takeValue(from rest: inout Substring) -> String {
        var value = ""
        while let character = rest.first {
            if character == "," {
                guard rest.dropFirst().first == "," else { break }
                rest = rest.dropFirst()
            }
            value.append(character)
            rest = rest.dropFirst()
        }
        return value
    }

    private static func text(of entry: Entry) -> String {
        let escaped = entry.value.split(separator: ",", omittingEmptySubsequences: false).joined(separator: ",,")
        return switch entry.form {
        case .pair: entry.key + "=" + escaped
        case .implied: escaped
        case .flag: entry.value == "off" ? "no" + entry.key : entry.key
        }
    }
}

/// Formats QEMU options: `driver,key=value,key.key=value`.
package enum OptionText {
    /// Formats an option.
    ///
    /// - Parameters:
    ///   - head: The leading word, such as `tap`; `nil` for none.
    ///   - pairs: Keys and values, in the order of the output.
    /// - Returns: The option's argument.
    package static func make(_ head: String?, _ pairs: [(String, String)]) -> String {
        let entries = [head].compactMap(\.self).map { KeyValueText.Entry(key: "", value: $0, form: .implied) }
        return KeyValueText.text(of: entries + pairs.map { KeyValueText.Entry(key: $0, value: $1, form: .pair) })
    }

    /// Formats the arguments of `object-add`, `device_add` or `blockdev-add` as an option, so that a device has the
    /// same properties on the command line and when plugged in.
    ///
    /// - Parameters:
    ///   - kind: The key whose value comes first, without the key: `driver` or `qom-type`.
    ///   - members: The QMP arguments.
    /// - Returns: The option's argument.
    package static func make(kind: String, _ members: [String: JSONValue]) -> String {
        let pairs = flattened(members, prefix: "").filter { $0.0 != kind }
        let isName: (String) -> Bool = { $0 == "id" || $0 == "node-name" }
        return make(members[kind]?.string, pairs.filter { isName($0.0) } + pairs.filter { !isName($0.0) })
    }

    private static func flattened(_ members: [String: JSONValue], prefix: String) -> [(String, String)] {
        members.sorted { $0.key < $1.key }.flatMap { key, value -> [(String, String)] in
            switch value {
            case .object(let inner): flattened(inner, prefix: "\(prefix)\(key).")
            case .bool(let truth): [(prefix + key, truth ? "on" : "off")]
            case .string(let text): [(prefix + key, text)]
            default: [(prefix + key, value.description)]
            }
        }
    }
}
