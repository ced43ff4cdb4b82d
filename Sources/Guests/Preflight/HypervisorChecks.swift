internal import Glibc
internal import Linux

/// Checks for facilities of the host that hypervisors do not need, but that make them cheaper.
///
/// Each check is a function of text from /proc and /sys, so that tests can pass in the text of other hosts.
package enum HypervisorChecks {
    /// Runs all checks on this host.
    ///
    /// - Returns: a finding for each check; none fails.
    package static func all() -> [Finding] {
        [nesting(), hugePages(), sharedHugePages(), vhost(), iommu(), bridge(), guestMemory(), shares()]
    }

    // MARK: - Nesting

    /// Checks whether a guest of this host's KVM can use KVM itself.
    ///
    /// - Returns: the finding; it passes only if KVM can run guests at all.
    package static func nesting() -> Finding {
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
    package static func hugePages() -> Finding {
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
    package static func sharedHugePages() -> Finding {
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
    package static func guestMemory() -> Finding {
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

// MARK: - Devices

// Devices of the host that hypervisors may use.

extension HypervisorChecks {
    /// Checks whether the kernel can forward packets of hypervisors' network cards.
    ///
    /// - Returns: the finding.
    package static func vhost() -> Finding { vhost(refusal: refusal(of: "/dev/vhost-net")) }

    static func vhost(refusal: String?) -> Finding {
        let id = FindingID.vhostUnusable
        guard let refusal else { return Finding(id, .pass, "vhost-net is usable") }
        return Finding(
            id, .warn, "vhost-net is not usable: QEMU forwards the packets of hypervisors' cards", evidence: [refusal],
            remedy: "modprobe vhost_net, give the user access to /dev/vhost-net; then set `vhost: true` in a network.")
    }

    /// Checks whether functions of PCI devices can be passed to hypervisors.
    ///
    /// - Returns: the finding.
    package static func iommu() -> Finding {
        iommu(
            groups: ((try? ProcFS.names(inFolder: "/sys/kernel/iommu_groups")) ?? []).count,
            // Without the driver, there are no devices.
            bound: ((try? ProcFS.names(inFolder: "/sys/bus/pci/drivers/vfio-pci")) ?? []).filter { $0.contains(":") },
            hasDriver: Files.exists("/sys/bus/pci/drivers/vfio-pci"))
    }

    /// Returns the finding for a number of IOMMU groups and the functions bound to vfio-pci.
    static func iommu(groups: Int, bound: [String], hasDriver: Bool) -> Finding {
        let id = FindingID.iommuUnusable
        guard groups > 0 else {
            return Finding(
                id, .warn, "no device can be passed to a hypervisor: there is no IOMMU",
                evidence: ["/sys/kernel/iommu_groups is empty"],
                remedy: "Enable it in the firmware (VT-d, AMD-Vi); on Intel, boot with intel_iommu=on.")
        }
        let evidence = ["\(groups) IOMMU groups"]
        guard hasDriver, !bound.isEmpty else {
            return Finding(
                id, .warn, "no device is reserved for hypervisors", evidence: evidence,
                remedy: "modprobe vfio-pci, and bind a function to it (docs/tutorial-hypervisor.md); then list it in "
                    + "`functions`.")
        }
        return Finding(
            id, .pass, "functions for hypervisors: \(bound.sorted().joined(separator: " "))", evidence: evidence)
    }

    /// Checks whether hypervisors can be connected to bridges of this host.
    ///
    /// - Returns: the finding.
    package static func bridge() -> Finding {
        let folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        let interfaces = (try? ProcFS.names(inFolder: "/sys/class/net")) ?? []
        return bridge(
            tunRefusal: refusal(of: "/dev/net/tun"), hasTool: folders.contains { Files.exists("\($0)/ip") },
            status: text("/proc/self/status") ?? "",
            bridges: interfaces.filter { Files.exists("/sys/class/net/\($0)/bridge") })
    }

    /// Returns the finding for the tap device, for ip(8), for the text of /proc/self/status, and for bridges by name.
    static func bridge(tunRefusal: String?, hasTool: Bool, status: String, bridges: [String]) -> Finding {
        let id = FindingID.bridgeUnusable
        var lacks: [String] = []
        if let tunRefusal { lacks.append(tunRefusal) }
        if !hasTool { lacks.append("ip(8) is not installed") }
        if !mayAdministerNetworks(status) { lacks.append("this process lacks CAP_NET_ADMIN") }
        guard lacks.isEmpty else {
            return Finding(
                id, .warn, "hypervisors cannot be connected to a bridge", evidence: lacks,
                remedy: "Run as root, modprobe tun, apt-get install iproute2; or give networks a `segment`, "
                    + "which needs no privileges.")
        }
        let names = bridges.sorted().joined(separator: " ")
        return Finding(
            id, .pass,
            "hypervisors can be connected to bridges" + (names.isEmpty ? "; there is none yet" : " (\(names))"))
    }

    /// Returns whether the effective capabilities include CAP_NET_ADMIN, which is bit 12 (linux/capability.h).
    private static func mayAdministerNetworks(_ status: String) -> Bool {
        let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        let digits = line?.dropFirst("CapEff:".count).drop { $0 == "\t" || $0 == " " }
        return digits.flatMap { UInt64($0, radix: 16) }.map { $0 & 1 << 12 != 0 } ?? false
    }

    /// Returns why a device does not open; nil if it does.
    private static func refusal(of path: String) -> String? {
        do throws(SystemError) {
            _ = try Descriptor.open(path, flags: O_RDWR)
            return nil
        } catch {
            return "\(error)"
        }
    }
}

// MARK: - Containers

extension HypervisorChecks {
    /// Where distributions install virtiofsd: Debian 12 with QEMU's own programs, later and other ones separately.
    package static let virtiofsdPaths = ["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd", "/usr/lib/virtiofsd"]

    /// How to install it.
    package static let virtiofsdRemedy =
        "apt-get install virtiofsd; on Debian 12 it is in qemu-system-common, which comes with QEMU."

    /// Checks whether containers can have their root file systems in OS VMs.
    ///
    /// - Returns: the finding.
    package static func shares() -> Finding {
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
