import JSON
import QMPTesting
import Testing

@Suite(.timeLimit(.minutes(2))) struct ConformanceTests {
    @Test func findsWhatIsWrong() async throws {
        let server = try ScriptedServer([
            .greet(), .serve(["qmp_capabilities": .done, "query-version": .success(["wrong": true])]),
        ])
        defer { withExtendedLifetime(server) {} }
        let findings = await QMPConformance.run(path: server.path)
        let failed = Set(findings.filter { !$0.passes }.map(\.check))
        #expect(
            failed == [.wantsCapabilitiesFirst, .refusesUnknownArguments, .survivesBrokenInput, .sendsLargeReplies])
        #expect(findings.count == QMPConformance.Check.allCases.count)
    }

    @Test func whatIsNoMonitorPassesNothing() async throws {
        let server = try ScriptedServer([.text("HTTP/1.1 400 Bad Request\r\n"), .drain])
        defer { withExtendedLifetime(server) {} }
        #expect(await QMPConformance.run(path: server.path).allSatisfy { !$0.passes })
    }
}
