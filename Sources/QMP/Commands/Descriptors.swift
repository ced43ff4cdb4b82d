public import JSON

/// `getfd`: passes an open descriptor to QEMU under a name.
///
/// Since 0.14.
///
/// A `migrate` to `fd:NAME` or a `netdev_add` with that name consumes it.
public struct GetFD: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "getfd"

    /// The name; it must not begin with a digit.
    ///
    /// QEMU closes an earlier descriptor of that name.
    public let fdname: String

    /// The descriptor, which is sent with the command; the caller remains its owner.
    public let descriptors: [Int32]

    /// Creates the command; it duplicates the descriptor in QEMU when it is sent.
    ///
    /// - Parameters:
    ///   - fdname: The name.
    ///   - descriptor: The descriptor, open until the command has been executed.
    public init(fdname: String, descriptor: Int32) {
        self.fdname = fdname
        descriptors = [descriptor]
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] { ["fdname": .string(fdname)] }
}

/// `closefd`: closes a descriptor that was passed with `getfd`.
///
/// Since 0.14.
public struct CloseFD: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "closefd"

    /// The name.
    public let fdname: String

    /// Creates the command for one descriptor.
    ///
    /// - Parameter fdname: The name.
    public init(fdname: String) {
        self.fdname = fdname
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] { ["fdname": .string(fdname)] }
}

/// `add-fd`: adds an open descriptor to a set, which QEMU opens as `/dev/fdset/N`.
///
/// Since 1.2.
public struct AddFD: QMPCommand {
    /// The reply of `add-fd`.
    public struct Reply: Sendable, Hashable {
        /// The set.
        public let fdsetID: Int

        /// The descriptor's number in QEMU.
        public let number: Int
    }

    /// The command's name in QMP.
    public static let name = "add-fd"

    /// The set; nil for a new one.
    public let fdsetID: Int?

    /// A text that `query-fdsets` returns.
    public let opaque: String?

    /// The descriptor, which is sent with the command; the caller remains its owner.
    public let descriptors: [Int32]

    /// Creates the command; it duplicates the descriptor in QEMU when it is sent.
    ///
    /// - Parameters:
    ///   - fdsetID: The set; nil for a new one.
    ///   - opaque: A text that `query-fdsets` returns.
    ///   - descriptor: The descriptor, open until the command has been executed.
    public init(fdsetID: Int? = nil, opaque: String? = nil, descriptor: Int32) {
        self.fdsetID = fdsetID
        self.opaque = opaque
        descriptors = [descriptor]
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] {
        var arguments: [String: JSONValue] = [:]
        arguments["fdset-id"] = fdsetID.map { .integer(Int64($0)) }
        arguments["opaque"] = opaque.map { .string($0) }
        return arguments
    }

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The set and the number.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Reply {
        Reply(fdsetID: try reply.int("fdset-id"), number: try reply.int("fd"))
    }
}

/// `remove-fd`: removes a descriptor, or a whole set.
///
/// Since 1.2.
public struct RemoveFD: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "remove-fd"

    /// The set.
    public let fdsetID: Int

    /// The descriptor's number in QEMU; nil for the whole set.
    public let number: Int?

    /// Creates the command for one descriptor or a whole set.
    ///
    /// - Parameters:
    ///   - fdsetID: The set.
    ///   - number: The descriptor's number in QEMU; nil for the whole set.
    public init(fdsetID: Int, number: Int? = nil) {
        self.fdsetID = fdsetID
        self.number = number
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] {
        var arguments: [String: JSONValue] = ["fdset-id": .integer(Int64(fdsetID))]
        arguments["fd"] = number.map { .integer(Int64($0)) }
        return arguments
    }
}

/// `query-fdsets`: the sets of file descriptors.
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

        /// The text that was given with it.
        public let opaque: String?
    }

    /// The command's name in QMP.
    public static let name = "query-fdsets"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The sets.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
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
