import Guests
import Linux

/// The memory of a guest of this host, and the processes that map it, independent of any record.
struct GuestMemory: Sendable {
    /// The path of the first of its files.
    let path: String
    /// Its files as its mappings identify them; empty if only the path is known.
    let files: Set<FileIdentity>

    init(path: String, files: Set<FileIdentity>) {
        self.path = path
        self.files = files
    }

    init(_ facts: HostGuestFacts) { self.init(path: facts.memoryFile, files: facts.memory) }

    /// Finds the memory that a QEMU has by its command line, as it is mapped now; `nil` if none is.
    init?(of guest: GuestProcess) {
        let mappings = ((try? ProcFS.mappings(guest.identity.pid)) ?? []).filter { $0.isShared && $0.inode != 0 }
        let named = mappings.filter { mapping in
            guest.memoryBackends.contains { $0.path.map { Self.leads($0, to: mapping) } ?? false }
        }
        guard let first = named.first else { return nil }
        self.init(path: first.path, files: Set(named.map(\.identity)))
    }

    /// Returns the paths by which this process can lock the files of a QEMU's memory.
    static func lockPaths(of guest: GuestProcess) -> [String] {
        guard let memory = GuestMemory(of: guest) else { return [] }
        let pid = guest.identity.pid
        // Without readable mappings there is no path to lock, and preflight reports that.
        let mappings = ((try? ProcFS.mappings(pid)) ?? []).filter { memory.files.contains($0.identity) }
        return Set(mappings.filter { !$0.isDeleted }.map(\.path)).map { path in
            let isHere = (try? Files.identity(path)).map(memory.files.contains) ?? false
            // In another mount namespace, the path leads to another file.
            return isHere ? path : "/proc/\(pid)/root\(path)"
        }
    }

    /// Returns whether a path of a command line is that of a mapping: as it is, within a folder, or through links.
    private static func leads(_ path: String, to mapping: MemoryMapping) -> Bool {
        if mapping.path == path || (try? Files.identity(path)) == mapping.identity { return true }
        let relative = path.hasPrefix("./") ? String(path.dropFirst(2)) : path
        return !path.hasPrefix("/") && mapping.path.hasSuffix("/\(relative)")
    }

    /// Returns whether a process maps one of these files.
    ///
    /// - Throws: `SystemError` if its mappings cannot be read.
    func isMapped(by pid: Int32) throws(SystemError) -> Bool {
        try ProcFS.mappingsOfThreads(pid).contains { mapping in
            guard mapping.inode != 0 else { return false }
            return files.isEmpty ? mapping.isShared && mapping.path == path : files.contains(mapping.identity)
        }
    }

    /// Returns every process that maps one of the files, or another file of the same name.
    ///
    /// A process that may not be examined counts if its command line names the memory.
    ///
    /// - Throws: `HyperFreshError` if the processes of this host cannot be read.
    func users() throws(HyperFreshError) -> [FileHolder] {
        let pids: [Int32]
        do throws(SystemError) {
            pids = try ProcFS.processes()
        } catch {
            throw HyperFreshError(
                "cannot determine which processes have the guest's memory", because: error,
                remedy: "Mount /proc, then try again.")
        }
        return pids.compactMap { pid in
            // A process that has ended since uses nothing.
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
            // A process that has ended uses nothing.
            return !error.isGone && (try? ProcFS.commandLine(pid))?.contains { $0.contains(path) } == true
        }
    }
}

extension [FileHolder] {
    /// `pid 42 (qemu-system-x86), pid 43 (gdb)`.
    var list: String { map(\.description).joined(separator: ", ") }
}
