/// Keeps a hostile peer's schema from sending its readers around in circles.
extension QMPSchema {
    /// Types within types (elements, alternates, variants) that are read as one; QEMU's own need a few hundred.
    private static var largestExpansion: Int { 20_000 }

    /// How deep they may nest; QEMU's own nest less than ten deep.
    private static var deepestExpansion: Int { 32 }

    private struct Expansion {
        var size: Int
        var height: Int
    }

    /// Checks that every walk through the types comes to an end soon.
    ///
    /// - Parameter entities: What the schema holds.
    /// - Throws: `unusableReply` when types contain themselves, or too many others.
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
        QMPError(.unusableReply, "the schema's type '\(name)' contains itself, or more than any QEMU's type does")
    }
}
