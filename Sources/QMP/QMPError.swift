public import JSON
public import Linux

/// Why a command has no reply, or a monitor no events.
public struct QMPError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure, for decisions in code.
    public enum Code: String, Sendable, Hashable {
        /// Connected, but no greeting arrived: a monitor serves one client, and another one holds it.
        case busy

        /// The peer is not a QMP monitor.
        case notQMP

        /// Either side has ended the connection.
        case disconnected

        /// No reply within the deadline; unless `isUnsent`, it is unknown whether QEMU executed the command.
        case timeout

        /// QEMU answered with an error; see ``QMPError/refusal``.
        case refused

        /// The peer violated the QMP protocol; the connection has ended.
        case protocolViolation

        /// QEMU's reply lacks something that its schema promises.
        case unusableReply

        /// The command was not sent: it is too large, is nested too deeply, or needs a missing capability.
        case invalidCommand

        /// Events arrived faster than they were read: some are lost, and the stream has ended.
        case overflow

        /// The waiting task was cancelled; this does not undo a command that was sent.
        case cancelled

        /// The operating system reported an error; see ``QMPError/systemError``.
        case system
    }

    /// An error reply from QEMU.
    public struct Refusal: Error, Sendable, Hashable {
        /// QEMU's class: `GenericError`, `CommandNotFound`, `DeviceNotFound`, `DeviceNotActive`, `KVMMissingCap`.
        public let errorClass: String

        /// QEMU's text, for people only: it changes between versions.
        public let text: String

        /// Creates a refusal, as if QEMU had sent it.
        ///
        /// - Parameters:
        ///   - errorClass: QEMU's class.
        ///   - text: QEMU's text.
        public init(errorClass: String, text: String) {
            self.errorClass = errorClass
            self.text = text
        }

        /// Whether this QEMU has no such command.
        public var isCommandNotFound: Bool { errorClass == "CommandNotFound" }

        /// Whether the device named in the command does not exist.
        public var isDeviceNotFound: Bool { errorClass == "DeviceNotFound" }
    }

    /// The kind of failure.
    public let code: Code

    /// What happened, where, and what to do about it.
    public let message: String

    /// The socket; a path if it has one.
    public internal(set) var endpoint: String

    /// The command as it was sent.
    public internal(set) var command: JSONValue?

    /// QEMU's error reply.
    public let refusal: Refusal?

    /// The operating system's error.
    public let systemError: SystemError?

    /// Whether no byte of the command was sent: QEMU has not received it and never will.
    public internal(set) var isUnsent = false

    /// Whether the command may have been executed, or may still be: it was sent, and no reply states that it was not.
    ///
    /// False if no command was pending, as while connecting.
    public var leavesFateUnknown: Bool {
        guard command != nil, !isUnsent else { return false }
        return switch code {
        case .refused, .invalidCommand, .busy, .notQMP: false
        case .disconnected, .timeout, .protocolViolation, .unusableReply, .overflow, .cancelled, .system: true
        }
    }

    /// Creates an error whose command counts as sent.
    ///
    /// - Parameters:
    ///   - code: The kind of failure.
    ///   - message: What happened, where, and what to do about it.
    ///   - endpoint: The socket.
    ///   - command: The command as it was sent.
    ///   - refusal: QEMU's error reply.
    ///   - systemError: The operating system's error.
    public init(
        _ code: Code,
        _ message: String,
        endpoint: String = "",
        command: JSONValue? = nil,
        refusal: Refusal? = nil,
        systemError: SystemError? = nil
    ) {
        self.code = code
        self.message = message
        self.endpoint = endpoint
        self.command = command
        self.refusal = refusal
        self.systemError = systemError
    }

    /// The message, followed by the socket.
    public var description: String {
        endpoint.isEmpty || message.contains(endpoint) ? message : "\(message) [\(endpoint)]"
    }
}
