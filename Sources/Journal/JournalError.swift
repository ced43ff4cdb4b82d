internal import Linux

/// A failure to read or write a journal.
package struct JournalError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure.
    package enum Code: Sendable, Hashable {
        /// The id is not valid as a file name.
        case invalidIdentifier
        /// A handoff with this id exists already.
        case exists
        /// No handoff has this id.
        case notFound
        /// Another controller is writing this journal.
        case inUse
        /// The journal is damaged; only an operator may decide what to do.
        case damaged
        /// A later version of the product wrote it.
        case newerVersion
        /// The file system or the user's quota has no space left.
        case noRoom
        /// Another user could modify the state folder.
        case insecure
        /// Any other error of the kernel.
        case system
        /// An earlier record could not be written, and the attempt could not be undone; or the journal is closed.
        case closed
    }

    /// The kind of failure.
    package let code: Code

    /// The failure, its place, and how to fix it.
    package let message: String

    /// The message.
    package var description: String { message }

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    init(_ error: SystemError, doing what: String) {
        switch error.name {
        case "ENOSPC", "EDQUOT":
            self.init(.noRoom, "\(what): \(error). Free space there; earlier records are intact.")
        case "EPERM", "ENOTDIR", "ELOOP":
            self.init(
                .insecure,
                "\(what): \(error). Use another folder (--state-dir), or make this one yours, with mode 0700.")
        case "ENOENT":
            self.init(.notFound, "\(what): \(error).")
        case "EEXIST":
            self.init(.exists, "\(what): \(error).")
        default:
            self.init(.system, "\(what): \(error).")
        }
    }

    init(_ damage: JournalDamage, path: String) {
        switch damage {
        case .newerVersion:
            self.init(.newerVersion, "\(path): \(damage). Use the version of hyperfresh that wrote it.")
        case .damaged, .tornTail:
            self.init(
                .damaged,
                "\(path): \(damage). It was not changed; `hyperfresh recover` reports the running processes."
            )
        }
    }
}

/// Damage in a journal.
package enum JournalDamage: Error, Sendable, Hashable, CustomStringConvertible {
    /// The last record was cut short while it was written; `bytes` is the length of the rest, which has no line break.
    ///
    /// No controller acted on it, because a controller acts only after the write. `JournalDirectory.resume` cuts it off.
    case tornTail(bytes: Int)

    /// A line, counted from 1, differs from the one written.
    ///
    /// No later line can be trusted; nothing is repaired.
    case damaged(line: Int, reason: String)

    /// A later version of the product wrote the journal in this format, which this version cannot read.
    case newerVersion(Int)

    /// The damage in one line.
    package var description: String {
        switch self {
        case .tornTail(let bytes): "the last record was cut short after \(bytes) bytes"
        case .damaged(let line, let reason): "line \(line) is damaged: \(reason)"
        case .newerVersion(let version):
            "it is in format \(version); this version of the product reads format \(JournalLine.version)"
        }
    }
}
