internal import QEMUCommandLine

/// An object of the command line that was removed while the guest ran.
///
/// QEMU has a separate namespace of ids for each kind: a netdev and a device may both be `net0`.
package struct RemovedObject: Sendable, Hashable {
    /// The kind of object, named after the option that creates it.
    package enum Kind: String, Sendable, Hashable {
        /// A `-device`.
        case device
        /// A `-netdev`, `-nic` or `-net` back end.
        case netdev
        /// A `-drive`; its id is `virtio0`, … if the command line gives none.
        case drive
        /// A `-blockdev`, by its node name.
        case blockdev
        /// A `-chardev`.
        case chardev
        /// An `-object`.
        case object
    }

    /// The kind of object.
    package var kind: Kind
    /// Its id.
    package var id: String

    /// Creates a reference to an object; does not check that an option created it.
    package init(_ kind: Kind, id: String) {
        self.kind = kind
        self.id = id
    }
}

extension RemovedObject {
    /// Returns the options without those of removed objects.
    static func filter(_ options: [CommandLineOption], removing removed: Set<RemovedObject>) -> [CommandLineOption] {
        var virtioDrives = 0
        return options.filter { option in
            let object = object(of: option, virtioDrives: &virtioDrives)
            return object.map { !removed.contains($0) } ?? true
        }
    }

    /// Returns the object that an option creates; nil if it has no id.
    private static func object(of option: CommandLineOption, virtioDrives: inout Int) -> RemovedObject? {
        guard let properties = option.properties else { return nil }
        let kind: Kind
        switch option.name {
        case "drive": return drive(properties, virtioDrives: &virtioDrives)
        case "blockdev": return properties["node-name"].map { RemovedObject(.blockdev, id: $0) }
        case "device": kind = .device
        case "netdev", "nic", "net": kind = .netdev
        case "chardev": kind = .chardev
        case "object": kind = .object
        default: return nil
        }
        return properties["id"].map { RemovedObject(kind, id: $0) }
    }

    /// Returns the drive of an option; `drive_new()` names a drive without an id after its interface and index.
    private static func drive(_ properties: OptionProperties, virtioDrives: inout Int) -> RemovedObject? {
        guard properties["if"] == "virtio" else {
            return properties["id"].map { RemovedObject(.drive, id: $0) }
        }
        let index = properties["index"].flatMap { Int($0) } ?? virtioDrives
        virtioDrives = max(virtioDrives, index) + 1
        return RemovedObject(.drive, id: properties["id"] ?? "virtio\(index)")
    }
}
