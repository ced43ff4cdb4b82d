internal import Linux

/// A process above a guest's QEMU, or the first one of its pid namespace, as the kernel reports it.
struct Ancestor: Sendable, Hashable {
    /// What the process does when the process that it waits for ends.
    enum Role: Sendable, Hashable {
        /// A service manager that is queried elsewhere (systemd), or that only adopts orphans.
        case initProcess
        /// Ends when its first child does, and adopts orphans until then: tini and similar programs.
        case reaper
        /// Restarts what it waits for.
        case supervisor
        /// Removes a container when its first process ends.
        case containerRuntime
        /// Ends with the process that it waits for, and does nothing else: sudo(8), timeout(1).
        case wrapper
        /// A shell with a person at its terminal.
        case interactiveShell
        /// A shell that runs a script.
        case script
        /// Belongs to a person's session: a terminal, sshd(8).
        case session
        /// Anything else.
        case unknown
    }

    let pid: Int32
    /// The name that the kernel reports, at most 15 bytes.
    let command: String
    /// The running file, without its directory; empty if it is not readable.
    var program = ""
    var arguments: [String] = []
    /// In clock ticks since boot.
    var startTime: UInt64 = 0
    var session: Int32 = 0
    var parent: Int32 = 0
    /// Whether its standard input is a terminal.
    var readsTerminal = false
    /// The commands of a shell that runs a script.
    var scriptText: ScriptText = .none

    /// A shell's script, as far as it is readable.
    enum ScriptText: Sendable, Hashable {
        case none
        case text(String)
        case unreadable(String)
    }

    /// The process in messages: `pid 4711 (runsv)`.
    var name: String { "pid \(pid) (\(command))" }

    var role: Role {
        let shown = Set(([command] + arguments.prefix(1)).map(Self.baseName).filter { !$0.isEmpty })
        // The script that an interpreter runs: `python3 /usr/bin/supervisord`.
        let scripts = shown.union([program]).union(arguments.dropFirst().prefix(1).map(Self.baseName))
        if !scripts.isDisjoint(with: Self.supervisors) || command.hasPrefix("PM2") { return .supervisor }
        // The running file decides if it is known: a script may be named `init`. Only busybox acts by its argv[0].
        let names = program.isEmpty || program == "busybox" ? shown : [program]
        if isShell(names) { return isInteractive ? .interactiveShell : .script }
        if !names.isDisjoint(with: Self.runtimes) || command.hasPrefix("containerd-shim") { return .containerRuntime }
        if !names.isDisjoint(with: Self.reapers) { return .reaper }
        if !names.isDisjoint(with: Self.inits) { return .initProcess }
        if !names.isDisjoint(with: Self.wrappers) { return .wrapper }
        if !names.isDisjoint(with: Self.sessions) || command.hasPrefix("tmux") { return .session }
        return .unknown
    }

    /// The script file of a shell, without its directory.
    var scriptName: String? {
        guard role == .script, !arguments.dropFirst().contains(where: Self.isCommandOption) else { return nil }
        return arguments.dropFirst().first { !$0.hasPrefix("-") && !$0.hasPrefix("+") }.map(Self.baseName)
    }

    /// Returns whether an argument is `-c`, also combined with others: `-ec`.
    static func isCommandOption(_ argument: String) -> Bool {
        argument.hasPrefix("-") && !argument.hasPrefix("--") && argument.hasSuffix("c")
    }

    private func isShell(_ names: Set<String>) -> Bool {
        if !names.isDisjoint(with: Self.shells) { return true }
        return (program == "busybox" || names.contains("busybox"))
            && Self.shells.contains(arguments.dropFirst().first ?? "")
    }

    private var isInteractive: Bool {
        readsTerminal && arguments.dropFirst().allSatisfy { $0.hasPrefix("-") && !Self.isCommandOption($0) }
    }

    static func baseName(_ path: String) -> String {
        let name = Paths.name(of: path)
        // A login shell's name begins with a dash.
        return name.hasPrefix("-") ? String(name.dropFirst()) : name
    }

    private static let supervisors: Set<String> = [
        "runsv", "s6-supervise", "supervise", "supervise-daemon", "supervisord", "circusd", "monit", "perpd", "god",
        "bluepill", "pm2", "forever", "nodemon", "respawn", "immortal", "service-manager", "dinit", "procd", "horust",
        "overmind", "hivemind", "foreman", "honcho", "goreman", "watchexec", "entr", "nomad", "daemontools", "daemon",
    ]
    private static let runtimes: Set<String> = [
        "conmon", "conmonrs", "dockerd", "runc", "crun", "youki", "lxc-start", "lxc-execute", "systemd-nspawn", "bwrap",
        "firejail",
    ]
    private static let reapers: Set<String> = ["tini", "tini-static", "dumb-init", "docker-init", "catatonit", "pause"]
    private static let inits: Set<String> = [
        "systemd", "init", "openrc-init", "runit-init", "runsvdir", "s6-svscan", "finit", "launchd",
    ]
    private static let shells: Set<String> = [
        "sh", "bash", "dash", "ash", "zsh", "ksh", "ksh93", "mksh", "fish", "rbash", "yash",
    ]
    private static let wrappers: Set<String> = [
        "sudo", "su", "runuser", "doas", "timeout", "script", "unshare", "setpriv", "setsid", "nsenter", "flock",
        "time",
        "strace", "ltrace", "perf", "env", "nice", "chroot", "dbus-run-session", "cpulimit", "firecracker-jailer",
    ]
    private static let sessions: Set<String> = [
        "sshd", "sshd-session", "dropbear", "mosh-server", "login", "tmux", "screen", "SCREEN", "xterm", "konsole",
        "kitty", "alacritty", "foot", "gnome-terminal-", "cron", "crond", "atd", "agetty",
    ]
}
