public import JSON
internal import Linux
internal import Synchronization

/// The journal of a handoff that goes on; nobody else writes it as long as this object lives.
///
/// A record is there as soon as `append` returns, for every process of this host; it is not forced to a disk.
public final class JournalWriter: Sendable {
    /// The handoff.
    public let id: String

    /// What was recorded before.
    public let reading: JournalReading

    /// Where the end that was cut off was copied to; nil when there was nothing to repair.
    public let tornTailCopy: String?

    private struct Progress {
        var sequence: Int
        var checksum: UInt32
        var isClosed = false
    }

    private let file: AppendFile
    private let path: String
    private let progress: Mutex<Progress>

    /// Room for so many bytes is set aside before the handoff begins, so that no record of the switch can miss it.
    static let reservedBytes: Int64 = 64 << 10

    // The file is locked, its room is reserved, and it holds what was read and nothing else.
    init(file: AppendFile, path: String, reading: JournalReading, tornTailCopy: String? = nil) {
        self.file = file
        self.path = path
        id = reading.id
        self.reading = reading
        self.tornTailCopy = tornTailCopy
        progress = Mutex(Progress(sequence: reading.records.count, checksum: reading.checksum))
    }

    deinit {
        close()
    }

    /// Records a state, with one write(2).
    ///
    /// - Parameters:
    ///   - state: the raw value of the handoff's state.
    ///   - facts: what else is to be remembered.
    /// - Throws: `JournalError`: `noRoom`, `system`; the journal is then as it was before. `closed` after a failure that
    ///   could not be undone.
    public func append(state: String, facts: [String: JSONValue] = [:]) throws(JournalError) {
        let failure: JournalError? = progress.withLock { progress in
            do throws(JournalError) {
                try append(state, facts, &progress)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
    }

    private func append(_ name: String, _ facts: [String: JSONValue], _ progress: inout Progress) throws(JournalError) {
        guard !progress.isClosed else { throw JournalError(.closed, "\(path) is closed: an earlier record failed.") }
        let record = JournalRecord(
            sequence: progress.sequence, state: name, time: WallClock.microseconds(), facts: facts
        )
        let (bytes, checksum) = JournalLine.encode(record, seed: progress.checksum)
        do throws(SystemError) {
            try file.append(bytes)
        } catch {
            // A part of the record may be at the end: another record behind it would be lost with it.
            if error.name == "EIO" { progress.isClosed = true }
            throw JournalError(error, doing: "recording \(name)")
        }
        progress.sequence += 1
        progress.checksum = checksum
    }

    /// Ends the writing and gives back the room that was not used.
    ///
    /// The lock goes with this object.
    public func close() {
        progress.withLock { progress in
            guard !progress.isClosed else { return }
            progress.isClosed = true
            // What is set aside costs memory where the file is in memory; that it stays harms nobody.
            if let size = try? file.size() { try? file.truncate(to: size) }
        }
    }
}
