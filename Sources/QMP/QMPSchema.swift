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

// MARK: - Types

extension QMPSchema {
    static func entity(_ reply: QMPReply) throws(QMPError) -> Entity {
        switch try reply.string("meta-type") {
        case "builtin":
            .builtin(json: try reply.string("json-type"))
        case "enum":
            .enumeration(try enumeration(reply))
        case "array":
            .array(of: try reply.string("element-type"))
        case "object":
            .object(
                members: try reply.member("members").map(Self.member),
                tag: try reply.optional("tag")?.string(),
                variants: try variants(reply)
            )
        case "alternate":
            .alternate(try reply.member("members").map { member throws(QMPError) in try member.string("type") })
        case "command":
            .command(
                arguments: try reply.string("arg-type"),
                reply: try reply.string("ret-type"),
                isOutOfBand: try reply.optional("allow-oob")?.bool() ?? false
            )
        case "event":
            .event(data: try reply.string("arg-type"))
        default:
            let kind = reply.value["meta-type"] ?? nil
            throw QMPError(.unusableReply, "the schema has an entity of an unknown kind: \(kind)")
        }
    }

    /// QEMU before 6.2 has only `values`; later versions also have `members` with features.
    private static func enumeration(_ reply: QMPReply) throws(QMPError) -> Set<String> {
        if let members = reply.optional("members") {
            return Set(try members.map { member throws(QMPError) in try member.string("name") })
        }
        return Set(try reply.member("values").strings())
    }

    private static func member(_ reply: QMPReply) throws(QMPError) -> Member {
        Member(
            name: try reply.string("name"),
            type: try reply.string("type"),
            isOptional: reply.optional("default") != nil
        )
    }

    private static func variants(_ reply: QMPReply) throws(QMPError) -> [String: String] {
        var variants: [String: String] = [:]
        for variant in try reply.optional("variants")?.elements() ?? [] {
            variants[try variant.string("case")] = try variant.string("type")
        }
        return variants
    }

    /// Returns the possible types at a path, in any variant; `any` where the schema leaves members open.
    func types(at path: ArraySlice<String>, from types: [String]) -> [String] {
        let objects = Set(types).sorted().flatMap { elementTypes(of: $0) }
        guard let key = path.first else { return objects }
        let next = objects.flatMap { type -> [String] in
            isOpen(type) ? [type] : members(of: type).filter { $0.name == key }.map(\.type)
        }
        return next.isEmpty ? [] : self.types(at: path.dropFirst(), from: next)
    }

    /// Returns all members that an object may have, including those of its variants.
    func members(of type: String) -> [Member] {
        guard case .object(let members, _, let variants) = entities[type] else { return [] }
        return members + variants.keys.sorted().flatMap { self.members(of: variants[$0] ?? "") }
    }

    func values(of type: String) -> Set<String> {
        switch entities[type] {
        case .enumeration(let values): values
        case .alternate(let types): types.reduce(into: []) { $0.formUnion(values(of: $1)) }
        default: []
        }
    }

    /// Returns the types within arrays and alternates; the type itself if it is neither.
    private func elementTypes(of type: String) -> [String] {
        switch entities[type] {
        case .array(let element): elementTypes(of: element)
        case .alternate(let types): [type] + types.flatMap { elementTypes(of: $0) }
        default: [type]
        }
    }

    private func isOpen(_ type: String) -> Bool {
        if case .builtin(json: "value") = entities[type] { true } else { false }
    }
}

// MARK: - Soundness

/// Protects the readers of a hostile peer's schema against cycles.
extension QMPSchema {
    /// The maximum number of types within one type (elements, alternates, variants); QEMU's own need a few hundred.
    private static var largestExpansion: Int { 20_000 }

    /// The maximum depth of nested types; QEMU's own nest less than ten deep.
    private static var deepestExpansion: Int { 32 }

    private struct Expansion {
        var size: Int
        var height: Int
    }

    /// Checks that every walk through the types ends soon.
    ///
    /// - Parameter entities: The entities of the schema.
    /// - Throws: `unusableReply` if types contain themselves, or too many others.
    static func checkSoundness(_ entities: [String: Entity]) throws(QMPError) {
        var known: [String: Expansion] = [:]
        for name in entities.keys { _ = try expansion(of: name, entities, &known, depth: 0) }
    }

    private static func expansion(
        of name: String,
        _ entities: [String: Entity],
        _ known: inout [String: Expansion],
        depth: Int
    ) throws(QMPError) -> Expansion {
        if let expansion = known[name] { return expansion }
        var total = Expansion(size: 1, height: 0)
        for part in parts(of: entities[name]) {
            guard depth < deepestExpansion else { throw unsound(name) }
            let expansion = try expansion(of: part, entities, &known, depth: depth + 1)
            total.size += expansion.size
            total.height = max(total.height, expansion.height + 1)
            guard total.size <= largestExpansion, total.height <= deepestExpansion else { throw unsound(name) }
        }
        known[name] = total
        return total
    }

    private static func parts(of entity: Entity?) -> [String] {
        switch entity {
        case .array(let element): [element]
        case .alternate(let types): types
        case .object(_, _, let variants): Array(variants.values)
        default: []
        }
    }

    private static func unsound(_ name: String) -> QMPError {
        QMPError(.unusableReply, "the schema's type '\(name)' contains itself, or more types than in any QEMU")
    }
}
