import Glibc
import Linux

/// A disk image to which a canary writes its records.
public struct CanaryDisk: Sendable, Hashable {
    /// The format of the image.
    public enum Format: String, Sendable, Hashable {
        /// A raw image.
        case raw
        /// A qcow2 image, made by `qemu-img`.
        case qcow2
    }

    /// The disk's size in MiB as seen by the guest; 16 MiB hold all records that the canary keeps.
    public var mebibytes: Int
    /// The format of the image.
    public var format: Format

    /// Describes a disk; the default is raw with 16 MiB.
    public init(mebibytes: Int = 16, format: Format = .raw) {
        self.mebibytes = mebibytes
        self.format = format
    }

    /// Creates the image; its file must not exist.
    ///
    /// - Parameter path: The image's path.
    /// - Throws: `SystemError`, or ``CanaryError/imageNotMade(words:)`` with the output of `qemu-img`.
    public func create(at path: String) async throws {
        switch format {
        case .raw:
            let file = try Descriptor.open(path, flags: O_RDWR | O_CREAT | O_EXCL)
            guard ftruncate(file.number, mebibytes << 20) == 0 else {
                throw SystemError(operation: "ftruncate", subject: path, code: errno)
            }
        case .qcow2:
            let result = try await ChildProgram.run("qemu-img", ["create", "-q", "-f", "qcow2", path, "\(mebibytes)M"])
            guard result.ending == .exited(0) else { throw CanaryError.imageNotMade(words: result.errors) }
        }
    }
}

extension CanaryFiles {
    /// Returns the path of a disk's image.
    ///
    /// - Parameters:
    ///   - index: The disk's index, from 0.
    ///   - format: The image's format.
    /// - Returns: The path.
    public func disk(_ index: Int, _ format: CanaryDisk.Format) -> String {
        "\(directory)/disk\(index).\(format.rawValue)"
    }
}
