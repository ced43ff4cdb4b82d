internal import Linux

/// Why a journal cannot be read or written.
public struct JournalError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Code: Sendable, Hashable {
        /// The id cannot be the name of a file.
        case invalidIdentifier
        /// There is a handoff with this id already.
        case exists
        /// There is no handoff with this id.
        case notFound
        /// Another controller is writing this journal.
        case inUse
        /// Something in the journal is not what was written; only an operator may decide.
        case damaged
        /// A later version of the product wrote it.
        case newerVersion
        /// The file system or the user's quota has no room left.
        case noRoom
        /// The state folder is not this user's alone.
        case insecure
        /// The kernel refused something else.
        case system
        /// An earlier record could not be written, nor the attempt undone; or the journal is closed.
        case closed
    }

    /// What kind of failure it is.
    public let code: Code

    /// What happened, where, and what to do.
    public let message: String

    /// The message.
    public var description: String { message }

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    init(_ error: SystemError, doing what: String) {
        switch error.name {
        case "ENOSPC", "EDQUOT":
            self.init(.noRoom, "\(what): \(error). Make room there; what was recorded before is whole.")
        case "EPERM", "ENOTDIR", "ELOOP":
            self.init(.insecure, "\(what): \(error). Name another state folder, or see to it that it is yours alone.")
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
            self.init(.newerVersion, "\(path): \(damage). Use the version of the product that wrote it.")
        case .damaged, .tornTail:
            self.init(
                .damaged,
                "\(path): \(damage). It is left as it is; `hyperfresh recover` tells what runs."
            )
        }
    }
}
