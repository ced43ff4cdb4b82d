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
