internal import Glibc
internal import Linux

/// Reading stack files: YAML, as described in docs/stack-file.md.
extension Stack {
    /// The size limit of a stack file in bytes: 1 MiB, enough for some thousand guests.
    public static let fileSizeLimit = 1 << 20

    /// Reads a stack file.
    ///
    /// - Parameter path: The file.
    /// - Returns: The stack, with absolute paths and all defaults filled in, and the file's bytes.
    /// - Throws: ``StackError`` with all problems.
    public static func read(path: String) throws(StackError) -> (stack: Stack, text: [UInt8]) {
        let bytes: [UInt8]
        do {
            bytes = try Files.readAll(path, limit: fileSizeLimit)
        } catch  where error.code == EFBIG {
            throw StackError(
                path: path, wholeFile: "it is larger than \(fileSizeLimit >> 20) MiB",
                remedy: "Give the path of a stack file; split a large stack into several.")
        } catch {
            throw StackError(path: path, wholeFile: "\(error)", remedy: "Give the path of a file that you can read.")
        }
        return (try parse(bytes, path: path, directory: directory(of: path)), bytes)
    }

    /// Parses the text of a stack file.
    ///
    /// - Parameters:
    ///   - bytes: The text in UTF-8.
    ///   - path: The file's name in error messages.
    ///   - directory: The absolute path to which relative paths in the file refer.
    /// - Returns: The stack, with absolute paths and all defaults filled in.
    /// - Throws: ``StackError`` with all problems.
    public static func parse(_ bytes: [UInt8], path: String, directory: String) throws(StackError) -> Stack {
        let reader = StackReader(directory: directory)
        var stack: Stack?
        do {
            stack = try reader.stack(YAMLComposer.tree(of: bytes))
        } catch {
            reader.problems.append(error.problem)
        }
        guard reader.problems.isEmpty, let stack else {
            throw StackError(path: path, problems: reader.problems)
        }
        return stack
    }

    /// Returns the file's folder, with symbolic links resolved if it exists.
    private static func directory(of path: String) -> String {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        guard let resolved = realpath(folder, nil) else { return folder }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
