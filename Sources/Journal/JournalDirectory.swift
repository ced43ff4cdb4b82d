internal import Glibc
internal import Handoff
package import JSON
internal import Linux

/// The journals of all handoffs of one state folder: `<state folder>/handoffs/<id>.journal`.
package struct JournalDirectory: Sendable {
    /// The folder of the journals.
    package let path: String

    private static let suffix = ".journal"
    /// Far more than a handoff writes.
    private static let maximumBytes = 16 << 20

    /// Opens the folder, and creates it if it is missing: owned by this user, mode 0700.
    ///
    /// - Parameter stateDirectory: the state folder; its parent folder must exist.
    /// - Throws: `JournalError`: `insecure` if another user could modify it, `system`.
    package init(_ stateDirectory: String) throws(JournalError) {
        path = "\(stateDirectory)/handoffs"
        do throws(SystemError) {
            try Files.createDirectory(stateDirectory)
            try Files.createDirectory(path)
        } catch {
            throw JournalError(error, doing: "opening the state folder")
        }
    }

    /// Opens the folder for reading.
    ///
    /// - Parameter stateDirectory: the state folder.
    /// - Returns: nil if the folder does not exist, so nothing was ever recorded.
    /// - Throws: `JournalError`: `insecure` if another user could have written to it, `system`.
    package static func existing(_ stateDirectory: String) throws(JournalError) -> JournalDirectory? {
        do throws(SystemError) {
            try Files.verifyDirectory(stateDirectory)
            try Files.verifyDirectory("\(stateDirectory)/handoffs")
        } catch {
            // Only a folder that does not exist holds nothing.
            if error.code == ENOENT { return nil }
            throw JournalError(error, doing: "reading the state folder")
        }
        return JournalDirectory(verified: "\(stateDirectory)/handoffs")
    }

    private init(verified path: String) {
        self.path = path
    }

    /// Creates the journal of a handoff, with its first record in it before the file becomes visible.
    ///
    /// - Parameters:
    ///   - id: the handoff: 1 to 64 letters, digits, `-` and `_`.
    ///   - state: the raw value of its first state.
    ///   - facts: the facts that another controller needs to finish the handoff.
    /// - Returns: the journal, open for appending.
    /// - Throws: `JournalError`: `exists`, `noRoom`, `invalidIdentifier`, `system`; no journal was created then.
    package func create(
        id: String, state: String = HandoffState.planned.rawValue, facts: [String: JSONValue]
    ) throws(JournalError) -> JournalWriter {
        let final = try file(id)
        let temporary = "\(path)/.\(id).\(getpid())"
        var isMade = false
        defer { if isMade { unlink(temporary) } }
        do throws(SystemError) {
            let file = try AppendFile.create(temporary)
            isMade = true
            _ = try file.tryLock()
            try file.reserve(JournalWriter.reservedBytes)
            let record = JournalRecord(sequence: 0, state: state, time: WallClock.microseconds(), facts: facts)
            let (bytes, _) = JournalLine.encode(record, seed: JournalLine.seed(id: id))
            try file.append(bytes)
            // link(2) refuses where rename(2) would replace.
            try Files.link(temporary, as: final)
            return JournalWriter(file: file, path: final, reading: JournalReading(parsing: bytes, id: id))
        } catch {
            throw JournalError(error, doing: "beginning the journal of handoff \(id)")
        }
    }

    /// Opens the journal of a handoff whose controller is gone, to append to it.
    ///
    /// Copies a record that was cut short to a file next to the journal, then cuts it off. Repairs nothing else.
    /// - Parameter id: the handoff.
    /// - Returns: the journal, with the records read from it.
    /// - Throws: `JournalError`: `inUse`, `damaged`, `newerVersion`, `notFound`, `noRoom`, `insecure`, `system`.
    package func resume(_ id: String) throws(JournalError) -> JournalWriter {
        let path = try file(id)
        let reading: JournalReading
        let journal: AppendFile
        var copy: String?
        do throws(SystemError) {
            journal = try AppendFile.open(path)
            guard try journal.tryLock() else {
                throw SystemError(operation: "fcntl", subject: path, code: EWOULDBLOCK)
            }
            let bytes = try journal.readAll(limit: Self.maximumBytes)
            reading = JournalReading(parsing: bytes, id: id)
            if case .tornTail = reading.damage {
                copy = try setAside(Array(bytes[reading.validBytes...]), of: path)
                try journal.truncate(to: Int64(reading.validBytes))
            }
            try journal.reserve(JournalWriter.reservedBytes)
        } catch {
            if error.code == EWOULDBLOCK {
                throw JournalError(.inUse, "Another controller is working on handoff \(id).")
            }
            throw JournalError(error, doing: "opening the journal of handoff \(id)")
        }
        switch reading.damage {
        case nil, .tornTail: break
        case .some(let damage): throw JournalError(damage, path: path)
        }
        return JournalWriter(file: journal, path: path, reading: reading, tornTailCopy: copy)
    }

    private func setAside(_ tail: [UInt8], of path: String) throws(SystemError) -> String {
        var count = 0
        while true {
            count += 1
            let copy = "\(path).torn-\(count)"
            if Files.exists(copy) { continue }
            try Files.replaceAtomically(copy, bytes: tail)
            return copy
        }
    }

    /// Reads the journal of a handoff; changes nothing, whether or not a controller is writing it.
    ///
    /// - Parameter id: the handoff.
    /// - Returns: its records, and any damage.
    /// - Throws: `JournalError`: `notFound`, `insecure`, `system`.
    package func read(_ id: String) throws(JournalError) -> JournalReading {
        try summary(id).reading
    }

    /// Returns all handoffs on record.
    ///
    /// - Returns: The oldest first, those without a readable first record before them. A journal that cannot be read at
    ///   all is returned as damaged, with the reason.
    /// - Throws: `JournalError`: `insecure`, `system`, when the folder itself cannot be read.
    package func entries() throws(JournalError) -> [JournalSummary] {
        let names: [String]
        do throws(SystemError) {
            names = try ProcFS.names(inFolder: path)
        } catch {
            throw JournalError(error, doing: "reading the state folder")
        }
        var entries: [JournalSummary] = []
        for name in names where name.hasSuffix(Self.suffix) && !name.hasPrefix(".") {
            do throws(JournalError) {
                entries.append(try summary(String(name.dropLast(Self.suffix.count))))
            } catch  where error.code == .notFound {
                // Pruned since the folder was listed.
                continue
            } catch {
                // One unreadable file (foreign name, link, folder, another user's) must not hide the others.
                let id = String(name.dropLast(Self.suffix.count))
                entries.append(JournalSummary(reading: JournalReading(unreadable: id, "\(error)"), isActive: false))
            }
        }
        return entries.sorted { ($0.began ?? .min, $0.id) < ($1.began ?? .min, $1.id) }
    }

    private func summary(_ id: String) throws(JournalError) -> JournalSummary {
        let path = try file(id)
        do throws(SystemError) {
            let journal = try AppendFile.open(path, forReading: true)
            // Ask first: a controller that ends in between has then written everything it had to.
            let isActive = try journal.isLockedByAnother()
            let bytes = try journal.readAll(limit: Self.maximumBytes)
            return JournalSummary(reading: JournalReading(parsing: bytes, id: id), isActive: isActive)
        } catch {
            throw JournalError(error, doing: "reading the journal of handoff \(id)")
        }
    }

    /// Removes the journals of the oldest handoffs that are over.
    ///
    /// Keeps a handoff that is in progress, unfinished or unreadable, however old it is.
    /// - Parameter keep: how many handoffs to keep; more are kept if they must be.
    /// - Returns: the ids of the handoffs that were removed.
    /// - Throws: `JournalError`: `insecure`, `system`.
    @discardableResult
    package func prune(keep: Int) throws(JournalError) -> [String] {
        let all = try entries()
        let isOver: (JournalSummary) -> Bool = { entry in
            guard !entry.isActive, entry.reading.damage == nil, let state = entry.state else { return false }
            return HandoffState(rawValue: state)?.isFinal == true
        }
        let forgotten = all.filter(isOver).prefix(max(0, all.count - keep)).map(\.id)
        for id in forgotten { unlink(try file(id)) }
        // Best effort: the next call looks again for the remaining files.
        for name in (try? ProcFS.names(inFolder: path)) ?? [] {
            // Copies of cut-off records are removed with their journal.
            guard let dot = name.firstIndex(of: "."), forgotten.contains(String(name[..<dot])) else { continue }
            unlink("\(path)/\(name)")
        }
        return Array(forgotten)
    }

    private func file(_ id: String) throws(JournalError) -> String {
        let isValid = id.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        guard isValid, (1...64).contains(id.utf8.count) else {
            throw JournalError(
                .invalidIdentifier, "'\(id)' is not a valid handoff id: use 1 to 64 letters, digits, '-' and '_'.")
        }
        return "\(path)/\(id)\(Self.suffix)"
    }
}

extension JournalReading {
    /// A journal that cannot be read.
    fileprivate init(unreadable id: String, _ reason: String) {
        self.init(parsing: [], id: id, damage: .damaged(line: 1, reason: reason))
    }
}
