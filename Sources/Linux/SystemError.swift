internal import CLinux
internal import Glibc

/// A system or C library call that failed: the call, its subject and the reason.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The call that failed, by its name in section 2 of the manual: `open`, `connect`, `pidfd_getfd`.
    public let operation: String

    /// The subject of the call: a path, a process, a descriptor; empty if there is none.
    public let subject: String

    /// The errno value.
    public let code: Int32

    /// Details that errno does not convey: the violated rule, the actual owner, the remedy.
    public let detail: String?

    /// Creates an error from its parts.
    public init(operation: String, subject: String, code: Int32, detail: String? = nil) {
        self.operation = operation
        self.subject = subject
        self.code = code
        self.detail = detail
    }

    /// Returns the error of the call that just failed in this thread.
    static func last(_ operation: String, _ subject: String) -> SystemError {
        SystemError(operation: operation, subject: subject, code: errno)
    }

    /// The name of the errno value: `ENOENT`.
    public var name: String { String(cString: hf_error_name(code)) }

    /// One line: `open /x: Permission denied`, followed by the detail in parentheses.
    public var description: String {
        let what = subject.isEmpty ? operation : "\(operation) \(subject)"
        let why = String(cString: hf_error_text(code))
        guard let detail else { return "\(what): \(why)" }
        return "\(what): \(why) (\(detail))"
    }
}

/// Calls `body` again while it fails with EINTR; throws any other error that it reports by returning -1.
func retrying(
    _ operation: String, _ subject: @autoclosure () -> String, _ body: () -> Int32
) throws(SystemError) -> Int32 {
    while true {
        let result = body()
        if result >= 0 { return result }
        let code = errno
        if code == EINTR { continue }
        throw SystemError(operation: operation, subject: subject(), code: code)
    }
}
