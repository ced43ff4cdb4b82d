/// The settings of systemd.resource-control(5) to copy when a process moves to another unit.
enum ResourceControl {
    /// Setting names with their D-Bus types.
    private static let settings = [
        "CPUWeight": "t", "StartupCPUWeight": "t", "CPUQuotaPerSecUSec": "t", "CPUQuotaPeriodUSec": "t",
        "AllowedCPUs": "ay", "AllowedMemoryNodes": "ay",
        "MemoryMin": "t", "MemoryLow": "t", "MemoryHigh": "t", "MemoryMax": "t", "MemorySwapMax": "t",
        "TasksMax": "t",
        "IOWeight": "t", "IODeviceWeight": "a(st)", "IOReadBandwidthMax": "a(st)", "IOWriteBandwidthMax": "a(st)",
        "IOReadIOPSMax": "a(st)", "IOWriteIOPSMax": "a(st)",
        "DevicePolicy": "s", "DeviceAllow": "a(ss)",
    ]

    /// Returns the settings that differ from systemd's defaults.
    ///
    /// The default of TasksMax depends on the host, so it is always included.
    static func worthCopying(_ properties: [String: Variant]) -> [(String, Variant)] {
        settings.keys.sorted().compactMap { name in
            guard let value = properties[name], value.type == settings[name] else { return nil }
            let isStandard =
                switch value.type {
                case "t": name != "TasksMax" && (value.number == .max || value.number == 0)
                case "s": value.text == "auto"
                default: value.children.isEmpty
                }
            return isStandard ? nil : (name, value)
        }
    }
}
