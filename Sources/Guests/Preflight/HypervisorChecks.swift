internal import Glibc
internal import Linux

/// What the host offers hypervisors: nothing of it is needed, all of it makes them cheaper.
///
/// Each check is a function of what the kernel says in /proc and /sys, so that it can be shown other hosts' words.
public enum HypervisorChecks {
    /// All of them, on this host.
    ///
    /// - Returns: a finding for each; none fails.
    public static func all() -> [Finding] {
        [nesting(), hugePages(), sharedHugePages(), vhost(), iommu(), bridge(), guestMemory(), shares()]
    }

    // MARK: - Nesting

    /// Whether a guest of this host's KVM may use KVM itself.
    ///
    /// - Returns: the finding; it passes only where KVM runs guests at all.
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
                id, .warn, "hypervisors are emulated, slowly: KVM cannot be used", evidence: kvm.evidence,
                remedy: "On a host of your own, turn virtualization on in the firmware and load kvm_intel or kvm_amd. "
                    + "In a VM, ask for nesting.")
        }
        let nests = parameters.first { ["Y", "1"].contains($0.value) }
        if let nests { return Finding(id, .pass, "hypervisors run on KVM: \(nests.module) nests") }
        let module = parameters.first?.module ?? "kvm_intel"
        return Finding(
            id, .warn, "hypervisors are emulated, slowly: KVM does not nest",
            evidence: parameters.map { "/sys/module/\($0.module)/parameters/nested: \($0.value)" },
            remedy: "echo 'options \(module) nested=1' >/etc/modprobe.d/kvm-nested.conf, then load \(module) anew.")
    }

    // MARK: - Huge pages

    /// Whether huge pages are set aside for guests' memory, and free.
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
                id, .warn, "no huge pages are set aside for guests' memory", evidence: evidence,
                remedy: "sysctl vm.nr_hugepages=N (each 2 MiB), better at boot; then `huge-pages: 2M` in the stack "
                    + "file.")
        }
        let folders = mounted(mounts).filter { $0.type == "hugetlbfs" }.map(\.place)
        guard !folders.isEmpty else {
            return Finding(
                id, .warn, "huge pages are free, but no hugetlbfs is mounted", evidence: evidence,
                remedy: "mount -t hugetlbfs none /dev/hugepages")
        }
        let found = evidence.joined(separator: ", ")
        return Finding(id, .pass, "huge pages are set aside for guests' memory (\(found); \(folders[0]))")
    }

    /// Whether memory files in /dev/shm get transparent huge pages.
    ///
    /// - Returns: the finding.
    public static func sharedHugePages() -> Finding {
        let setting = text("/sys/kernel/mm/transparent_hugepage/shmem_enabled") ?? ""
        return sharedHugePages(setting: setting, mounts: text("/proc/mounts") ?? "")
    }

    /// What is said of a setting such as `always within_size advise [never] deny force`, and of what is in /proc/mounts.
    static func sharedHugePages(setting: String, mounts: String) -> Finding {
        let id = FindingID.sharedHugePagesOff
        let chosen = setting.split(separator: "[").dropFirst().first?.split(separator: "]").first.map(String.init)
        let options = mounted(mounts).last { $0.place == "/dev/shm" }?.options ?? []
        let huge = options.first { $0.hasPrefix("huge=") }.map { String($0.dropFirst(5)) }
        // What the setting says otherwise is for memory without a mount. `advise` waits for a process's word, which a file
        // that is reserved before anybody maps it never gets.
        let isOn = chosen == "force" || chosen != "deny" && (huge == "always" || huge == "within_size")
        if isOn { return Finding(id, .pass, "memory files in /dev/shm get transparent huge pages") }
        return Finding(
            id, .warn, "memory files in /dev/shm get no transparent huge pages",
            evidence: ["/dev/shm: huge=\(huge ?? "never")", "shmem_enabled: \(chosen ?? "unknown")"],
            remedy: (chosen == "deny" ? "echo never >/sys/kernel/mm/transparent_hugepage/shmem_enabled; " : "")
                + "mount -o remount,huge=always /dev/shm; then `huge-pages: transparent` in the stack file.")
    }

    // MARK: - Guest memory

    /// Whether there is room for guests' memory files in /dev/shm.
    ///
    /// - Returns: the finding.
    public static func guestMemory() -> Finding {
        guestMemory(free: try? Files.freeBytes("/dev/shm"), memoryInformation: text("/proc/meminfo") ?? "")
    }

    static func guestMemory(free: UInt64?, memoryInformation: String) -> Finding {
        let id = FindingID.noRoomGuestMemory
        guard let free else {
            return Finding(
                id, .warn, "it is not known how much room is in /dev/shm",
                remedy: "Mount a tmpfs there, or name another folder with `memory-directory`.")
        }
        let available = HostChecks.availableMemory(in: memoryInformation)
        // A tmpfs may be larger than what memory is left.
        let room = min(free, available ?? free)
        let evidence = ["/dev/shm: \(free >> 20) MiB free"] + (available.map { ["available: \($0 >> 20) MiB"] } ?? [])
        guard room >= leastRoom else {
            return Finding(
                id, .warn, "there is little room for guests' memory: \(room >> 20) MiB", evidence: evidence,
                remedy: "Free memory, make it larger (mount -o remount,size=75% /dev/shm), or name another folder with "
                    + "`memory-directory`.")
        }
        return Finding(
            id, .pass, "there is room for \(room >> 20) MiB of guests' memory in /dev/shm", evidence: evidence)
    }

    /// A hypervisor and two small guests.
    private static let leastRoom: UInt64 = 2 << 30

    // MARK: - What the kernel says

    /// A small file of the kernel's without its last newline; nil when it cannot be read.
    static func text(_ path: String) -> String? {
        guard let bytes = try? Files.readAll(path) else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        return text.last == "\n" ? String(text.dropLast()) : text
    }

    /// The lines of /proc/mounts.
    private static func mounted(_ mounts: String) -> [(place: String, type: String, options: [Substring])] {
        mounts.split(separator: "\n").compactMap { line in
            let columns = line.split(separator: " ")
            guard columns.count >= 4 else { return nil }
            return (String(columns[1]), String(columns[2]), columns[3].split(separator: ","))
        }
    }
}
