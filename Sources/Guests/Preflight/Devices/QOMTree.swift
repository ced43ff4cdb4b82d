/// Parses QEMU's object tree as the human monitor prints it (`info qom-tree`): `    /ioapic[0] (memory-region)`.
enum QOMTree {
    /// An object in the tree.
    struct Object: Sendable, Hashable {
        /// Its path: `/machine/peripheral/net0`.
        let path: String
        let type: String
    }

    /// Returns the types of all objects in the tree.
    static func types(_ text: String) -> Set<String> {
        Set(objects(text).map(\.type))
    }

    /// Returns all objects in the tree, in its order.
    static func objects(_ text: String) -> [Object] {
        var names: [Substring] = []
        var objects: [Object] = []
        for line in text.split(whereSeparator: \.isNewline) {
            guard line.hasSuffix(")"), let open = line.lastIndex(of: "("),
                let slash = line.firstIndex(of: "/"), slash < open
            else { continue }
            let depth = line.prefix { $0 == " " }.count / 2
            let name = line[line.index(after: slash)..<open].drop { $0 == " " }
            names = names.prefix(depth) + [name.last == " " ? name.dropLast() : name]
            objects.append(
                Object(
                    path: "/" + names.joined(separator: "/"), type: String(line[line.index(after: open)...].dropLast()))
            )
        }
        return objects
    }
}
