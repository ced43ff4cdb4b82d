/// A process that has a file open or mapped.
public struct FileHolder: Sendable, Hashable, CustomStringConvertible {
    /// The process.
    public let process: ProcessIdentity
    /// The name of its program as the kernel stores it: at most 15 characters.
    public let command: String
    /// Whether it has the file open for writing, or has a shared writable mapping of it.
    public let writes: Bool

    /// Describes a holder.
    ///
    /// - Parameters:
    ///   - process: The process.
    ///   - command: The name of its program.
    ///   - writes: Whether it may write to the file.
    public init(process: ProcessIdentity, command: String, writes: Bool) {
        self.process = process
        self.command = command
        self.writes = writes
    }

    /// `pid 4711 (qemu-system-x86)`.
    public var description: String { "pid \(process.pid) (\(command))" }

    /// Returns the processes that have a file open or mapped.
    ///
    /// Processes that this user may not inspect are omitted: for an ordinary user, those of other users.
    ///
    /// - Parameter identity: The file, as returned by `Files.status(_:)`.
    /// - Returns: The holders, by pid.
    /// - Throws: `SystemError` if /proc cannot be read.
    public static func all(of identity: FileIdentity) throws(SystemError) -> [FileHolder] {
        try all(of: [identity])[identity] ?? []
    }

    /// Returns the processes that have any of these files open or mapped; reads /proc once for all files.
    ///
    /// - Parameter identities: The files.
    /// - Returns: For each file with holders, its holders by pid.
    /// - Throws: `SystemError` if /proc cannot be read.
    public static func all(of identities: Set<FileIdentity>) throws(SystemError) -> [FileIdentity: [FileHolder]] {
        var holders: [FileIdentity: [FileHolder]] = [:]
        guard !identities.isEmpty else { return holders }
        for pid in try ProcFS.processes() {
            do throws(SystemError) {
                let uses = try uses(of: identities, by: pid)
                guard !uses.isEmpty else { continue }
                let status = try ProcFS.status(pid)
                // A zombie holds nothing. A process of which only the main thread has exited is not a zombie.
                guard !status.isDead || status.threads > 1 else { continue }
                let process = ProcessIdentity(pid: pid, startTime: status.startTime)
                for (identity, writes) in uses {
                    holders[identity, default: []].append(
                        FileHolder(process: process, command: status.command, writes: writes))
                }
            } catch {
                // The process has exited since, or belongs to another user, who cannot open a file that is private to
                // this user.
                guard error.isGone || error.name == "EACCES" || error.name == "EPERM" else { throw error }
            }
        }
        return holders
    }

    /// Returns the files that a process has open or mapped, and whether it writes to them.
    private static func uses(
        of identities: Set<FileIdentity>, by pid: Int32
    ) throws(SystemError) -> [FileIdentity: Bool] {
        var uses: [FileIdentity: Bool] = [:]
        for mapping in try ProcFS.mappingsOfThreads(pid) where identities.contains(mapping.identity) {
            uses[mapping.identity] =
                uses[mapping.identity] == true || (mapping.isShared && mapping.permissions.contains("w"))
        }
        // On file systems that span several devices, mappings show another device number than stat(2); use stat(2) for
        // descriptors.
        for number in try ProcFS.descriptors(pid).keys {
            do throws(SystemError) {
                let identity = try Files.identity("/proc/\(pid)/fd/\(number)")
                guard identities.contains(identity) else { continue }
                let flags = Int32(try ProcFS.descriptorInfo(pid, number)["flags"] ?? "", radix: 8) ?? 0
                uses[identity] = uses[identity] == true || flags & accessMode != 0
            } catch {
                // The descriptor was closed since, or is no file (EBADMSG), for example an event descriptor.
                guard error.isGone || error.name == "EBADMSG" else { throw error }
            }
        }
        return uses
    }

    /// O_ACCMODE: every mode except O_RDONLY writes.
    private static let accessMode: Int32 = 3
}
