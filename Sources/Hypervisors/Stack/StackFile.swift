internal import Glibc
internal import Linux

/// The stack file: YAML, described in docs/stack-file.md.
public enum StackFile {
    /// The most bytes that a stack file may have: 1 MiB, some thousand guests.
    public static let sizeLimit = 1 << 20

    /// Reads a stack file.
    ///
    /// - Parameter path: The file.
    /// - Returns: What it describes, with absolute paths and with every default filled in.
    /// - Throws: ``StackError`` with everything that is wrong.
    public static func read(path: String) throws(StackError) -> (stack: Stack, text: [UInt8]) {
        let bytes: [UInt8]
        do {
            bytes = try Files.readAll(path, limit: sizeLimit)
        } catch  where error.code == EFBIG {
            throw StackError(
                path: path, wholeFile: "it has more than \(sizeLimit >> 20) MiB",
                remedy: "Name the file that describes the stack; a large one can be split into several stacks.")
        } catch {
            throw StackError(path: path, wholeFile: "\(error)", remedy: "Name a file that you may read.")
        }
        return (try parse(bytes, path: path, directory: directory(of: path)), bytes)
    }

    /// Reads the text of a stack file.
    ///
    /// - Parameters:
    ///   - bytes: The text in UTF-8.
    ///   - path: What the file is called in errors.
    ///   - directory: The absolute folder against which relative paths in it are read.
    /// - Returns: What it describes, with absolute paths and with every default filled in.
    /// - Throws: ``StackError`` with everything that is wrong.
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

    /// The file's folder, with symbolic links to the folder followed, as far as it exists.
    private static func directory(of path: String) -> String {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        guard let resolved = realpath(folder, nil) else { return folder }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
