internal import Glibc

extension HypervisorChecks {
    /// Where distributions install virtiofsd: Debian 12 with QEMU's own programs, later and other ones separately.
    package static let virtiofsdPaths = ["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd", "/usr/lib/virtiofsd"]

    /// How to install it.
    package static let virtiofsdRemedy =
        "apt-get install virtiofsd; on Debian 12 it is in qemu-system-common, which comes with QEMU."

    /// Checks whether containers can have their root file systems in OS VMs.
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
                id, .warn, "containers cannot run in OS VMs: virtiofsd, which provides their files, is missing",
                remedy: virtiofsdRemedy)
        }
        guard formatter else {
            return Finding(
                id, .warn, "containers cannot run in OS VMs: mkfs.ext4, which creates their image stores, is missing",
                remedy: "apt-get install e2fsprogs")
        }
        return Finding(id, .pass, "containers can run in OS VMs: \(program) provides their files")
    }
}
