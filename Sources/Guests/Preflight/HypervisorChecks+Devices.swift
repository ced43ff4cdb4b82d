internal import Glibc
internal import Linux

// Devices of the host that hypervisors may use.

extension HypervisorChecks {
    /// Whether the kernel can move packets of hypervisors' cards.
    ///
    /// - Returns: the finding.
    public static func vhost() -> Finding { vhost(refusal: refusal(of: "/dev/vhost-net")) }

    static func vhost(refusal: String?) -> Finding {
        let id = FindingID.vhostUnusable
        guard let refusal else { return Finding(id, .pass, "vhost-net can be used") }
        return Finding(
            id, .warn, "vhost-net cannot be used: QEMU moves the packets of hypervisors' cards", evidence: [refusal],
            remedy: "modprobe vhost_net, and open /dev/vhost-net to the user; then `vhost: true` at a network.")
    }

    /// Whether functions of PCI devices can be passed to hypervisors.
    ///
    /// - Returns: the finding.
    public static func iommu() -> Finding {
        iommu(
            groups: ((try? ProcFS.names(inFolder: "/sys/kernel/iommu_groups")) ?? []).count,
            // No driver, no devices.
            bound: ((try? ProcFS.names(inFolder: "/sys/bus/pci/drivers/vfio-pci")) ?? []).filter { $0.contains(":") },
            hasDriver: Files.exists("/sys/bus/pci/drivers/vfio-pci"))
    }

    /// What is said of a number of IOMMU groups and the functions that vfio-pci drives.
    static func iommu(groups: Int, bound: [String], hasDriver: Bool) -> Finding {
        let id = FindingID.iommuUnusable
        guard groups > 0 else {
            return Finding(
                id, .warn, "no device can be passed to a hypervisor: there is no IOMMU",
                evidence: ["/sys/kernel/iommu_groups is empty"],
                remedy: "Turn it on in the firmware (VT-d, AMD-Vi); on Intel boot with intel_iommu=on.")
        }
        let evidence = ["\(groups) IOMMU groups"]
        guard hasDriver, !bound.isEmpty else {
            return Finding(
                id, .warn, "no device is set aside for hypervisors", evidence: evidence,
                remedy: "modprobe vfio-pci, and bind a function to it (docs/tutorial-hypervisor.md); then `functions`.")
        }
        return Finding(
            id, .pass, "functions for hypervisors: \(bound.sorted().joined(separator: " "))", evidence: evidence)
    }

    /// Whether hypervisors can be put on bridges of this host.
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

    /// What is said of the device of taps, of ip(8), of what is in /proc/self/status, and of bridges by name.
    static func bridge(tunRefusal: String?, hasTool: Bool, status: String, bridges: [String]) -> Finding {
        let id = FindingID.bridgeUnusable
        var lacks: [String] = []
        if let tunRefusal { lacks.append(tunRefusal) }
        if !hasTool { lacks.append("ip(8) is not installed") }
        if !mayAdministerNetworks(status) { lacks.append("this process lacks CAP_NET_ADMIN") }
        guard lacks.isEmpty else {
            return Finding(
                id, .warn, "hypervisors cannot be put on a bridge", evidence: lacks,
                remedy: "Run as root, modprobe tun, apt-get install iproute2; or give networks a `segment`, "
                    + "which needs no rights.")
        }
        let names = bridges.sorted().joined(separator: " ")
        return Finding(
            id, .pass, "hypervisors can be put on bridges" + (names.isEmpty ? "; there is none yet" : " (\(names))"))
    }

    /// CAP_NET_ADMIN is bit 12 of the effective capabilities (linux/capability.h).
    private static func mayAdministerNetworks(_ status: String) -> Bool {
        let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        let digits = line?.dropFirst("CapEff:".count).drop { $0 == "\t" || $0 == " " }
        return digits.flatMap { UInt64($0, radix: 16) }.map { $0 & 1 << 12 != 0 } ?? false
    }

    /// Why a device does not open; nil when it does.
    private static func refusal(of path: String) -> String? {
        do throws(SystemError) {
            _ = try Descriptor.open(path, flags: O_RDWR)
            return nil
        } catch {
            return "\(error)"
        }
    }
}
