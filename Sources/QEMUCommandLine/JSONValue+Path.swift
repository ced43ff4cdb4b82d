package import JSON

extension JSONValue {
    /// Returns the member of an object at a key that may lead through nested objects: `file.filename`.
    ///
    /// A member whose own name contains the dots takes precedence.
    package func member(at path: String) -> JSONValue? {
        if let member = self[path] { return member }
        guard let dot = path.firstIndex(of: ".") else { return nil }
        return self[String(path[..<dot])]?.member(at: String(path[path.index(after: dot)...]))
    }

    /// Returns the object with a member set, or removed if the value is nil; creates nested objects as needed.
    package func setting(_ value: JSONValue?, at path: String) -> JSONValue {
        var members = object ?? [:]
        guard members[path] == nil, let dot = path.firstIndex(of: ".") else {
            members[path] = value
            return .object(members)
        }
        let head = String(path[..<dot])
        if members[head] == nil, value == nil { return self }
        let rest = String(path[path.index(after: dot)...])
        members[head] = (members[head] ?? .object([:])).setting(value, at: rest)
        return .object(members)
    }
}
