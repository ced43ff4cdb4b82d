internal import Glibc
internal import JSON
public import Linux
internal import QMP

/// Whether the names of a guest's images still lead to the files that its QEMU has open.
///
/// The new QEMU opens them by name. A name that leads elsewhere by now (a disk restored or copied over it, a link that was
/// turned) would give the guest another disk under its feet, and QEMU would report success.
public struct ImageNames: Sendable {
    /// A file or a block device, whatever its name.
    private enum Identity: Hashable {
        case file(device: UInt64, inode: UInt64)
        case blockDevice(UInt64)

        /// Nil where there is nothing, or nothing that an image can be.
        init?(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            switch status.st_mode & S_IFMT {
            case S_IFREG: self = .file(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
            // Device nodes are made anew at will; the device that they stand for counts.
            case S_IFBLK: self = .blockDevice(UInt64(status.st_rdev))
            default: return nil
            }
        }
    }

    /// An image by its name, as QEMU opened it.
    struct Image: Sendable, Hashable {
        let path: String
        let isReadOnly: Bool
    }

    let images: [Image]
    private let view: ProcessView

    /// The images of a guest.
    ///
    /// - Parameters:
    ///   - process: the guest's QEMU.
    ///   - description: what it says of its block layer.
    public init(of process: GuestProcess, _ description: GuestDescription) {
        view = ProcessView(pid: process.identity.pid, workingDirectory: process.workingDirectory)
        images = Self.images(description.blockNodes, firmware: Self.firmware(description.drives))
    }

    /// The names that do not lead to what these processes all have open, a line each.
    ///
    /// - Parameter processes: the old QEMU, and the new one where there is one.
    /// - Returns: nothing where each name leads to a file that all of them have open.
    /// - Throws: `SystemError` where a process's descriptors may not be read.
    public func strays(openBy processes: [Int32]) throws(SystemError) -> [String] {
        var open: [Set<Identity>] = []
        for pid in processes {
            open.append(Set(try ProcFS.descriptors(pid).keys.compactMap { Identity("/proc/\(pid)/fd/\($0)") }))
        }
        return images.compactMap { image in
            let name = image.path + (image.isReadOnly ? " (read-only)" : "")
            guard let identity = Identity(view.place(image.path)) else {
                return "\(name): there is no such file any more"
            }
            guard let index = open.firstIndex(where: { !$0.contains(identity) }) else { return nil }
            return "\(name): pid \(processes[index]) has another file open"
        }
    }

    /// The files and devices at the lower end of the block layer.
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

    /// The images of flash chips: packages replace the read-only ones, and the new QEMU gets their content from the old.
    private static func firmware(_ drives: [QueryBlock.Drive]) -> Set<String> {
        Set(drives.filter { $0.qdev?.contains("flash") == true }.compactMap(\.inserted?.file))
    }

    /// The path behind QEMU's name of a file.
    private static func path(_ file: String) -> String? {
        guard file.hasPrefix("json:") else { return file }
        return (try? JSONValue(parsing: String(file.dropFirst("json:".count))))?["filename"]?.string
    }
}
