import Glibc
import Testing

@testable import Guests

/// The environment of a helper program that runs as another user.
@Suite struct HelperProgramTests {
    @Test(.enabled(if: geteuid() == 0, "run as root to become another user"))
    func anotherUserSeesLittleOfOurEnvironment() async throws {
        let nobody = HelperProgram.User(uid: 65534, gid: 65534)
        let program = HelperProgram(path: "/usr/bin/env", arguments: [], environment: ["A": "b"], user: nobody)
        let lines = try await program.run(deadline: .seconds(20)).standardOutput.split(separator: "\n")
        let names = Set(lines.compactMap { $0.split(separator: "=").first.map(String.init) })
        #expect(names.isSubset(of: HelperProgram.harmlessVariables + ["A"]), "\(names)")
        #expect(lines.contains("A=b"))
    }

    @Test func ourselvesSeeAll() async throws {
        let program = HelperProgram(path: "/usr/bin/env", arguments: [], environment: ["A": "b"])
        let lines = try await program.run(deadline: .seconds(20)).standardOutput.split(separator: "\n")
        #expect(lines.contains("A=b"))
        #expect(lines.contains { $0.hasPrefix("PATH=") } == (getenv("PATH") != nil))
    }
}
