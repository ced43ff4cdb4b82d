internal import Glibc
internal import Linux

/// Checks for facilities of the host that hypervisors do not need, but that make them cheaper.
///
/// Each check is a function of text from /proc and /sys, so that tests can pass in the text of other hosts.
public enum HypervisorChecks {
    /// Runs all checks on this host.
    ///
    /// - Returns: a finding for each check; none fails.
    public static func all() -> [Finding] {
        [nesting(), hugePages(), sharedHugePages(), vhost(), iommu(), bridge(), guestMemory(), shares()]
    }

    // MARK: - Nesting

    /// Checks whether a guest of this host's KVM can use KVM itself.
    ///
    /// - Returns: the finding; it passes only if KVM can run guests at all.
    public static func nesting() -> Finding {
        let parameters = ["kvm_intel", "kvm_amd"].compactMap { module in
            text("/sys/module/\(module)/parameters/nested").map { (module: module, value: $0) }
        }
        return nesting(kvm: HostChecks.kvm(isNeeded: true), parameters: parameters)
    }

    static func nesting(kvm: Finding, parameters: [(module: String, value: String)]) -> Finding {
        let id = FindingID.nestingUnusable
        guard kvm.severity == .pass else {
            return Finding(
                id, .warn, "hypervisors are emulated, which is slow: KVM is not usable", evidence: kvm.evidence,
                remedy: "On your own host, enable virtualization in the firmware and load kvm_intel or kvm_amd. "
                    + "In a VM, request nesting.")
        }
        let nests = parameters.first { ["Y", "1"].contains($0.value) }
        if let nests { return Finding(id, .pass, "hypervisors run on KVM: \(nests.module) supports nesting") }
        let module = parameters.first?.module ?? "kvm_intel"
        return Finding(
            id, .warn, "hypervisors are emulated, which is slow: KVM does not support nesting",
            evidence: parameters.map { "/sys/module/\($0.module)/parameters/nested: \($0.value)" },
            remedy: "echo 'options \(module) nested=1' >/etc/modprobe.d/kvm-nested.conf, then reload it: "
                + "modprobe -r \(module); modprobe \(module).")
    }

    // MARK: - Huge pages

    /// Checks that huge pages are reserved for guests' memory, and free.
    ///
    /// - Returns: the finding.
    public static func hugePages() -> Finding {
        let folder = "/sys/kernel/mm/hugepages"
        let names = (try? ProcFS.names(inFolder: folder)) ?? []
        let sizes = names.compactMap { name -> (kibibytes: UInt64, free: UInt64)? in
            guard name.hasPrefix("hugepages-"), name.hasSuffix("kB"),
                let size = UInt64(name.dropFirst("hugepages-".count).dropLast(2)),
                let free = text("\(folder)/\(name)/free_hugepages").flatMap({ UInt64($0) })
            else { return nil }
            return (size, free)
        }
        return hugePages(sizes, mounts: text("/proc/mounts") ?? "")
    }

    static func hugePages(_ sizes: [(kibibytes: UInt64, free: UInt64)], mounts: String) -> Finding {
        let id = FindingID.hugePagesMissing
        let evidence = sizes.sorted { $0.kibibytes < $1.kibibytes }.map {
            "\($0.free) free of \($0.kibibytes >> 10) MiB"
        }
        guard sizes.contains(where: { $0.free > 0 }) else {
            return Finding(
                id, .warn, "no huge pages are reserved for guests' memory", evidence: evidence,
                remedy: "sysctl vm.nr_hugepages=N (2 MiB each), preferably at boot; then set `huge-pages: 2M` in the "
                    + "stack file.")
        }
        let folders = mounted(mounts).filter { $0.type == "hugetlbfs" }.map(\.place)
        guard !folders.isEmpty else {
            return Finding(
                id, .warn, "huge pages are free, but no hugetlbfs is mounted", evidence: evidence,
                remedy: "mount -t hugetlbfs none /dev/hugepages")
        }
        let found = evidence.joined(separator: ", ")
        return Finding(id, .pass, "huge pages are reserved for guests' memory (\(found); \(folders[0]))")
    }

    /// Checks that memory files in /dev/shm get transparent huge pages.
    ///
    /// - Returns: the finding.
    public static func sharedHugePages() -> Finding {
        let setting = text("/sys/kernel/mm/transparent_hugepage/shmem_enabled") ?? ""
        return sharedHugePages(setting: setting, mounts: text("/proc/mounts") ?? "")
    }

    /// Returns the finding for a setting such as `always within_size advise [never] deny force`, and the text of
    /// /proc/mounts.
    static func sharedHugePages(setting: String, mounts: String) -> Finding {
        let id = FindingID.sharedHugePagesOff
        let chosen = setting.split(separator: "[").dropFirst().first?.split(separator: "]").first.map(String.init)
        let options = mounted(mounts).last { $0.place == "/dev/shm" }?.options ?? []
        let huge = options.first { $0.hasPrefix("huge=") }.map { String($0.dropFirst(5)) }
        // Other values of the setting apply to memory without a mount. `advise` requires a process's madvise(2), which
        // a file that is reserved before any process maps it never gets.
        let isOn = chosen == "force" || chosen != "deny" && (huge == "always" || huge == "within_size")
        if isOn { return Finding(id, .pass, "memory files in /dev/shm get transparent huge pages") }
        return Finding(
            id, .warn, "memory files in /dev/shm get no transparent huge pages",
            evidence: ["/dev/shm: huge=\(huge ?? "never")", "shmem_enabled: \(chosen ?? "unknown")"],
            remedy: (chosen == "deny" ? "echo never >/sys/kernel/mm/transparent_hugepage/shmem_enabled; " : "")
                + "mount -o remount,huge=always /dev/shm; then set `huge-pages: transparent` in the stack file.")
    }

    // MARK: - Guest memory

    /// Checks that there is space for guests' memory files in /dev/shm.
    ///
    /// - Returns: the finding.
    public static func guestMemory() -> Finding {
        guestMemory(free: try? Files.freeBytes("/dev/shm"), memoryInformation: text("/proc/meminfo") ?? "")
    }

    static func guestMemory(free: UInt64?, memoryInformation: String) -> Finding {
        let id = FindingID.noRoomGuestMemory
        guard let free else {
            return Finding(
                id, .warn, "cannot determine the free space in /dev/shm",
                remedy: "Mount a tmpfs there, or choose another directory with `memory-directory`.")
        }
        let available = HostChecks.availableMemory(in: memoryInformation)
        // A tmpfs may be larger than the available memory.
        let room = min(free, available ?? free)
        let evidence = ["/dev/shm: \(free >> 20) MiB free"] + (available.map { ["available: \($0 >> 20) MiB"] } ?? [])
        guard room >= leastRoom else {
            return Finding(
                id, .warn, "there is little space for guests' memory: \(room >> 20) MiB", evidence: evidence,
                remedy: "Free memory, enlarge the file system (mount -o remount,size=75% /dev/shm), or choose another "
                    + "directory with `memory-directory`.")
        }
        return Finding(
            id, .pass, "there is space for \(room >> 20) MiB of guests' memory in /dev/shm", evidence: evidence)
    }

    /// The memory of a hypervisor and two small guests.
    private static let leastRoom: UInt64 = 2 << 30

    // MARK: - Kernel files

    /// Returns the text of a small kernel file without its last newline; nil if it is not readable.
    static func text(_ path: String) -> String? {
        guard let bytes = try? Files.readAll(path) else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        return text.last == "\n" ? String(text.dropLast()) : text
    }

    /// Parses the lines of /proc/mounts.
    private static func mounted(_ mounts: String) -> [(place: String, type: String, options: [Substring])] {
        mounts.split(separator: "\n").compactMap { line in
            let columns = line.split(separator: " ")
            guard columns.count >= 4 else { return nil }
            return (String(columns[1]), String(columns[2]), columns[3].split(separator: ","))
        }
    }
}
