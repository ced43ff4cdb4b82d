import JSON
import Linux

/// One refresh by the release build of the command line, with its own report.
struct GuestRefresh {
    let handover: Handover
    /// The QEMU that runs the guest now.
    let successor: ProcessIdentity
    /// Its version, such as `7.2.22`.
    let version: String
    /// The peak of the command's resident memory; nil if it was not watched.
    let peakKibibytes: Int?

    /// Runs `refresh guest`.
    ///
    /// - Parameters:
    ///   - monitorPath: The guest's socket.
    ///   - binary: The new QEMU; nil for the guest's own binary.
    ///   - hyperfresh: The command.
    ///   - scratch: The run, whose state folder is used.
    ///   - watchesMemory: Whether to watch its memory, with little disturbance.
    /// - Throws: ``BenchError`` with the command's output if the guest was not refreshed.
    init(
        of monitorPath: String, to binary: String? = nil, by hyperfresh: String, in scratch: Scratch,
        watchesMemory: Bool = false
    ) throws {
        let command = ChildProcess(
            executable: hyperfresh,
            arguments: [
                "refresh", "guest", "--qmp", monitorPath, "--json", "--state-dir", scratch.stateDirectory,
            ] + (binary.map { ["--to", $0] } ?? []))
        let outcome = try command.run(in: scratch, watchesMemory: watchesMemory, pause: 2)
        let words = outcome.output.split(separator: "\n")
        guard outcome.status == 0, let last = words.last, let result = try? JSONValue(parsing: String(last)),
            result["type"] == "result", result["outcome"] == "refreshed",
            let stopToResume = result["switch"]?["stop_to_resume_us"]?.int,
            let pid = result["new"]?["pid"]?.int, let successor = ProcessIdentity.current(of: Int32(pid))
        else {
            throw BenchError(
                "hyperfresh refresh guest ended with \(outcome.status.map { "\($0)" } ?? "a signal"):\n"
                    + "\(words.suffix(3).joined(separator: "\n"))\n\(outcome.errors)")
        }
        self.successor = successor
        version = result["new"]?["version"]?.string ?? "unknown"
        peakKibibytes = outcome.peakKibibytes
        handover = Handover(
            switchMicroseconds: stopToResume,
            wholeMicroseconds: outcome.wallMicroseconds,
            oldCompletedMicroseconds: result["switch"]?["stop_to_old_completed_us"]?.int,
            newCompletedMicroseconds: result["switch"]?["stop_to_new_completed_us"]?.int,
            controllerMicroseconds: result["switch"]?["controller_us"]?.int,
            phases: Self.phases(result)
        )
    }

    private static func phases(_ result: JSONValue) -> [String: Int] {
        var phases: [String: Int] = [:]
        for phase in result["phases"]?.array ?? [] {
            guard let name = phase["name"]?.string, let milliseconds = phase["ms"]?.milliseconds else { continue }
            phases[name, default: 0] += Int(milliseconds * 1000)
        }
        return phases
    }
}

extension JSONValue {
    /// A number, with or without a fraction.
    fileprivate var milliseconds: Double? {
        switch self {
        case .number(let number): number
        default: int.map(Double.init)
        }
    }
}
