import Testing

@testable import Guests

@Suite("Preflight: device states of two versions (vmstate-incompatible)")
struct VMStateTests {
    /// The device types of a q35 guest with virtio disk, NIC, RNG and ports, a VGA, a serial port and a USB tablet.
    private static let guest: Set<String> = [
        "pc-q35-7.2-machine", "q35-pcihost", "mch", "ICH9-LPC", "ICH9-SMB", "ich9-ahci", "hpet", "ioapic", "isa-i8259",
        "isa-pit", "mc146818rtc", "i8042", "ps2-kbd", "ps2-mouse", "vmmouse", "port92", "isa-pcspk", "fw_cfg_io",
        "i8257",
        "kvmvapic", "pcie-root-port", "VGA", "virtio-net-pci", "virtio-net-device", "virtio-blk-pci",
        "virtio-blk-device",
        "virtio-rng-pci", "virtio-rng-device", "virtio-serial-pci", "virtio-serial-device", "isa-serial", "qemu-xhci",
        "usb-tablet", "qemu64-x86_64-cpu", "apic", "container", "memory-region",
    ]

    private func state(_ version: String) throws -> VMState {
        try #require(VMState(parsing: try Fixture.text("Preflight/vmstate-\(version).json")))
    }

    private func finding(_ comparison: VMStateComparison) -> Finding {
        TargetChecks.vmstate(comparison, old: Sample.version(7, 2), new: Sample.version(10, 0))
    }

    @Test("7.2 and 10.0 take each other's guests", arguments: [("7.2", "10.0"), ("10.0", "7.2")])
    func crossing(old: String, new: String) throws {
        let comparison = VMStateComparison(old: try state(old), new: try state(new), types: Self.guest)
        #expect(comparison.breaks == [])
        #expect(comparison.count > 20)
        #expect(comparison.doubts.allSatisfy { $0.contains("i8259/ltim") }, "\(comparison.doubts)")
        #expect(finding(comparison).severity < .fail)
    }

    @Test("The same state passes")
    func same() throws {
        let comparison = VMStateComparison(old: try state("7.2"), new: try state("7.2"), types: Self.guest)
        #expect(finding(comparison).severity == .pass)
    }

    @Test("A type with another name is found by the name of its state")
    func renamed() throws {
        let comparison = VMStateComparison(
            old: try state("7.2"), new: try state("10.0"), types: ["acpi-ged-x86", "serial-mm", "pci-piix3"])
        #expect(comparison.breaks == [] && comparison.doubts == [])
        #expect(comparison.count == 3)
    }

    @Test("Versions that the new QEMU does not read, and names that it does not know")
    func broken() throws {
        let old = try state("7.2")
        func compare(_ change: (inout VMState.Section) -> Void) throws -> VMStateComparison {
            var new = old
            var hpet = try #require(new.devices["hpet"])
            change(&hpet)
            new.devices["hpet"] = hpet
            return VMStateComparison(old: old, new: new, types: Self.guest)
        }
        #expect(try compare { $0.versionID = 1 }.breaks.count == 1)
        #expect(try compare { ($0.versionID, $0.minimumVersionID) = (9, 3) }.breaks.count == 1)
        #expect(try compare { $0.name = "other" }.breaks.count == 1)
        #expect(try compare { $0.subsections = [] }.doubts.count == 2)
        #expect(try compare { $0.fields.removeLast() }.doubts.count == 1)
        #expect(finding(try compare { $0.versionID = 1 }).severity == .fail)
        #expect(finding(try compare { $0.subsections = [] }).severity == .warn)
        // A device that the guest does not have is irrelevant.
        var new = old
        new.devices["e1000"]?.versionID = 0
        #expect(VMStateComparison(old: old, new: new, types: Self.guest).breaks == [])
    }

    @Test("What is no dump")
    func nonsense() {
        #expect(VMState(parsing: "") == nil)
        #expect(VMState(parsing: "{}") == nil)
        #expect(VMState(parsing: "[1]") == nil)
        #expect(TargetChecks.vmstateUnknown("why").severity == .warn)
        #expect(TargetChecks.lacking(["x"], version: Sample.version(1, 0)).severity == .fail)
    }
}
