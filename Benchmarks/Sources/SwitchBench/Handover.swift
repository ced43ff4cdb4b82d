/// One handover of a guest from its QEMU to a new one, as the method saw it.
struct Handover: Sendable {
    /// From QEMU's STOP event to its RESUME event, by QEMU's timestamps, in microseconds.
    var switchMicroseconds: Int
    /// From the start of it all until the old QEMU is gone and the new one has its name, in microseconds.
    var wholeMicroseconds: Int
    /// From STOP to the old side's `completed`.
    var oldCompletedMicroseconds: Int?
    /// From STOP to the new side's `completed`.
    var newCompletedMicroseconds: Int?
    /// From the second `completed` seen to `cont` written.
    var controllerMicroseconds: Int?
    /// What the method itself says about its phases, in microseconds.
    var phases: [String: Int] = [:]
}

/// A way to give a guest to a new QEMU.
enum Method: String, Sendable, Hashable, Codable, CaseIterable {
    case hyperfresh
    case floor
    case precopy

    /// Which guest it can be used on.
    var memory: BenchGuest.Memory { self == .precopy ? .anonymous : .file }

    /// As tables and charts call it.
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
