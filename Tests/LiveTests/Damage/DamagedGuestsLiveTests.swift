import CanaryTesting
import Glibc
import HyperFresh
import JSON
import Linux
import QMP
import Testing

extension Live {
    /// Records and files of a guest that are missing, damaged or somebody else's: who ran still runs, once, and is said to be
    /// where it is.
    @Suite(.enabled(if: Live.isReady, Live.howToGetReady))
    struct DamagedGuestsLiveTests {
        private static let document = "\(Live.packageRoot)/docs/recovery.md"

        @Test(.enabled(if: geteuid() == 0, "needs root, to give files to another user"))
        func whatIsDamagedHarmsNoGuest() async throws {
            let rows = try DamageRow.all(in: Self.document)
            #expect(rows.count >= 15)
            try await LiveGuest.run("damage", options: .withDisk) { guest in
                for (index, row) in rows.enumerated() where Live.isWhole || index.isMultiple(of: 4) {
                    let begin = ContinuousClock.now
                    try await DamagedGuest(guest: guest, row: row).play()
                    print("damage: \(row): \((ContinuousClock.now - begin) / .milliseconds(1)) ms")
                }
                _ = try await guest.canary.proveAlive()
                #expect(guest.processes == [guest.canary.pid].compactMap(\.self))
            }
        }
    }
}

/// One row, played: the damage, every verb, and then what brings all to its right end.
private struct DamagedGuest {
    let guest: LiveGuest
    let row: DamageRow

    private var state: String { guest.host.stateDirectory }
    private var folder: String { "\(state)/handoffs" }

    func play() async throws {
        let comment: Comment = "\(row)"
        var old = try #require(guest.canary.pid)
        // A handoff that was left unfinished, with a second QEMU that waits.
        if row.object == "journal" { _ = try await guest.startRefresh(fault: "kill-after-record:linked").result() }
        let undo = try await damage()
        for (verb, status) in zip(DamageRow.verbs, row.statuses) {
            let result = try await guest.start(arguments(verb)).result()
            #expect(result.status == status, "\(row), \(verb): \(result)")
            if verb == "refresh", status == 0 { old = try #require(guest.processes.last) }
            // By its number: its memory may have another name now.
            #expect(ProcessIdentity.current(of: old)?.isAlive == true, "\(row), \(verb): \(result)")
            #expect(!"\(result)".contains("Start the guest"), "\(row), \(verb): \(result)")
        }
        // The one QEMU that waits is ended as its report says, if recovery could not.
        for pid in guest.processes where pid != old { try await LiveGuest.kill(pid) }
        try undo()
        for round in 1...3 {
            let recovery = try await guest.command("recover", "--json")
            if recovery.status == 0 { break }
            #expect(round < 3, "\(row): \(recovery)")
        }
        for name in try ProcFS.names(inFolder: guest.canary.files.directory) where name.contains(".hf-") {
            unlink("\(guest.canary.files.directory)/\(name)")
        }
        #expect(guest.processes == [old], comment)
        #expect(try await guest.isRunning, comment)
        let report = try await guest.startRefresh().result().report
        #expect(report["outcome"] == "refreshed", "\(row): \(report)")
        let before = guest.canary.latest?.sequence ?? 0
        #expect(try await guest.canary.report { $0.sequence > before }.anomalies == 0, comment)
    }

    private func arguments(_ verb: String) -> [String] {
        switch verb {
        case "plan", "refresh": [verb, "guest", guest.canary.files.qmp, "--json"]
        default: [verb, "--json"]
        }
    }

    /// Damages what the row names.
    ///
    /// - Returns: What puts it back, where nothing else does.
    private func damage() async throws -> () throws -> Void {
        let files = guest.canary.files
        switch row.object {
        case "journal":
            let names = try ProcFS.names(inFolder: folder).filter { $0.hasSuffix(".journal") }
            let items = try await guest.status()
            let id = try #require(items.first?["id"]?.string)
            let name = try #require(names.first { $0.hasPrefix(id) })
            let bytes = try Files.readAll("\(folder)/\(name)")
            try damageFile("\(folder)/\(name)")
            // The version that wrote it would recover; this one has to leave it alone.
            return { [row, folder] in
                if row.damage == "newer-version" { try Files.replaceAtomically("\(folder)/\(name)", bytes: bytes) }
            }
        case "memory":
            let kept = "\(files.memory)-kept"
            try #require(rename(files.memory, kept) == 0)
            if row.damage != "missing" { try damageFile(files.memory) }
            return {
                unlink(files.memory)
                try #require(rename(kept, files.memory) == 0)
            }
        case "pid-file":
            try damageFile(files.pidFile)
            return {}
        case "lock":
            let holder = try ChildProgram("flock", [files.memory, "sleep", "600"])
            while try !isLocked(files.memory) { try await Task.sleep(for: .milliseconds(10)) }
            // Its child holds the lock, too.
            let child = try ProcFS.processes().first { (try? ProcFS.status($0))?.parent == holder.pid }
            return {
                if let child { kill(child, SIGKILL) }
                holder.signal(SIGKILL)
            }
        case "state-folder":
            let kept = "\(state)-kept"
            if row.damage == "too-open" {
                try #require(chmod(state, 0o755) == 0)
                return { [state] in chmod(state, 0o700) }
            }
            try #require(rename(state, kept) == 0)
            if row.damage != "missing" { try damageFile(state) }
            return { [state] in
                if remove(state) != 0 { _ = rename(state, "\(state)-made") }
                try #require(rename(kept, state) == 0)
            }
        default: throw MatrixWrong(description: "no such object: \(row.object)")
        }
    }

    private func isLocked(_ path: String) throws -> Bool {
        guard let lock = try FileLock.tryAcquire(path) else { return true }
        _ = consume lock
        return false
    }

    private func damageFile(_ path: String) throws {
        let bytes = (try? Files.readAll(path)) ?? []
        func write(_ bytes: [UInt8]) throws { try Files.replaceAtomically(path, bytes: bytes) }
        switch row.damage {
        case "missing": unlink(path)
        case "empty": try write([])
        case "torn": try write(Array(bytes.dropLast(20)))
        case "garbage": try write(Array("{\"ver\u{0}not a record\n".utf8))
        case "newer-version":
            try write(Array("hf2 0 anything\n".utf8))
        case "other-owner":
            if bytes.isEmpty { try write([1]) }
            try #require(chown(path, 65534, 65534) == 0)
        case "link":
            let target = "\(guest.tools)/target"
            try Files.replaceAtomically(target, bytes: bytes)
            unlink(path)
            try #require(symlink(target, path) == 0)
        case "folder":
            unlink(path)
            try #require(mkdir(path, 0o700) == 0)
        case "file": try write([])
        default: throw MatrixWrong(description: "no such damage: \(row.damage)")
        }
    }
}
