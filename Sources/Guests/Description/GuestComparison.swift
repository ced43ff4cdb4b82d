internal import Linux
internal import QMP

/// Checks that a waiting QEMU has the guest's devices at the guest's addresses.
///
/// Compares what the guest sees. QEMU compares device states itself while it loads them, but only once the guest is
/// stopped; and it does not notice a device for which the old side sent no state.
package enum GuestComparison {
    /// Returns the differences, one per line; empty if the guest would find every device where it was.
    ///
    /// - Parameters:
    ///   - old: the QEMU that runs the guest.
    ///   - new: the QEMU that waits for it.
    /// - Returns: the differences.
    package static func differences(old: GuestDescription, new: GuestDescription) -> [String] {
        var lines: [String] = []
        if old.machineType != new.machineType {
            lines.append("machine type: \(old.machineType), new: \(new.machineType)")
        }
        if old.uuid != new.uuid { lines.append("uuid: \(old.uuid ?? "none"), new: \(new.uuid ?? "none")") }
        if old.isKVM != new.isKVM {
            lines.append("accelerator: \(old.isKVM ? "kvm" : "tcg"), new: \(new.isKVM ? "kvm" : "tcg")")
        }
        lines += compare("device", old.peripherals.map(\.line), new.peripherals.map(\.line))
        lines += compare("PCI function", places(old.pci), places(new.pci))
        lines += compare("vCPU", old.occupiedSlots, new.occupiedSlots)
        lines += compare("memory device", old.memoryDevices.map(\.line), new.memoryDevices.map(\.line))
        lines += compare("disk", old.drives.compactMap(\.line), new.drives.compactMap(\.line))
        return lines
    }

    private static func compare(_ what: String, _ old: [String], _ new: [String]) -> [String] {
        let missing = subtract(new, from: old)
        let added = subtract(old, from: new)
        return missing.map { "\(what) only in the old QEMU: \($0)" }
            + added.map { "\(what) only in the new QEMU: \($0)" }
    }

    /// Returns the list without the others, each removed once.
    private static func subtract(_ others: [String], from list: [String]) -> [String] {
        var rest = list
        for line in others {
            if let index = rest.firstIndex(of: line) { rest.remove(at: index) }
        }
        return rest.sorted()
    }

    /// Returns the functions on the root bus.
    ///
    /// `query-pci` lists functions behind bridges only after the guest's firmware has numbered the buses, which has not
    /// happened in a waiting QEMU. Devices from the command line are compared by bus and address instead.
    private static func places(_ devices: [PCIDevice]) -> [String] {
        devices.filter { $0.bus == 0 }.map { device in
            let vendor = "\(device.vendorID.hexadecimal(digits: 4)):\(device.deviceID.hexadecimal(digits: 4))"
            let id = device.qdevID.isEmpty ? "" : " \(device.qdevID)"
            return "\(device.slot.hexadecimal(digits: 2)).\(device.function) \(vendor)\(id)"
        }
    }
}

extension GuestDescription.Peripheral {
    fileprivate var line: String {
        let place = bus.flatMap { $0.isEmpty ? nil : " on \($0)" } ?? ""
        let slot = address.map { " at " + String($0 >> 3, radix: 16) + ".\($0 & 7)" } ?? ""
        let hardware = hardwareAddress.map { ", \($0)" } ?? ""
        return "\(id ?? "without id") (\(type))\(place)\(slot)\(hardware)"
    }
}

extension GuestDescription {
    fileprivate var occupiedSlots: [String] {
        cpuSlots.filter { $0.qomPath != nil }.map { slot in
            slot.properties.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
        }
    }
}

extension QueryMemoryDevices.Device {
    fileprivate var line: String {
        let place = "\(id ?? "without id") (\(type)) at \(address.map { "0x" + String($0, radix: 16) } ?? "no address")"
        // The plugged size is part of its device state.
        return type == "virtio-mem" ? place : "\(place), \(size) bytes"
    }
}

extension QueryBlock.Drive {
    /// Nil for an empty drive, and for one without a name to compare.
    fileprivate var line: String? {
        guard let inserted else { return nil }
        // QEMU numbers devices without a parent in creation order, which differs between versions.
        let path = qdev.flatMap { $0.hasPrefix("/machine/unattached/") ? nil : $0 }
        let name = device.isEmpty ? path ?? "" : device
        guard !name.isEmpty else { return nil }
        return "\(name): \(inserted.virtualSize) bytes\(inserted.isReadOnly ? ", read-only" : "")"
    }
}
