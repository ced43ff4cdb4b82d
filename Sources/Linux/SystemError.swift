internal import CLinux
internal import Glibc

/// What the kernel (or the C library on its behalf) refused: which call, on what, and why.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The call that failed, by its name in section 2 of the manual: `open`, `connect`, `pidfd_getfd`.
    public let operation: String

    /// What it was called on: a path, a process, a descriptor; empty where there is nothing to name.
    public let subject: String

    /// The errno value.
    public let code: Int32

    /// What errno alone does not say: the rule that was broken, the owner that was found, the way out.
    public let detail: String?

    /// Makes an error from its parts.
    public init(operation: String, subject: String, code: Int32, detail: String? = nil) {
        self.operation = operation
        self.subject = subject
        self.code = code
        self.detail = detail
    }

    /// The error of the call that just failed in this thread.
    static func last(_ operation: String, _ subject: String) -> SystemError {
        SystemError(operation: operation, subject: subject, code: errno)
    }

    /// The name of the errno value: `ENOENT`.
    public var name: String { String(cString: hf_error_name(code)) }

    /// One line: `open /x: Permission denied`, with the detail behind it.
    public var description: String {
        let what = subject.isEmpty ? operation : "\(operation) \(subject)"
        let why = String(cString: hf_error_text(code))
        guard let detail else { return "\(what): \(why)" }
        return "\(what): \(why) (\(detail))"
    }
}

/// Calls `body` until it is not interrupted by a signal, and throws what it reports by -1.
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
