import Glibc
import Linux

/// A disk image that a canary writes its records to.
public struct CanaryDisk: Sendable, Hashable {
    /// How the image is stored.
    public enum Format: String, Sendable, Hashable {
        /// As it is.
        case raw
        /// QEMU's own format; made by `qemu-img`.
        case qcow2
    }

    /// Its size as the guest sees it, in MiB; 16 hold all the records that the canary keeps.
    public var mebibytes: Int
    /// How the image is stored.
    public var format: Format

    /// Describes a disk.
    public init(mebibytes: Int = 16, format: Format = .raw) {
        self.mebibytes = mebibytes
        self.format = format
    }

    /// Makes the image, which must not exist.
    ///
    /// - Parameter path: Where.
    /// - Throws: `SystemError`, or ``CanaryError/imageNotMade(words:)`` with what `qemu-img` says.
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
    /// The image of a disk.
    ///
    /// - Parameters:
    ///   - index: Counts the disks of the guest from 0.
    ///   - format: How it is stored.
    /// - Returns: Its path.
    public func disk(_ index: Int, _ format: CanaryDisk.Format) -> String {
        "\(directory)/disk\(index).\(format.rawValue)"
    }
}
