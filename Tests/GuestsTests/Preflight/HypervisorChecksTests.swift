import Testing

@testable import Guests

@Suite("Doctor: what a host offers hypervisors")
struct HypervisorChecksTests {
    private static let kvm = Finding(.kvmUnusable, .pass, "KVM is usable")
    private static let noKVM = Finding(.kvmUnusable, .fail, "no", evidence: ["open /dev/kvm: Permission denied"])

    @Test("Every check looks at this host, has an id of its own, and none fails")
    func here() {
        let findings = HypervisorChecks.all()
        #expect(Set(findings.map(\.id)).count == findings.count)
        for finding in findings {
            #expect(finding.severity != .fail, "\(finding)")
            #expect(finding.severity == .pass || finding.remedy?.isEmpty == false, "\(finding)")
        }
    }

    @Test("nesting-unusable", arguments: [("kvm_intel", "Y"), ("kvm_intel", "1"), ("kvm_amd", "1")])
    func nests(module: String, value: String) {
        let finding = HypervisorChecks.nesting(kvm: Self.kvm, parameters: [(module, value)])
        #expect(finding.severity == .pass)
        #expect(finding.message.contains(module))
        #expect(HypervisorChecks.nesting(kvm: Self.noKVM, parameters: [(module, value)]).severity == .warn)
    }

    @Test("nesting-unusable without nesting", arguments: [("kvm_intel", "N"), ("kvm_amd", "0"), ("kvm_amd", "")])
    func doesNotNest(module: String, value: String) {
        let finding = HypervisorChecks.nesting(kvm: Self.kvm, parameters: [(module, value)])
        #expect(finding.severity == .warn)
        #expect(finding.remedy?.contains("options \(module) nested=1") == true)
    }

    @Test("nesting-unusable without KVM has KVM's own evidence")
    func noKVM() {
        let finding = HypervisorChecks.nesting(kvm: Self.noKVM, parameters: [])
        #expect(finding.evidence == Self.noKVM.evidence)
        #expect(HypervisorChecks.nesting(kvm: Self.kvm, parameters: []).severity == .warn)
    }

    private static let mounts = """
        proc /proc proc rw,nosuid 0 0
        tmpfs /dev/shm tmpfs rw,nosuid,nodev 0 0
        hugetlbfs /dev/hugepages hugetlbfs rw,relatime,pagesize=2M 0 0
        """

    @Test("huge-pages-missing")
    func hugePages() {
        let free = HypervisorChecks.hugePages([(1 << 20, 0), (2048, 4200)], mounts: Self.mounts)
        #expect(free.severity == .pass)
        #expect(free.message.contains("4200 free of 2 MiB, 0 free of 1024 MiB; /dev/hugepages"))
        #expect(HypervisorChecks.hugePages([(2048, 0)], mounts: Self.mounts).severity == .warn)
        #expect(HypervisorChecks.hugePages([], mounts: Self.mounts).severity == .warn)
        let unmounted = HypervisorChecks.hugePages([(2048, 1)], mounts: "tmpfs /dev/shm tmpfs rw 0 0")
        #expect(unmounted.severity == .warn)
        #expect(unmounted.remedy?.hasPrefix("mount -t hugetlbfs") == true)
    }

    @Test(
        "shmem-huge-pages-off",
        arguments: [
            ("always within_size advise [never] deny force", "rw,huge=always", true),
            ("always within_size advise [never] deny force", "rw,nosuid,huge=within_size,size=1g", true),
            ("always within_size advise [never] deny force", "rw,huge=advise", false),
            ("always within_size advise [never] deny force", "rw", false),
            ("[always] within_size advise never deny force", "rw", false),
            ("always within_size advise never deny [force]", "rw", true),
            ("always within_size advise never [deny] force", "rw,huge=always", false), ("", "rw,huge=always", true),
            ("nonsense", "", false),
        ])
    func sharedHugePages(setting: String, options: String, isOn: Bool) {
        let earlier = "tmpfs /dev/shm tmpfs rw,huge=always 0 0\n"
        let finding = HypervisorChecks.sharedHugePages(
            setting: setting, mounts: earlier + "tmpfs /dev/shm tmpfs \(options) 0 0\n\ntoo short")
        #expect(finding.severity == (isOn ? .pass : .warn), "\(finding)")
    }

    @Test("vhost-unusable")
    func vhost() {
        #expect(HypervisorChecks.vhost(refusal: nil).severity == .pass)
        let finding = HypervisorChecks.vhost(refusal: "open /dev/vhost-net: No such file or directory")
        #expect(finding.severity == .warn)
        #expect(finding.evidence == ["open /dev/vhost-net: No such file or directory"])
    }

    @Test("iommu-unusable")
    func iommu() {
        #expect(HypervisorChecks.iommu(groups: 0, bound: [], hasDriver: true).message.contains("no IOMMU"))
        #expect(HypervisorChecks.iommu(groups: 31, bound: [], hasDriver: true).severity == .warn)
        #expect(HypervisorChecks.iommu(groups: 31, bound: [], hasDriver: false).evidence == ["31 IOMMU groups"])
        let ready = HypervisorChecks.iommu(groups: 31, bound: ["0000:01:10.2", "0000:01:10.0"], hasDriver: true)
        #expect(ready.severity == .pass)
        #expect(ready.message.hasSuffix("0000:01:10.0 0000:01:10.2"))
    }

    @Test("bridge-unusable")
    func bridge() {
        let root = "Name:\tx\nCapInh:\t0000000000000000\nCapEff:\t000001ffffffffff\n"
        let user = "Name:\tx\nCapEff:\t0000000000000000\n"
        let only = "CapEff:\t0000000000001000"
        func finding(_ status: String, tun: String? = nil, tool: Bool = true) -> Finding {
            HypervisorChecks.bridge(tunRefusal: tun, hasTool: tool, status: status, bridges: ["br1", "br0"])
        }
        #expect(finding(root).severity == .pass)
        #expect(finding(root).message.contains("(br0 br1)"))
        #expect(finding(only).severity == .pass)
        #expect(finding(user).evidence == ["this process lacks CAP_NET_ADMIN"])
        #expect(finding("").severity == .warn)
        #expect(finding(user, tun: "open /dev/net/tun: No such device", tool: false).evidence.count == 3)
    }

    @Test("no-room-guest-memory")
    func guestMemory() {
        let plenty = "MemTotal: 24000000 kB\nMemAvailable:   20000000 kB\n"
        let little = "MemAvailable:    1000000 kB\n"
        func finding(_ free: UInt64?, _ memory: String) -> Finding {
            HypervisorChecks.guestMemory(free: free, memoryInformation: memory)
        }
        #expect(finding(12 << 30, plenty).severity == .pass)
        #expect(finding(12 << 30, plenty).message.contains("12288 MiB"))
        #expect(finding(1 << 30, plenty).severity == .warn)
        #expect(finding(12 << 30, little).severity == .warn, "a tmpfs may be larger than what is left")
        #expect(finding(12 << 30, "").severity == .pass)
        #expect(finding(nil, plenty).severity == .warn)
    }

    @Test("containers-unusable")
    func shares() {
        let path = "/usr/lib/qemu/virtiofsd"
        #expect(HypervisorChecks.shares(programs: [path], formatter: true).severity == .pass)
        #expect(HypervisorChecks.shares(programs: [path], formatter: true).message.contains(path))
        #expect(HypervisorChecks.shares(programs: [], formatter: true).remedy?.contains("virtiofsd") == true)
        #expect(HypervisorChecks.shares(programs: [path], formatter: false).remedy?.contains("e2fsprogs") == true)
    }
}
