/// A failed request to systemd.
public struct SystemdError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of failure.
    public enum Code: Sendable, Hashable {
        /// No systemd runs here, or its bus does not answer.
        case unavailable
        /// systemd refused the request.
        case refused
        /// systemd accepted the request but failed to carry it out.
        case failed
        /// No answer arrived in time; the request may or may not have been carried out.
        case timeout
    }

    /// The kind of failure.
    public let code: Code

    /// The description of the failure, with systemd's message.
    public let message: String

    /// The D-Bus name of the error, such as `org.freedesktop.systemd1.NoSuchUnit`; nil if there is none.
    public let busName: String?

    /// The message.
    public var description: String { message }

    init(_ code: Code, _ message: String, busName: String? = nil) {
        self.code = code
        self.message = message
        self.busName = busName
    }
}
