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

/// Compares the device states that one QEMU writes with those that another can read.
struct VMStateComparison: Sendable, Hashable {
    /// What the new QEMU would refuse, one per line.
    private(set) var breaks: [String] = []
    /// Differences that may or may not matter, depending on the state of the guest's devices; one per line.
    private(set) var doubts: [String] = []
    /// The number of compared device types.
    private(set) var count = 0

    /// Compares the states of the device types that a guest has.
    ///
    /// - Parameters:
    ///   - old: the states that the running QEMU writes.
    ///   - new: the states that the new one reads.
    ///   - types: the types of all objects in the guest's machine.
    init(old: VMState, new: VMState, types: Set<String>) {
        let newByName = Dictionary(new.devices.values.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for type in types.sorted() {
            guard let section = old.devices[type] else { continue }
            count += 1
            guard let twin = new.devices[type] ?? newByName[section.name] else {
                // A device may register its state under this name independently of its type.
                doubts.append("\(type): the new QEMU does not list a state “\(section.name)”")
                continue
            }
            compare(type, section, twin)
        }
    }

    private mutating func compare(_ type: String, _ old: VMState.Section, _ new: VMState.Section) {
        if old.name != new.name {
            breaks.append("\(type): its state is named “\(old.name)”, in the new QEMU “\(new.name)”")
        }
        if old.versionID > new.versionID {
            breaks.append("\(type): its state has version \(old.versionID), the new QEMU reads up to \(new.versionID)")
        } else if old.versionID < new.minimumVersionID {
            breaks.append(
                "\(type): its state has version \(old.versionID), the new QEMU reads from \(new.minimumVersionID)")
        }
        let known = Set(new.subsections.map(\.name))
        for subsection in old.subsections where !known.contains(subsection.name) {
            doubts.append("\(type): the new QEMU does not know the optional part “\(subsection.name)”")
        }
        // The dump has the size of one array element but not the number of elements: a difference is only a hint.
        if Self.sizes(old, version: old.versionID) != Self.sizes(new, version: old.versionID) {
            doubts.append("\(type): the fields of “\(old.name)” differ")
        }
    }

    /// Returns the sizes of the fields that are always present, in the order of the stream.
    private static func sizes(_ section: VMState.Section, version: Int64) -> [Int64] {
        section.fields.filter { !$0.isConditional && $0.versionID <= version }.flatMap { field -> [Int64] in
            field.parts.map { sizes($0, version: $0.versionID) } ?? [field.size]
        }
    }
}

/// Queries a binary for the device states of a machine type.
enum VMStateDump {
    /// It creates the machine without a guest, which takes a tenth of a second, more on a busy host.
    private static let deadline = Duration.seconds(20)

    /// Runs `BINARY -machine TYPE -dump-vmstate FILE`.
    ///
    /// - Parameters:
    ///   - path: the binary; may be /proc/PID/exe.
    ///   - machineType: a versioned type.
    ///   - environment: variables in addition to our own.
    ///   - user: the user to run it as; nil for ourselves.
    /// - Returns: the states, or a readable reason why there are none.
    static func read(
        _ path: String, machineType: String, environment: [String: String], user: HelperProgram.User? = nil
    ) async -> Result<VMState, VMStateDumpFailure> {
        let program = HelperProgram(
            path: path, arguments: ["-machine", machineType, "-display", "none", "-dump-vmstate", "/dev/stdout"],
            environment: environment, user: user)
        do throws(HelperProgram.Failure) {
            let output = try await program.run(deadline: deadline)
            if let state = VMState(parsing: output.standardOutput) { return .success(state) }
            let said = output.standardError.split(whereSeparator: \.isNewline).last ?? "it wrote no states"
            return .failure(VMStateDumpFailure(reason: String(said)))
        } catch {
            return .failure(VMStateDumpFailure(reason: "\(error)"))
        }
    }
}

/// Why a binary did not report its device states.
struct VMStateDumpFailure: Error {
    let reason: String
}
