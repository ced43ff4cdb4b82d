/// Why systemd did not do, or did not answer, what it was asked.
public struct SystemdError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Code: Sendable, Hashable {
        /// No systemd runs here, or its bus does not answer.
        case unavailable
        /// systemd refused the request.
        case refused
        /// systemd took the request and could not carry it out.
        case failed
        /// No answer came in time; it is not known whether the request was carried out.
        case timeout
    }

    /// What kind of failure it is.
    public let code: Code

    /// What happened, with systemd's own words.
    public let message: String

    /// The D-Bus name of the error, such as `org.freedesktop.systemd1.NoSuchUnit`; nil where there is none.
    public let busName: String?

    /// The message.
    public var description: String { message }

    init(_ code: Code, _ message: String, busName: String? = nil) {
        self.code = code
        self.message = message
        self.busName = busName
    }
}
