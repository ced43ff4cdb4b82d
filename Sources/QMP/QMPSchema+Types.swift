internal import JSON

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
