import Glibc
import Linux
import Systemd

/// A real systemd as the first process of new namespaces, with only a message bus.
final class NestedSystemd {
    let process: ProcessIdentity
    private let starter: ProcessHandle
    private let folder: String
    /// The folder of its control groups, as seen from outside.
    let cgroup: String

    /// The reason why it cannot be started here; nil if it can.
    static var obstacle: String? {
        guard geteuid() == 0 else { return "run as root to start a systemd in namespaces of its own" }
        for path in ["/lib/systemd/systemd", "/usr/bin/dbus-daemon", "/usr/bin/unshare"] where !Files.exists(path) {
            return "install \(path) (packages systemd, dbus, util-linux)"
        }
        guard ((try? ProcFS.credentials(getpid()).effective) ?? 0) & 1 << 21 != 0 else { return "needs CAP_SYS_ADMIN" }
        return unifiedHierarchy == nil ? "needs a writable cgroup2 file system" : nil
    }

    private static var unifiedHierarchy: String? {
        ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].first { path in
            Files.exists("\(path)/cgroup.procs") && Files.exists("\(path)/cgroup.controllers")
                && access(path, W_OK) == 0
        }
    }

    private static let units = [
        "test.target": "[Unit]\nRequires=dbus.service\nDefaultDependencies=no\n",
        "sysinit.target": "[Unit]\nDefaultDependencies=no\n", "basic.target": "[Unit]\nDefaultDependencies=no\n",
        "shutdown.target": "[Unit]\nDefaultDependencies=no\n",
        "dbus.socket": "[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=/run/dbus/system_bus_socket\n",
        "dbus.service": """
        [Unit]
        DefaultDependencies=no
        Requires=dbus.socket
        After=dbus.socket
        [Service]
        Type=notify
        NotifyAccess=main
        ExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation --syslog-only

        """,
        "vm.service": """
        [Unit]
        DefaultDependencies=no
        [Service]
        ExecStart=/bin/sleep 1000
        ExecStopPost=/bin/true
        RuntimeDirectory=vm
        Restart=on-failure
        Slice=machine.slice
        TasksMax=77
        MemoryMax=512M
        CPUWeight=50

        """,
    ]

    init() async throws {
        var template = Array("/tmp/hyperfresh-test-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template), let hierarchy = Self.unifiedHierarchy else { throw Failure.setup }
        folder = String(cString: made)
        for (name, text) in Self.units { try Files.replaceAtomically("\(folder)/\(name)", bytes: Array(text.utf8)) }
        cgroup = "\(hierarchy)/hyperfresh-test-\(getpid())"
        guard mkdir(cgroup, 0o755) == 0 else { throw Failure.setup }
        let script = """
            mount -t proc proc /proc
            while umount -l /sys/fs/cgroup 2>/dev/null; do :; done
            mount -t cgroup2 cgroup2 /sys/fs/cgroup && mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/dbus /run/systemd
            exec /lib/systemd/systemd --system --unit=test.target --log-target=console --show-status=0
            """
        let flags = ["--pid", "--fork", "--mount", "--cgroup", "--ipc", "--uts", "--propagation", "private"]
        var request = SpawnRequest(
            executable: "/usr/bin/unshare", arguments: ["unshare"] + flags + ["/bin/sh", "-c", script],
            environment: ["SYSTEMD_UNIT_PATH=\(folder)", "container=test", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        )
        request.cgroupFolder = cgroup
        starter = try ProcessHandle(try spawn(request))
        process = try await Self.child(of: starter.identity)
        try await waitUntilItAnswers()
    }

    enum Failure: Error { case setup, silent }

    private static func child(of parent: ProcessIdentity) async throws -> ProcessIdentity {
        for _ in 0..<500 {
            for pid in try ProcFS.processes() where (try? ProcFS.status(pid).parent) == parent.pid {
                if try ProcFS.executable(pid).path.hasSuffix("systemd"), let found = ProcessIdentity.current(of: pid) {
                    return found
                }
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw Failure.silent
    }

    private func waitUntilItAnswers() async throws {
        for _ in 0..<500 {
            if (try? await manager.unit(of: 1, within: .milliseconds(200))) != nil { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw Failure.silent
    }

    /// Its manager, connected from outside through its message bus.
    var manager: SystemdManager {
        SystemdManager(address: "unix:path=/proc/\(process.pid)/root/run/dbus/system_bus_socket")
    }

    /// Starts a program inside, in systemd's own control group.
    func start(_ executable: String, _ arguments: [String]) throws -> ProcessHandle {
        var request = SpawnRequest(
            executable: executable, arguments: [executable] + arguments, environment: ["PATH=/usr/bin:/bin"]
        )
        request.namespacesOf = process
        return try ProcessHandle(try spawn(request))
    }

    /// Returns the pid of a process inside: the last one of NSpid in proc(5).
    func innerPID(_ pid: Int32) throws -> Int32 {
        let text = String(decoding: try Files.readAll("/proc/\(pid)/status"), as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix("NSpid:") }
        return line?.split(separator: "\t").last.flatMap { Int32($0) } ?? 0
    }

    /// Kills it, and with it everything inside.
    func end() async {
        try? ProcessHandle(process).signal(SIGKILL)
        _ = await starter.waitForExit(within: .seconds(10))
        for name in Self.units.keys { unlink("\(folder)/\(name)") }
        rmdir(folder)
        for _ in 0..<100 where !Self.removeGroups(cgroup) { usleep(20_000) }
    }

    private static func removeGroups(_ path: String) -> Bool {
        for name in (try? ProcFS.names(inFolder: path)) ?? [] {
            if (try? Files.status("\(path)/\(name)").kind) == .directory { _ = removeGroups("\(path)/\(name)") }
        }
        return rmdir(path) == 0
    }
}
