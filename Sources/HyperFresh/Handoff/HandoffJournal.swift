import Handoff
import JSON
import Journal
import Linux

/// The record of one handoff that goes on.
final class HandoffJournal: Sendable {
    let id: String
    let stateDirectory: String
    private let writer: JournalWriter
    /// Held to the end of the handoff: no other controller comes near this guest.
    private let lock: HeldLock

    private init(id: String, stateDirectory: String, writer: JournalWriter, lock: HeldLock) {
        self.id = id
        self.stateDirectory = stateDirectory
        self.writer = writer
        self.lock = lock
    }

    /// How many handoffs are remembered.
    private static let kept = 100

    /// A new handoff's id: eight hexadecimal digits.
    static func makeID() -> String {
        UInt32.random(in: .min ... .max).hexadecimal(digits: 8)
    }

    /// Opens the record of a handoff that is about to begin.
    ///
    /// Nothing else has happened yet.
    static func begin(
        id: String, facts: [String: JSONValue], lock: HeldLock, host: Host
    ) throws(HyperFreshError) -> HandoffJournal {
        do {
            let directory = try JournalDirectory(host.stateDirectory)
            _ = try directory.prune(keep: kept)
            let writer = try directory.create(id: id, facts: facts)
            return HandoffJournal(id: id, stateDirectory: host.stateDirectory, writer: writer, lock: lock)
        } catch {
            throw HyperFreshError(
                "the handoff cannot be recorded in \(host.stateDirectory)", because: error,
                remedy: "Make the folder writable and give it room, or name another one with --state-dir.")
        }
    }

    /// Opened with ``HandoffState/planned`` in it; every other record is one write, on the path of the switch.
    func append(_ state: HandoffState, facts: [String: JSONValue] = [:]) throws(JournalError) {
        if state != .planned || !facts.isEmpty { try writer.append(state: state.rawValue, facts: facts) }
        // What is written cannot fail any more.
        _ = FaultPoint.reach(.after, .record(state))
    }

    /// Adds what the refresh came to, for `history`, and lets go of the guest.
    func close(with result: JSONValue, state: HandoffState) {
        // The guest is where it is, whether or not the figures can be remembered.
        try? writer.append(state: state.rawValue, facts: ["result": result])
        writer.close()
        lock.release()
    }
}
