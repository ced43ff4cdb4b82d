import Guests
import Linux

/// The memory of a guest of this host, and the processes that have it mapped: what runs, whatever the records say.
struct GuestMemory: Sendable {
    /// The name of the first of its files.
    let path: String
    /// Its files as mappings show them; none where only the name is known.
    let files: Set<FileIdentity>

    init(path: String, files: Set<FileIdentity>) {
        self.path = path
        self.files = files
    }

    init(_ facts: HostGuestFacts) { self.init(path: facts.memoryFile, files: facts.memory) }

    /// The memory that a QEMU has by its command line, as it is mapped now; `nil` where none is.
    init?(of guest: GuestProcess) {
        let mappings = ((try? ProcFS.mappings(guest.identity.pid)) ?? []).filter { $0.isShared && $0.inode != 0 }
        let named = mappings.filter { mapping in
            guest.memoryBackends.contains { $0.path.map { Self.leads($0, to: mapping) } ?? false }
        }
        guard let first = named.first else { return nil }
        self.init(path: first.path, files: Set(named.map(\.identity)))
    }

    /// The names by which the files of a QEMU's memory can be locked from here.
    static func lockPaths(of guest: GuestProcess) -> [String] {
        guard let memory = GuestMemory(of: guest) else { return [] }
        let pid = guest.identity.pid
        // Where nothing can be seen there is no name to lock by, and preflight says so.
        let mappings = ((try? ProcFS.mappings(pid)) ?? []).filter { memory.files.contains($0.identity) }
        return Set(mappings.filter { !$0.isDeleted }.map(\.path)).map { path in
            let isHere = (try? Files.identity(path)).map(memory.files.contains) ?? false
            // In another mount namespace the name leads elsewhere.
            return isHere ? path : "/proc/\(pid)/root\(path)"
        }
    }

    /// Whether a path of a command line is that of a mapping: as it is, within a folder, or through links.
    private static func leads(_ path: String, to mapping: MemoryMapping) -> Bool {
        if mapping.path == path || (try? Files.identity(path)) == mapping.identity { return true }
        let relative = path.hasPrefix("./") ? String(path.dropFirst(2)) : path
        return !path.hasPrefix("/") && mapping.path.hasSuffix("/\(relative)")
    }

    /// Whether a process maps one of the very files.
    ///
    /// - Throws: `SystemError` when its mappings cannot be read.
    func isMapped(by pid: Int32) throws(SystemError) -> Bool {
        try ProcFS.mappingsOfThreads(pid).contains { mapping in
            guard mapping.inode != 0 else { return false }
            return files.isEmpty ? mapping.isShared && mapping.path == path : files.contains(mapping.identity)
        }
    }

    /// Every process that maps one of the files, or another file of the same name.
    ///
    /// A process that may not be looked at counts if its command line names the memory.
    ///
    /// - Throws: `HyperFreshError` when the processes of this host cannot be read.
    func users() throws(HyperFreshError) -> [FileHolder] {
        let pids: [Int32]
        do throws(SystemError) {
            pids = try ProcFS.processes()
        } catch {
            throw HyperFreshError(
                "who has the guest's memory cannot be seen", because: error, remedy: "Mount /proc, then try again.")
        }
        return pids.compactMap { pid in
            // One that has ended meanwhile uses nothing.
            guard mayUse(pid), let status = try? ProcFS.status(pid) else { return nil }
            return FileHolder(
                process: ProcessIdentity(pid: pid, startTime: status.startTime), command: status.command, writes: true)
        }
    }

    private func mayUse(_ pid: Int32) -> Bool {
        do throws(SystemError) {
            return try ProcFS.mappingsOfThreads(pid).contains { mapping in
                files.contains(mapping.identity) || mapping.isShared && mapping.path == path
            }
        } catch {
            // One that has ended uses nothing.
            return !error.isGone && (try? ProcFS.commandLine(pid))?.contains { $0.contains(path) } == true
        }
    }
}

extension [FileHolder] {
    /// `pid 42 (qemu-system-x86), pid 43 (gdb)`.
    var list: String { map(\.description).joined(separator: ", ") }
}
