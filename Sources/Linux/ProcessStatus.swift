/// The fields of /proc/PID/stat that identify and describe a process.
public struct ProcessStatus: Sendable, Hashable {
    /// The process name: at most 15 bytes of any value.
    public let command: String
    /// One letter: R, S, D, T, Z (zombie), X (dead) and others; see proc(5).
    public let state: Character
    /// The parent's pid; 0 if it is outside this PID namespace.
    public let parent: Int32
    /// The process group.
    public let processGroup: Int32
    /// The session.
    public let session: Int32
    /// The number of threads.
    public let threads: Int32
    /// The start time in clock ticks since boot.
    public let startTime: UInt64

    /// Whether it has exited, although its pid is still in use.
    public var isDead: Bool { state == "Z" || state == "X" || state == "x" }

    /// Parses the single line of /proc/PID/stat; nil if it does not match proc(5).
    ///
    /// The name is between the first and the *last* parenthesis: it may itself contain parentheses, spaces and
    /// newlines.
    public init?(parsing line: [UInt8]) {
        guard
            let open = line.firstIndex(of: UInt8(ascii: "(")),
            let close = line.lastIndex(of: UInt8(ascii: ")")), open < close
        else { return nil }
        let fields = line[(close + 1)...].split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
            .map { String(decoding: $0, as: UTF8.self) }
        // proc(5) counts fields from 1; the state is field 3.
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
