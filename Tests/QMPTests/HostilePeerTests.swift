import JSON
import Linux
import QMP
import QMPTesting
import TestTools
import Testing

@Suite(.timeLimit(.minutes(1))) struct HostilePeerTests {
    private static let small = JSONLimits(maximumBytes: 100_000, maximumDepth: 64)

    /// Distinguishes an end from a hang: many times longer than any deadline here, and shorter than those that must not
    /// be waited for.
    private static let ever = Duration.seconds(30)

    private func failure(_ steps: ScriptStep..., within patience: Duration = .milliseconds(300)) async throws
        -> QMPError?
    {
        let server = try ScriptedServer(steps)
        let start = ContinuousClock.now
        let error = await #expect(throws: QMPError.self) {
            try await QMPClient.connect(path: server.path, greetingDeadline: patience, limits: Self.small)
        }
        #expect(ContinuousClock.now - start < Self.ever)
        #expect(error?.description.contains(server.path) == true)
        return error
    }

    @Test func whatIsNoMonitorIsSaidToBeNone() async throws {
        let cases: [[ScriptStep]] = [
            [.text("HTTP/1.1 400 Bad Request\r\n\r\n"), .hang],
            [.text("SSH-2.0-OpenSSH_9.2p1\r\n"), .close],
            [.text("[]\r\n"), .hang],
            [.text("{}"), .hang],
            [.text("{\"QMP\": {\"version\": 7}}\r\n"), .hang],
            [.text("{\"QMP\": {\"version\""), .hang],
            [.bytes([0]), .hang],
            [.bytes([0xFF, 0xFE, 0x00, 0x01]), .hang],
            [.text("{\"QMP\": \""), .endless("x", upTo: 1 << 20), .hang],
            [.endless("[", upTo: 1 << 20), .hang],
            [.endless("{\"QMP\":", upTo: 1 << 20), .hang],
            [.emit("STOP"), .hang],
        ]
        for steps in cases {
            let server = try ScriptedServer(steps)
            let error = await #expect(throws: QMPError.self, "\(steps)") {
                try await QMPClient.connect(path: server.path, limits: Self.small)
            }
            #expect(error?.code == .notQMP, "\(steps): \(String(describing: error))")
            #expect(error?.message.contains("QMP monitor") == true)
        }
    }

    @Test func aMonitorThatIsTakenIsSaidToBeBusy() async throws {
        let server = try ScriptedServer([.greet(), .negotiate, .drain])
        let holder = try await QMPClient.connect(path: server.path)
        let start = ContinuousClock.now
        for _ in 0..<4 {
            let error = await #expect(throws: QMPError.self) {
                try await QMPClient.connect(path: server.path, greetingDeadline: .milliseconds(200))
            }
            #expect(error?.code == .busy)
            #expect(error?.description.contains(server.path) == true)
        }
        #expect(ContinuousClock.now - start < Self.ever)
        holder.close()
    }

    @Test func noGreetingNamesTheProcessThatListens() async throws {
        let error = try await failure(.hang)
        #expect(error?.code == .busy)
        #expect(error?.message.contains("process ") == true)
        #expect(error?.message.contains("another client holds this monitor") == true)
    }

    @Test func silenceAfterTheGreetingIsATimeout() async throws {
        #expect(try await failure(.greet(), .drain, within: .seconds(2))?.code == .timeout)
        #expect(try await failure(.greet(), .hang, within: .seconds(2))?.code == .timeout)
    }

    @Test func anEndInTheGreetingIsADisconnection() async throws {
        #expect(try await failure(.close, within: .seconds(20))?.code == .disconnected)
        let error = try await failure(.text("{\"QMP\": {"), .close, within: .seconds(20))
        #expect(error?.code == .disconnected)
        #expect(error?.message.contains("in the middle of a message") == true)
        #expect(try await failure(.greet(), .close, within: .seconds(20))?.code == .disconnected)
    }

    @Test func anUnreachableSocketIsExplained() async throws {
        let folder = ScratchFolder()
        let none = await #expect(throws: QMPError.self) { try await QMPClient.connect(path: "\(folder.path)/none") }
        #expect(none?.code == .system)
        #expect(none?.message.contains("the socket does not exist") == true)
        let listener = try UnixListener(path: "\(folder.path)/dead")
        listener.shutdown()
        let dead = await #expect(throws: QMPError.self) { try await QMPClient.connect(path: listener.path) }
        #expect(dead?.code == .system)
        #expect(dead?.message.contains("no process listens") == true)
        let start = ContinuousClock.now
        let late = await #expect(throws: QMPError.self) {
            try await QMPClient.connect(path: "\(folder.path)/none", appearingWithin: .milliseconds(50))
        }
        #expect(late?.systemError?.name == "ENOENT")
        #expect(ContinuousClock.now - start >= .milliseconds(50))
        let path = await #expect(throws: QMPError.self) { try await QMPClient.connect(path: "/etc/passwd") }
        #expect(path?.code == .system)
    }

    @Test func garbageLaterEndsTheConnectionAndSaysSo() async throws {
        let cases: [(String, QMPError.Code)] = [
            ("garbage\r\n", .protocolViolation),
            ("{\"return\": {}, \"id\": 999}\r\n", .protocolViolation),
            ("{\"return\": {}}\r\n", .protocolViolation),
            (
                "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 1, \"minor\": 2, \"micro\": 3}, \"package\": \"\"}}}",
                .protocolViolation
            ),
            (String(repeating: "[", count: 100), .protocolViolation),
            ("\"" + String(repeating: "x", count: 200_000), .protocolViolation),
            ("{\"return\": \"\u{1}", .disconnected),
        ]
        for (text, code) in cases {
            let server = try ScriptedServer([.greet(), .negotiate, .expect("a", .text(text)), .close])
            let client = try await QMPClient.connect(path: server.path, limits: Self.small)
            let events = client.events()
            let error = await #expect(throws: QMPError.self) { try await client.executeRaw("a") }
            #expect(error?.code == code, "\(text.prefix(40)): \(String(describing: error))")
            await #expect(throws: QMPError.self) { try await events.next() }
            let dead = await #expect(throws: QMPError.self) { try await client.executeRaw("b") }
            #expect(dead?.isUnsent == true)
            #expect(dead?.code == code)
        }
    }

    @Test func largeAndScatteredMessagesAreTaken() async throws {
        let large = "{\"return\": \"" + String(repeating: "é", count: 4 << 20) + "\",\r\n \"id\": 2}\r\n"
        let server = try ScriptedServer([
            .greet(), .negotiate, .expect("large", .text(large)),
            .expect("scattered", .silence), .text("\r\n  {"), .wait(.milliseconds(5)), .text("\"return\""),
            .wait(.milliseconds(5)), .text(": {\"a\": \"\\ud83d"), .wait(.milliseconds(5)), .text("\\ude00\""),
            .bytes([0x2C, 0x22, 0x62, 0x22, 0x3A, 0x22, 0xC3]), .wait(.milliseconds(5)), .bytes([0xA9, 0x22]),
            .text("}, \"id\""), .text(": 3}"), .drain,
        ])
        let client = try await QMPClient.connect(path: server.path)
        #expect(try await client.executeRaw("large", deadline: .seconds(20)).string?.count == 4 << 20)
        #expect(try await client.executeRaw("scattered") == ["a": "😀", "b": "é"])
    }

    @Test func aFloodOfEventsHurtsOnlyTheStreamThatIsNotRead() async throws {
        let count = 20_000
        let server = try ScriptedServer([
            .greet(), .negotiate, .expect("go", .done), .flood("NOISE", count: count), .serve(["a": .success("fine")]),
        ])
        let client = try await QMPClient.connect(path: server.path)
        let small = client.events(capacity: 10)
        let large = client.events(capacity: count)
        let other = client.events(named: ["OTHER"], capacity: 1)
        try await client.executeRaw("go")
        #expect(try await client.executeRaw("a", deadline: .seconds(50)) == "fine")
        for number in 0..<10 { #expect(try await small.next().data["number"]?.int == number) }
        let error = await #expect(throws: QMPError.self) { try await small.next() }
        #expect(error?.code == .overflow)
        for number in 0..<count { #expect(try await large.next().data["number"]?.int == number) }
        let none = await #expect(throws: QMPError.self) { try await other.next(within: .milliseconds(10)) }
        #expect(none?.code == .timeout)
    }

    @Test func aPeerThatDoesNotReadHoldsNobodyUp() async throws {
        let server = try ScriptedServer([.greet(), .negotiate, .hang])
        defer { withExtendedLifetime(server) {} }
        let client = try await QMPClient.connect(path: server.path)
        let start = ContinuousClock.now
        let filler = JSONValue.string(String(repeating: "x", count: 40_000))
        // A client that waited for the peer would wait until its deadline.
        for _ in 0..<20 { try client.post("a", arguments: ["filler": filler], deadline: .seconds(50)) }
        #expect(ContinuousClock.now - start < Self.ever)
        let huge = await #expect(throws: QMPError.self) {
            let filler = JSONValue.string(String(repeating: "x", count: 4 << 20))
            try await client.executeRaw("huge", arguments: ["filler": filler], deadline: .milliseconds(200))
        }
        #expect(huge?.code == .timeout || huge?.code == .disconnected)
        let last = await #expect(throws: QMPError.self) {
            try await client.executeRaw("last", deadline: .milliseconds(200))
        }
        #expect(last?.code == .timeout || last?.code == .disconnected)
        #expect(last?.isUnsent == true)
        #expect(ContinuousClock.now - start < Self.ever)
    }

    @Test func aHugeCommandReachesAPeerThatReadsSlowly() async throws {
        let server = try ScriptedServer([
            .greet(), .negotiate, .wait(.milliseconds(100)), .serve(["huge": .success(1), "next": .success(2)]),
        ])
        let client = try await QMPClient.connect(path: server.path)
        let filler = JSONValue.string(String(repeating: "x", count: 2 << 20))
        let huge = try client.post("huge", arguments: ["filler": filler], deadline: .seconds(20))
        let next = try client.post("next", deadline: .seconds(20))
        #expect(try await huge.value() == 1)
        #expect(try await next.value() == 2)
    }

    @Test func whatQEMUWouldChokeOnIsNotSent() async throws {
        let server = try ScriptedServer([.greet(), .negotiate, .serve(["a": .done])])
        let client = try await QMPClient.connect(path: server.path)
        var deep: JSONValue = 1
        for _ in 0..<200 { deep = [deep] }
        let error = await #expect(throws: QMPError.self) { try await client.executeRaw("a", arguments: ["deep": deep]) }
        #expect(error?.code == .invalidCommand)
        #expect(try await client.executeRaw("a") == [:])
    }
}
