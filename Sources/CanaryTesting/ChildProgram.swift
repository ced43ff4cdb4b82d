import Glibc
public import Linux
import Synchronization

/// A program that runs as a child of this process: what it says is kept, and it never outlives this object.
///
/// Unlike `spawn`, which starts what is to outlive us, this tells how the program ended.
public final class ChildProgram: Sendable {
    /// How a program ended.
    public enum Ending: Sendable, Hashable {
        /// It exited with this status.
        case exited(Int32)
        /// This signal ended it.
        case killed(by: Int32)
    }

    /// What became of a program.
    public struct Result: Sendable, Hashable, CustomStringConvertible {
        /// How it ended.
        public let ending: Ending
        /// What it wrote to standard output.
        public let output: String
        /// What it wrote to standard error.
        public let errors: String

        /// Its exit status; `nil` when a signal ended it.
        public var status: Int32? { if case .exited(let status) = ending { status } else { nil } }

        /// Everything, for the message of a test that failed.
        public var description: String { "\(ending)\nstdout:\n\(output)\nstderr:\n\(errors)" }
    }

    /// Its process id.
    public let pid: Int32

    private let output: Descriptor
    private let errors: Descriptor
    private let ending = Mutex<Ending?>(nil)

    /// Starts a program with nothing to read on standard input.
    ///
    /// - Parameters:
    ///   - path: The program; searched in `PATH` when it holds no slash.
    ///   - arguments: The arguments after its name.
    ///   - environment: Variables to add to, or replace in, this process's.
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

    /// Runs a program to its end.
    ///
    /// - Parameters:
    ///   - path: The program; searched in `PATH` when it holds no slash.
    ///   - arguments: The arguments after its name.
    ///   - environment: Variables to add to, or replace in, this process's.
    ///   - deadline: How long it may take; SIGKILL ends it then.
    /// - Returns: How it ended and what it said.
    /// - Throws: `SystemError` when it cannot be started.
    @discardableResult
    public static func run(
        _ path: String, _ arguments: [String], environment: [String: String] = [:],
        within deadline: Duration = .seconds(60)
    ) async throws -> Result {
        try await ChildProgram(path, arguments, environment: environment).result(within: deadline)
    }

    /// Waits for its end.
    ///
    /// - Parameter deadline: How long; SIGKILL ends it then.
    /// - Returns: How it ended and what it said.
    /// - Throws: `CancellationError`.
    public func result(within deadline: Duration = .seconds(60)) async throws -> Result {
        let end = ContinuousClock.now + deadline
        while true {
            if let ending = poll() { return Result(ending: ending, output: outputSoFar, errors: errorsSoFar) }
            if ContinuousClock.now > end { kill(pid, SIGKILL) }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// What it has written to standard output so far.
    public var outputSoFar: String { Self.text(of: output) }

    /// What it has written to standard error so far.
    public var errorsSoFar: String { Self.text(of: errors) }

    /// Sends a signal; harmless once it has ended.
    public func signal(_ number: Int32) {
        ending.withLock { if $0 == nil { kill(pid, number) } }
    }

    /// Whether a signal has stopped it (`T` in ps).
    public var isStopped: Bool {
        guard let stat = try? Files.readAll("/proc/\(pid)/stat") else { return false }
        // The state follows the name, which is in parentheses and may hold anything.
        return String(decoding: stat, as: UTF8.self).split(separator: ")").last?.hasPrefix(" T") == true
    }

    /// Whether it has ended.
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
    /// A file without a name: nothing to clean up, and unlike a pipe never full.
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

        // Signals as a shell would leave them, whatever this process has made of its own.
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
