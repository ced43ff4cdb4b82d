public import JSON

/// `qom-list`: the properties of an object, children and links among them.
///
/// Since 1.2.
public struct QOMList: QMPCommand {
    /// QEMU's name of the command.
    public static let name = "qom-list"

    /// The object, such as `/machine/peripheral`.
    public let path: String

    /// Makes the command.
    ///
    /// - Parameter path: The object.
    public init(path: String) {
        self.path = path
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] { ["path": .string(path)] }

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The properties.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [ObjectProperty] {
        try reply.map { property throws(QMPError) in try ObjectProperty(from: property) }
    }
}

/// `qom-get`: the value of a property.
///
/// Since 1.2.
public struct QOMGet: QMPCommand {
    /// QEMU's name of the command.
    public static let name = "qom-get"

    /// The object.
    public let path: String

    /// The property.
    public let property: String

    /// Makes the command.
    ///
    /// - Parameters:
    ///   - path: The object.
    ///   - property: The property.
    public init(path: String, property: String) {
        self.path = path
        self.property = property
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] { ["path": .string(path), "property": .string(property)] }

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The value, of whatever type the property has.
    public static func reply(from reply: QMPReply) -> JSONValue {
        reply.value
    }
}

/// `qom-set`: changes a property.
///
/// Since 1.2.
public struct QOMSet: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "qom-set"

    /// The object.
    public let path: String

    /// The property.
    public let property: String

    /// The value.
    public let value: JSONValue

    /// Makes the command.
    ///
    /// - Parameters:
    ///   - path: The object.
    ///   - property: The property.
    ///   - value: The value.
    public init(path: String, property: String, value: JSONValue) {
        self.path = path
        self.property = property
        self.value = value
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] {
        ["path": .string(path), "property": .string(property), "value": value]
    }
}

/// `qom-list-types`: the kinds of objects that this QEMU can make.
///
/// Since 1.1.
public struct QOMListTypes: QMPCommand {
    /// The names of the types.
    public typealias Reply = Set<String>

    /// QEMU's name of the command.
    public static let name = "qom-list-types"

    /// What they have to be, such as `device`; nil for all.
    public let implements: String?

    /// Whether to name those too that cannot be made themselves.
    public let includesAbstract: Bool

    /// Makes the command.
    ///
    /// - Parameters:
    ///   - implements: What they have to be; nil for all.
    ///   - includesAbstract: Whether to name those too that cannot be made themselves.
    public init(implements: String? = nil, includesAbstract: Bool = false) {
        self.implements = implements
        self.includesAbstract = includesAbstract
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] {
        var arguments: [String: JSONValue] = ["abstract": .bool(includesAbstract)]
        arguments["implements"] = implements.map { .string($0) }
        return arguments
    }

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The names of the types.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Set<String> {
        Set(try reply.map { type throws(QMPError) in try type.string("name") })
    }
}

/// `object-add`: makes an object, as `-object` does.
///
/// Since 2.0.
public struct ObjectAdd: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "object-add"

    /// The object: `qom-type`, `id` and what the type needs.
    public let object: [String: JSONValue]

    /// Makes the command.
    ///
    /// - Parameter object: The object.
    public init(_ object: [String: JSONValue]) {
        self.object = object
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] { object }

    /// Thirty seconds: memory may have to be allocated.
    public var deadline: Duration { .seconds(30) }
}

/// `object-del`: removes an object that nobody uses.
///
/// Since 2.0.
public struct ObjectDel: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "object-del"

    /// Its id.
    public let id: String

    /// Makes the command.
    ///
    /// - Parameter id: Its id.
    public init(id: String) {
        self.id = id
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] { ["id": .string(id)] }
}
