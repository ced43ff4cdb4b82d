internal import JSON
internal import Linux

/// Checks whether an endpoint implements QMP as QEMU's docs/interop/qmp-spec specifies it and as QEMU does.
///
/// ```swift
/// for finding in await QMPConformance.run(path: "/run/vm/qmp.sock") { print(finding) }
/// ```
///
/// Opens many connections, one after the other, and changes nothing in the guest.
public enum QMPConformance {
    /// The name of a check.
    public enum Check: String, Sendable, CaseIterable {
        /// The first message is a greeting with a version and capabilities.
        case greetsFirst

        /// Before `qmp_capabilities`, every other command is refused.
        case wantsCapabilitiesFirst

        /// The reply has the command's id, regardless of its type.
        case echoesIDs

        /// A command that does not exist is answered with `CommandNotFound`.
        case refusesUnknownCommands

        /// An argument that does not exist is answered with an error.
        case refusesUnknownArguments

        /// Input that is not JSON is answered with an error without id, and the session continues.
        case survivesBrokenInput

        /// A command that arrives byte by byte is answered.
        case takesBytesOneByOne

        /// Commands that arrive together are answered in order.
        case answersInOrder

        /// `query-qmp-schema` arrives completely.
        case sendsLargeReplies

        /// A second client gets no greeting while the first one is connected, and gets it afterwards.
        case servesOneClient
    }

    /// The outcome of one check.
    public struct Finding: Sendable, CustomStringConvertible {
        /// What was checked.
        public let check: Check

        /// Why the endpoint does not pass; nil if it does.
        public let problem: String?

        /// Whether the endpoint passes.
        public var passes: Bool { problem == nil }

        /// `PASS echoesIDs` or `FAIL echoesIDs: ...`.
        public var description: String {
            problem.map { "FAIL \(check.rawValue): \($0)" } ?? "PASS \(check.rawValue)"
        }
    }

    /// Runs all checks.
    ///
    /// - Parameter path: The endpoint's socket; no other client may use it during the call.
    /// - Returns: One finding for each check.
    public static func run(path: String) async -> [Finding] {
        await withCheckedContinuation { continuation in
            do throws(SystemError) {
                try startThread(name: "qmp-conformance") {
                    continuation.resume(returning: Check.allCases.map { check($0, path) })
                }
            } catch {
                continuation.resume(returning: Check.allCases.map { Finding(check: $0, problem: "\(error)") })
            }
        }
    }

    private static func check(_ check: Check, _ path: String) -> Finding {
        do {
            try ConformanceCheck(path: path).make(check)
            return Finding(check: check, problem: nil)
        } catch {
            return Finding(check: check, problem: "\(error)")
        }
    }
}

/// One check of ``QMPConformance``, on its own connections.
struct ConformanceCheck {
    private struct Problem: Error, CustomStringConvertible {
        let description: String

        init(_ what: String, _ message: JSONValue) {
            description = "\(what): \(String(message.encoded().prefix(200)))"
        }
    }

    let path: String

    func make(_ check: QMPConformance.Check) throws {
        switch check {
        case .greetsFirst: _ = try greeted()
        case .wantsCapabilitiesFirst: try wantsCapabilitiesFirst()
        case .echoesIDs: try echoesIDs()
        case .refusesUnknownCommands: try refuses(["execute": "no-such-command"], by: "CommandNotFound")
        case .refusesUnknownArguments: try refuses(["execute": "query-version", "arguments": ["no-such": 1]], by: nil)
        case .survivesBrokenInput: try survivesBrokenInput()
        case .takesBytesOneByOne: try takesBytesOneByOne()
        case .answersInOrder: try answersInOrder()
        case .sendsLargeReplies: try sendsLargeReplies()
        case .servesOneClient: try servesOneClient()
        }
    }

    private func greeted() throws -> RawMonitor {
        var monitor = RawMonitor(try UnixStream.connect(path: path))
        let greeting = try monitor.next()
        guard let version = greeting["QMP"]?["version"], version["qemu"]?["major"]?.int != nil,
            greeting["QMP"]?["capabilities"]?.array != nil
        else { throw Problem("no greeting", greeting) }
        return monitor
    }

    private func negotiated() throws -> RawMonitor {
        var monitor = try greeted()
        try monitor.send(#"{"execute": "qmp_capabilities", "id": "c"}"# + "\n")
        let reply = try monitor.nextReply()
        guard reply == ["return": [:], "id": "c"] else { throw Problem("capabilities not negotiated", reply) }
        return monitor
    }

    private func wantsCapabilitiesFirst() throws {
        var monitor = try greeted()
        try monitor.send(#"{"execute": "query-version", "id": 1}"# + "\n")
        let early = try monitor.nextReply()
        guard early["error"]?["class"]?.string == "CommandNotFound" else { throw Problem("not refused", early) }
        try monitor.send(#"{"execute": "qmp_capabilities", "id": 2}"# + "\n")
        let late = try monitor.nextReply()
        guard late["return"] == [:] else { throw Problem("refused", late) }
    }

    private func echoesIDs() throws {
        var monitor = try negotiated()
        let ids: [JSONValue] = [1, -1, "text", 1.5, true, nil, [1, "a"], ["k": ["v": 1]]]
        for id in ids {
            try monitor.send(JSONValue.object(["execute": "query-version", "id": id]).encodedBytes(terminator: [0x0A]))
            let reply = try monitor.nextReply()
            guard reply["return"] != nil, reply["id"] == id else {
                throw Problem("the id \(id) was not returned", reply)
            }
        }
        try monitor.send(#"{"execute": "query-version"}"# + "\n")
        let reply = try monitor.nextReply()
        guard reply["return"] != nil, reply["id"] == nil else { throw Problem("an id that was never sent", reply) }
    }

    private func refuses(_ command: [String: JSONValue], by errorClass: String?) throws {
        var monitor = try negotiated()
        let command = JSONValue.object(command.merging(["id": 7]) { $1 })
        try monitor.send(command.encodedBytes(terminator: [0x0A]))
        let reply = try monitor.nextReply()
        guard let given = reply["error"]?["class"]?.string, reply["error"]?["desc"]?.string != nil, reply["id"] == 7,
            errorClass.map({ $0 == given }) ?? true
        else { throw Problem("not refused as expected", reply) }
    }

    private func survivesBrokenInput() throws {
        var monitor = try negotiated()
        for text in [#"{"execute": }"#, #"{"execute": 1}"#, "[]", #"{"id": 1}"#] {
            try monitor.send(text + "\n")
            let reply = try monitor.nextReply()
            guard reply["error"]?["class"] != nil else { throw Problem("no error for \(text)", reply) }
        }
        // The byte 0xFF resets the parser; errors for the rest of the broken input may still arrive.
        try monitor.send([0xFF] + Array(#"{"execute": "query-version", "id": "after"}"#.utf8) + [0x0A])
        while true {
            let reply = try monitor.nextReply()
            if reply["id"] == "after", reply["return"] != nil { return }
            guard reply["error"] != nil else { throw Problem("a reply without a command", reply) }
        }
    }

    private func takesBytesOneByOne() throws {
        var monitor = try negotiated()
        for byte in Array(#" {"execute" : "query-version" , "id" : "é"} "#.utf8) { try monitor.send([byte]) }
        let reply = try monitor.nextReply()
        guard reply["return"] != nil, reply["id"] == "é" else { throw Problem("not answered", reply) }
    }

    private func answersInOrder() throws {
        var monitor = try negotiated()
        let commands = (0..<20).map { #"{"execute": "query-version", "id": \#($0)}"# }
        try monitor.send(commands.joined())
        for number in 0..<20 {
            let reply = try monitor.nextReply()
            guard reply["id"]?.int == number else { throw Problem("not the answer to number \(number)", reply) }
        }
    }

    private func sendsLargeReplies() throws {
        var monitor = try negotiated()
        try monitor.send(#"{"execute": "query-qmp-schema", "id": 1}"# + "\n")
        let reply = try monitor.nextReply()
        guard (reply["return"]?.array?.count ?? 0) > 100 else { throw Problem("no schema", reply) }
    }

    private func servesOneClient() throws {
        let first = try negotiated()
        var second = RawMonitor(try UnixStream.connect(path: path))
        do {
            let message = try second.next(within: .milliseconds(200))
            throw Problem("a second client is served", message)
        } catch RawMonitor.Failure.timeout {
            close(first)
        }
        let greeting = try second.next()
        guard greeting["QMP"] != nil else { throw Problem("no greeting after the first client disconnected", greeting) }
    }

    private func close(_ monitor: consuming RawMonitor) {}
}
