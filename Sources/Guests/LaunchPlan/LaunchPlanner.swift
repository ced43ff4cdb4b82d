internal import Linux
internal import QEMUCommandLine

/// Traverses a command line once and collects the plan.
///
/// Each family of options has a file of extensions. Each method takes an option, returns its replacement, and records
/// what the controller must do.
struct LaunchPlanner {
    let facts: LaunchFacts
    let target: QEMUBinary
    let handoffID: String
    /// The directory for the relative paths of the command line.
    let directory: String
    /// The objects of the whole command line to which options refer by id.
    let references: CommandLineReferences

    var descriptors: [PlannedDescriptor] = []
    var endpoints: [Endpoint] = []
    var followUps: [FollowUp] = []
    var problems: [LaunchProblem] = []
    var warnings: [LaunchProblem] = []
    /// The path of the log, from `-D`.
    var logPath: String?
    /// The number of ports of each kind so far: QEMU names their devices by number.
    var portCounts: [String: Int] = [:]
    /// The tap descriptors that an option has already taken.
    var takenTaps: Set<Int32> = []
    /// How many tap queues that neither a name nor a number identifies have been assigned.
    var takenUnnamedQueues = 0
    /// The number of VNC displays so far.
    var vncDisplays = 0

    /// The lowest number of an inherited descriptor, well above the standard streams and those that a libc may open
    /// early.
    static let firstDescriptor: Int32 = 10

    /// Prepares to plan these options, without planning any.
    init(options: [CommandLineOption], facts: LaunchFacts, target: QEMUBinary, handoffID: String) {
        self.facts = facts
        self.target = target
        self.handoffID = handoffID
        directory = LaunchPlanner.launchDirectory(options, facts)
        references = CommandLineReferences(options, knownTaps: facts.tapDescriptors)
    }

    /// Returns the replacement for an option.
    mutating func plan(_ option: CommandLineOption) -> [CommandLineOption] {
        switch OptionTable.canonicalName(option.name) {
        case "S", "incoming", "loadvm", "daemonize", "preconfig", "mem-prealloc":
            return []
        case "machine":
            return [machine(option)]
        case "L":
            return facts.binary.firmwareDirectories.contains(option.value ?? "") ? [] : [option]
        case "object":
            return [object(option)]
        case "snapshot", "drive", "blockdev":
            return storage(option)
        case "mem-path":
            return [option]
        case "chardev":
            return [characterDevice(option)]
        case "serial", "parallel", "debugcon", "monitor", "qmp", "qmp-pretty", "gdb":
            return characterPort(option)
        case "s":
            return characterPort(CommandLineOption("gdb", "tcp::1234"))
        case "netdev", "nic", "net":
            return [network(option)]
        case "device", "fsdev", "virtfs", "tpmdev":
            return [device(option)]
        case "vnc":
            return [vnc(option)]
        case "display":
            return [display(option)]
        case "spice":
            return [spice(option)]
        case "pidfile":
            return [pidFile(option)]
        case "D":
            return logFile(option)
        default:
            return translated(option)
        }
    }

    // MARK: - Notes

    mutating func refuse(_ finding: FindingID, _ option: CommandLineOption?, _ message: String, remedy: String) {
        problems.append(LaunchProblem(finding, option: option?.description, message: message, remedy: remedy))
    }

    mutating func warn(_ finding: FindingID, _ option: CommandLineOption?, _ message: String, remedy: String) {
        warnings.append(LaunchProblem(finding, option: option?.description, message: message, remedy: remedy))
    }

    /// Adds a descriptor to the new process and returns its number there.
    mutating func inherit(_ source: PlannedDescriptor.Source, as role: PlannedDescriptor.Role) -> String {
        let number = LaunchPlanner.firstDescriptor + Int32(descriptors.count)
        descriptors.append(PlannedDescriptor(source: source, number: number, role: role))
        return String(number)
    }

    /// Returns the temporary name of a unix socket, and records its endpoint.
    mutating func temporarySocket(_ path: String, _ kind: Endpoint.Kind, _ option: CommandLineOption) -> String {
        let temporary = LastingPath.temporary(path, handoffID: handoffID)
        if temporary.utf8.count > LastingPath.longestSocketPath {
            refuse(
                .socketPathTooLong,
                option,
                "The socket's path is too long for the \(temporary.utf8.count - LastingPath.lasting(path).utf8.count)"
                    + " more characters of a temporary name: a unix socket's path has at most "
                    + "\(LastingPath.longestSocketPath).",
                remedy: "Start the guest with a shorter path."
            )
        }
        addEndpoint(kind, path)
        return temporary
    }

    mutating func addEndpoint(_ kind: Endpoint.Kind, _ path: String) {
        let lasting = Paths.absolute(LastingPath.lasting(path), in: directory)
        let temporary = LastingPath.temporary(lasting, handoffID: handoffID)
        endpoints.append(Endpoint(kind: kind, lasting: lasting, temporary: temporary))
    }

    // MARK: - Directory

    /// Returns the directory in which the old QEMU was started.
    ///
    /// The working directory of a QEMU that daemonizes or changes its root is `/`; PWD in its environment then gives
    /// the directory.
    private static func launchDirectory(_ options: [CommandLineOption], _ facts: LaunchFacts) -> String {
        let leaves = options.contains { option in
            ["chroot", "daemonize"].contains(option.name)
                || (option.name == "run-with" && option.properties?["chroot"] != nil)
        }
        guard leaves else { return facts.workingDirectory }
        let directory = facts.environment.first { $0.hasPrefix("PWD=/") }?.dropFirst("PWD=".count)
        return directory.map(String.init) ?? facts.workingDirectory
    }
}

// MARK: - Process

extension LaunchPlanner {
    /// Plans `-pidfile`.
    mutating func pidFile(_ option: CommandLineOption) -> CommandLineOption {
        guard let path = option.value else { return option }
        addEndpoint(.pidFile, path)
        return CommandLineOption("pidfile", LastingPath.temporary(path, handoffID: handoffID), form: option.form)
    }

    /// Plans `-D`: QEMU truncates its log when it opens it, so the log goes to standard error instead.
    ///
    /// A name with `%d` contains the process id, so the new QEMU creates a new file in any case.
    mutating func logFile(_ option: CommandLineOption) -> [CommandLineOption] {
        guard let path = option.value, !path.contains("%") else { return [option] }
        logPath = path
        return []
    }

    /// Translates an option that another version of QEMU spells differently, or lacks.
    mutating func translated(_ option: CommandLineOption) -> [CommandLineOption] {
        switch option.name {
        case "runas" where target.version >= .runWithUser:
            return [CommandLineOption("run-with", properties: OptionProperties([("user", option.value ?? "")]))]
        case "chroot" where target.version >= .runWithChroot:
            return [CommandLineOption("run-with", properties: OptionProperties([("chroot", option.value ?? "")]))]
        case "async-teardown" where target.version >= .runWithChroot:
            return [CommandLineOption("run-with", "async-teardown=on")]
        case "run-with":
            return runWith(option)
        case "no-hpet" where target.version >= .machineSwitches:
            return [CommandLineOption("machine", "hpet=off")]
        case "no-acpi" where target.version >= .machineSwitches:
            return [CommandLineOption("machine", "acpi=off")]
        default:
            refuseIfGone(option)
            return [option]
        }
    }

    /// Translates `-run-with` for a QEMU that does not have it, or not all of it.
    private func runWith(_ option: CommandLineOption) -> [CommandLineOption] {
        guard var properties = option.properties else { return [option] }
        var options: [CommandLineOption] = []
        if target.version < .runWithUser, let user = properties["user"] {
            options.append(CommandLineOption("runas", user))
            properties.remove("user")
        }
        if target.version < .runWithChroot {
            if let folder = properties["chroot"] { options.append(CommandLineOption("chroot", folder)) }
            if properties.flag("async-teardown") == true { options.append(CommandLineOption("async-teardown")) }
            properties.remove("chroot", "async-teardown")
        }
        return properties.text.isEmpty ? options : [option.with(properties)] + options
    }

    /// Translates `reconnect-ms` for a QEMU that counts in seconds.
    func translateReconnect(_ properties: inout OptionProperties) {
        guard target.version < .reconnectMilliseconds, let text = properties["reconnect-ms"],
            let milliseconds = Int(text)
        else { return }
        properties.remove("reconnect-ms")
        properties.set("reconnect", String(max(1, milliseconds / 1000)))
    }

    /// Refuses an option that the new binary is known to lack and that has no equivalent.
    private mutating func refuseIfGone(_ option: CommandLineOption) {
        guard let removed = LaunchPlanner.removals[option.name], target.version >= removed else { return }
        refuse(
            .optionUnsupported,
            option,
            "QEMU \(target.version) does not have this option; QEMU \(removed) removed it.",
            remedy: "Choose a binary older than \(removed)."
        )
    }

    /// The version that removed an option (docs/about/removed-features.rst of QEMU 10.0).
    private static let removals: [String: QEMUBinary.Version] = [
        "no-kvm": .init(5, 2), "realtime": .init(6, 0), "show-cursor": .init(6, 0), "tb-size": .init(6, 0),
        "no-quit": .init(7, 0), "enable-fips": .init(7, 1), "writeconfig": .init(7, 1), "alt-grab": .init(7, 1),
        "ctrl-grab": .init(7, 1), "sdl": .init(7, 1), "curses": .init(7, 1), "soundhw": .init(7, 1),
        "watchdog": .init(7, 2), "audio-help": .init(8, 2), "singlestep": .init(9, 0), "portrait": .init(9, 2),
        "rotate": .init(9, 2),
    ]
}

extension QEMUBinary.Version {
    /// `-run-with async-teardown=` and `chroot=`.
    static let runWithChroot = QEMUBinary.Version(8, 1)
    /// `reconnect-ms=` in addition to `reconnect=`.
    static let reconnectMilliseconds = QEMUBinary.Version(9, 2)
    /// `-run-with user=`.
    static let runWithUser = QEMUBinary.Version(9, 1)
    /// Properties of the machine replaced `-no-hpet` and `-no-acpi`.
    static let machineSwitches = QEMUBinary.Version(9, 0)
}
