internal import Linux

/// Finds the firmware and the modules of a QEMU whose packages were unpacked into a directory.
///
/// QEMU looks for both in places that are fixed at build time. `BINARY -L help` prints those for firmware.
enum FirmwareSearch {
    /// Where distributions install firmware, next to `bin`.
    private static let firmwareFolders = [
        "share/qemu", "share/seabios", "share/vgabios", "share/qemu-kvm", "share/seavgabios", "share/ipxe/qemu",
        "lib/ipxe/qemu", "share/qemu-firmware",
    ]
    /// Where distributions install modules.
    private static let moduleFolders = ["lib/x86_64-linux-gnu/qemu", "lib64/qemu", "lib/qemu", "lib64/qemu-kvm"]
    /// A QEMU that is installed there finds everything on its own.
    private static let systemTrees: Set<String> = ["", "/usr", "/usr/local"]

    /// Returns the directory that contains a binary's `bin`: `/opt/qemu-10.0/usr`; nil for the system's own.
    static func tree(of binary: String) -> String? {
        let parts = binary.split(separator: "/", omittingEmptySubsequences: true).dropLast()
        guard let folder = parts.last, folder == "bin" || folder == "sbin" || folder == "libexec" else { return nil }
        let tree = parts.dropLast().map { "/" + $0 }.joined()
        return systemTrees.contains(tree) ? nil : tree
    }

    /// Returns the directories that a binary must be given so that it finds its own firmware and modules.
    ///
    /// - Parameters:
    ///   - binary: the binary's path without symbolic links.
    ///   - known: the directories that the binary reports itself.
    ///   - exists: whether such a directory exists.
    /// - Returns: directories for `-L` and the directory for QEMU_MODULE_DIR.
    static func folders(
        for binary: String, known: [String], exists: (String) -> Bool
    ) -> (firmware: [String], modules: String?) {
        guard let tree = tree(of: binary) else { return ([], nil) }
        let known = Set(known.map(Paths.normalized))
        let firmware = firmwareFolders.map { "\(tree)/\($0)" }.filter { !known.contains($0) && exists($0) }
        return (firmware, moduleFolders.map { "\(tree)/\($0)" }.first(where: exists))
    }
}
