internal import QEMUCommandLine

extension LaunchPlanner {
    /// Plans `-device`, `-fsdev`, `-virtfs` and `-tpmdev`.
    mutating func device(_ option: CommandLineOption) -> CommandLineOption {
        guard let properties = option.properties else { return option }
        switch option.name {
        case "tpmdev":
            if properties["type"] == "emulator" { refuseHelper(option, "swtpm serves only one QEMU.") }
        case "fsdev", "virtfs":
            if properties["fsdriver"] == "proxy" { refuseHelper(option, "virtfs-proxy-helper serves only one QEMU.") }
        default:
            refuseExclusive(option, properties["driver"] ?? "", properties)
            return withIdentity(option, properties)
        }
        return option
    }

    /// Returns the option with the values that the old QEMU generated for the device at its start.
    private func withIdentity(_ option: CommandLineOption, _ old: OptionProperties) -> CommandLineOption {
        var properties = old
        if properties["driver"] == "vmgenid", let id = facts.generationID {
            properties.set("guid", id)
        } else if properties["mac"] == nil, let address = properties["id"].flatMap({ facts.hardwareAddresses[$0] }) {
            properties.set("mac", address)
        }
        return properties == old ? option : option.with(properties)
    }

    /// Refuses devices of the host that two QEMUs cannot both have open.
    private mutating func refuseExclusive(
        _ option: CommandLineOption,
        _ driver: String,
        _ properties: OptionProperties
    ) {
        if driver.hasPrefix("vhost-user-") {
            refuseHelper(option, "A vhost-user back end serves only one QEMU.")
        } else if driver.hasPrefix("vhost-vsock") {
            refuseDevice(option, "The kernel gives a guest-cid to only one process.")
        } else if driver.hasPrefix("vhost-scsi") || driver.hasPrefix("vhost-vdpa") {
            refuseDevice(option, "The kernel's vhost target belongs to only one process.")
        } else if properties["fd"] != nil || properties["vhostfd"] != nil {
            refuseDevice(option, "The device was opened for the old QEMU and belongs to it.")
        }
    }

    /// Plans `-snapshot`, `-drive` and `-blockdev`.
    mutating func storage(_ option: CommandLineOption) -> [CommandLineOption] {
        let properties = option.properties
        if option.name == "snapshot" || properties?.flag("snapshot") == true {
            refuse(
                .snapshotMode,
                option,
                "The guest's writes go to a temporary file that only the old QEMU can see.",
                remedy: "Commit them (commit all, in the human monitor) and restart the guest without snapshot mode."
            )
        }
        let file = properties?["file"] ?? properties?["filename"] ?? ""
        let isWritableFAT = properties?["driver"] == "vvfat" && properties?.flag("rw") == true
        if isWritableFAT || (file.hasPrefix("fat:") && file.contains("rw:")) {
            refuse(
                .migrationBlocked,
                option,
                "QEMU keeps the changes to a writable vvfat directory in its own memory.",
                remedy: "Share the directory read-only, or use another file system."
            )
        }
        return [option]
    }
}
