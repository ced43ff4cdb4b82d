/// A place of a handoff: before or after one of its actions.
struct MatrixPlace: Sendable, Hashable, CustomStringConvertible {
    /// The progress of the handoff: a column of the table in docs/recovery.md.
    enum Stage: String, Sendable, CaseIterable {
        /// There is no new QEMU yet.
        case planned
        /// The new QEMU waits.
        case launched
        /// A channel connects the two; the guest has not been stopped.
        case linked
        /// The old side sends the state; the new one waits for it or loads it (for containers, which take some time).
        case switching
        /// The old QEMU has sent the whole state, and the new one has loaded it.
        case switched
        /// The commit is on record.
        case committed
        /// The new QEMU was told to resume the guest.
        case running
        /// The old QEMU is gone.
        case retired
    }

    /// A name such as `before-record:linked`, as in FaultPoint.swift.
    let name: String
    let stage: Stage

    var description: String { name }

    /// All places, in the order of a refresh.
    static let all: [MatrixPlace] = [
        ("record:planned", .planned, .planned), ("action:launchNew", .planned, .launched),
        ("record:launched", .launched, .launched), ("action:link", .launched, .linked),
        ("record:linked", .linked, .linked), ("record:switching", .linked, .linked),
        ("action:beginSwitch", .linked, .switched), ("record:committed", .switched, .committed),
        ("action:resumeNew", .committed, .running),
        ("record:running", .running, .running), ("action:retireOld", .running, .retired),
        ("action:settle", .retired, .retired),
    ].flatMap { (name: String, before: Stage, after: Stage) in
        [MatrixPlace(name: "before-\(name)", stage: before), MatrixPlace(name: "after-\(name)", stage: after)]
    }
}
