public import JSON

/// `qom-list`: the properties of an object, including children and links.
///
/// Since 1.2.
public struct QOMList: QMPCommand {
    /// The command's name in QMP.
    public static let name = "qom-list"

    /// The path of the object, such as `/machine/peripheral`.
    public let path: String

    /// Creates the command for one object.
    ///
    /// - Parameter path: The path of the object.
    public init(path: String) {
        self.path = path
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] { ["path": .string(path)] }

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The properties.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [ObjectProperty] {
        try reply.map { property throws(QMPError) in try ObjectProperty(from: property) }
    }
}

/// `qom-get`: the value of a property.
///
/// Since 1.2.
public struct QOMGet: QMPCommand {
    /// The command's name in QMP.
    public static let name = "qom-get"

    /// The path of the object.
    public let path: String

    /// The name of the property.
    public let property: String

    /// Creates the command for one property.
    ///
    /// - Parameters:
    ///   - path: The path of the object.
    ///   - property: The name of the property.
    public init(path: String, property: String) {
        self.path = path
        self.property = property
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] { ["path": .string(path), "property": .string(property)] }

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The value; its JSON type depends on the property.
    public static func reply(from reply: QMPReply) -> JSONValue {
        reply.value
    }
}

/// `qom-set`: changes a property.
///
/// Since 1.2.
public struct QOMSet: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "qom-set"

    /// The path of the object.
    public let path: String

    /// The name of the property.
    public let property: String

    /// The value.
    public let value: JSONValue

    /// Creates the command for one property.
    ///
    /// - Parameters:
    ///   - path: The path of the object.
    ///   - property: The name of the property.
    ///   - value: The value.
    public init(path: String, property: String, value: JSONValue) {
        self.path = path
        self.property = property
        self.value = value
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] {
        ["path": .string(path), "property": .string(property), "value": value]
    }
}

/// `qom-list-types`: the types of objects that this QEMU can create.
///
/// Since 1.1.
public struct QOMListTypes: QMPCommand {
    /// The names of the types.
    public typealias Reply = Set<String>

    /// The command's name in QMP.
    public static let name = "qom-list-types"

    /// The type or interface that they must implement, such as `device`; nil for all.
    public let implements: String?

    /// Whether to include abstract types, which cannot be instantiated.
    public let includesAbstract: Bool

    /// Creates the command; by default it lists all types that can be instantiated.
    ///
    /// - Parameters:
    ///   - implements: The type or interface that they must implement; nil for all.
    ///   - includesAbstract: Whether to include abstract types, which cannot be instantiated.
    public init(implements: String? = nil, includesAbstract: Bool = false) {
        self.implements = implements
        self.includesAbstract = includesAbstract
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] {
        var arguments: [String: JSONValue] = ["abstract": .bool(includesAbstract)]
        arguments["implements"] = implements.map { .string($0) }
        return arguments
    }

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The names of the types.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Set<String> {
        Set(try reply.map { type throws(QMPError) in try type.string("name") })
    }
}

/// `object-add`: creates an object, as `-object` does.
///
/// Since 2.0.
public struct ObjectAdd: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "object-add"

    /// The object: `qom-type`, `id` and the properties of the type.
    public let object: [String: JSONValue]

    /// Creates the command for one object.
    ///
    /// - Parameter object: The object.
    public init(_ object: [String: JSONValue]) {
        self.object = object
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] { object }

    /// Thirty seconds: memory may have to be allocated.
    public var deadline: Duration { .seconds(30) }
}

/// `object-del`: removes an unused object.
///
/// Since 2.0.
public struct ObjectDel: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "object-del"

    /// Its id.
    public let id: String

    /// Creates the command for one object.
    ///
    /// - Parameter id: Its id.
    public init(id: String) {
        self.id = id
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] { ["id": .string(id)] }
}
