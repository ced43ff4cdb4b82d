internal import JSON
internal import Linux

/// What a hypervisor boots: a folder that `scripts/build-hypervisor-image` makes.
public struct HypervisorImage: Sendable, Hashable {
    /// Its name.
    public var name: String
    /// The folder.
    public var directory: String
    /// The kernel's release, as `uname -r` says it there.
    public var kernelRelease: String
    /// The version of the QEMU that runs guests there.
    public var qemuVersion: String
    /// The kernel's file.
    public var kernel: String
    /// The initramfs's file.
    public var initramfs: String
    /// The read-only root, which many hypervisors share.
    public var root: String
    /// Words for the kernel.
    public var kernelArguments: String

    /// Reads the manifest of an image, its `image.json`.
    ///
    /// - Parameter directory: The image's folder.
    /// - Returns: The image; its files are there.
    /// - Throws: ``HypervisorError``.
    public static func read(_ directory: String) throws(HypervisorError) -> HypervisorImage {
        let path = "\(directory)/image.json"
        let remedy = "Build it: scripts/build-hypervisor-image"
        let manifest: JSONValue
        do {
            manifest = try JSONValue(parsing: try Files.readAll(path, limit: 1 << 20))
        } catch {
            throw HypervisorError("\(path): \(error)", remedy: remedy)
        }
        guard manifest["version"]?.integer == 1 else {
            throw HypervisorError(
                "\(path) is of version \(manifest["version"] ?? nil), not 1",
                remedy: "Build the image with this version of hyperfresh.")
        }
        func text(_ value: JSONValue?, _ key: String) throws(HypervisorError) -> String {
            guard let text = value?.string else {
                throw HypervisorError("\(path) has no text `\(key)`", remedy: remedy)
            }
            return text
        }
        func file(_ key: String) throws(HypervisorError) -> String {
            let file = "\(directory)/\(try text(manifest["files"]?[key], "files.\(key)"))"
            // What cannot be looked at cannot be booted.
            guard (try? Files.status(file).kind) == .regular else {
                throw HypervisorError("\(file), which \(path) names, is not there", remedy: remedy)
            }
            return file
        }
        return HypervisorImage(
            name: try text(manifest["name"], "name"), directory: directory,
            kernelRelease: try text(manifest["kernel"], "kernel"), qemuVersion: try text(manifest["qemu"], "qemu"),
            kernel: try file("kernel"), initramfs: try file("initramfs"), root: try file("root"),
            kernelArguments: try text(manifest["append"], "append"))
    }
}
