internal import JSON

/// The device states of a QEMU, as `-dump-vmstate` writes them (QEMU's docs/devel/migration/main.rst).
///
/// Contains only states that belong to a device type, not those that a device registers itself.
struct VMState: Sendable, Hashable {
    /// The state of a device, or a part of one.
    struct Section: Sendable, Hashable {
        /// Its name in the migration stream.
        var name: String
        var versionID: Int64
        var minimumVersionID: Int64
        var fields: [Field]
        var subsections: [Section]
    }

    struct Field: Sendable, Hashable {
        var name: String
        var versionID: Int64
        /// Whether the device's state determines if the field is present.
        var isConditional: Bool
        /// In bytes; for an array, the size of one element.
        var size: Int64
        var parts: Section?
    }

    /// The sections by device type.
    var devices: [String: Section]

    init(devices: [String: Section]) {
        self.devices = devices
    }

    /// Parses a dump; nil if the text is not a dump.
    init?(parsing text: String) {
        guard let dump = (try? JSONValue(parsing: text))?.object, dump["vmschkmachine"] != nil else { return nil }
        devices = dump.compactMapValues { $0["Description"].flatMap(Self.section) }
    }

    private static func section(_ value: JSONValue) -> Section? {
        guard let name = value["name"]?.string else { return nil }
        return Section(
            name: name, versionID: value["version_id"]?.integer ?? 0,
            minimumVersionID: value["minimum_version_id"]?.integer ?? 0,
            fields: (value["Fields"]?.array ?? []).compactMap(field),
            subsections: (value["Subsections"]?.array ?? []).compactMap(section))
    }

    private static func field(_ value: JSONValue) -> Field? {
        guard let name = value["field"]?.string else { return nil }
        return Field(
            name: name, versionID: value["version_id"]?.integer ?? 0,
            isConditional: value["field_exists"]?.bool ?? false, size: value["size"]?.integer ?? 0,
            parts: value["Description"].flatMap(section))
    }
}
