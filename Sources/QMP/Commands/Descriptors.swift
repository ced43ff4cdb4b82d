public import JSON

/// `getfd`: gives QEMU an open descriptor under a name.
///
/// Since 0.14.
///
/// A `migrate` to `fd:NAME` or a `netdev_add` with that name uses it up.
public struct GetFD: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "getfd"

    /// The name; it must not begin with a digit.
    ///
    /// A descriptor that had it is closed.
    public let fdname: String

    /// The descriptor, which travels with the command and stays the caller's.
    public let descriptors: [Int32]

    /// Makes the command.
    ///
    /// - Parameters:
    ///   - fdname: The name.
    ///   - descriptor: The descriptor, open until the command has been executed.
    public init(fdname: String, descriptor: Int32) {
        self.fdname = fdname
        descriptors = [descriptor]
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] { ["fdname": .string(fdname)] }
}

/// `closefd`: closes a descriptor that was given by `getfd`.
///
/// Since 0.14.
public struct CloseFD: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "closefd"

    /// The name.
    public let fdname: String

    /// Makes the command.
    ///
    /// - Parameter fdname: The name.
    public init(fdname: String) {
        self.fdname = fdname
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] { ["fdname": .string(fdname)] }
}

/// `add-fd`: gives QEMU an open descriptor for a set, which is opened as `/dev/fdset/N`.
///
/// Since 1.2.
public struct AddFD: QMPCommand {
    /// What `add-fd` says.
    public struct Reply: Sendable, Hashable {
        /// The set.
        public let fdsetID: Int

        /// The descriptor's number in QEMU.
        public let number: Int
    }

    /// QEMU's name of the command.
    public static let name = "add-fd"

    /// The set; nil for a new one.
    public let fdsetID: Int?

    /// A note that `query-fdsets` gives back.
    public let opaque: String?

    /// The descriptor, which travels with the command and stays the caller's.
    public let descriptors: [Int32]

    /// Makes the command.
    ///
    /// - Parameters:
    ///   - fdsetID: The set; nil for a new one.
    ///   - opaque: A note that `query-fdsets` gives back.
    ///   - descriptor: The descriptor, open until the command has been executed.
    public init(fdsetID: Int? = nil, opaque: String? = nil, descriptor: Int32) {
        self.fdsetID = fdsetID
        self.opaque = opaque
        descriptors = [descriptor]
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] {
        var arguments: [String: JSONValue] = [:]
        arguments["fdset-id"] = fdsetID.map { .integer(Int64($0)) }
        arguments["opaque"] = opaque.map { .string($0) }
        return arguments
    }

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The set and the number.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Reply {
        Reply(fdsetID: try reply.int("fdset-id"), number: try reply.int("fd"))
    }
}

/// `remove-fd`: removes a descriptor, or a whole set.
///
/// Since 1.2.
public struct RemoveFD: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "remove-fd"

    /// The set.
    public let fdsetID: Int

    /// The descriptor's number in QEMU; nil for all of the set.
    public let number: Int?

    /// Makes the command.
    ///
    /// - Parameters:
    ///   - fdsetID: The set.
    ///   - number: The descriptor's number in QEMU; nil for all of the set.
    public init(fdsetID: Int, number: Int? = nil) {
        self.fdsetID = fdsetID
        self.number = number
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] {
        var arguments: [String: JSONValue] = ["fdset-id": .integer(Int64(fdsetID))]
        arguments["fd"] = number.map { .integer(Int64($0)) }
        return arguments
    }
}

/// `query-fdsets`: the sets of descriptors.
///
/// Since 1.2.
public struct QueryFDSets: QMPCommand {
    /// One set.
    public struct FDSet: Sendable, Hashable {
        /// Its number, as in `/dev/fdset/N`.
        public let id: Int

        /// Its descriptors.
        public let descriptors: [Member]
    }

    /// One descriptor of a set.
    public struct Member: Sendable, Hashable {
        /// Its number in QEMU.
        public let number: Int

        /// The note that was given with it.
        public let opaque: String?
    }

    /// QEMU's name of the command.
    public static let name = "query-fdsets"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The sets.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [FDSet] {
        try reply.map { set throws(QMPError) in
            FDSet(
                id: try set.int("fdset-id"),
                descriptors: try set.member("fds").map { member throws(QMPError) in
                    Member(number: try member.int("fd"), opaque: try member.optional("opaque")?.string())
                }
            )
        }
    }
}
