internal import Glibc
internal import Linux

// Devices of the host that hypervisors may use.

extension HypervisorChecks {
    /// Checks whether the kernel can forward packets of hypervisors' network cards.
    ///
    /// - Returns: the finding.
    public static func vhost() -> Finding { vhost(refusal: refusal(of: "/dev/vhost-net")) }

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
    public static func iommu() -> Finding {
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
    public static func bridge() -> Finding {
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
