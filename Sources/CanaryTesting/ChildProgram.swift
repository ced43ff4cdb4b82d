import Glibc
public import Linux
import Synchronization

/// A program that runs as a child of this process: its output is kept, and it is killed when this object is destroyed.
///
/// Unlike `spawn`, which starts processes that outlive this one, it reports how the program ended.
public final class ChildProgram: Sendable {
    /// How a program ended.
    public enum Ending: Sendable, Hashable {
        /// It exited with this status.
        case exited(Int32)
        /// This signal ended it.
        case killed(by: Int32)
    }

    /// The result of a program.
    public struct Result: Sendable, Hashable, CustomStringConvertible {
        /// How it ended.
        public let ending: Ending
        /// What it wrote to standard output.
        public let output: String
        /// What it wrote to standard error.
        public let errors: String

        /// Its exit status; `nil` when a signal ended it.
        public var status: Int32? { if case .exited(let status) = ending { status } else { nil } }

        /// All of the result, for the message of a failed test.
        public var description: String { "\(ending)\nstdout:\n\(output)\nstderr:\n\(errors)" }
    }

    /// Its process id.
    public let pid: Int32

    private let output: Descriptor
    private let errors: Descriptor
    private let ending = Mutex<Ending?>(nil)

    /// Starts a program; its standard input is /dev/null.
    ///
    /// - Parameters:
    ///   - path: The program; searched in `PATH` if it contains no slash.
    ///   - arguments: The arguments after argument 0.
    ///   - environment: Variables to add to this process's environment, or to replace in it.
    /// - Throws: `SystemError` when it cannot be started.
    public init(
        _ path: String, _ arguments: [String], environment: [String: String] = [:]
    ) throws(SystemError) {
        output = try Self.namelessFile()
        errors = try Self.namelessFile()
        pid = try Self.start(
            path, [path] + arguments, try Self.environment(adding: environment), [output.number, errors.number])
    }

    deinit {
        if poll() == nil {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
    }

    /// Runs a program and waits until it exits.
    ///
    /// - Parameters:
    ///   - path: The program; searched in `PATH` if it contains no slash.
    ///   - arguments: The arguments after argument 0.
    ///   - environment: Variables to add to this process's environment, or to replace in it.
    ///   - deadline: The longest time; after it, the program is killed with SIGKILL.
    /// - Returns: How it ended, and its output.
    /// - Throws: `SystemError` if it cannot be started.
    @discardableResult
    public static func run(
        _ path: String, _ arguments: [String], environment: [String: String] = [:],
        within deadline: Duration = .seconds(60)
    ) async throws -> Result {
        try await ChildProgram(path, arguments, environment: environment).result(within: deadline)
    }

    /// Waits until it exits.
    ///
    /// - Parameter deadline: The longest time; after it, the program is killed with SIGKILL.
    /// - Returns: How it ended, and its output.
    /// - Throws: `CancellationError`.
    public func result(within deadline: Duration = .seconds(60)) async throws -> Result {
        let end = ContinuousClock.now + deadline
        while true {
            if let ending = poll() { return Result(ending: ending, output: outputSoFar, errors: errorsSoFar) }
            if ContinuousClock.now > end { kill(pid, SIGKILL) }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// Its standard output so far.
    public var outputSoFar: String { Self.text(of: output) }

    /// Its standard error so far.
    public var errorsSoFar: String { Self.text(of: errors) }

    /// Sends a signal; does nothing after it has exited.
    public func signal(_ number: Int32) {
        ending.withLock { if $0 == nil { kill(pid, number) } }
    }

    /// Whether a signal has stopped it (`T` in ps).
    public var isStopped: Bool {
        guard let stat = try? Files.readAll("/proc/\(pid)/stat") else { return false }
        // The state follows the name, which is in parentheses and may contain any character.
        return String(decoding: stat, as: UTF8.self).split(separator: ")").last?.hasPrefix(" T") == true
    }

    /// Whether it has exited.
    public var hasEnded: Bool { poll() != nil }

    private func poll() -> Ending? {
        ending.withLock { ending in
            if let ending { return ending }
            var status: Int32 = 0
            guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
            let signal = status & 0x7F
            ending = signal == 0 ? .exited((status >> 8) & 0xFF) : .killed(by: signal)
            return ending
        }
    }
}

extension ChildProgram {
    /// Creates an unlinked file: it needs no cleanup and, unlike a pipe, never fills up.
    private static func namelessFile() throws(SystemError) -> Descriptor {
        let path = "/tmp/canary-output-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
        let file = try Descriptor.open(path, flags: O_RDWR | O_CREAT | O_EXCL)
        unlink(path)
        return file
    }

    private static func text(of file: borrowing Descriptor) -> String {
        let bytes = (try? Files.readAll("/proc/self/fd/\(file.number)", limit: 64 << 20)) ?? []
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func environment(adding changes: [String: String]) throws(SystemError) -> [String] {
        let kept = try ProcFS.environment(getpid()).filter { changes[String($0.prefix { $0 != "=" })] == nil }
        return kept + changes.map { "\($0.key)=\($0.value)" }
    }

    private static func start(
        _ path: String, _ arguments: [String], _ environment: [String], _ outputs: [Int32]
    ) throws(SystemError) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, outputs[0], STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, outputs[1], STDERR_FILENO)

        // Resets the signals, whatever this process has changed.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        let words = arguments.map { strdup($0) } + [nil]
        let variables = environment.map { strdup($0) } + [nil]
        defer { for word in words + variables { free(word) } }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, path, &actions, &attributes, words, variables)
        guard code == 0 else { throw SystemError(operation: "posix_spawn", subject: path, code: code) }
        return pid
    }
}
