import InMemoryLogging
import JSON
import Logging
import QMP
import QMPTesting
import Testing

/// What `--verbose` shows of a connection.
@Suite(.timeLimit(.minutes(1))) struct QMPLogTests {
    private static let steps: [ScriptStep] = [
        .greet(), .negotiate, .serve(["stop": .success([:]), "cont": .success([:])]),
    ]

    private static func logger(_ handler: InMemoryLogHandler, level: Logger.Level) -> Logger {
        var logger = Logger(label: "test", factory: { _ in handler })
        logger.logLevel = level
        logger[metadataKey: "side"] = "old"
        return logger
    }

    private func connect(to server: ScriptedServer, _ logger: Logger) async throws -> QMPClient {
        try await withLogger(logger) { _ async throws in try await QMPClient.connect(path: server.path) }
    }

    @Test func eachCommandAndReplyIsLoggedWithItsSide() async throws {
        let (server, handler) = (try ScriptedServer(Self.steps), InMemoryLogHandler())
        let client = try await connect(to: server, Self.logger(handler, level: .debug))
        try await client.executeRaw("stop", arguments: ["password": "secret"])
        client.close()
        let messages = handler.entries.map { "\($0.message)" }
        #expect(messages.contains("-> stop"))
        #expect(messages.contains("<- stop: ok"))
        #expect(messages.last?.hasPrefix("closed: ") == true)
        #expect(handler.entries.allSatisfy { $0.metadata["side"] == "old" && $0.metadata["monitor"] != nil })
        #expect(!"\(handler.entries)".contains("secret"))
    }

    @Test func nothingIsWrittenWhileTheLogIsHeld() async throws {
        let (server, handler) = (try ScriptedServer(Self.steps), InMemoryLogHandler())
        let client = try await connect(to: server, Self.logger(handler, level: .debug))
        let before = handler.entries.count
        client.holdLog()
        try await client.executeRaw("stop")
        try await client.executeRaw("cont")
        #expect(handler.entries.count == before)
        client.releaseLog()
        let kept = handler.entries.dropFirst(before)
        #expect(kept.map { "\($0.message)" }.filter { $0.hasPrefix("->") } == ["-> stop", "-> cont"])
        #expect(kept.allSatisfy { $0.metadata["after"] != nil })
    }

    @Test func withoutDebugNothingIsLogged() async throws {
        let (server, handler) = (try ScriptedServer(Self.steps), InMemoryLogHandler())
        let client = try await connect(to: server, Self.logger(handler, level: .info))
        try await client.executeRaw("stop")
        client.holdLog()
        client.releaseLog()
        #expect(handler.entries.isEmpty)
    }
}
