internal import Glibc
internal import JSON
package import Linux
internal import QMP

/// Checks that the paths of a guest's images still refer to the files that its QEMU has open.
///
/// The new QEMU opens them by path. A path that refers to another file by now (a disk restored or copied over it, a
/// changed link) would give the running guest another disk, and QEMU would report success.
package struct ImageNames: Sendable {
    /// A file or a block device, regardless of its path.
    private enum Identity: Hashable {
        case file(device: UInt64, inode: UInt64)
        case blockDevice(UInt64)

        /// Nil if nothing exists, or nothing that can be an image.
        init?(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            switch status.st_mode & S_IFMT {
            case S_IFREG: self = .file(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
            // Device nodes can be recreated at any time; the device number counts.
            case S_IFBLK: self = .blockDevice(UInt64(status.st_rdev))
            default: return nil
            }
        }
    }

    /// An image with the path by which QEMU opened it.
    struct Image: Sendable, Hashable {
        let path: String
        let isReadOnly: Bool
    }

    let images: [Image]
    private let view: ProcessView

    /// Collects the images of a guest from its block layer.
    ///
    /// - Parameters:
    ///   - process: the guest's QEMU.
    ///   - description: the guest as its QEMU reports it.
    package init(of process: GuestProcess, _ description: GuestDescription) {
        view = ProcessView(pid: process.identity.pid, workingDirectory: process.workingDirectory)
        images = Self.images(description.blockNodes, firmware: Self.firmware(description.drives))
    }

    /// Returns the paths that do not refer to a file that all of these processes have open, one per line.
    ///
    /// - Parameter processes: the old QEMU, and the new one if it exists.
    /// - Returns: empty if each path refers to a file that all of them have open.
    /// - Throws: `SystemError` if a process's descriptors are not readable.
    package func strays(openBy processes: [Int32]) throws(SystemError) -> [String] {
        var open: [Set<Identity>] = []
        for pid in processes {
            open.append(Set(try ProcFS.descriptors(pid).keys.compactMap { Identity("/proc/\(pid)/fd/\($0)") }))
        }
        return images.compactMap { image in
            let name = image.path + (image.isReadOnly ? " (read-only)" : "")
            guard let identity = Identity(view.place(image.path)) else {
                return "\(name): the file no longer exists"
            }
            guard let index = open.firstIndex(where: { !$0.contains(identity) }) else { return nil }
            return "\(name): pid \(processes[index]) has another file open"
        }
    }

    /// Returns the files and devices at the bottom of the block layer.
    static func images(_ nodes: [BlockNode], firmware: Set<String>) -> [Image] {
        var images: [Image] = []
        for node in nodes where ["file", "host_device"].contains(node.driver) {
            guard let path = path(node.file), !path.hasPrefix("/dev/fdset/"),
                !(node.isReadOnly && (firmware.contains(path) || path.hasPrefix("/usr/")))
            else { continue }
            let image = Image(path: path, isReadOnly: node.isReadOnly)
            if !images.contains(image) { images.append(image) }
        }
        return images
    }

    /// Returns the images of flash chips: packages replace the read-only ones, and the old QEMU sends their content.
    private static func firmware(_ drives: [QueryBlock.Drive]) -> Set<String> {
        Set(drives.filter { $0.qdev?.contains("flash") == true }.compactMap(\.inserted?.file))
    }

    /// Returns the path in QEMU's name of a file; nil if it has none.
    private static func path(_ file: String) -> String? {
        guard file.hasPrefix("json:") else { return file }
        return (try? JSONValue(parsing: String(file.dropFirst("json:".count))))?["filename"]?.string
    }
}
