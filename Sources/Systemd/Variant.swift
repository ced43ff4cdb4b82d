internal import CGLib

/// A D-Bus value; owns one reference.
final class Variant {
    let raw: OpaquePointer

    /// Takes a new reference, or the floating one of a new value.
    init(_ raw: OpaquePointer) {
        self.raw = g_variant_ref_sink(raw)
    }

    deinit {
        g_variant_unref(raw)
    }

    static func string(_ text: String) -> Variant { Variant(g_variant_new_string(text)) }
    static func uint32(_ number: UInt32) -> Variant { Variant(g_variant_new_uint32(number)) }
    static func uint64(_ number: UInt64) -> Variant { Variant(g_variant_new_uint64(guint64(number))) }
    static func boxed(_ value: Variant) -> Variant { Variant(g_variant_new_variant(value.raw)) }

    static func tuple(_ values: [Variant]) -> Variant {
        let children: [OpaquePointer?] = values.map(\.raw)
        return withExtendedLifetime(values) { Variant(g_variant_new_tuple(children, gsize(children.count))) }
    }

    // The element type is a D-Bus signature, because the array may be empty.
    static func array(of element: String, _ values: [Variant]) -> Variant {
        let type = g_variant_type_new(element)
        defer { g_variant_type_free(type) }
        let children: [OpaquePointer?] = values.map(\.raw)
        return withExtendedLifetime(values) { Variant(g_variant_new_array(type, children, gsize(children.count))) }
    }

    /// Its D-Bus signature.
    var type: String { String(cString: g_variant_get_type_string(raw)) }

    /// The text of a string or an object path; nil for anything else.
    var text: String? {
        guard ["s", "o", "g"].contains(type), let text = g_variant_get_string(raw, nil) else { return nil }
        return String(cString: text)
    }

    /// An unsigned number of 32 or 64 bits; nil for anything else.
    var number: UInt64? {
        switch type {
        case "u": UInt64(g_variant_get_uint32(raw))
        case "t": UInt64(g_variant_get_uint64(raw))
        default: nil
        }
    }

    /// The value inside a variant, or the elements of a container; empty for anything else.
    var children: [Variant] {
        guard g_variant_is_container(raw) != 0 else { return [] }
        return (0..<g_variant_n_children(raw)).compactMap { index in
            guard let child = g_variant_get_child_value(raw, index) else { return nil }
            // g_variant_get_child_value returns a reference, and `init` takes another one.
            defer { g_variant_unref(child) }
            return Variant(child)
        }
    }

    /// The members of a dictionary from strings to variants, unboxed; empty for anything else.
    var dictionary: [String: Variant] {
        guard type == "a{sv}" else { return [:] }
        var members: [String: Variant] = [:]
        for entry in children {
            let parts = entry.children
            guard parts.count == 2, let key = parts[0].text else { continue }
            members[key] = parts[1].children.first
        }
        return members
    }
}
