internal import Glibc
internal import Logging
internal import Subprocess
internal import SystemPackage

/// A program that answers a query and exits, such as `qemu-system-x86_64 --version`.
package struct HelperProgram {
    /// The result of a program that ended.
    package struct Output {
        /// The exit code; nil if a signal ended it.
        package let exitCode: Int32?
        /// The signal that ended it.
        package let signal: Int32?
        package let standardOutput: String
        package let standardError: String

        package var succeeded: Bool { exitCode == 0 }
    }

    /// Why there is no output.
    package enum Failure: Error, CustomStringConvertible {
        /// It did not exit in time and was killed.
        case deadline(Duration)
        /// It could not be started; the value is the system's reason.
        case notStarted(String)

        package var description: String {
            switch self {
            case .deadline(let duration): "it did not exit within \(duration) and was killed"
            case .notStarted(let reason): reason
            }
        }
    }

    /// A user to run as, without supplementary groups.
    struct User: Hashable {
        let uid: UInt32
        let gid: UInt32
    }

    var path: String
    var arguments: [String]
    /// Variables set in addition to our environment; a program of another user gets only ``harmlessVariables`` of ours.
    var environment: [String: String] = [:]
    /// Nil for the current user.
    var user: User?

    /// The maximum read from each output stream, in bytes.
    private static let outputLimit = 4 << 20

    /// Creates a program that runs as the current user.
    package init(path: String, arguments: [String]) {
        self.init(path: path, arguments: arguments, environment: [:])
    }

    init(path: String, arguments: [String], environment: [String: String] = [:], user: User? = nil) {
        self.path = path
        self.arguments = arguments
        self.environment = environment
        self.user = user
    }

    /// Runs the program in its own session with empty standard input, and waits for it to exit.
    package func run(deadline: Duration) async throws(Failure) -> Output {
        let program = self
        Logger.current.debug("running \(path) \(arguments.joined(separator: " "))")
        let outcome = await withTaskGroup(of: Result<Output, Failure>?.self) { group in
            group.addTask { await program.finish() }
            group.addTask {
                // The cancellation below ends the sleep early.
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

    /// Our environment and the variables set; for another user, only the harmless ones of ours.
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

    /// The variables of ours that a program running as another user gets.
    static let harmlessVariables = ["PATH", "LANG", "LC_ALL", "TMPDIR"]

    /// `setpriv` changes the user, in a separate process: glibc's setgroups(3) and similar functions wait for other
    /// threads, which a forked child of this process does not have, so it might block forever.
    private var command: [String] {
        guard let user else { return [path] + arguments }
        return [
            "/usr/bin/setpriv", "--reuid", "\(user.uid)", "--regid", "\(user.gid)", "--clear-groups", "--", path,
        ] + arguments
    }

    /// The exit codes of `setpriv` when it cannot start a program.
    private static let notExecuted: Set<Int32> = [126, 127]

    /// Runs the program; cancellation kills it with its process group.
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
