import JSON
import Linux

/// The product as everybody runs it: the release build of its command line, started, waited for, and taken at its word.
enum HyperfreshHandover {
    static func run(_ guest: BenchGuest, tools: Tools, scratch: Scratch) throws -> Handover {
        let command = ChildProcess(
            executable: tools.hyperfresh,
            arguments: [
                "refresh", "guest", "--qmp", guest.monitorPath, "--json", "--state-dir", "\(scratch.directory)/state",
            ])
        let outcome = try command.run(in: scratch)
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
        guest.process = successor
        return Handover(
            switchMicroseconds: stopToResume,
            wholeMicroseconds: outcome.wallMicroseconds,
            oldCompletedMicroseconds: result["switch"]?["stop_to_old_completed_us"]?.int,
            newCompletedMicroseconds: result["switch"]?["stop_to_new_completed_us"]?.int,
            controllerMicroseconds: result["switch"]?["controller_us"]?.int,
            phases: phases(result)
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
