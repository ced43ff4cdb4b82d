/// The messages between a ``ScriptedServer`` and its clients.
public struct Transcript: Sendable {
    /// Data that one side sent.
    public struct Line: Sendable, Hashable, CustomStringConvertible {
        /// The sender.
        public enum Speaker: String, Sendable, Hashable {
            /// The program under test.
            case client = "C"

            /// The scripted server.
            case server = "S"
        }

        /// The connection, from 1.
        public let connection: Int

        /// The sender.
        public let speaker: Speaker

        /// The data as text, at most the first 4096 characters.
        public let text: String

        /// The number of descriptors sent with it.
        public let descriptorCount: Int

        /// `1 C: {"execute": ...}`.
        public var description: String {
            "\(connection) \(speaker.rawValue): \(text)\(descriptorCount > 0 ? " [\(descriptorCount) descriptors]" : "")"
        }
    }

    /// All messages, in order.
    public internal(set) var lines: [Line] = []

    /// The deviations of the program under test from the script.
    public internal(set) var deviations: [String] = []

    /// The messages from the program under test.
    public var fromClient: [String] { lines.filter { $0.speaker == .client }.map(\.text) }
}
