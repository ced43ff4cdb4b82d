/// One handover of a guest from its QEMU to a new one, as measured by the method.
struct Handover: Sendable {
    /// The time from QEMU's STOP event to its RESUME event, by QEMU's timestamps, in microseconds.
    var switchMicroseconds: Int
    /// The time from the start until the old QEMU is gone and the new one has its socket name, in microseconds.
    var wholeMicroseconds: Int
    /// The time from STOP to the old side's `completed`.
    var oldCompletedMicroseconds: Int?
    /// The time from STOP to the new side's `completed`.
    var newCompletedMicroseconds: Int?
    /// The time from receiving the second `completed` to writing `cont`.
    var controllerMicroseconds: Int?
    /// The phases reported by the method, in microseconds.
    var phases: [String: Int] = [:]
}

/// A way to hand a guest over to a new QEMU.
enum Method: String, Sendable, Hashable, Codable, CaseIterable {
    case hyperfresh
    case floor
    case precopy

    /// The kind of guest memory that it needs.
    var memory: BenchGuest.Memory { self == .precopy ? .anonymous : .file }

    /// The name in tables and charts.
    var title: String {
        switch self {
        case .hyperfresh: "hyperfresh"
        case .floor: "the floor"
        case .precopy: "pre-copy migration"
        }
    }

    /// Hands a guest over.
    func handOver(_ guest: BenchGuest, tools: Tools, scratch: Scratch) async throws -> Handover {
        switch self {
        case .hyperfresh: try HyperfreshHandover.run(guest, tools: tools, scratch: scratch)
        case .floor: try await FloorHandover.run(guest)
        case .precopy: try await PrecopyHandover.run(guest)
        }
    }
}
