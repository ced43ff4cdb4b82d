public import JSON

/// What a QEMU's monitor can do, as `query-qmp-schema` says it.
///
/// The way to decide whether a feature is there: never by the version number, as packagers move features about. The
/// format is in QEMU's docs/devel/qapi-code-gen.
public struct QMPSchema: Sendable {
    /// What an entity is, with what belongs to it.
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

    /// Reads a schema as it was recorded: the array that `query-qmp-schema` returns.
    ///
    /// - Parameter value: The array.
    /// - Throws: `unusableReply` when it is none.
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

    /// Whether there is such a command.
    ///
    /// - Parameter name: QEMU's name of the command.
    /// - Returns: Whether it is there.
    public func hasCommand(_ name: String) -> Bool {
        if case .command = entities[name] { true } else { false }
    }

    /// Whether there is such an event.
    ///
    /// - Parameter name: QEMU's name of the event.
    /// - Returns: Whether it is there.
    public func hasEvent(_ name: String) -> Bool {
        if case .event = entities[name] { true } else { false }
    }

    /// Whether a command may be executed out of band.
    ///
    /// - Parameter name: QEMU's name of the command.
    /// - Returns: Whether it may.
    public func allowsOutOfBand(_ name: String) -> Bool {
        if case .command(_, _, let isOutOfBand) = entities[name] { isOutOfBand } else { false }
    }

    /// Whether a command takes an argument, in any of its variants.
    ///
    /// - Parameters:
    ///   - command: QEMU's name of the command.
    ///   - path: The argument's name, followed by the names of members within it; arrays are passed through.
    /// - Returns: Whether it does; always true below an argument whose members the schema leaves open.
    public func command(_ command: String, takes path: String...) -> Bool {
        guard case .command(let type, _, _) = entities[command] else { return false }
        return has(path, in: type)
    }

    /// Whether a command's reply may have a member, in any of its variants.
    ///
    /// - Parameters:
    ///   - command: QEMU's name of the command.
    ///   - path: The member's name, followed by the names of members within it; arrays are passed through.
    /// - Returns: Whether it may.
    public func command(_ command: String, returns path: String...) -> Bool {
        guard case .command(_, let type, _) = entities[command] else { return false }
        return has(path, in: type)
    }

    /// Whether an event may carry a member.
    ///
    /// - Parameters:
    ///   - event: QEMU's name of the event.
    ///   - path: The member's name, followed by the names of members within it; arrays are passed through.
    /// - Returns: Whether it may.
    public func event(_ event: String, carries path: String...) -> Bool {
        guard case .event(let type) = entities[event] else { return false }
        return has(path, in: type)
    }

    /// The values that an argument may have, where it is an enumeration.
    ///
    /// - Parameters:
    ///   - path: The argument's name, followed by the names of members within it; arrays are passed through.
    ///   - command: QEMU's name of the command.
    /// - Returns: The values; empty where the argument is missing or no enumeration.
    public func values(of path: String..., in command: String) -> Set<String> {
        guard case .command(let type, _, _) = entities[command] else { return [] }
        return types(at: path[...], from: [type]).reduce(into: []) { $0.formUnion(values(of: $1)) }
    }

    /// Whether a value is a member of the enumeration that an argument takes, such as `x-ignore-shared` of
    /// `migrate-set-capabilities`, `capabilities`, `capability`.
    ///
    /// - Parameters:
    ///   - value: The value.
    ///   - path: The argument's name, followed by the names of members within it.
    ///   - command: QEMU's name of the command.
    /// - Returns: Whether it is.
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
