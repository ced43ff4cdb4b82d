internal import Glibc
public import Linux

/// A private directory for sockets that is removed with its owner.
public final class ScratchFolder: Sendable {
    /// The directory; other users cannot enter it.
    public let path: String

    /// Creates a directory with a unique name.
    ///
    /// - Parameter parent: The parent directory.
    /// - Throws: `SystemError` from mkdtemp(3).
    public init(in parent: String = "/tmp") throws(SystemError) {
        var template = Array("\(parent)/qmp-testing-XXXXXX".utf8CString)
        let failure: Int32 = template.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.flatMap { mkdtemp($0) } == nil ? errno : 0
        }
        guard failure == 0 else { throw SystemError(operation: "mkdtemp", subject: parent, code: failure) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        if let folder = opendir(path) {
            while let entry = readdir(folder) {
                let name = withUnsafePointer(to: entry.pointee.d_name) { name in
                    name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != "." && name != ".." { _ = unlink("\(path)/\(name)") }
            }
            closedir(folder)
        }
        _ = rmdir(path)
    }
}
