import JSON
import TestTools

@testable import QMP

/// Properties of every input.
struct QMPProperties {
    typealias Violation = Fuzz.Violation

    private struct Outcome {
        var values: [JSONValue] = []
        var error: JSONError?
    }

    private static let small = JSONLimits(maximumBytes: 600, maximumDepth: 12)

    /// Checks all properties; `below` returns numbers that decide how the input is divided.
    static func check(_ input: [UInt8], below: (Int) -> Int) throws(Violation) {
        let whole = try parse(input, .standard) { $0 }
        try checkCutting(input, whole, below)
        try checkLimits(input, whole)
        for value in whole.values { try checkRoundTrip(value) }
        for value in Set(whole.values) where value.depth > 0 { checkReaders(value) }
        try checkSession(whole.values, issued: 1 + below(4))
    }

    /// Parses an input in pieces; after an error, the parser must keep failing.
    private static func parse(
        _ input: [UInt8],
        _ limits: JSONLimits,
        size: (Int) -> Int
    ) throws(Violation) -> Outcome {
        var parser = JSONStreamParser(limits: limits)
        var outcome = Outcome()
        do throws(JSONError) {
            var start = 0
            while start < input.count {
                let end = min(input.count, start + max(1, size(input.count)))
                try parser.feed(Array(input[start..<end])) { outcome.values.append($0) }
                start = end
            }
            try parser.finish { outcome.values.append($0) }
        } catch {
            outcome.error = error
            guard error.offset >= 0, error.offset <= input.count + 1 else {
                throw Violation("the error's offset \(error.offset) is outside of the input")
            }
        }
        try checkEnd(&parser, outcome)
        return outcome
    }

    private static func checkEnd(_ parser: inout JSONStreamParser, _ outcome: Outcome) throws(Violation) {
        var later: [JSONValue] = []
        var error: JSONError?
        do throws(JSONError) { try parser.feed(Array("{} ".utf8)) { later.append($0) } } catch let thrown {
            error = thrown
        }
        if let first = outcome.error {
            guard error == first, later.isEmpty else {
                throw Violation("the parser went on after \(first)")
            }
        } else if error != nil || later != [[:]] {
            throw Violation("the parser did not go on: \(String(describing: error))")
        }
    }

    private static func checkCutting(
        _ input: [UInt8],
        _ whole: Outcome,
        _ below: (Int) -> Int
    ) throws(Violation) {
        let most = 1 + below(below(2) == 0 ? 4 : 200)
        let cut = try parse(input, .standard) { _ in 1 + below(most) }
        guard cut.values == whole.values, cut.error?.code == whole.error?.code else {
            throw Violation("cut to pieces: \(cut), whole: \(whole)")
        }
    }

    private static func checkLimits(_ input: [UInt8], _ whole: Outcome) throws(Violation) {
        let capped = try parse(input, small) { $0 }
        guard capped.values.count <= whole.values.count,
            zip(capped.values, whole.values).allSatisfy({ $0 == $1 }),
            capped.values.allSatisfy({ $0.depth <= small.maximumDepth }),
            whole.values.allSatisfy({ $0.depth <= JSONLimits.standard.maximumDepth })
        else { throw Violation("the limits changed more than they should: \(capped), \(whole)") }
        if input.count < small.maximumBytes, capped.error?.code == .tooLarge {
            throw Violation("too large, but it is not")
        }
    }

    private static func checkRoundTrip(_ value: JSONValue) throws(Violation) {
        let text = value.encodedBytes()
        guard !text.contains(0x0A), !text.contains(0) else {
            throw Violation("a value is not encoded in one line")
        }
        guard let again = try? JSONValue(parsing: text), again == value, again.encodedBytes() == text else {
            throw Violation("a value changes by encoding: \(value)")
        }
        guard let pretty = try? JSONValue(parsing: value.encoded(pretty: true)), pretty == value else {
            throw Violation("a value changes by pretty encoding: \(value)")
        }
    }

    /// Readers may throw, but must not crash.
    private static func checkReaders(_ value: JSONValue) {
        let reply = value["return"] ?? value
        for command in CommandSchemaTests.commands { read(command, reply) }
        guard let schema = try? QMPSchema(reply) else { return }
        for command in schema.commands { _ = schema.completions(for: [command, ""]) }
        for type in schema.entities.keys { _ = schema.types(at: ["a", "b", "c"], from: [type]) }
    }

    private static func read<C: QMPCommand>(_ command: C, _ value: JSONValue) {
        _ = try? C.reply(from: QMPReply(value, to: C.name))
    }

    private static func checkSession(_ values: [JSONValue], issued: Int) throws(Violation) {
        var session = QMPSession()
        var open: Set<UInt64> = []
        var ended: QMPError?
        for value in values {
            do throws(QMPError) {
                let effect = try session.received(value)
                if let ended { throw Violation.after(ended) }
                if case .answered(let id, _) = effect, open.remove(id) == nil {
                    throw Violation.unasked(id)
                }
                if case .greeted = effect {
                    for _ in 0..<issued { open.insert(try session.issue(isOutOfBand: false)) }
                }
            } catch {
                if error.message.hasPrefix(Violation.mark) { throw Violation(error.message) }
                if let ended, ended.message != error.message {
                    throw Violation("the session changed its mind: \(ended), \(error)")
                }
                ended = error
            }
        }
        if ended != nil, (try? session.issue(isOutOfBand: false)) != nil {
            throw Violation("a dead session took a command")
        }
    }
}

extension Fuzz.Violation {
    fileprivate static let mark = "violation: "

    fileprivate static func after(_ error: QMPError) -> QMPError {
        QMPError(.protocolViolation, "\(mark)the session went on after \(error)")
    }

    fileprivate static func unasked(_ id: UInt64) -> QMPError {
        QMPError(.protocolViolation, "\(mark)command \(id) was answered, but nobody waits for it")
    }
}
