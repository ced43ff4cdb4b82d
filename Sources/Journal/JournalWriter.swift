package import JSON
internal import Linux
internal import Synchronization

/// The journal of a handoff in progress; no other process writes it as long as this object lives.
///
/// Every process of this host sees a record as soon as `append` returns; it is not forced to a disk.
package final class JournalWriter: Sendable {
    /// The handoff's id.
    package let id: String

    /// The records that were in the journal when it was opened.
    package let reading: JournalReading

    /// The file with the record that was cut off; nil if there was nothing to repair.
    package let tornTailCopy: String?

    private struct Progress {
        var sequence: Int
        var checksum: UInt32
        var isClosed = false
    }

    private let file: AppendFile
    private let path: String
    private let progress: Mutex<Progress>

    /// Bytes to reserve before the handoff begins, so that no record of the switch fails for lack of space.
    static let reservedBytes: Int64 = 64 << 10

    // The file must be locked, its space reserved, and its contents exactly those of `reading`.
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
    ///   - facts: other facts to remember.
    /// - Throws: `JournalError`: `noRoom`, `system`; the journal is then unchanged. `closed` after a failure that could
    ///   not be undone.
    package func append(state: String, facts: [String: JSONValue] = [:]) throws(JournalError) {
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
            // A part of the record may be at the end of the file: a record after it would be lost too.
            if error.name == "EIO" { progress.isClosed = true }
            throw JournalError(error, doing: "recording \(name)")
        }
        progress.sequence += 1
        progress.checksum = checksum
    }

    /// Closes the journal for writing and releases the reserved space that was not used.
    ///
    /// The lock is released with this object.
    package func close() {
        progress.withLock { progress in
            guard !progress.isClosed else { return }
            progress.isClosed = true
            // Reserved space costs memory if the file is in memory; it is harmless if it stays.
            if let size = try? file.size() { try? file.truncate(to: size) }
        }
    }
}
