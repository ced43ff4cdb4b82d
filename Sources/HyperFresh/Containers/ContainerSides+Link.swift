import Containers
import Handoff
import StackFile
import Synchronization
import VirtualMachines

extension ContainerSides {
    func link() async -> HandoffEvent {
        context.clock.begin(.link)
        defer { context.clock.end() }
        do throws(HypervisorError) {
            try await proveSameStore()
            let seen = try await old.place.observe()
            guard seen != .gone, seen != .arriving else {
                throw HypervisorError("container \(name) has ended", remedy: "Start it again: `hyperfresh up`.")
            }
            // A process that somebody has stopped is no reason to freeze the others for good.
            state.withLock { $0.ran = seen != .frozen }
            try await new.place.requireRoom(for: try await old.place.memoryInUse())
            for placement in [old, new] { try await placement.place.tryCRIU() }
            let rounds = try await copyMemory()
            try await old.place.prepareDump(afterRounds: rounds, over: try channels().old)
            guard await group.admit(name) else {
                throw HypervisorError(
                    "another container of the OS VM could not be made ready", remedy: "See its own report.")
            }
            return .linked(guestRuns: seen != .frozen)
        } catch {
            context.fail(HyperFreshError(error))
            return .linkFailed
        }
    }

    /// A word that was random a moment ago goes through the store and back: names and sizes may agree by accident.
    private func proveSameStore() async throws(HypervisorError) {
        let (there, back) = ("\(UniqueID())", "\(UniqueID())")
        _ = try await old.place.exchange(there)
        let found = try await new.place.exchange(back)
        let answer = found == there ? try await old.place.exchange(nil) : ""
        guard found == there, answer == back else {
            throw HypervisorError(
                "the two OS VMs do not see the same image store for container \(name)",
                remedy: "Nothing was paused. Was its file changed since `up`?",
                evidence: ["written: \(there), \(back)", "read: \(found), \(answer)"])
        }
        context.clock.note("image store proven the same in both")
    }

    /// The most rounds: what is still left then is written faster than it is copied.
    private static let roundLimit = 5
    /// What is so little that another round would save nothing worth its own cost: 1 MiB.
    private static let littleEnough: UInt64 = 1 << 20

    /// Copies memory while the container runs, for as long as that leaves less to copy.
    ///
    /// - Returns: How many rounds it took.
    private func copyMemory() async throws(HypervisorError) -> Int {
        var (last, most) = (UInt64.max, UInt64.zero)
        for round in 0..<Self.roundLimit {
            let (bytes, left) = try await old.place.copyMemory(round: round)
            state.withLock { $0.copied.append(bytes) }
            most = max(most, bytes)
            // The first round copies everything, and says nothing of what the second would find.
            if bytes < Self.littleEnough || (round > 0 && bytes > last / 4 * 3) { return round + 1 }
            // Another round may copy as much, and the last dump too: without room for both it would fail.
            if left < 2 * most + Self.littleEnough { return round + 1 }
            last = round == 0 ? .max : bytes
        }
        return Self.roundLimit
    }
}
