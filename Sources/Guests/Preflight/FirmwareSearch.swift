/// Finds the firmware and the modules of a QEMU whose packages were unpacked into a folder.
///
/// QEMU looks for both at places that were fixed when it was built. `BINARY -L help` prints those for firmware.
enum FirmwareSearch {
    /// Where distributions put firmware, beside `bin`.
    private static let firmwareFolders = [
        "share/qemu", "share/seabios", "share/vgabios", "share/qemu-kvm", "share/seavgabios", "share/ipxe/qemu",
        "lib/ipxe/qemu", "share/qemu-firmware",
    ]
    /// Where they put modules.
    private static let moduleFolders = ["lib/x86_64-linux-gnu/qemu", "lib64/qemu", "lib/qemu", "lib64/qemu-kvm"]
    /// Installed there, a QEMU finds everything by itself.
    private static let systemTrees: Set<String> = ["", "/usr", "/usr/local"]

    /// The folder that a binary's `bin` is in: `/opt/qemu-10.0/usr`; nil for the system's own.
    static func tree(of binary: String) -> String? {
        let parts = binary.split(separator: "/", omittingEmptySubsequences: true).dropLast()
        guard let folder = parts.last, folder == "bin" || folder == "sbin" || folder == "libexec" else { return nil }
        let tree = parts.dropLast().map { "/" + $0 }.joined()
        return systemTrees.contains(tree) ? nil : tree
    }

    /// What has to be said so that a binary finds its own.
    ///
    /// - Parameters:
    ///   - binary: the binary's path without symbolic links.
    ///   - known: the folders that it names itself.
    ///   - exists: whether there is such a folder.
    /// - Returns: folders for `-L` and the folder for QEMU_MODULE_DIR.
    static func folders(
        for binary: String, known: [String], exists: (String) -> Bool
    ) -> (firmware: [String], modules: String?) {
        guard let tree = tree(of: binary) else { return ([], nil) }
        let known = Set(known.map(normalized))
        let firmware = firmwareFolders.map { "\(tree)/\($0)" }.filter { !known.contains($0) && exists($0) }
        return (firmware, moduleFolders.map { "\(tree)/\($0)" }.first(where: exists))
    }

    /// The path without `bin/..`.
    private static func normalized(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }
}
