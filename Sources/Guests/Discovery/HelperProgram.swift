internal import Glibc
internal import Logging
internal import Subprocess
internal import SystemPackage

/// A program that is asked something and exits, such as `qemu-system-x86_64 --version`.
package struct HelperProgram {
    /// What it said.
    package struct Output {
        /// Its exit code; nil when a signal ended it.
        package let exitCode: Int32?
        /// The signal that ended it.
        package let signal: Int32?
        package let standardOutput: String
        package let standardError: String

        package var succeeded: Bool { exitCode == 0 }
    }

    /// Why it said nothing.
    package enum Failure: Error, CustomStringConvertible {
        /// It was killed because it had not ended in time.
        case deadline(Duration)
        /// It could not be started, with the system's reason.
        case notStarted(String)

        package var description: String {
            switch self {
            case .deadline(let duration): "it did not end within \(duration) and was killed"
            case .notStarted(let reason): reason
            }
        }
    }

    /// A user to run as, with no supplementary groups.
    struct User: Hashable {
        let uid: UInt32
        let gid: UInt32
    }

    var path: String
    var arguments: [String]
    /// Variables set in addition to our own environment, of which another user's program sees little.
    var environment: [String: String] = [:]
    /// Nil for ourselves.
    var user: User?

    /// The most that is read of each of its streams, in bytes.
    private static let outputLimit = 4 << 20

    /// A program run as ourselves.
    package init(path: String, arguments: [String]) {
        self.init(path: path, arguments: arguments, environment: [:])
    }

    init(path: String, arguments: [String], environment: [String: String] = [:], user: User? = nil) {
        self.path = path
        self.arguments = arguments
        self.environment = environment
        self.user = user
    }

    /// Runs the program in a session of its own, its standard input empty, and waits for its end.
    package func run(deadline: Duration) async throws(Failure) -> Output {
        let program = self
        Logger.current.debug("running \(path) \(arguments.joined(separator: " "))")
        let outcome = await withTaskGroup(of: Result<Output, Failure>?.self) { group in
            group.addTask { await program.finish() }
            group.addTask {
                // Woken early by the cancellation below.
                try? await Task.sleep(for: deadline)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        guard let outcome else { throw .deadline(deadline) }
        return try outcome.get()
    }

    /// Ours and those that were set; for another user, of ours only what any program may know.
    private var variables: Environment {
        var variables: [Environment.Key: String] = [:]
        if user != nil {
            for name in Self.harmlessVariables {
                guard let key = Environment.Key(rawValue: name), let value = getenv(name) else { continue }
                variables[key] = String(cString: value)
            }
        }
        for (name, value) in environment {
            if let key = Environment.Key(rawValue: name) { variables[key] = value }
        }
        return user == nil ? .inherit.updating(variables.mapValues { $0 }) : .custom(variables)
    }

    /// The variables of ours that a program gets which runs as another user.
    static let harmlessVariables = ["PATH", "LANG", "LC_ALL", "TMPDIR"]

    /// `setpriv` changes the user, in a process of its own: glibc's setgroups(3) and its like wait for other threads, which a
    /// forked child of this process does not have, so that it might wait for ever.
    private var command: [String] {
        guard let user else { return [path] + arguments }
        return [
            "/usr/bin/setpriv", "--reuid", "\(user.uid)", "--regid", "\(user.gid)", "--clear-groups", "--", path,
        ] + arguments
    }

    /// What `setpriv` exits with when it cannot start a program.
    private static let notExecuted: Set<Int32> = [126, 127]

    /// Cancelling this kills the program and all that it started.
    private func finish() async -> Result<Output, Failure> {
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [
            .send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .milliseconds(100))
        ]
        do {
            let result = try await Subprocess.run(
                .path(FilePath(command[0])), arguments: Arguments(Array(command.dropFirst())), environment: variables,
                platformOptions: options, input: .none,
                output: .string(limit: Self.outputLimit), error: .string(limit: Self.outputLimit))
            let (code, signal): (Int32?, Int32?) =
                switch result.terminationStatus {
                case .exited(let code): (code, nil)
                case .signaled(let number): (nil, number)
                }
            if let code, Self.notExecuted.contains(code), result.standardError.hasPrefix("setpriv: ") {
                return .failure(.notStarted(result.standardError))
            }
            return .success(
                Output(
                    exitCode: code, signal: signal, standardOutput: result.standardOutput,
                    standardError: result.standardError))
        } catch {
            return .failure(.notStarted("\(error)"))
        }
    }
}
