import Glibc
import Linux

/// Opening a file that the guest's QEMU writes to, in its name and not in ours.
///
/// The path comes from its command line or its descriptors, so it is chosen by whoever runs it. Opened by root and given to a
/// new QEMU, it would let that user write wherever they like.
enum GuestLog {
    /// Opens the file for appending, if the guest's QEMU might do so itself.
    ///
    /// - Parameters:
    ///   - path: absolute.
    ///   - process: the guest's QEMU.
    /// - Returns: the file.
    /// - Throws: `SystemError`; EPERM when it is no regular file, or not the process's to write.
    static func open(_ path: String, of process: Int32) throws(SystemError) -> Descriptor {
        let flags = O_WRONLY | O_APPEND | O_NONBLOCK
        if path == "/dev/null" { return try Descriptor.open(path, flags: flags) }
        let user = try ProcFS.credentials(process).user.effective
        let file: Descriptor
        do throws(SystemError) { file = try Files.hold(path) } catch {
            // Where the user is the same, a file that was rotated away is made again as QEMU would.
            guard error.code == ENOENT, user == geteuid() else { throw error }
            return try Descriptor.open(path, flags: flags | O_CREAT | O_EXCL | O_NOFOLLOW)
        }
        let status = try Files.status(of: file)
        guard status.kind == .regular else { throw refusal(path, "no regular file") }
        guard user == geteuid() || status.uid == user || writes(process, to: status.identity) else {
            throw refusal(path, "user \(user), who runs the guest's QEMU, may not write to it")
        }
        return try Files.reopen(file, flags: flags)
    }

    /// Whether the process has the file open for writing: then it needs nobody's leave.
    private static func writes(_ process: Int32, to file: FileIdentity) -> Bool {
        // What cannot be seen gives no right.
        let numbers = (try? ProcFS.descriptors(process))?.keys.sorted() ?? []
        return numbers.contains { number in
            // Nor does a descriptor that cannot be looked at.
            guard (try? Files.identity("/proc/\(process)/fd/\(number)")) == file,
                let text = try? ProcFS.descriptorInfo(process, number)["flags"], let flags = Int32(text, radix: 8)
            else { return false }
            return flags & O_ACCMODE != O_RDONLY
        }
    }

    private static func refusal(_ path: String, _ detail: String) -> SystemError {
        SystemError(operation: "open", subject: path, code: EPERM, detail: detail)
    }
}
