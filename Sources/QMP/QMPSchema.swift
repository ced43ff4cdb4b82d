public import JSON

/// The features of a QEMU's monitor, as `query-qmp-schema` reports them.
///
/// Use this to decide whether a feature exists, never the version number: packagers add and remove features. The format
/// is described in QEMU's docs/devel/qapi-code-gen.
public struct QMPSchema: Sendable {
    /// The kind of an entity, with its parts.
    enum Entity: Sendable, Hashable {
        case builtin(json: String)
        case enumeration(Set<String>)
        case array(of: String)
        case object(members: [Member], tag: String?, variants: [String: String])
        case alternate([String])
        case command(arguments: String, reply: String, isOutOfBand: Bool)
        case event(data: String)
    }

    /// A member of an object.
    struct Member: Sendable, Hashable {
        let name: String
        let type: String
        let isOptional: Bool
    }

    let entities: [String: Entity]

    /// Parses a recorded schema: the array that `query-qmp-schema` returns.
    ///
    /// - Parameter value: The array.
    /// - Throws: `unusableReply` if it is not a schema.
    public init(_ value: JSONValue) throws(QMPError) {
        try self.init(from: QMPReply(value, to: QueryQMPSchema.name))
    }

    init(from reply: QMPReply) throws(QMPError) {
        var entities: [String: Entity] = [:]
        for entity in try reply.elements() {
            entities[try entity.string("name")] = try Self.entity(entity)
        }
        try Self.checkSoundness(entities)
        self.entities = entities
    }

    /// The names of all commands, sorted.
    public var commands: [String] {
        names { if case .command = $0 { true } else { false } }
    }

    /// The names of all events, sorted.
    public var events: [String] {
        names { if case .event = $0 { true } else { false } }
    }

    /// Returns whether a command exists.
    ///
    /// - Parameter name: The command's name in QMP.
    /// - Returns: Whether it exists.
    public func hasCommand(_ name: String) -> Bool {
        if case .command = entities[name] { true } else { false }
    }

    /// Returns whether an event exists.
    ///
    /// - Parameter name: The event's name in QMP.
    /// - Returns: Whether it exists.
    public func hasEvent(_ name: String) -> Bool {
        if case .event = entities[name] { true } else { false }
    }

    /// Returns whether a command may be executed out of band.
    ///
    /// - Parameter name: The command's name in QMP.
    /// - Returns: Whether it may.
    public func allowsOutOfBand(_ name: String) -> Bool {
        if case .command(_, _, let isOutOfBand) = entities[name] { isOutOfBand } else { false }
    }

    /// Returns whether a command takes an argument, in any of its variants.
    ///
    /// - Parameters:
    ///   - command: The command's name in QMP.
    ///   - path: The argument's name, followed by the names of members within it; array levels are omitted.
    /// - Returns: Whether it does; always true below an argument whose members the schema leaves open.
    public func command(_ command: String, takes path: String...) -> Bool {
        guard case .command(let type, _, _) = entities[command] else { return false }
        return has(path, in: type)
    }

    /// Returns whether a command's reply may have a member, in any of its variants.
    ///
    /// - Parameters:
    ///   - command: The command's name in QMP.
    ///   - path: The member's name, followed by the names of members within it; array levels are omitted.
    /// - Returns: Whether it may.
    public func command(_ command: String, returns path: String...) -> Bool {
        guard case .command(_, let type, _) = entities[command] else { return false }
        return has(path, in: type)
    }

    /// Returns whether an event may have a member.
    ///
    /// - Parameters:
    ///   - event: The event's name in QMP.
    ///   - path: The member's name, followed by the names of members within it; array levels are omitted.
    /// - Returns: Whether it may.
    public func event(_ event: String, carries path: String...) -> Bool {
        guard case .event(let type) = entities[event] else { return false }
        return has(path, in: type)
    }

    /// Returns the possible values of an argument that is an enumeration.
    ///
    /// - Parameters:
    ///   - path: The argument's name, followed by the names of members within it; array levels are omitted.
    ///   - command: The command's name in QMP.
    /// - Returns: The values; empty if the argument is missing or not an enumeration.
    public func values(of path: String..., in command: String) -> Set<String> {
        guard case .command(let type, _, _) = entities[command] else { return [] }
        return types(at: path[...], from: [type]).reduce(into: []) { $0.formUnion(values(of: $1)) }
    }

    /// Returns whether a value belongs to the enumeration that an argument takes, such as `x-ignore-shared` to
    /// `migrate-set-capabilities`, `capabilities`, `capability`.
    ///
    /// - Parameters:
    ///   - value: The value.
    ///   - path: The argument's name, followed by the names of members within it.
    ///   - command: The command's name in QMP.
    /// - Returns: Whether it belongs to it.
    public func has(value: String, of path: String..., in command: String) -> Bool {
        guard case .command(let type, _, _) = entities[command] else { return false }
        return types(at: path[...], from: [type]).contains { values(of: $0).contains(value) }
    }

    private func names(where matches: (Entity) -> Bool) -> [String] {
        entities.filter { matches($0.value) }.keys.sorted()
    }

    private func has(_ path: [String], in type: String) -> Bool {
        !types(at: path[...], from: [type]).isEmpty
    }
}
