/// What was said to a ``ScriptedServer``, and by it.
public struct Transcript: Sendable {
    /// One thing said.
    public struct Line: Sendable, Hashable, CustomStringConvertible {
        /// Who said it.
        public enum Speaker: String, Sendable, Hashable {
            /// The program under test.
            case client = "C"

            /// The scripted server.
            case server = "S"
        }

        /// The connection, from 1.
        public let connection: Int

        /// Who said it.
        public let speaker: Speaker

        /// What was said, at most the first 4096 bytes of it.
        public let text: String

        /// How many descriptors came along.
        public let descriptorCount: Int

        /// `1 C: {"execute": ...}`.
        public var description: String {
            "\(connection) \(speaker.rawValue): \(text)\(descriptorCount > 0 ? " [\(descriptorCount) descriptors]" : "")"
        }
    }

    /// Everything said, in order.
    public internal(set) var lines: [Line] = []

    /// Where the program under test departed from the script.
    public internal(set) var deviations: [String] = []

    /// What the program under test said.
    public var fromClient: [String] { lines.filter { $0.speaker == .client }.map(\.text) }
}
