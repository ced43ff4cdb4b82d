import Foundation
import Glibc
import Linux

/// A command that is run to its end.
struct ChildProcess {
    /// The program; searched in `PATH` when it holds no slash.
    let executable: String
    let arguments: [String]
    /// Variables to add to this process's own.
    var environment: [String: String] = [:]

    /// How it went.
    struct Outcome {
        /// The exit status; nil when a signal ended it.
        let status: Int32?
        let output: String
        let errors: String
        /// From just before its start to its end.
        let wallMicroseconds: Int
        /// The most memory that was resident; only where that was asked for.
        let peakKibibytes: Int?
    }

    /// Runs it.
    ///
    /// The peak of its memory is read over and over while it runs, which disturbs its timing. The kernel's own figure
    /// in wait4(2) is of no use here: it begins with the peak of the process that started it.
    ///
    /// - Parameters:
    ///   - scratch: Where its output goes meanwhile.
    ///   - watchesMemory: Whether to watch its memory.
    ///   - pause: Milliseconds between two looks at it: the longer, the less it disturbs, and the more of the process's last
    ///     moments is not seen.
    /// - Returns: How it went.
    /// - Throws: `SystemError` when it cannot be started.
    func run(in scratch: Scratch, watchesMemory: Bool = false, pause: Int = 0) throws -> Outcome {
        let outputPath = "\(scratch.directory)/output"
        let errorPath = "\(scratch.directory)/errors"
        let begin = Clock.monotonic()
        let pid = try start(in: scratch, outputPath: outputPath, errorPath: errorPath)
        let peak = watchesMemory ? Self.watchMemory(of: pid, pause: pause) : nil
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        let end = Clock.monotonic()
        return Outcome(
            status: status & 0x7f == 0 ? status >> 8 & 0xff : nil,
            output: String(decoding: try Files.readAll(outputPath), as: UTF8.self),
            errors: String(decoding: try Files.readAll(errorPath), as: UTF8.self),
            wallMicroseconds: Int((end - begin) / 1000),
            peakKibibytes: peak
        )
    }

    private func start(in scratch: Scratch, outputPath: String, errorPath: String) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let flags = O_WRONLY | O_CREAT | O_TRUNC
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputPath, flags, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errorPath, flags, 0o600)

        var argv: [UnsafeMutablePointer<CChar>?] = ([executable] + arguments).map { strdup($0) }
        argv.append(nil)
        // By this variable the run's processes are found, and what they start in turn.
        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
            .merging(["HYPERFRESH_BENCH": scratch.token]) { $1 }
        var envp: [UnsafeMutablePointer<CChar>?] = variables.map { strdup("\($0)=\($1)") }
        envp.append(nil)
        defer { (argv + envp).forEach { free($0) } }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, executable, &actions, nil, argv, envp)
        guard code == 0 else { throw SystemError(operation: "posix_spawn", subject: executable, code: code) }
        return pid
    }

    private static func watchMemory(of pid: pid_t, pause: Int) -> Int? {
        var peak: Int?
        while true {
            let text = (try? Files.readAll("/proc/\(pid)/status")).map { String(decoding: $0, as: UTF8.self) } ?? ""
            // A process that has ended has no memory any more, and no such line.
            guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
                let number = line.split(whereSeparator: \.isWhitespace).dropFirst().first
            else { return peak }
            peak = Int(number) ?? peak
            if pause > 0 { Clock.sleep(milliseconds: pause) }
        }
    }
}
