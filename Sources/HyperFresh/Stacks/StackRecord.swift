import JSON
import StackFile

/// A stack file as it was at `up`.
struct StackRecord: Sendable, Hashable {
    /// The stack's name.
    let name: String
    /// The folder that the file came from: relative paths in it are read against it.
    let origin: String
    let text: String

    init(_ stack: Stack, _ text: [UInt8]) {
        name = stack.name
        origin = stack.directory
        self.text = String(decoding: text, as: UTF8.self)
    }

    init?(_ members: [String: JSONValue]) {
        guard let name = members["name"]?.string, let origin = members["origin"]?.string,
            let text = members["text"]?.string
        else { return nil }
        self.name = name
        self.origin = origin
        self.text = text
    }

    var members: [String: JSONValue] {
        ["name": .string(name), "origin": .string(origin), "text": .string(text)]
    }

    /// Reads the stack file's text.
    ///
    /// - Parameter path: Where the record is, for messages.
    /// - Returns: The stack.
    /// - Throws: ``HyperFreshError`` with status 3 when this version does not understand it.
    func parse(at path: String) throws(HyperFreshError) -> Stack {
        do throws(StackError) {
            return try Stack.parse(Array(text.utf8), path: path, directory: origin)
        } catch {
            throw HyperFreshError(
                "this version of hyperfresh does not understand the stack file of \(name) that is on record",
                because: error, remedy: "Use the version that brought it up.", exitCode: RefreshOutcome.blocked.exitCode
            )
        }
    }
}
