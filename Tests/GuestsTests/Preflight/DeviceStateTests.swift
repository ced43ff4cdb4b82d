import Testing

@testable import Guests

@Suite("Preflight: devices whose state is not saved (device-state-not-saved)")
struct DeviceStateTests {
    /// A part of QEMU's type hierarchy.
    private static let parents = [
        "device": "object", "pci-device": "device", "virtio-device": "device", "virtio-pci": "pci-device",
        "virtio-rng-pci": "virtio-pci", "virtio-rng-device": "virtio-device", "virtio-pmem-pci": "virtio-pci",
        "virtio-pmem": "virtio-device", "sdhci-pci": "pci-device", "e1000-base": "pci-device", "e1000": "e1000-base",
        "i82551": "pci-device", "isa-device": "device", "vmport": "isa-device", "cpu": "device",
        "qemu64-x86_64-cpu": "cpu", "pl061": "device", "container": "object", "ide-device": "device",
        "ide-hd": "ide-device",
    ]

    private static func section(_ name: String, _ parts: String...) -> VMState.Section {
        VMState.Section(
            name: name, versionID: 1, minimumVersionID: 1,
            fields: parts.map { part in
                VMState.Field(
                    name: "parent", versionID: 0, isConditional: false, size: 8,
                    parts: VMState.Section(
                        name: part, versionID: 1, minimumVersionID: 1, fields: [], subsections: []))
            }, subsections: [])
    }

    private static let saved = VMState(devices: [
        "virtio-rng-device": section("virtio-rng"), "sdhci-pci": section("sdhci"),
        "e1000-base": section("e1000", "PCIDevice"),
    ])

    private func finding(
        _ types: String..., folder: String = "/machine/peripheral", target: String = "x86_64",
        saved: Result<VMState, VMStateDumpFailure> = .success(saved)
    ) -> Finding? {
        let objects = types.enumerated().map { QOMTree.Object(path: "\(folder)/d\($0.offset)", type: $0.element) }
        return DeviceStateChecks(parents: Self.parents, saved: saved, objects: objects, target: target).findings.first
    }

    @Test("What is saved, by the device itself, by its base type, or elsewhere")
    func saved() {
        #expect(
            finding(
                "virtio-rng-pci", "virtio-rng-device", "e1000", "i82551", "vmport", "qemu64-x86_64-cpu", "container",
                "ide-hd")?.severity == .pass)
    }

    @Test("What is lost")
    func lost() throws {
        let pmem = try #require(finding("virtio-pmem-pci", "virtio-pmem"))
        #expect(pmem.severity == .fail && pmem.evidence == ["/machine/peripheral/d1, virtio-pmem"])
        let card = try #require(finding("sdhci-pci"))
        #expect(card.severity == .fail && card.evidence.first?.hasSuffix("not its PCI configuration") == true)
    }

    @Test("Boards that were not looked at")
    func boards() {
        #expect(finding("pl061", folder: "/machine/unattached", target: "aarch64")?.severity == .warn)
        #expect(finding("pl061", folder: "/machine/unattached")?.severity == .fail)
        #expect(finding("pl061", target: "aarch64")?.severity == .fail)
    }

    @Test("A binary that cannot be asked")
    func unknown() {
        let failure = VMStateDumpFailure(reason: "it ended")
        #expect(finding("virtio-pmem", saved: .failure(failure))?.severity == .fail)
        #expect(finding("e1000", saved: .failure(failure))?.severity == .warn)
    }

    @Test("Paths of the object tree")
    func paths() {
        let tree =
            "/machine (pc-q35-7.2-machine)\r\n  /peripheral (container)\r\n    /x (e1000)\r\n      /m[0] (memory-region)\r\n"
            + "  /unattached (container)\r\n    /device[1] (vmport)\r\n"
        #expect(
            QOMTree.objects(tree).map(\.path) == [
                "/machine", "/machine/peripheral", "/machine/peripheral/x", "/machine/peripheral/x/m[0]",
                "/machine/unattached", "/machine/unattached/device[1]",
            ])
    }
}
