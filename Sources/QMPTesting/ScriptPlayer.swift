internal import Glibc
internal import JSON
internal import Linux

/// Plays one script on one connection.
struct ScriptPlayer: ~Copyable {
    /// Why a script ends before its last step.
    private enum End: Error { case clientGone, stopped, closed }

    private let stream: UnixStream
    private let stage: ServerStage
    private let connection: Int
    private var parser = JSONStreamParser()
    private var commands: [JSONValue] = []

    init(_ stream: UnixStream, stage: ServerStage, connection: Int) {
        self.stream = stream
        self.stage = stage
        self.connection = connection
    }

    /// Plays all steps; ends early if the client disconnects.
    mutating func play(_ steps: [ScriptStep]) {
        for step in steps {
            do throws(End) { try play(step) } catch { return }
        }
    }

    private mutating func play(_ step: ScriptStep) throws(End) {
        switch step {
        case .greet(let version, let capabilities): try say(Self.greeting(version, capabilities))
        case .negotiate: try expect("qmp_capabilities", .done)
        case .expect(let name, let answer): try expect(name, answer)
        case .serve(let answers): try serve(answers)
        case .answerInReverse(let count): try answerInReverse(count)
        case .emit(let name, let data): try emit(name, data)
        case .flood(let name, let count):
            for number in 0..<count { try emit(name, ["number": .integer(Int64(number))]) }
        case .bytes(let bytes): try send(bytes)
        case .text(let text): try send(Array(text.utf8))
        case .endless(let text, let most): try sendEndlessly(Array(text.utf8), upTo: most)
        case .wait(let duration): try pause(duration)
        case .drain: while true { _ = try nextCommand() }
        case .hang: try pause(nil)
        case .close: throw .closed
        }
    }

    private static func greeting(_ version: String, _ capabilities: [String]) -> JSONValue {
        let numbers = version.split(separator: ".").map { JSONValue.integer(Int64($0) ?? 0) }
        let qemu: JSONValue = [
            "major": numbers.first ?? 0, "minor": numbers.dropFirst().first ?? 0,
            "micro": numbers.dropFirst(2).first ?? 0,
        ]
        return [
            "QMP": [
                "version": ["qemu": qemu, "package": "scripted"],
                "capabilities": .array(capabilities.map { .string($0) }),
            ]
        ]
    }

    private static func name(of command: JSONValue) -> String {
        command["execute"]?.string ?? command["exec-oob"]?.string ?? ""
    }

    private mutating func expect(_ name: String, _ answer: ScriptAnswer) throws(End) {
        let command = try nextCommand()
        guard Self.name(of: command) == name else {
            stage.note(deviation: "expected '\(name)' and got \(command)")
            return try give(.failure(errorClass: "CommandNotFound", "the script expects '\(name)' here"), to: command)
        }
        try give(answer, to: command)
    }

    private mutating func serve(_ answers: [String: ScriptAnswer]) throws(End) {
        while true {
            let command = try nextCommand()
            let name = Self.name(of: command)
            let unknown = ScriptAnswer.failure(
                errorClass: "CommandNotFound",
                "The command \(name) has not been found"
            )
            try give(answers[name] ?? unknown, to: command)
        }
    }

    private mutating func answerInReverse(_ count: Int) throws(End) {
        var taken: [JSONValue] = []
        for _ in 0..<count { taken.append(try nextCommand()) }
        for command in taken.reversed() { try give(.success(.string(Self.name(of: command))), to: command) }
    }

    private mutating func give(_ answer: ScriptAnswer, to command: JSONValue) throws(End) {
        let id = command["id"]
        switch answer {
        case .success(let value):
            try say(.object(["return": value].merging(id.map { ["id": $0] } ?? [:]) { $1 }))
        case .failure(let errorClass, let text):
            let error: JSONValue = ["class": .string(errorClass), "desc": .string(text)]
            try say(.object(["error": error].merging(id.map { ["id": $0] } ?? [:]) { $1 }))
        case .failureWithoutID(let text):
            try say(["error": ["class": "GenericError", "desc": .string(text)]])
        case .after(let event, let data, let rest):
            try emit(event, data)
            try give(rest, to: command)
        case .later(let duration, let rest):
            try pause(duration)
            try give(rest, to: command)
        case .text(let text):
            try send(Array(text.utf8))
        case .agentSync:
            let reply: JSONValue = ["return": command["arguments"]?["id"] ?? nil]
            try send([0xFF] + reply.encodedBytes(terminator: [0x0A]))
        case .silence:
            return
        case .close:
            throw .closed
        }
    }

    private func emit(_ name: String, _ data: [String: JSONValue]) throws(End) {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var event: [String: JSONValue] = [
            "event": .string(name),
            "timestamp": ["seconds": .integer(Int64(now.tv_sec)), "microseconds": .integer(Int64(now.tv_nsec / 1000))],
        ]
        if !data.isEmpty { event["data"] = .object(data) }
        try say(.object(event))
    }

    private func say(_ value: JSONValue) throws(End) {
        try send(value.encodedBytes(terminator: [0x0D, 0x0A]))
    }

    private func send(_ bytes: [UInt8]) throws(End) {
        stage.note(.server, String(decoding: bytes, as: UTF8.self), connection: connection)
        do throws(SystemError) {
            try stream.send(bytes, within: .seconds(60))
        } catch {
            throw .clientGone
        }
    }

    private func sendEndlessly(_ bytes: [UInt8], upTo most: Int) throws(End) {
        let times = max(1, 65536 / max(1, bytes.count))
        let piece = Array(repeatElement(bytes, count: times).joined())
        var sent = 0
        while sent < most {
            try send(piece)
            sent += piece.count
        }
    }

    private mutating func nextCommand() throws(End) -> JSONValue {
        while commands.isEmpty { try receive() }
        return commands.removeFirst()
    }

    private mutating func receive() throws(End) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
        defer { buffer.deallocate() }
        do throws(SystemError) {
            var received = try stream.receive(into: buffer)
            guard received.count > 0 else { throw SystemError(operation: "recvmsg", subject: "", code: EPIPE) }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<received.count])
            note(bytes, descriptors: received.descriptors.count)
            if !received.descriptors.isEmpty {
                var descriptors = DescriptorList()
                swap(&descriptors, &received.descriptors)
                stage.keep(descriptors)
            }
            commands += read(Array(bytes))
        } catch {
            throw .clientGone
        }
    }

    /// Parses commands; the byte 0xFF resets the parser, as in QEMU and in its agent.
    private mutating func read(_ bytes: [UInt8]) -> [JSONValue] {
        var values: [JSONValue] = []
        for (number, text) in bytes.split(separator: 0xFF, omittingEmptySubsequences: false).enumerated() {
            if number > 0 { parser = JSONStreamParser() }
            do throws(JSONError) {
                try parser.feed(Array(text)) { values.append($0) }
            } catch {
                stage.note(deviation: "the client sent unreadable data: \(error)")
                parser = JSONStreamParser()
            }
        }
        return values
    }

    private func note(_ bytes: UnsafeRawBufferPointer, descriptors: Int) {
        stage.note(.client, String(decoding: bytes, as: UTF8.self), connection: connection, descriptors: descriptors)
    }

    /// Waits without reading; nil waits until the client disconnects or the server is stopped.
    private func pause(_ duration: Duration?) throws(End) {
        let end = duration.map { ContinuousClock.now + $0 }
        while true {
            if stage.isStopped { throw .stopped }
            let left = end.map { ($0 - .now).microseconds } ?? 20_000
            if left <= 0 { return }
            var entry = pollfd(fd: stream.number, events: 0, revents: 0)
            if left < 1000 {
                usleep(UInt32(left))
            } else if poll(&entry, 1, Int32(min(left / 1000, 20))) > 0 {
                throw .clientGone
            }
        }
    }
}
