internal import Glibc
internal import Linux
internal import QEMUCommandLine

/// The processes that may act when a guest's QEMU ends: those that wait for it, and the first of its pid namespace.
struct Parentage: Sendable, Hashable {
    /// The guest's QEMU.
    var guest: Ancestor
    /// Whether the process that started it does not wait for it: it went into the background, or a handoff started it.
    var isOrphan = false
    /// Whether it is the first process of its pid namespace.
    var isFirst = false
    /// Whether its pid namespace is not ours.
    var hasOwnNamespace = false
    /// Its parent, that one's parent, and so on, up to the first process of its pid namespace if that is an ancestor.
    var ancestors: [Ancestor] = []
    /// The first process of its pid namespace.
    var first: Ancestor?
    /// The oldest child of the first process.
    var oldestChild: Int32?

    /// Reads the parentage from /proc.
    ///
    /// - Parameter process: the guest's QEMU.
    /// - Returns: the parentage as the kernel reports it.
    /// - Throws: `SystemError` if the process is not readable or has ended.
    static func read(_ process: GuestProcess) throws(SystemError) -> Parentage {
        let pid = process.identity.pid
        let space = try ProcFS.namespaces(pid)["pid"]
        let isOurs = try ProcFS.namespaces(getpid())["pid"] == space
        var parentage = Parentage(
            guest: try Ancestor(reading: pid), isOrphan: process.isDetached,
            isFirst: try ProcFS.namespacePIDs(pid).last == 1, hasOwnNamespace: !isOurs)
        if parentage.isFirst { return parentage }
        var next = try ProcFS.status(pid).parent
        while next > 0, parentage.ancestors.count < longestLine, let ancestor = Ancestor.ifThere(next) {
            parentage.ancestors.append(ancestor)
            if try isOurs ? ancestor.pid == 1 : isFirst(ancestor.pid, of: space) { break }
            next = ancestor.parent
        }
        parentage.first = isOurs ? Ancestor.ifThere(1) : try first(of: space)
        if let first = parentage.first { parentage.oldestChild = try oldestChild(of: first.pid) }
        return parentage
    }

    /// More than any chain of ancestors has.
    private static let longestLine = 256

    private static func isFirst(_ pid: Int32, of space: UInt64?) throws(SystemError) -> Bool {
        do throws(SystemError) {
            // The first process of our own namespace is excluded, and may not be readable.
            guard pid != 1, try ProcFS.namespacePIDs(pid).last == 1 else { return false }
            return try ProcFS.namespaces(pid)["pid"] == space
        } catch  where error.isGone {
            return false
        }
    }

    private static func first(of space: UInt64?) throws(SystemError) -> Ancestor? {
        for pid in try ProcFS.processes() where try isFirst(pid, of: space) { return Ancestor.ifThere(pid) }
        return nil
    }

    private static func oldestChild(of parent: Int32) throws(SystemError) -> Int32? {
        try ProcFS.processes().compactMap { pid -> (pid: Int32, startTime: UInt64)? in
            // Ignores a process that has ended since.
            guard let status = try? ProcFS.status(pid), status.parent == parent else { return nil }
            return (pid, status.startTime)
        }.min { ($0.startTime, $0.pid) < ($1.startTime, $1.pid) }?.pid
    }
}

extension GuestProcess {
    /// Whether it left its parent (`-daemonize`), or a handoff started it, which leaves it to init.
    fileprivate var isDetached: Bool {
        commandLine?.contains("daemonize") == true
            || (commandLine?.contains("incoming") == true && monitors.contains { $0.boundPath != $0.lastingPath })
    }
}

extension Ancestor {
    /// The descriptors by which shells read a script: bash, dash and busybox, zsh.
    private static let scriptDescriptors: [Int32] = [255, 10, 11]
    private static let longestScript = 1 << 20

    /// Nil for a process that has ended.
    fileprivate static func ifThere(_ pid: Int32) -> Ancestor? {
        // Any other read error leaves a field empty; an unknown process leads to a warning.
        try? Ancestor(reading: pid)
    }

    fileprivate init(reading pid: Int32) throws(SystemError) {
        let status = try ProcFS.status(pid)
        self.pid = pid
        command = status.command
        startTime = status.startTime
        session = status.session
        parent = status.parent
        // Another user's process shows neither its program nor its descriptors: its name decides.
        program = (try? ProcFS.executable(pid)).map { Self.baseName($0.path) } ?? ""
        arguments = (try? ProcFS.commandLine(pid)) ?? []
        let input = (try? Files.linkTarget("/proc/\(pid)/fd/0")) ?? ""
        readsTerminal = input.hasPrefix("/dev/pts/") || input.hasPrefix("/dev/tty") || input == "/dev/console"
        if role == .script { scriptText = Self.script(of: pid, arguments, input: input) }
    }

    private static func script(of pid: Int32, _ arguments: [String], input: String) -> ScriptText {
        if let option = arguments.dropFirst().firstIndex(where: isCommandOption) {
            let command = arguments[(option + 1)...].first { !$0.hasPrefix("-") }
            return command.map { .text($0) } ?? .unreadable("it has no text after -c")
        }
        let isFile = arguments.dropFirst().contains { !$0.hasPrefix("-") }
        // Without a file, the shell reads its commands from standard input.
        let descriptors = isFile ? scriptDescriptors : [0]
        for number in descriptors {
            let place = "/proc/\(pid)/fd/\(number)"
            // A pipe is not read: that would take the script from the shell.
            guard FileStatus.at(place)?.isRegular == true, let bytes = try? Files.readAll(place, limit: longestScript)
            else { continue }
            return .text(String(decoding: bytes, as: UTF8.self))
        }
        return .unreadable(isFile ? "its script is not among its descriptors" : "it reads from \(input)")
    }
}
