public import JSON
public import Linux

/// Why a command has no reply, or a monitor no events.
public struct QMPError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure, to decide by.
    public enum Code: String, Sendable, Hashable {
        /// Connected, but no greeting came: a monitor serves one client, and another one holds it.
        case busy

        /// What answers is not a QMP monitor.
        case notQMP

        /// The connection has ended, by either side.
        case disconnected

        /// No reply within the deadline. Whether QEMU carried the command out is unknown, unless `isUnsent`.
        case timeout

        /// QEMU answered with an error: see ``QMPError/refusal``.
        case refused

        /// The peer broke the rules of QMP; the connection is over.
        case protocolViolation

        /// QEMU's reply lacks something that its schema promises.
        case unusableReply

        /// The command was not sent because it cannot be: it is too large, nests too deep, or needs a missing capability.
        case invalidCommand

        /// The events came faster than they were read: some are lost, and the stream is over.
        case overflow

        /// The waiting task was cancelled; a command that was sent is not undone by it.
        case cancelled

        /// The operating system refused: see ``QMPError/systemError``.
        case system
    }

    /// An error reply of QEMU's.
    public struct Refusal: Error, Sendable, Hashable {
        /// QEMU's class: `GenericError`, `CommandNotFound`, `DeviceNotFound`, `DeviceNotActive`, `KVMMissingCap`.
        public let errorClass: String

        /// QEMU's text, for people only: it changes between versions.
        public let text: String

        /// Makes a refusal.
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

    /// The socket, as a path where it has one.
    public internal(set) var endpoint: String

    /// The command as it was sent.
    public internal(set) var command: JSONValue?

    /// QEMU's error reply.
    public let refusal: Refusal?

    /// What the operating system said.
    public let systemError: SystemError?

    /// Whether no byte of the command has left: QEMU never saw it and never will.
    public internal(set) var isUnsent = false

    /// Whether the command may have been carried out, or may be still: it was sent, and no answer says that it was not.
    ///
    /// False where no command was under way, as while connecting.
    public var leavesFateUnknown: Bool {
        guard command != nil, !isUnsent else { return false }
        return switch code {
        case .refused, .invalidCommand, .busy, .notQMP: false
        case .disconnected, .timeout, .protocolViolation, .unusableReply, .overflow, .cancelled, .system: true
        }
    }

    /// Makes an error.
    ///
    /// - Parameters:
    ///   - code: The kind of failure.
    ///   - message: What happened, where, and what to do about it.
    ///   - endpoint: The socket.
    ///   - command: The command as it was sent.
    ///   - refusal: QEMU's error reply.
    ///   - systemError: What the operating system said.
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

    /// The message with the socket.
    public var description: String {
        endpoint.isEmpty || message.contains(endpoint) ? message : "\(message) [\(endpoint)]"
    }
}
