import Foundation
import Glibc
import Linux

/// A command to run until it exits.
struct ChildProcess {
    /// The program; searched in `PATH` if it contains no slash.
    let executable: String
    let arguments: [String]
    /// Variables to add to this process's environment.
    var environment: [String: String] = [:]

    /// The result of a run.
    struct Outcome {
        /// The exit status; nil if a signal ended it.
        let status: Int32?
        let output: String
        let errors: String
        /// The time from just before its start to its end.
        let wallMicroseconds: Int
        /// The peak of its resident memory; nil if it was not watched.
        let peakKibibytes: Int?
    }

    /// Runs the command.
    ///
    /// Its peak memory is read repeatedly while it runs, which disturbs its timing. The kernel's figure in wait4(2) is
    /// useless here: it starts with the peak of the parent process.
    ///
    /// - Parameters:
    ///   - scratch: The folder for its output.
    ///   - watchesMemory: Whether to watch its memory.
    ///   - pause: Milliseconds between two looks: a longer pause disturbs less, but misses more of the end of the run.
    /// - Returns: The result.
    /// - Throws: `SystemError` if it cannot be started.
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
        // This variable identifies the run's processes, including their descendants.
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
            // An exited process has no memory and no such line.
            guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
                let number = line.split(whereSeparator: \.isWhitespace).dropFirst().first
            else { return peak }
            peak = Int(number) ?? peak
            if pause > 0 { Clock.sleep(milliseconds: pause) }
        }
    }
}
