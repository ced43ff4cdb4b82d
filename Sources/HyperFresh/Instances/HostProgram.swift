import Guests
import Linux

/// A short-lived program of this host, such as ip(8).
enum HostProgram {
    /// Runs the program and waits until it ends.
    ///
    /// - Throws: ``HyperFreshError`` if it is missing or fails; its standard error is the evidence.
    static func run(_ name: String, _ arguments: [String]) async throws(HyperFreshError) {
        let folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        guard let path = folders.map({ "\($0)/\(name)" }).first(where: { Files.exists($0) }) else {
            throw HyperFreshError("\(name) is not installed", remedy: "Install it, for example with `scripts/setup`.")
        }
        let output: HelperProgram.Output
        do throws(HelperProgram.Failure) {
            output = try await HelperProgram(path: path, arguments: arguments).run(deadline: .seconds(10))
        } catch {
            throw HyperFreshError("cannot run \(name)", because: error, remedy: "See its error message.")
        }
        guard output.succeeded else {
            throw HyperFreshError(
                "\(name) \(arguments.joined(separator: " ")) failed", remedy: "See its error message.",
                evidence: output.standardError.split(whereSeparator: \.isNewline).map(String.init))
        }
    }
}
