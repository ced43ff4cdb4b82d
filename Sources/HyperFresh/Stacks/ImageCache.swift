import Glibc
import Linux
import StackFile
import VirtualMachines

/// The folders of images that are named without a path.
enum ImageCache {
    /// Returns the folder of an image: a path as it is; a name under `$HYPERFRESH_IMAGES`, else
    /// `$HYPERFRESH_CACHE/hypervisor`, else `.cache/hypervisor` in the stack file's folder, else
    /// /var/lib/hyperfresh/images.
    static func folder(of image: String, stack: Stack) -> String {
        guard !image.contains("/") else { return image }
        let folders =
            [variable("HYPERFRESH_IMAGES"), variable("HYPERFRESH_CACHE").map { "\($0)/hypervisor" }].compactMap(\.self)
            + ["\(stack.directory)/.cache/hypervisor", "/var/lib/hyperfresh/images"]
        return folders.map { "\($0)/\(image)" }.first { Files.exists($0) } ?? "\(folders[0])/\(image)"
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
}
