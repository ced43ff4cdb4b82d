import JSON

@testable import QMP

/// Generates values of a schema's types.
struct SchemaSample {
    /// How much of a type to fill in.
    enum Fullness: CaseIterable {
        /// All members, and one element in each array.
        case full
        /// Only required members, and one element in each array.
        case sparse
        /// Only required members, and empty arrays.
        case empty
    }

    let schema: QMPSchema
    let fullness: Fullness

    /// Returns one value for each variant at the top level, with the first variant at deeper levels.
    func values(of type: String, depth: Int = 0, label: String = "text") -> [JSONValue] {
        switch schema.entities[type] {
        case .builtin(let json): [Self.scalar(json, label)]
        case .enumeration(let values): values.sorted().prefix(1).map { .string($0) }
        case .array(let element): array(of: element, depth: depth)
        case .object(let members, let tag, let variants): objects(members, tag, variants, depth: depth)
        case .alternate(let types): types.first.map { values(of: $0, depth: depth) } ?? []
        case .command, .event, nil: []
        }
    }

    private static func scalar(_ json: String, _ label: String) -> JSONValue {
        switch json {
        case "string": .string(label)
        case "int": 1
        case "number": 1.5
        case "boolean": true
        case "null": nil
        default: [:]
        }
    }

    private func array(of element: String, depth: Int) -> [JSONValue] {
        if fullness == .empty || depth > 8 { return [[]] }
        return values(of: element, depth: depth + 1).map { [$0] }
    }

    private func objects(
        _ members: [QMPSchema.Member],
        _ tag: String?,
        _ variants: [String: String],
        depth: Int
    ) -> [JSONValue] {
        var common: [String: JSONValue] = [:]
        for member in members where !member.isOptional || (fullness == .full && depth < 6) {
            common[member.name] = values(of: member.type, depth: depth + 1, label: member.name).first
        }
        guard let tag, depth < 3 else { return [.object(common)] }
        return variants.keys.sorted().flatMap { name -> [JSONValue] in
            values(of: variants[name] ?? "", depth: depth + 1).map { variant in
                .object(common.merging(variant.object ?? [:]) { $1 }.merging([tag: .string(name)]) { $1 })
            }
        }
    }
}
