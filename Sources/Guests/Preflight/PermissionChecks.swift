internal import Glibc
internal import Linux

/// Whether the caller may do to the old process what a refresh has to do.
///
/// Each right is tried, without effect, so that a refusal can say which one is missing and why.
struct PermissionChecks {
    /// A right that is missing.
    struct Lack: Sendable, Hashable {
        /// What is needed and for what.
        let right: String
        /// What the system said.
        let reason: String
    }

    let lacks: [Lack]

    init(lacks: [Lack]) {
        self.lacks = lacks
    }

    /// Tries the rights over a guest's process.
    init(_ process: GuestProcess) {
        var lacks: [Lack] = []
        let pid = process.identity.pid
        do throws(SystemError) {
            let numbers = try ProcFS.descriptors(pid).keys.sorted()
            let handle = try ProcessHandle(process.identity)
            // A duplicate of a descriptor has no effect on the process that has it.
            if let number = numbers.first { _ = try handle.descriptor(number) }
        } catch  where error.isGone {
            lacks.append(Lack(right: "the process must live", reason: "\(error)"))
        } catch {
            lacks.append(
                Lack(
                    right: "ptrace over pid \(pid) (CAP_SYS_PTRACE), to take its descriptors along", reason: "\(error)")
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
                Lack(right: "to become user \(user) (CAP_SETUID), who the guest runs as", reason: "we are user \(ours)")
            )
        }
        self.lacks = lacks
    }

    /// The rights to the files of the guest's memory.
    static func memoryFiles(_ paths: [String]) -> [Lack] {
        paths.compactMap { path in
            guard access(path, R_OK) != 0 else { return nil }
            return Lack(
                right: "read access to the memory file \(path), to lock it", reason: String(cString: strerror(errno)))
        }
    }

    var finding: Finding {
        let id = FindingID.notPermitted
        guard !lacks.isEmpty else { return Finding(id, .pass, "the caller has the rights that a refresh takes") }
        return Finding(
            id, .fail, "the caller may not refresh this guest",
            evidence: lacks.map { "missing: \($0.right): \($0.reason)" },
            remedy: "Run hyperfresh as root, or as the user that the guest runs as.")
    }
}
