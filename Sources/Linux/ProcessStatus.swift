/// The part of /proc/PID/stat that tells processes apart.
public struct ProcessStatus: Sendable, Hashable {
    /// The name of the process, at most 15 bytes, any bytes.
    public let command: String
    /// One letter: R, S, D, T, Z (zombie), X (dead) and others; see proc(5).
    public let state: Character
    /// The parent's number; 0 when it is outside our PID namespace.
    public let parent: Int32
    /// The process group.
    public let processGroup: Int32
    /// The session.
    public let session: Int32
    /// How many threads it has.
    public let threads: Int32
    /// When it started, in clock ticks since boot.
    public let startTime: UInt64

    /// Whether it has ended already, though it still has its number.
    public var isDead: Bool { state == "Z" || state == "X" || state == "x" }

    /// Reads the one line of /proc/PID/stat; nil when it has not the form of proc(5).
    ///
    /// The name stands between the first and the *last* parenthesis: it may hold parentheses, spaces and newlines itself.
    public init?(parsing line: [UInt8]) {
        guard
            let open = line.firstIndex(of: UInt8(ascii: "(")),
            let close = line.lastIndex(of: UInt8(ascii: ")")), open < close
        else { return nil }
        let fields = line[(close + 1)...].split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
            .map { String(decoding: $0, as: UTF8.self) }
        // proc(5) counts from 1, and the state is field 3.
        guard
            fields.count >= 20, let state = fields[0].first, fields[0].count == 1,
            let parent = Int32(fields[1]), let processGroup = Int32(fields[2]), let session = Int32(fields[3]),
            let threads = Int32(fields[17]), let startTime = UInt64(fields[19])
        else { return nil }
        command = String(decoding: line[(open + 1)..<close], as: UTF8.self)
        self.state = state
        self.parent = parent
        self.processGroup = processGroup
        self.session = session
        self.threads = threads
        self.startTime = startTime
    }
}
