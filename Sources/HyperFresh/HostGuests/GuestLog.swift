import Glibc
import Linux

/// Opening of a log file of the guest's QEMU, with the rights of that QEMU and not those of the controller.
///
/// The path comes from its command line or its descriptors, so its user has chosen it. If root opened it for a new
/// QEMU, that user could write to any file.
enum GuestLog {
    /// Opens the file for appending, if the guest's QEMU could do so itself.
    ///
    /// - Parameters:
    ///   - path: an absolute path.
    ///   - process: the guest's QEMU.
    /// - Returns: the file.
    /// - Throws: `SystemError`; EPERM if it is not a regular file, or if the process may not write to it.
    static func open(_ path: String, of process: Int32) throws(SystemError) -> Descriptor {
        let flags = O_WRONLY | O_APPEND | O_NONBLOCK
        if path == "/dev/null" { return try Descriptor.open(path, flags: flags) }
        let user = try ProcFS.credentials(process).user.effective
        let file: Descriptor
        do throws(SystemError) { file = try Files.hold(path) } catch {
            // For the same user, create a file that was rotated away, as QEMU would.
            guard error.code == ENOENT, user == geteuid() else { throw error }
            return try Descriptor.open(path, flags: flags | O_CREAT | O_EXCL | O_NOFOLLOW)
        }
        let status = try Files.status(of: file)
        guard status.kind == .regular else { throw refusal(path, "not a regular file") }
        guard user == geteuid() || status.uid == user || writes(process, to: status.identity) else {
            throw refusal(path, "user \(user), who runs the guest's QEMU, may not write to it")
        }
        return try Files.reopen(file, flags: flags)
    }

    /// Returns whether the process has the file open for writing; then no further permission is needed.
    private static func writes(_ process: Int32, to file: FileIdentity) -> Bool {
        // Descriptors that cannot be read give no right.
        let numbers = (try? ProcFS.descriptors(process))?.keys.sorted() ?? []
        return numbers.contains { number in
            // Nor does a descriptor that cannot be examined.
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
