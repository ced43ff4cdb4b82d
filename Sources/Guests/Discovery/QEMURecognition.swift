internal import Linux
internal import QMP

/// Distinguishes a QEMU that runs a guest from all other processes.
///
/// The program that a process runs decides. Command lines that only mention QEMU (shells, sudo, strace, an editor) run
/// another program. A renamed binary is recognized by its arguments.
enum QEMURecognition {
    /// Returns whether the process is a QEMU system emulator with a machine.
    ///
    /// - Parameters:
    ///   - executable: the path behind /proc/PID/exe, without ` (deleted)`; nil if it is not readable.
    ///   - arguments: the argument vector; empty for a kernel thread and a zombie.
    /// - Returns: whether it runs, or waits for, a guest.
    static func isGuest(executable: String?, arguments: [String]) -> Bool {
        guard let first = arguments.first, !isShortLived(arguments) else { return false }
        guard let executable else { return isEmulatorName(Paths.name(of: first)) }
        if isEmulatorName(Paths.name(of: executable)) { return true }
        if isWrapper(Paths.name(of: executable)) || isOtherTool(Paths.name(of: executable)) { return false }
        return isEmulatorName(Paths.name(of: first)) || looksLikeEmulator(arguments)
    }

    /// Returns whether this is the name of a system emulator: `qemu-system-*`, `qemu-kvm`, `kvm`, also with the dot and
    /// suffix of a binary behind a wrapper (`.qemu-system-x86_64-wrapped`).
    static func isEmulatorName(_ name: String) -> Bool {
        let bare = name.drop { $0 == "." }
        return bare.hasPrefix("qemu-system-") || bare == "kvm" || bare == "qemu-kvm" || bare.hasPrefix("qemu-kvm-")
    }

    /// Returns whether the program runs others and has their command lines among its own arguments.
    static func isWrapper(_ name: String) -> Bool {
        let interpreters = ["python", "perl", "ruby", "bash", "dash", "busybox", "gdb", "strace", "ltrace", "systemd"]
        let exact = [
            "sh", "zsh", "ksh", "ash", "fish", "env", "sudo", "su", "doas", "timeout", "nice", "ionice", "taskset",
            "numactl", "setsid", "setpriv", "nohup", "chrt", "unshare", "nsenter", "ssh", "screen", "tmux", "watch",
            "xargs", "flock", "time", "prlimit", "stdbuf", "script", "valgrind", "perf", "runuser", "start-stop-daemon",
        ]
        return exact.contains(name) || interpreters.contains { name.hasPrefix($0) }
    }

    /// Returns whether this is one of QEMU's other programs.
    private static func isOtherTool(_ name: String) -> Bool {
        ["qemu-img", "qemu-nbd", "qemu-io", "qemu-ga", "qemu-storage-daemon", "qemu-bridge-helper"].contains(name)
    }

    /// Returns whether a renamed binary is QEMU: the first argument is an option, and at least three different options
    /// are specific to QEMU.
    private static func looksLikeEmulator(_ arguments: [String]) -> Bool {
        guard arguments.count > 1, arguments[1].hasPrefix("-") else { return false }
        let marks: Set<String> = [
            "machine", "M", "m", "smp", "cpu", "accel", "enable-kvm", "device", "object", "drive", "blockdev", "netdev",
            "nodefaults", "no-user-config", "qmp", "mon", "chardev", "display", "vga", "pidfile", "rtc", "nographic",
        ]
        let found = Set(arguments.dropFirst().filter { $0.hasPrefix("-") }.map(optionName)).intersection(marks)
        return found.count >= 3
    }

    /// Returns whether this QEMU answers a query and exits, or has no machine: management tools start such processes to
    /// probe.
    private static func isShortLived(_ arguments: [String]) -> Bool {
        var previous = ""
        for argument in arguments.dropFirst() {
            let name = argument.hasPrefix("-") ? optionName(argument) : ""
            if ["version", "help", "h", "dump-vmstate"].contains(name) { return true }
            if argument == "help" || argument == "?" { return true }
            if previous == "machine" || previous == "M", argument.split(separator: ",").first == "none" { return true }
            previous = name
        }
        return false
    }

    private static func optionName(_ argument: String) -> String {
        String(argument.drop { $0 == "-" })
    }
}

/// Asks QEMU binaries for their versions, each file once.
actor VersionQuery {
    /// The answers in this process: a file's answer is valid while its inode and modification time stay the same.
    static let shared = VersionQuery()

    /// How long a binary may take to print its version: it loads a hundred libraries, and the host may be busy.
    private static let deadline = Duration.seconds(5)

    private var answers: [FileStatus.Version: Task<QEMUVersion?, Never>] = [:]

    /// Returns the version of a binary; nil if it is missing, we may not run it, or it does not answer as QEMU does.
    ///
    /// - Parameters:
    ///   - path: the binary; may be /proc/PID/exe, which refers to the running file even after its deletion.
    ///   - owner: a user who runs it already; the query runs as this user if others can write the file.
    /// - Returns: the version.
    func version(of path: String, owner: HelperProgram.User?) async -> QEMUVersion? {
        guard let file = FileStatus.at(path), file.isExecutable else { return nil }
        if let known = answers[file.version] { return await known.value }
        let answer = Task { await Self.ask(path, file: file, owner: owner) }
        answers[file.version] = answer
        return await answer.value
    }

    private static func ask(_ path: String, file: FileStatus, owner: HelperProgram.User?) async -> QEMUVersion? {
        let isProcessLink = path.hasPrefix("/proc/") && path.hasSuffix("/exe")
        var program = HelperProgram(path: path, arguments: ["--version"])
        if isProcessLink ? file.isWritableByOthers : !ProgramTrust.isOurs(path) {
            guard let owner, ourUserID == 0, owner.uid != 0 else { return nil }
            program.user = owner
        }
        // A program that does not print its version has none to show; preflight asks again, and reports the reason.
        guard let output = try? await program.run(deadline: deadline), output.succeeded else { return nil }
        return QEMUVersion(versionOutput: output.standardOutput)
    }
}

extension QEMUVersion {
    /// Parses the output of `qemu-system-* --version`: `QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)`.
    ///
    /// Returns nil for the output of any other program.
    init?(versionOutput text: String) {
        let opening = "QEMU emulator version "
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(opening) }) else { return nil }
        let rest = line.dropFirst(opening.count)
        let number = rest.prefix { $0 != " " }.drop { $0 == "v" }
        let parts = number.split(separator: ".").map { $0.prefix { $0.isNumber } }.map { Int($0) }
        guard parts.count >= 2, let major = parts[0], let minor = parts[1] else { return nil }
        let micro = parts.count > 2 ? parts[2] ?? 0 : 0
        var package = ""
        if let open = rest.firstIndex(of: "("), let close = rest.lastIndex(of: ")"), open < close {
            package = String(rest[rest.index(after: open)..<close])
        }
        self.init(major: major, minor: minor, micro: micro, package: package)
    }
}
