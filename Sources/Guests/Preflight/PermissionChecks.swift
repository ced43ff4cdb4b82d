internal import Glibc
internal import Linux

/// Checks that the caller has the permissions on the old process that a handoff requires.
///
/// Tries each permission, without effect, so that the finding can tell which one is missing and why.
struct PermissionChecks {
    /// A missing permission.
    struct Lack: Sendable, Hashable {
        /// What is needed and for what.
        let right: String
        /// The system's error message.
        let reason: String
    }

    let lacks: [Lack]

    init(lacks: [Lack]) {
        self.lacks = lacks
    }

    /// Tries the permissions on a guest's process.
    init(_ process: GuestProcess) {
        var lacks: [Lack] = []
        let pid = process.identity.pid
        do throws(SystemError) {
            let numbers = try ProcFS.descriptors(pid).keys.sorted()
            let handle = try ProcessHandle(process.identity)
            // Duplicating a descriptor has no effect on the process that owns it.
            if let number = numbers.first { _ = try handle.descriptor(number) }
        } catch  where error.isGone {
            lacks.append(Lack(right: "a running process", reason: "\(error)"))
        } catch {
            lacks.append(
                Lack(
                    right: "ptrace on pid \(pid) (CAP_SYS_PTRACE), to duplicate its descriptors", reason: "\(error)")
            )
        }
        if let monitor = process.monitors.first, access(monitor.path, W_OK) != 0 {
            let code = errno
            if code == EACCES {
                lacks.append(
                    Lack(right: "write access to the monitor \(monitor.path)", reason: String(cString: strerror(code))))
            }
        }
        let ours = geteuid()
        if let user = process.userID, ours != 0, user != ours {
            lacks.append(
                Lack(right: "setuid to the guest's user \(user) (CAP_SETUID)", reason: "we are user \(ours)")
            )
        }
        self.lacks = lacks
    }

    /// Returns the missing permissions on the files of the guest's memory.
    static func memoryFiles(_ paths: [String]) -> [Lack] {
        paths.compactMap { path in
            guard access(path, R_OK) != 0 else { return nil }
            return Lack(
                right: "read access to the memory file \(path), to lock it", reason: String(cString: strerror(errno)))
        }
    }

    var finding: Finding {
        let id = FindingID.notPermitted
        guard !lacks.isEmpty else { return Finding(id, .pass, "the caller has all permissions for a refresh") }
        return Finding(
            id, .fail, "the caller may not refresh this guest",
            evidence: lacks.map { "missing: \($0.right): \($0.reason)" },
            remedy: "Run hyperfresh as root, or as the user that the guest runs as.")
    }
}
