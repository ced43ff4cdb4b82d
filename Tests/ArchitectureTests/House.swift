/// The modules and what each may import, from the bottom up: a module uses none that is further down in this list.
enum House {
    struct Room {
        let name: String
        /// The modules and C libraries that it may import.
        var uses: [String] = []
        /// The modules of other packages that it may import.
        var packages: [String] = []
        /// Whether it is pure: it may not even read the time.
        var isPure = false
    }

    static let rooms: [Room] = [
        Room(name: "CJSONC", isPure: true),
        Room(name: "CGLib", isPure: true),
        Room(name: "CYAML", isPure: true),
        Room(name: "CLinux", isPure: true),

        Room(name: "JSON", uses: ["CJSONC"]),
        Room(name: "Linux", uses: ["CLinux"], packages: ["Logging", "SystemPackage"]),
        Room(name: "Systemd", uses: ["CGLib"]),

        Room(name: "QMP", uses: ["JSON", "Linux"], packages: ["Logging"]),
        Room(name: "QMPTesting", uses: ["QMP", "JSON", "Linux"]),
        Room(name: "CanaryTesting", uses: ["JSON", "Linux"]),
        Room(name: "Handoff", isPure: true),
        Room(name: "Journal", uses: ["Handoff", "JSON", "Linux"]),
        Room(name: "QEMUCommandLine", uses: ["JSON"]),
        Room(
            name: "Guests", uses: ["QEMUCommandLine", "QMP", "JSON", "Linux"],
            packages: ["Logging", "Subprocess", "SystemPackage"]
        ),
        Room(name: "StackFile", uses: ["CYAML", "Linux"]),
        Room(
            name: "VirtualMachines", uses: ["StackFile", "QEMUCommandLine", "QMP", "JSON", "Linux"],
            packages: ["Logging"]
        ),
        Room(name: "Containers", uses: ["VirtualMachines", "StackFile", "JSON"]),

        Room(
            name: "HyperFresh",
            uses: [
                "Guests", "VirtualMachines", "StackFile", "Containers", "Journal", "Handoff", "QMP", "JSON", "Linux",
                "Systemd",
            ],
            packages: ["Logging"]
        ),
        Room(
            name: "HyperFreshCommands", uses: ["HyperFresh", "Guests", "QMP", "JSON"],
            packages: ["ArgumentParser", "Logging"]
        ),
        Room(name: "hyperfresh", uses: ["HyperFreshCommands"]),
    ]

    /// Modules that come with the compiler.
    ///
    /// Foundation and Dispatch are not included: loading them costs each start of the command line tool more than
    /// everything else.
    static let toolchain: Set<String> = ["Glibc", "Synchronization"]

    /// Products of packages whose modules have other names, or that contain several modules.
    static let products = ["Subprocess": ["Subprocess", "SystemPackage"]]
}
