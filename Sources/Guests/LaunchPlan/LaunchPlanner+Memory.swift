internal import QEMUCommandLine

extension LaunchPlanner {
    /// Plans `-object`.
    mutating func object(_ option: CommandLineOption) -> CommandLineOption {
        guard let properties = option.properties, let type = properties["qom-type"] else { return option }
        if type.hasPrefix("memory-backend-") { return memoryBackend(option, properties, type) }
        if type == "vhost-user-backend" || type == "cryptodev-vhost-user" {
            refuseHelper(option, "A vhost-user back end serves only one QEMU.")
        } else if properties["fd"] != nil {
            return takeAlong("fd", of: option)
        }
        return option
    }

    /// Plans the guest's RAM: the new QEMU maps the same file and must not write to it before the switch.
    private mutating func memoryBackend(
        _ option: CommandLineOption,
        _ old: OptionProperties,
        _ type: String
    ) -> CommandLineOption {
        if type != "memory-backend-file" {
            let isShared = old.flag("share") ?? (type == "memory-backend-memfd")
            refuseMemory(
                isShared ? .ramNotNamedFile : .ramNotShared,
                option,
                isShared ? "This memory is shared but has no name in the file system." : "This memory is private."
            )
        } else if old.flag("share") != true {
            refuseMemory(.ramNotShared, option, "This memory is a private copy of its file.")
        }
        var properties = old
        for key in ["prealloc", "discard-data"] where old.flag(key) == true { properties.set(key, flag: false) }
        return properties == old ? option : option.with(properties)
    }

    /// Refuses a command line whose machine has no memory backend.
    mutating func checkMemory(_ options: [CommandLineOption]) {
        let machines = options.filter { $0.name == "machine" || $0.name == "M" }.compactMap(\.properties)
        if machines.contains(where: { $0["memory-backend"] != nil || $0["type"] == "none" }) { return }
        let nodes = options.filter { $0.name == "numa" }.compactMap(\.properties)
        if nodes.contains(where: { $0["memdev"] != nil }) { return }
        let path = options.first { $0.name == "mem-path" }
        refuseMemory(.ramNotShared, path, "The guest's RAM is private to the old QEMU.")
    }

    private mutating func refuseMemory(_ finding: FindingID, _ option: CommandLineOption?, _ message: String) {
        refuse(
            finding,
            option,
            message,
            remedy: "Start the guest with -object memory-backend-file,id=ram0,size=SIZE,mem-path=FILE,share=on and "
                + "-machine memory-backend=ram0, or migrate it once to a QEMU started with these options."
        )
    }
}
