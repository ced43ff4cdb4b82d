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
