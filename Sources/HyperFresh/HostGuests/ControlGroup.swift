import Glibc
import Linux
import Systemd

/// The control group of the new QEMU, which must not end together with the controller or the old QEMU.
///
/// With systemd: a scope of its own in the old QEMU's slice, with the old unit's limits, because systemd ends
/// everything left in a service when its main process ends. Without systemd: the old QEMU's control group.
enum ControlGroup {
    /// Returns the folder of the old process's control group, for a host without systemd; `nil` if it cannot be joined.
    static func folder(of old: ProcessIdentity) -> String? {
        guard SystemdManager.own() == nil, let group = try? ProcFS.cgroup(old.pid) else { return nil }
        let folder = "/sys/fs/cgroup\(group)"
        // If this process's own group cannot be read, assume another one: joining the old one is never wrong.
        return group != (try? ProcFS.cgroup(getpid())) && Files.exists("\(folder)/cgroup.procs") ? folder : nil
    }

    /// Moves the new process into a scope of its own, if systemd runs.
    static func adopt(_ new: ProcessIdentity, guest: String, like old: ProcessIdentity) async throws(SystemdError) {
        try await SystemdManager.isolate(new.pid, named: guest, like: old.pid, description: "QEMU of \(guest)")
    }
}
