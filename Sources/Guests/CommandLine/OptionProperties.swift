/// The key=value list of an option, or its JSON object, as QEMU reads them.
///
/// Keys of nested objects are joined by dots in both forms: `file.filename`. Where a key stands twice, the last one
/// counts. What is not changed is written back as it was read.
public struct OptionProperties: Sendable, Hashable {
    /// One entry of a key=value list.
    struct Entry: Sendable, Hashable {
        enum Form: Sendable, Hashable {
            /// `key=value`
            case pair
            /// `value`, the key being implied by the option
            case implied
            /// `key` for `key=on`, `nokey` for `key=off`
            case flag
        }

        var key: String
        var value: String
        var form: Form
    }

    var entries: [Entry]

    /// Makes an empty list of properties.
    public init() {
        entries = []
    }

    init(parsing text: String, impliedKey: String?, allowsJSON: Bool) {
        entries = OptionProperties.parse(text, impliedKey: impliedKey)
    }

    /// The value of a key, nil where it is not given.
    ///
    /// Booleans of the JSON form read as `on` and `off`.
    public subscript(key: String) -> String? {
        entries.last { $0.key == key }?.value
    }

    /// All values of a key that may be given several times, such as `hostfwd`, in their order.
    public func values(of key: String) -> [String] {
        entries.filter { $0.key == key }.map(\.value)
    }

    /// The value of a switch: true for on, yes, true, y; nil where it is not given or means neither.
    public func flag(_ key: String) -> Bool? {
        switch self[key] {
        case "on", "yes", "true", "y": true
        case "off", "no", "false", "n": false
        default: nil
        }
    }

    /// The argument to put on the command line.
    public var text: String {
        entries.map(\.text).joined(separator: ",")
    }
}

// MARK: - Changing

extension OptionProperties {
    /// Sets a key where it stands, or adds it at the end.
    ///
    /// Doubled entries of the key become one.
    public mutating func set(_ key: String, _ value: String) {
        guard let index = entries.firstIndex(where: { $0.key == key }) else {
            entries.append(Entry(key: key, value: value, form: .pair))
            return
        }
        entries[index].value = value
        if entries[index].form == .flag { entries[index].form = .pair }
        let kept = entries[...index]
        entries = Array(kept) + entries[(index + 1)...].filter { $0.key != key }
    }

    /// Sets a switch, in the JSON form as a boolean.
    public mutating func set(_ key: String, flag: Bool) {
        set(key, flag ? "on" : "off")
    }

    /// Removes all entries of these keys.
    public mutating func remove(_ keys: String...) {
        entries.removeAll { keys.contains($0.key) }
    }
}

// MARK: - The key=value form

extension OptionProperties {
    /// Reads a list as QEMU's `opts_do_parse` does: a key ends at the first `=` or `,`, a value at the first single
    /// `,`; a doubled comma is one comma of the value.
    private static func parse(_ text: String, impliedKey: String?) -> [Entry] {
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
                entries.append(
                    key.hasPrefix("no")
                        ? Entry(key: String(key.dropFirst(2)), value: "off", form: .flag)
                        : Entry(key: key, value: "on", form: .flag)
                )
            }
            rest = rest.dropFirst()
            impliedKey = nil
        }
        return entries
    }

    /// Takes a value off the front, up to the comma that ends it.
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
}

extension OptionProperties.Entry {
    /// The entry as QEMU reads it.
    var text: String {
        let escaped = value.split(separator: ",", omittingEmptySubsequences: false).joined(separator: ",,")
        return switch form {
        case .pair: key + "=" + escaped
        case .implied: escaped
        case .flag: value == "off" ? "no" + key : key
        }
    }
}
