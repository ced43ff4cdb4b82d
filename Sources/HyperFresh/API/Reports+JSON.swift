public import Guests
public import JSON

/// The JSON of the command line (docs/json.md).
///
/// `schema` is incremented when a key changes its meaning or disappears.
enum JSONSchema {
    static let version: JSONValue = 1

    static func document(type: String, _ members: [String: JSONValue?]) -> JSONValue {
        .object(members.compactMapValues(\.self).merging(["schema": version, "type": .string(type)]) { $1 })
    }
}

/// A type with a JSON form on the command line.
public protocol JSONRepresentable {
    /// Its JSON form (docs/json.md).
    var json: JSONValue { get }
}

extension Array where Element: JSONRepresentable {
    /// Returns a document with these as its items.
    ///
    /// - Parameter type: The document's `type`.
    /// - Returns: An object with `schema`, `type` and `items`.
    public func json(type: String) -> JSONValue {
        JSONSchema.document(type: type, ["items": .array(map(\.json))])
    }
}

extension SideReport: JSONRepresentable {
    /// `pid`, `version`, `binary`, `qmp`.
    public var json: JSONValue {
        .object(
            [
                "pid": .integer(Int64(pid)), "version": version.map(JSONValue.string), "binary": .string(binary),
                "qmp": qmp.map(JSONValue.string),
            ].compactMapValues(\.self))
    }
}

extension SwitchTiming: JSONRepresentable {
    /// All in microseconds.
    public var json: JSONValue {
        [
            "stop_to_resume_us": .integer(Int64(stopToResume)),
            "stop_to_new_completed_us": .integer(Int64(stopToNewCompleted)),
            "stop_to_old_completed_us": .integer(Int64(stopToOldCompleted)),
            "controller_us": .integer(Int64(controller)),
        ]
    }
}

extension Finding: JSONRepresentable {
    /// `id`, `severity`, `message`, `evidence`, `remedy`.
    public var json: JSONValue {
        .object(
            [
                "id": .string(id.rawValue), "severity": .string(severity.rawValue), "message": .string(message),
                "evidence": .array(evidence.map(JSONValue.string)), "remedy": remedy.map(JSONValue.string),
            ].compactMapValues(\.self))
    }
}

extension HyperFreshError: JSONRepresentable {
    /// An `error` document, which a command prints if it failed before any other output.
    public var json: JSONValue {
        JSONSchema.document(
            type: "error", members.mapValues { $0 }.merging(["exit_code": .integer(Int64(exitCode))]) { $1 })
    }

    var members: [String: JSONValue] {
        [
            "message": .string(message), "guest_state": guestState.map(JSONValue.string), "remedy": .string(remedy),
            "evidence": .array(evidence.map(JSONValue.string)),
        ].compactMapValues(\.self)
    }
}
