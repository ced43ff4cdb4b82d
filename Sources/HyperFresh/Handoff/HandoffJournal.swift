import Handoff
import JSON
import Journal
import Linux

/// The journal of one handoff in progress.
final class HandoffJournal: Sendable {
    let id: String
    let stateDirectory: String
    private let writer: JournalWriter
    /// Held until the end of the handoff, to exclude every other controller from this guest.
    private let lock: HeldLock

    private init(id: String, stateDirectory: String, writer: JournalWriter, lock: HeldLock) {
        self.id = id
        self.stateDirectory = stateDirectory
        self.writer = writer
        self.lock = lock
    }

    /// The number of handoffs to keep on record.
    private static let kept = 100

    /// Returns a new handoff's id: eight hexadecimal digits.
    static func makeID() -> String {
        UInt32.random(in: .min ... .max).hexadecimal(digits: 8)
    }

    /// Creates the journal of a handoff, before anything else is done for it.
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
                "cannot record the handoff in \(host.stateDirectory)", because: error,
                remedy: "Make the folder writable and free space in it, or name another one with --state-dir.")
        }
    }

    /// Appends a record with one write, on the path of the switch; ``HandoffState/planned`` is in the journal already.
    func append(_ state: HandoffState, facts: [String: JSONValue] = [:]) throws(JournalError) {
        if state != .planned || !facts.isEmpty { try writer.append(state: state.rawValue, facts: facts) }
        // A record that is written cannot fail any more.
        _ = FaultPoint.reach(.after, .record(state))
    }

    /// Adds the result of the refresh, for `history`, and releases the guest.
    func close(with result: JSONValue, state: HandoffState) {
        // The guest is unaffected if the figures cannot be recorded.
        try? writer.append(state: state.rawValue, facts: ["result": result])
        writer.close()
        lock.release()
    }
}
