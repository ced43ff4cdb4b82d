/// What is wrong with a journal.
public enum JournalDamage: Error, Sendable, Hashable, CustomStringConvertible {
    /// The last record was cut short while it was written: so many bytes without a line break.
    ///
    /// Nobody acted on it, as a controller acts only after the write. It is cut off by `JournalDirectory.resume`.
    case tornTail(bytes: Int)

    /// A line, counted from 1, is not what was written. Nothing behind it can be trusted; nothing is repaired.
    case damaged(line: Int, reason: String)

    /// A later version of the product wrote in this format, which this one cannot read.
    case newerVersion(Int)

    /// One line.
    public var description: String {
        switch self {
        case .tornTail(let bytes): "the last record was cut short after \(bytes) bytes"
        case .damaged(let line, let reason): "line \(line) is damaged: \(reason)"
        case .newerVersion(let version):
            "it is in format \(version); this version of the product reads format \(JournalLine.version)"
        }
    }
}
