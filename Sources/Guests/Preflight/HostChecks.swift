internal import Glibc
internal import Linux

/// Whether the host has what a second QEMU takes.
public enum HostChecks {
    /// A journal and a log of QEMU's errors, with room to spare.
    private static let leastStateBytes: UInt64 = 16 << 20
    /// What a QEMU takes beside the guest's memory, at least: code, device state, stacks.
    private static let leastOverhead: UInt64 = 64 << 20

    /// Whether KVM runs stock guests here.
    ///
    /// The device may open on a host whose CPU shows neither `vmx` nor `svm`: then guests hang in early boot.
    ///
    /// - Parameter isNeeded: whether the guest runs on KVM; otherwise a lack is worth a warning only.
    /// - Returns: the finding.
    public static func kvm(isNeeded: Bool) -> Finding {
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
        if lacks.isEmpty { return Finding(id, .pass, "KVM can be used") }
        guard isNeeded else {
            return Finding(id, .pass, "KVM cannot be used here, and is not needed", evidence: lacks)
        }
        return Finding(
            id, .fail, "the guest runs on KVM, which a new QEMU cannot use", evidence: lacks,
            remedy: "Load kvm_intel or kvm_amd (nested=1 in a VM), and let the guest's user open /dev/kvm (group kvm).")
    }

    /// Whether there is memory for a second QEMU; the guest's own is shared.
    ///
    /// - Parameter overhead: what the running QEMU takes beside the guest's memory, in bytes.
    /// - Returns: the finding.
    public static func memory(overhead: UInt64) -> Finding {
        let text = (try? Files.readAll("/proc/meminfo")).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return memory(overhead: overhead, memoryInformation: text)
    }

    static func memory(overhead: UInt64, memoryInformation: String) -> Finding {
        let id = FindingID.noRoomMemory
        guard let available = availableMemory(in: memoryInformation) else {
            return Finding(id, .warn, "the kernel does not say how much memory is available")
        }
        let needed = max(overhead, leastOverhead)
        let evidence = [
            "available: \(available >> 20) MiB", "a second QEMU beside the first: about \(needed >> 20) MiB",
        ]
        if available < needed {
            return Finding(
                id, .fail, "there is too little memory for a second QEMU", evidence: evidence,
                remedy: "Free memory on the host, or add swap, for the seconds that the refresh takes.")
        }
        return Finding(id, .pass, "there is memory for a second QEMU", evidence: evidence)
    }

    /// MemAvailable of /proc/meminfo in bytes.
    static func availableMemory(in memoryInformation: String) -> UInt64? {
        let line = memoryInformation.split(whereSeparator: \.isNewline).first { $0.hasPrefix("MemAvailable:") }
        return line?.split(separator: " ").dropFirst().first.flatMap { UInt64($0) }.map { $0 << 10 }
    }

    /// Whether there is room for the journal and for QEMU's error log.
    ///
    /// - Parameter stateDirectory: where they go; it need not exist yet.
    /// - Returns: the finding.
    public static func disk(stateDirectory: String) -> Finding {
        let id = FindingID.noRoomDisk
        var folder = stateDirectory
        while FileFacts.at(folder) == nil, let slash = folder.lastIndex(of: "/"), folder != "/" {
            folder = slash == folder.startIndex ? "/" : String(folder[..<slash])
        }
        do throws(SystemError) {
            let free = try Files.freeBytes(folder)
            guard free < leastStateBytes else {
                return Finding(
                    id, .pass, "there is room for the journal", evidence: ["\(folder): \(free >> 20) MiB free"])
            }
            return Finding(
                id, .fail, "there is too little room for the journal and QEMU's error log",
                evidence: ["\(folder): \(free >> 10) KiB free"],
                remedy: "Make room there, or set HYPERFRESH_STATE_DIR to a folder on tmpfs.")
        } catch {
            return Finding(
                id, .warn, "it is not known how much room is in \(folder)", evidence: ["\(error)"],
                remedy: "Make the state folder: mkdir -m 0700 \(stateDirectory)")
        }
    }

    /// What we make in a state folder.
    private static let stateNames: Set<String> = ["handoffs", "logs", "stacks", "hypervisors"]

    /// Whether handoffs can be recorded in the state folder: it is, or can be, the caller's alone.
    ///
    /// - Parameter path: the folder; it need not exist yet.
    /// - Returns: the finding.
    public static func stateFolder(_ path: String) -> Finding {
        let id = FindingID.stateFolderUnusable
        for folder in [path, "\(path)/handoffs"] {
            do throws(SystemError) {
                try Files.verifyParent(of: folder)
                try Files.verifyDirectory(folder)
            } catch {
                // It is made when a handoff begins.
                if error.isGone, folder != path || Files.exists(parent(of: path)) { continue }
                return Finding(
                    id, .fail, "the state folder cannot be used", evidence: ["\(error)"],
                    remedy: error.isGone
                        ? "Make the folder above it (mkdir -p \(parent(of: path))), or name another with --state-dir."
                        : remedy(for: folder, of: path))
            }
        }
        return Finding(id, .pass, "the state folder is, or will be, the caller's alone", evidence: [path])
    }

    /// A folder that is not provably ours is nobody's to change: it may be /tmp.
    private static func remedy(for folder: String, of path: String) -> String {
        let other = "name another folder, which need not exist, with --state-dir"
        let names = (try? ProcFS.names(inFolder: folder)).map(Set.init)
        let isOurs = folder != path || names.map { $0.isSubset(of: stateNames) } ?? false
        // What cannot be looked at is not ours to change.
        guard isOurs, let status = try? Files.status(folder, followingLinks: false), status.kind == .directory,
            status.uid == geteuid(), status.mode & 0o1000 == 0
        else { return "Leave it as it is, and \(other)." }
        return "chmod 700 \(folder), or \(other)."
    }

    private static func parent(of path: String) -> String {
        let trimmed = path.last == "/" ? path.dropLast() : path[...]
        guard let slash = trimmed.lastIndex(of: "/"), slash > trimmed.startIndex else { return "/" }
        return String(trimmed[..<slash])
    }
}
