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
        guard let executable else { return isEmulatorName(baseName(first)) }
        if isEmulatorName(baseName(executable)) { return true }
        if isWrapper(baseName(executable)) || isOtherTool(baseName(executable)) { return false }
        return isEmulatorName(baseName(first)) || looksLikeEmulator(arguments)
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

    static func baseName(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }
}
