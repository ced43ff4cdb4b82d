import Glibc
import Linux
import Systemd

/// Where the new QEMU lives among the host's processes, so that it shares no fate with the controller or the old QEMU.
///
/// Where systemd runs: a scope of its own in the old one's slice, with the old unit's limits. When the main process of a
/// service ends, systemd ends everything left in that service. Elsewhere: the old one's control group.
enum ControlGroup {
    /// The folder of the old process's control group, for a host without systemd; `nil` where it cannot be joined.
    static func folder(of old: ProcessIdentity) -> String? {
        guard SystemdManager.own() == nil, let group = try? ProcFS.cgroup(old.pid) else { return nil }
        let folder = "/sys/fs/cgroup\(group)"
        // A group of ours that cannot be read is taken for another one: joining the old one is never wrong.
        return group != (try? ProcFS.cgroup(getpid())) && Files.exists("\(folder)/cgroup.procs") ? folder : nil
    }

    /// Moves the new process into a scope of its own, where systemd runs.
    static func adopt(_ new: ProcessIdentity, guest: String, like old: ProcessIdentity) async throws(SystemdError) {
        try await SystemdManager.isolate(new.pid, named: guest, like: old.pid, description: "QEMU of \(guest)")
    }
}
