internal import JSON

/// The key=value list of an option, or its JSON object, parsed as QEMU parses them.
///
/// Dots join the keys of nested objects in both forms: `file.filename`. If a key occurs twice, the last one counts.
/// Unchanged entries are written back as they were read.
package struct OptionProperties: Sendable, Hashable {
    /// One entry of a key=value list.
    package struct Entry: Sendable, Hashable {
        package enum Form: Sendable, Hashable {
            /// `key=value`
            case pair
            /// `value`; the option implies the key
            case implied
            /// `key` for `key=on`, `nokey` for `key=off`
            case flag
        }

        package var key: String
        package var value: String
        package var form: Form
    }

    private enum Storage: Sendable, Hashable {
        case list([Entry])
        case json(JSONValue)
    }

    private var storage: Storage

    /// Creates an empty key=value list.
    package init() {
        storage = .list([])
    }

    /// Creates a key=value list.
    ///
    /// - Parameters:
    ///   - pairs: the keys and values in order.
    ///   - impliedKey: the key that QEMU implies for the first value; if it comes first, the text omits it.
    package init(_ pairs: [(key: String, value: String)], impliedKey: String? = nil) {
        let entries = pairs.enumerated().map { index, pair in
            // QEMU's keyval_parse ends an implied value at the first comma, doubled or not.
            let isImplied = index == 0 && pair.key == impliedKey && !pair.value.contains { $0 == "," || $0 == "=" }
            return Entry(key: pair.key, value: pair.value, form: isImplied ? .implied : .pair)
        }
        storage = .list(entries)
    }

    /// Parses an option's argument.
    ///
    /// - Parameters:
    ///   - text: the argument as QEMU receives it.
    ///   - impliedKey: the key that QEMU implies for the first value, if any.
    ///   - allowsJSON: whether text that begins with `{` is a JSON object.
    package init(parsing text: String, impliedKey: String?, allowsJSON: Bool = false) {
        if allowsJSON, text.hasPrefix("{"), let value = try? JSONValue(parsing: text) {
            storage = .json(value)
        } else {
            storage = .list(KeyValueText.parse(text, impliedKey: impliedKey))
        }
    }

    /// Whether the option is in JSON form.
    package var isJSON: Bool {
        if case .json = storage { true } else { false }
    }

    /// The argument to put on the command line.
    package var text: String {
        switch storage {
        case .list(let entries): KeyValueText.text(of: entries)
        case .json(let value): value.encoded()
        }
    }
}

// MARK: - Reading

extension OptionProperties {
    /// The value of a key; nil if it is absent.
    ///
    /// In JSON form, booleans read as `on` and `off`, numbers in decimal.
    package subscript(key: String) -> String? {
        switch storage {
        case .list(let entries): entries.last { $0.key == key }?.value
        case .json(let value): value.member(at: key).flatMap(OptionProperties.optionText)
        }
    }

    /// Returns all values of a key that may occur several times, such as `hostfwd`, in order.
    package func values(of key: String) -> [String] {
        switch storage {
        case .list(let entries):
            entries.filter { $0.key == key }.map(\.value)
        case .json(let value):
            // QAPI's type String is an object with the one member `str`.
            (value.member(at: key)?.array ?? []).compactMap { OptionProperties.optionText($0["str"] ?? $0) }
        }
    }

    /// Returns the value of a boolean key; nil if it is absent or neither on nor off.
    package func flag(_ key: String) -> Bool? {
        switch self[key] {
        case "on", "yes", "true", "y": true
        case "off", "no", "false", "n": false
        default: nil
        }
    }

    private static func optionText(_ value: JSONValue) -> String? {
        switch value {
        case .string(let text): text
        case .bool(let truth): truth ? "on" : "off"
        case .integer, .unsigned, .number: value.encoded()
        case .null, .array, .object: nil
        }
    }
}

// MARK: - Changing

extension OptionProperties {
    /// Sets a key in place, or appends it.
    ///
    /// Merges repeated entries of the key into one. In JSON form, the value keeps its type.
    package mutating func set(_ key: String, _ value: String) {
        switch storage {
        case .list(var entries):
            guard let index = entries.firstIndex(where: { $0.key == key }) else {
                entries.append(Entry(key: key, value: value, form: .pair))
                storage = .list(entries)
                return
            }
            entries[index].value = value
            let needsKey = entries[index].form == .flag || value.contains { $0 == "," || $0 == "=" }
            if needsKey { entries[index].form = .pair }
            let behind = entries[(index + 1)...].filter { $0.key != key }
            storage = .list(Array(entries[...index]) + behind)
        case .json(let object):
            let typed: JSONValue =
                switch object.member(at: key) {
                case .bool: .bool(value == "on")
                case .integer, .unsigned: Int64(value).map(JSONValue.integer) ?? .string(value)
                default: .string(value)
                }
            storage = .json(object.setting(typed, at: key))
        }
    }

    /// Sets a boolean key; in JSON form, as a JSON boolean.
    package mutating func set(_ key: String, flag: Bool) {
        switch storage {
        case .list: set(key, flag ? "on" : "off")
        case .json(let object): storage = .json(object.setting(.bool(flag), at: key))
        }
    }

    /// Replaces each value of a key that may occur several times.
    package mutating func replaceValues(of key: String, _ change: (String) -> String) {
        guard case .list(let entries) = storage else {
            self[key].map { set(key, change($0)) }
            return
        }
        storage = .list(
            entries.map { entry in
                guard entry.key == key else { return entry }
                return Entry(key: key, value: change(entry.value), form: entry.form)
            }
        )
    }

    /// Removes all entries of these keys.
    package mutating func remove(_ keys: String...) {
        switch storage {
        case .list(let entries):
            storage = .list(entries.filter { !keys.contains($0.key) })
        case .json(let object):
            storage = .json(keys.reduce(object) { $0.setting(nil, at: $1) })
        }
    }

    /// The pairs of a key=value list in order; empty in JSON form.
    package var pairs: [(key: String, value: String)] {
        guard case .list(let entries) = storage else { return [] }
        return entries.map { ($0.key, $0.value) }
    }
}
