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
