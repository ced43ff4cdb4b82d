internal import JSON

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
