/// A process that has a file open or mapped.
public struct FileHolder: Sendable, Hashable, CustomStringConvertible {
    /// The process.
    public let process: ProcessIdentity
    /// The name of its program, as the kernel has it: 15 characters at most.
    public let command: String
    /// Whether it has the file open for writing, or maps it so that its writes go to the file.
    public let writes: Bool

    /// Names a holder.
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

    /// Who has a file open or mapped.
    ///
    /// Processes that we may not look into are left out: as an ordinary user, those of others.
    ///
    /// - Parameter identity: The file, as `Files.status(_:)` tells it.
    /// - Returns: The holders, by pid.
    /// - Throws: `SystemError` when /proc cannot be read.
    public static func all(of identity: FileIdentity) throws(SystemError) -> [FileHolder] {
        try all(of: [identity])[identity] ?? []
    }

    /// Who has any of these files open or mapped; one look at /proc for all of them.
    ///
    /// - Parameter identities: The files.
    /// - Returns: The holders of each file that has any, by pid.
    /// - Throws: `SystemError` when /proc cannot be read.
    public static func all(of identities: Set<FileIdentity>) throws(SystemError) -> [FileIdentity: [FileHolder]] {
        var holders: [FileIdentity: [FileHolder]] = [:]
        guard !identities.isEmpty else { return holders }
        for pid in try ProcFS.processes() {
            do throws(SystemError) {
                let uses = try uses(of: identities, by: pid)
                guard !uses.isEmpty else { continue }
                let status = try ProcFS.status(pid)
                // What a zombie had is no longer held; a process of which only the first thread has ended is none.
                guard !status.isDead || status.threads > 1 else { continue }
                let process = ProcessIdentity(pid: pid, startTime: status.startTime)
                for (identity, writes) in uses {
                    holders[identity, default: []].append(
                        FileHolder(process: process, command: status.command, writes: writes))
                }
            } catch {
                // It has ended meanwhile, or is another user's, who has no right to a file that is this user's alone.
                guard error.isGone || error.name == "EACCES" || error.name == "EPERM" else { throw error }
            }
        }
        return holders
    }

    /// Which of the files a process has, and whether it writes to them.
    private static func uses(
        of identities: Set<FileIdentity>, by pid: Int32
    ) throws(SystemError) -> [FileIdentity: Bool] {
        var uses: [FileIdentity: Bool] = [:]
        for mapping in try ProcFS.mappingsOfThreads(pid) where identities.contains(mapping.identity) {
            uses[mapping.identity] =
                uses[mapping.identity] == true || (mapping.isShared && mapping.permissions.contains("w"))
        }
        // A file system of several devices tells mappings another device than stat(2): descriptors are asked by stat(2).
        for number in try ProcFS.descriptors(pid).keys {
            do throws(SystemError) {
                let identity = try Files.identity("/proc/\(pid)/fd/\(number)")
                guard identities.contains(identity) else { continue }
                let flags = Int32(try ProcFS.descriptorInfo(pid, number)["flags"] ?? "", radix: 8) ?? 0
                uses[identity] = uses[identity] == true || flags & accessMode != 0
            } catch {
                // Closed meanwhile, or no file (EBADMSG): an event descriptor, say.
                guard error.isGone || error.name == "EBADMSG" else { throw error }
            }
        }
        return uses
    }

    /// O_ACCMODE: anything but O_RDONLY writes.
    private static let accessMode: Int32 = 3
}
