internal import JSON
internal import Linux

/// The image that a hypervisor boots: a folder made by `scripts/build-hypervisor-image`.
public struct HypervisorImage: Sendable, Hashable {
    /// Its name.
    public var name: String
    /// The folder.
    public var directory: String
    /// The kernel's release, as `uname -r` prints it in the hypervisor.
    public var kernelRelease: String
    /// The version of the QEMU that runs guests in the hypervisor.
    public var qemuVersion: String
    /// The kernel's path.
    public var kernel: String
    /// The initramfs's path.
    public var initramfs: String
    /// The path of the root file system, read-only and shared by hypervisors.
    public var root: String
    /// Kernel command line arguments.
    public var kernelArguments: String

    /// Reads the manifest of an image, `image.json`.
    ///
    /// - Parameter directory: The image's folder.
    /// - Returns: The image; its files exist.
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
                "\(path) has version \(manifest["version"] ?? nil), not 1",
                remedy: "Rebuild the image with this version of hyperfresh: scripts/build-hypervisor-image")
        }
        func text(_ value: JSONValue?, _ key: String) throws(HypervisorError) -> String {
            guard let text = value?.string else {
                throw HypervisorError("\(path) has no string `\(key)`", remedy: remedy)
            }
            return text
        }
        func file(_ key: String) throws(HypervisorError) -> String {
            let file = "\(directory)/\(try text(manifest["files"]?[key], "files.\(key)"))"
            // A file that cannot be examined cannot be booted either.
            guard (try? Files.status(file).kind) == .regular else {
                throw HypervisorError("\(file) is missing or not a regular file; \(path) names it", remedy: remedy)
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
