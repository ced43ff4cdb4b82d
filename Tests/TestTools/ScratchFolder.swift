internal import Glibc
internal import Linux

/// A new private folder, removed with its content at the end.
public final class ScratchFolder: Sendable {
    /// The folder's path.
    public let path: String

    /// Creates the folder; ends the test process if that fails.
    ///
    /// - Parameter parent: The folder that contains it.
    public init(in parent: String = "/tmp") {
        var template = Array("\(parent)/hyperfresh-test-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { fatalError("mkdtemp: errno \(errno)") }
        path = String(cString: made)
    }

    deinit { Self.removeTree(path) }

    private static func removeTree(_ path: String) {
        // remove(3) unlinks anything but a folder, and never follows a link.
        if remove(path) == 0 { return }
        for name in (try? ProcFS.names(inFolder: path)) ?? [] { removeTree("\(path)/\(name)") }
        remove(path)
    }

    /// Returns a path in the folder.
    public func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file into the folder.
    ///
    /// - Returns: Its path.
    @discardableResult
    public func write(_ name: String, _ text: String) -> String {
        let number = open(file(name), O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        defer { close(number) }
        let bytes = Array(text.utf8)
        precondition(Glibc.write(number, bytes, bytes.count) == bytes.count)
        return file(name)
    }

    /// The paths of its content, relative to it and sorted.
    public var content: [String] { Self.content(of: path, prefix: "") }

    private static func content(of path: String, prefix: String) -> [String] {
        ((try? ProcFS.names(inFolder: path)) ?? []).sorted().flatMap { name in
            [prefix + name] + content(of: "\(path)/\(name)", prefix: "\(prefix)\(name)/")
        }
    }
}
