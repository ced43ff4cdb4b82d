import Guests
import Linux

/// A short-lived program of this host, such as ip(8).
enum HostProgram {
    /// Runs it to its end.
    ///
    /// - Throws: ``HyperFreshError`` when it is missing or fails; its words are the evidence.
    static func run(_ name: String, _ arguments: [String]) async throws(HyperFreshError) {
        let folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        guard let path = folders.map({ "\($0)/\(name)" }).first(where: { Files.exists($0) }) else {
            throw HyperFreshError("\(name) is not installed", remedy: "Install it: scripts/setup does.")
        }
        let output: HelperProgram.Output
        do throws(HelperProgram.Failure) {
            output = try await HelperProgram(path: path, arguments: arguments).run(deadline: .seconds(10))
        } catch {
            throw HyperFreshError("\(name) could not be run", because: error, remedy: "Its words say why.")
        }
        guard output.succeeded else {
            throw HyperFreshError(
                "\(name) \(arguments.joined(separator: " ")) failed", remedy: "Its words say why.",
                evidence: output.standardError.split(whereSeparator: \.isNewline).map(String.init))
        }
    }
}
