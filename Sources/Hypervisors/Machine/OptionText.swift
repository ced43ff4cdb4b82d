internal import JSON

/// QEMU's options as text: `driver,key=value,key.key=value`.
enum OptionText {
    /// Puts an option together.
    ///
    /// - Parameters:
    ///   - head: The word in front, such as `tap`; `nil` where there is none.
    ///   - pairs: Keys with values, in the order in which they shall stand.
    /// - Returns: What follows the option's name.
    static func make(_ head: String?, _ pairs: [(String, String)]) -> String {
        ([head].compactMap(\.self) + pairs.map { "\($0)=\(escaped($1))" }).joined(separator: ",")
    }

    /// The text for what `object-add`, `device_add` or `blockdev-add` would be told, so that a device is the same whether it
    /// is there from the start or plugged in.
    ///
    /// - Parameters:
    ///   - kind: The key whose value stands alone in front: `driver` or `qom-type`.
    ///   - members: What QMP would be told.
    /// - Returns: What follows the option's name.
    static func make(kind: String, _ members: [String: JSONValue]) -> String {
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

    /// A comma in a value is doubled.
    private static func escaped(_ value: String) -> String {
        value.split(separator: ",", omittingEmptySubsequences: false).joined(separator: ",,")
    }
}
