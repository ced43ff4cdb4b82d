internal import Glibc

extension HypervisorChecks {
    /// Where distributions put virtiofsd: Debian 12 among QEMU's own programs, others and later ones as a program of its own.
    package static let virtiofsdPaths = ["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd", "/usr/lib/virtiofsd"]

    /// How to get it.
    package static let virtiofsdRemedy =
        "apt-get install virtiofsd; on Debian 12 it is in qemu-system-common, which comes with QEMU."

    /// Whether containers can have their root file systems in OS VMs.
    ///
    /// - Returns: the finding.
    public static func shares() -> Finding {
        shares(programs: virtiofsdPaths.filter { access($0, X_OK) == 0 }, formatter: formatters.contains(where: exists))
    }

    private static let formatters = ["/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4"]

    private static func exists(_ path: String) -> Bool { access(path, X_OK) == 0 }

    static func shares(programs: [String], formatter: Bool) -> Finding {
        let id = FindingID.containersUnusable
        guard let program = programs.first else {
            return Finding(
                id, .warn, "containers cannot run in systems: virtiofsd is missing, which gives them their files",
                remedy: virtiofsdRemedy)
        }
        guard formatter else {
            return Finding(
                id, .warn, "containers cannot run in systems: mkfs.ext4 is missing, which makes their image stores",
                remedy: "apt-get install e2fsprogs")
        }
        return Finding(id, .pass, "containers can run in systems: \(program) gives them their files")
    }
}
