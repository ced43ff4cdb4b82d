internal import Glibc
internal import Linux

/// Checks that the host has the resources for a second QEMU.
package enum HostChecks {
    /// The space for a journal and a log of QEMU's errors, with a margin.
    private static let leastStateBytes: UInt64 = 16 << 20
    /// The minimum memory of a QEMU in addition to the guest's: code, device state, stacks.
    private static let leastOverhead: UInt64 = 64 << 20

    /// Checks whether KVM can run guests on this host.
    ///
    /// /dev/kvm may open on a host whose CPU shows neither `vmx` nor `svm`: then guests hang in early boot.
    ///
    /// - Parameter isNeeded: whether the guest runs on KVM; otherwise the check passes without KVM.
    /// - Returns: the finding.
    package static func kvm(isNeeded: Bool) -> Finding {
        let information = (try? Files.readAll("/proc/cpuinfo")).map { String(decoding: $0, as: UTF8.self) } ?? ""
        var refusal: String?
        do throws(SystemError) {
            _ = try Descriptor.open("/dev/kvm", flags: O_RDWR)
        } catch {
            refusal = "\(error)"
        }
        return kvm(isNeeded: isNeeded, cpuInformation: information, refusal: refusal)
    }

    static func kvm(isNeeded: Bool, cpuInformation: String, refusal: String?) -> Finding {
        let id = FindingID.kvmUnusable
        let flags = cpuInformation.split(whereSeparator: \.isNewline).first { $0.hasPrefix("flags") } ?? ""
        let hasFlag = flags.split(separator: " ").contains { $0 == "vmx" || $0 == "svm" }
        var lacks: [String] = []
        if let refusal { lacks.append(refusal) }
        if !hasFlag { lacks.append("/proc/cpuinfo shows neither vmx nor svm") }
        if lacks.isEmpty { return Finding(id, .pass, "KVM is usable") }
        guard isNeeded else {
            return Finding(id, .pass, "KVM is not usable here, and not needed", evidence: lacks)
        }
        return Finding(
            id, .fail, "the guest runs on KVM, which a new QEMU cannot use", evidence: lacks,
            remedy: "Load kvm_intel or kvm_amd (nested=1 in a VM), and let the guest's user open /dev/kvm (group kvm).")
    }

    /// Checks that there is memory for a second QEMU; the guest's own memory is shared.
    ///
    /// - Parameter overhead: the memory of the running QEMU in addition to the guest's, in bytes.
    /// - Returns: the finding.
    package static func memory(overhead: UInt64) -> Finding {
        let text = (try? Files.readAll("/proc/meminfo")).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return memory(overhead: overhead, memoryInformation: text)
    }

    static func memory(overhead: UInt64, memoryInformation: String) -> Finding {
        let id = FindingID.noRoomMemory
        guard let available = availableMemory(in: memoryInformation) else {
            return Finding(id, .warn, "the kernel does not report how much memory is available")
        }
        let needed = max(overhead, leastOverhead)
        let evidence = [
            "available: \(available >> 20) MiB", "a second QEMU needs about \(needed >> 20) MiB",
        ]
        if available < needed {
            return Finding(
                id, .fail, "there is too little memory for a second QEMU", evidence: evidence,
                remedy: "Free memory on the host, or add swap, for the duration of the refresh.")
        }
        return Finding(id, .pass, "there is memory for a second QEMU", evidence: evidence)
    }

    /// Returns MemAvailable of /proc/meminfo in bytes; nil if it is missing.
    static func availableMemory(in memoryInformation: String) -> UInt64? {
        let line = memoryInformation.split(whereSeparator: \.isNewline).first { $0.hasPrefix("MemAvailable:") }
        return line?.split(separator: " ").dropFirst().first.flatMap { UInt64($0) }.map { $0 << 10 }
    }

    /// Checks that there is disk space for the journal and for QEMU's error log.
    ///
    /// - Parameter stateDirectory: the directory for both; it need not exist yet.
    /// - Returns: the finding.
    package static func disk(stateDirectory: String) -> Finding {
        let id = FindingID.noRoomDisk
        var folder = stateDirectory
        while FileStatus.at(folder) == nil, folder != "/", folder != "." { folder = Paths.parent(of: folder) }
        do throws(SystemError) {
            let free = try Files.freeBytes(folder)
            guard free < leastStateBytes else {
                return Finding(
                    id, .pass, "there is space for the journal", evidence: ["\(folder): \(free >> 20) MiB free"])
            }
            return Finding(
                id, .fail, "there is too little space for the journal and QEMU's error log",
                evidence: ["\(folder): \(free >> 10) KiB free"],
                remedy: "Free space there, or set HYPERFRESH_STATE_DIR to a folder on tmpfs.")
        } catch {
            return Finding(
                id, .warn, "cannot determine the free space in \(folder)", evidence: ["\(error)"],
                remedy: "Create the state folder: mkdir -m 0700 \(stateDirectory)")
        }
    }

    /// The names that hyperfresh creates in a state folder.
    private static let stateNames: Set<String> = ["handoffs", "logs", "stacks", "hypervisors"]

    /// Checks that handoffs can be recorded in the state folder: it is, or can be created, private to the caller.
    ///
    /// - Parameter path: the directory; it need not exist yet.
    /// - Returns: the finding.
    package static func stateFolder(_ path: String) -> Finding {
        let id = FindingID.stateFolderUnusable
        for folder in [path, "\(path)/handoffs"] {
            do throws(SystemError) {
                try Files.verifyParent(of: folder)
                try Files.verifyDirectory(folder)
            } catch {
                // A handoff creates it at its start.
                if error.isGone, folder != path || Files.exists(Paths.parent(of: path)) { continue }
                return Finding(
                    id, .fail, "the state folder is not usable", evidence: ["\(error)"],
                    remedy: error.isGone
                        ? "Create its parent (mkdir -p \(Paths.parent(of: path))), or choose another one with --state-dir."
                        : remedy(for: folder, of: path))
            }
        }
        return Finding(id, .pass, "the state folder is, or will be, private to the caller", evidence: [path])
    }

    /// Returns a remedy that changes only a directory that is certainly ours: it may be /tmp.
    private static func remedy(for folder: String, of path: String) -> String {
        let other = "choose another folder, which need not exist, with --state-dir"
        let names = (try? ProcFS.names(inFolder: folder)).map(Set.init)
        let isOurs = folder != path || names.map { $0.isSubset(of: stateNames) } ?? false
        // A directory that is not readable is not ours to change.
        guard isOurs, let status = try? Files.status(folder, followingLinks: false), status.kind == .directory,
            status.uid == geteuid(), status.mode & 0o1000 == 0
        else { return "Do not change it; \(other)." }
        return "chmod 700 \(folder), or \(other)."
    }
}
