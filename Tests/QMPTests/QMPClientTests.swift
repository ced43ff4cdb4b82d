import JSON
import Linux
import QMP
import QMPTesting
import Testing

private let status: JSONValue = ["running": true, "singlestep": false, "status": "running"]

@Suite(.timeLimit(.minutes(1))) struct QMPClientTests {
    /// A client with its server.
    private final class Talk: Sendable {
        let server: ScriptedServer
        let client: QMPClient

        init(_ steps: ScriptStep...) async throws {
            server = try ScriptedServer([.greet(), .negotiate] + steps)
            client = try await QMPClient.connect(path: server.path)
        }
    }

    @Test func greetsAndAgreesOnCapabilities() async throws {
        let server = try ScriptedServer(
            [.greet(version: "10.0.2"), .negotiate, .drain],
            [.greet(capabilities: []), .negotiate, .drain],
            [.greet(), .negotiate, .drain]
        )
        let first = try await QMPClient.connect(path: server.path)
        #expect(first.greeting.version == QEMUVersion(major: 10, minor: 0, micro: 2, package: "scripted"))
        #expect(first.isOutOfBandEnabled)
        #expect(first.peer?.pid ?? 0 > 0)
        first.close()
        let second = try await QMPClient.connect(path: server.path)
        #expect(!second.isOutOfBandEnabled)
        let error = await #expect(throws: QMPError.self) { try await second.executeRaw("x", outOfBand: true) }
        #expect(error?.code == .invalidCommand)
        second.close()
        let third = try await QMPClient.connect(path: server.path, allowsOutOfBand: false)
        #expect(!third.isOutOfBandEnabled)
        let sent = server.transcript.fromClient
        #expect(sent[0].contains(#""enable":["oob"]"#))
        #expect(!sent[1].contains("enable"))
        #expect(!sent[2].contains("enable"))
    }

    @Test func executesTypedAndRawCommands() async throws {
        let talk = try await Talk(.serve(["query-status": .success(status), "x": .success(7)]))
        #expect(try await talk.client.execute(QueryStatus()).state == .running)
        #expect(try await talk.client.executeRaw("x", arguments: ["a": ["b": 1]]) == 7)
        #expect(talk.server.transcript.fromClient.last?.contains(#""arguments":{"a":{"b":1}},"execute":"x""#) == true)
        #expect(talk.server.transcript.deviations.isEmpty)
    }

    @Test func concurrentCommandsAreToldApart() async throws {
        let talk = try await Talk(.answerInReverse(20))
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<20 {
                group.addTask { try await talk.client.executeRaw("c\(number)") == .string("c\(number)") }
            }
            for try await isRight in group { #expect(isRight) }
        }
    }

    @Test func eventsThatComeBeforeTheReplyAreNotLost() async throws {
        let talk = try await Talk(
            .expect("stop", .after(event: "STOP", .done)),
            .expect("cont", .after(event: "RESUME", .done)),
            .drain
        )
        let all = talk.client.events()
        let resumes = talk.client.events(named: ["RESUME"])
        try await talk.client.execute(Stop())
        try await talk.client.execute(Cont())
        #expect(try await all.next().name == "STOP")
        #expect(try await all.next().name == "RESUME")
        let resume = try await resumes.next()
        #expect(resume.name == "RESUME")
        #expect(resume.timestamp.microsecondsSinceEpoch > 1_000_000_000_000_000)
        let error = await #expect(throws: QMPError.self) { try await resumes.next(within: .milliseconds(20)) }
        #expect(error?.code == .timeout)
    }

    @Test func aRefusalKeepsWhatQEMUSaid() async throws {
        let talk = try await Talk(
            .expect("qom-get", .failure(errorClass: "DeviceNotFound", "Device '/x' not found")),
            .expect("stop", .failureWithoutID("JSON parse error")),
            .drain
        )
        let refused = await #expect(throws: QMPError.self) {
            try await talk.client.execute(QOMGet(path: "/x", property: "y"))
        }
        #expect(refused?.code == .refused)
        #expect(refused?.refusal == QMPError.Refusal(errorClass: "DeviceNotFound", text: "Device '/x' not found"))
        #expect(refused?.refusal?.isDeviceNotFound == true)
        #expect(refused?.command?["arguments"]?["path"] == "/x")
        #expect(refused?.description.contains(talk.server.path) == true)
        let unread = await #expect(throws: QMPError.self) { try await talk.client.execute(Stop()) }
        #expect(unread?.refusal?.text == "JSON parse error")
    }

    @Test func aReplyThatLacksSomethingIsSaidToLackIt() async throws {
        let talk = try await Talk(
            .expect("query-status", .success(["running": true])),
            .expect("query-status", .success(["running": 1, "status": "running"])),
            .expect("query-status", .success(["running": true, "status": "dancing"])),
            .drain
        )
        for part in ["'status'", "'running'", "dancing"] {
            let error = await #expect(throws: QMPError.self) { try await talk.client.execute(QueryStatus()) }
            #expect(error?.code == .unusableReply)
            #expect(error?.message.contains(part) == true, "\(String(describing: error))")
            #expect(error?.message.contains("query-status") == true)
        }
    }

    @Test func aReplyThatIsSuccessAndFailureIsNeither() async throws {
        let both = #"{"return": {}, "error": {"class": "GenericError", "desc": "no"}, "id": 2}"# + "\r\n"
        let talk = try await Talk(.expect("cont", .text(both)), .expect("x", .success(7)), .drain)
        let error = await #expect(throws: QMPError.self) { try await talk.client.execute(Cont()) }
        #expect(error?.code == .unusableReply)
        #expect(error?.leavesFateUnknown == true)
        #expect(error?.command?["execute"] == "cont")
        #expect(try await talk.client.executeRaw("x") == 7)
    }

    @Test func whoseReplyIsLostHasAnUnknownFate() async throws {
        let lost = try await Talk(.expect("cont", .close))
        let gone = await #expect(throws: QMPError.self) { try await lost.client.execute(Cont()) }
        #expect(gone?.leavesFateUnknown == true)
        for _ in 0..<200 {
            let other = try await Talk(.expect("cont", .close))
            let error = await #expect(throws: QMPError.self) { try await other.client.execute(Cont()) }
            #expect(error?.leavesFateUnknown == true)
        }
        let unsent = await #expect(throws: QMPError.self) { try await lost.client.execute(Cont()) }
        #expect(unsent?.leavesFateUnknown == false)
        let refusing = try await Talk(.expect("cont", .failure("no")), .drain)
        let refused = await #expect(throws: QMPError.self) { try await refusing.client.execute(Cont()) }
        #expect(refused?.leavesFateUnknown == false)
        let nobody = await #expect(throws: QMPError.self) { try await QMPClient.connect(path: "/nowhere") }
        #expect(nobody?.leavesFateUnknown == false)
    }

    @Test func aLateReplyIsDropped() async throws {
        let talk = try await Talk(
            .expect("slow", .later(.seconds(3), .success("late"))),
            .expect("quick", .success("right")),
            .drain
        )
        let error = await #expect(throws: QMPError.self) {
            try await talk.client.executeRaw("slow", deadline: .milliseconds(50))
        }
        #expect(error?.code == .timeout)
        #expect(error?.isUnsent == false)
        #expect(try await talk.client.executeRaw("quick") == "right")
    }

    @Test func deadlinesFireInTheirOwnOrder() async throws {
        let talk = try await Talk(.drain)
        let clock = ContinuousClock()
        await withTaskGroup(of: (Int, Duration).self) { group in
            for milliseconds in [300, 50, 150] {
                group.addTask {
                    let start = clock.now
                    _ = try? await talk.client.executeRaw("x", deadline: .milliseconds(milliseconds))
                    return (milliseconds, clock.now - start)
                }
            }
            for await (milliseconds, elapsed) in group {
                #expect(elapsed >= .milliseconds(milliseconds))
                #expect(elapsed < .milliseconds(milliseconds + 10_000))
            }
        }
    }

    @Test func aSlowMonitorIsNotTakenForADeadOne() async throws {
        let answer = ScriptStep.expect("slow", .later(.milliseconds(300), .success("done")))
        let talk = try await Talk(answer, answer, answer, answer, .drain)
        let replies = try (0..<4).map { _ in try talk.client.post("slow", deadline: .seconds(1)) }
        let behind = try talk.client.post("never", deadline: .seconds(1))
        for reply in replies { #expect(try await reply.value() == "done") }
        let error = await #expect(throws: QMPError.self) { try await behind.value() }
        #expect(error?.code == .timeout)
    }

    @Test func aCancelledTaskEndsItsWaitAtOnce() async throws {
        let talk = try await Talk(.drain)
        let events = talk.client.events()
        let waits: [Task<QMPError?, Never>] = [
            Task { () -> QMPError? in
                do throws(QMPError) { _ = try await talk.client.executeRaw("x", deadline: .seconds(50)) } catch {
                    return error
                }
                return nil
            },
            Task { () -> QMPError? in
                do throws(QMPError) { _ = try await events.next() } catch { return error }
                return nil
            },
        ]
        try await Task.sleep(for: .milliseconds(20))
        let start = ContinuousClock.now
        for wait in waits {
            wait.cancel()
            #expect(await wait.value?.code == .cancelled)
        }
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    @Test func whatWaitsIsToldOfTheEnd() async throws {
        let talk = try await Talk(.expect("a", .silence), .drain)
        let events = talk.client.events()
        let pending = try talk.client.post("a")
        while talk.server.transcript.fromClient.count < 2 { try await Task.sleep(for: .milliseconds(1)) }
        talk.server.stop()
        let first = await #expect(throws: QMPError.self) { try await pending.value() }
        #expect(first?.code == .disconnected)
        #expect(first?.command?["execute"] == "a")
        for _ in 0..<2 {
            let error = await #expect(throws: QMPError.self) { try await events.next() }
            #expect(error?.code == .disconnected)
        }
        let late = await #expect(throws: QMPError.self) { try await talk.client.executeRaw("b") }
        #expect(late?.code == .disconnected)
        #expect(late?.isUnsent == true)
        let ended = await #expect(throws: QMPError.self) { try await talk.client.events().next() }
        #expect(ended?.code == .disconnected)
    }

    @Test func closingEndsEverything() async throws {
        let talk = try await Talk(.drain)
        let events = talk.client.events()
        let pending = try talk.client.post("a", deadline: .seconds(50))
        talk.client.close()
        await #expect(throws: QMPError.self) { try await pending.value() }
        let error = await #expect(throws: QMPError.self) { try await events.next() }
        #expect(error?.code == .disconnected)
        #expect(error?.message.contains("by this program") == true)
    }

    @Test func aClientThatIsDroppedFreesTheMonitor() async throws {
        let server = try ScriptedServer([.greet(), .negotiate, .drain])
        for _ in 0..<20 { _ = try await QMPClient.connect(path: server.path) }
        #expect(server.connectionCount == 20)
    }

    @Test func descriptorsTravelWithTheirCommand() async throws {
        let talk = try await Talk(.serve(["getfd": .done, "closefd": .done]))
        let (mine, yours) = try UnixStream.pair()
        try await talk.client.execute(GetFD(fdname: "migration", descriptor: yours.number))
        try await talk.client.execute(CloseFD(fdname: "migration"))
        var descriptors = talk.server.takeDescriptors()
        #expect(descriptors.count == 1)
        #expect(talk.server.transcript.lines.filter { $0.descriptorCount > 0 }.allSatisfy { $0.text.contains("getfd") })
        if let received = descriptors.takeFirst() {
            let other = UnixStream(adopting: received)
            try other.send([1, 2, 3])
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 8, alignment: 1)
            defer { bytes.deallocate() }
            #expect(try mine.receive(into: bytes).count == 3)
        }
    }

    @Test func aTapActsInTheReadersThread() async throws {
        let talk = try await Talk(
            .expect("go", .after(event: "STOP", .done)),
            .expect("cont", .after(event: "RESUME", .done)),
            .drain
        )
        let events = talk.client.events(named: ["RESUME"])
        let tap = talk.client.tap(named: ["STOP"]) { [weak client = talk.client] outcome in
            if case .success = outcome { _ = try? client?.post("cont") }
        }
        try await talk.client.executeRaw("go")
        #expect(try await events.next(within: .seconds(5)).name == "RESUME")
        tap.cancel()
        #expect(talk.server.transcript.deviations.isEmpty)
    }

    @Test func fiftyConnectionsAtOnce() async throws {
        try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<50 {
                group.addTask {
                    let server = try ScriptedServer([
                        .greet(), .negotiate, .serve(["n": .success(.integer(Int64(number)))]),
                    ])
                    let client = try await QMPClient.connect(path: server.path, greetingDeadline: .seconds(10))
                    return try await client.executeRaw("n", deadline: .seconds(10)).int ?? -1
                }
            }
            var seen: Set<Int> = []
            for try await number in group { seen.insert(number) }
            #expect(seen == Set(0..<50))
        }
    }
}
