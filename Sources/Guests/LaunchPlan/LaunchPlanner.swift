/// Goes through a command line once and gathers the plan.
///
/// One file of extensions stands for each family of options; each method takes an option and gives what takes its
/// place, noting on the way what the controller has to do.
struct LaunchPlanner {
    let facts: LaunchFacts
    let target: QEMUBinary
    let handoffID: String
    /// The folder in which relative paths of the command line are right.
    let directory: String
    /// What the whole command line says about things that options refer to by id.
    let references: CommandLineReferences

    var descriptors: [PlannedDescriptor] = []
    var endpoints: [Endpoint] = []
    var followUps: [FollowUp] = []
    var problems: [LaunchProblem] = []
    var warnings: [LaunchProblem] = []
    /// Where `-D` has the log.
    var logPath: String?
    /// How many ports of each kind came so far: QEMU names their devices by number.
    var portCounts: [String: Int] = [:]
    /// Descriptors of taps that an option has already taken.
    var takenTaps: Set<Int32> = []
    /// How many of the tap queues that no name or number tells apart have been given out.
    var takenUnnamedQueues = 0
    /// How many VNC displays came so far.
    var vncDisplays = 0

    /// The lowest number of an inherited descriptor, well above the standard streams and what a libc may open early.
    static let firstDescriptor: Int32 = 10

    /// Prepares to plan these options.
    init(options: [CommandLineOption], facts: LaunchFacts, target: QEMUBinary, handoffID: String) {
        self.facts = facts
        self.target = target
        self.handoffID = handoffID
        directory = LaunchPlanner.launchDirectory(options, facts)
        references = CommandLineReferences(options, knownTaps: facts.tapDescriptors)
    }

    /// What takes the place of an option.
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

    /// Puts a descriptor into the new process and gives its number there.
    mutating func inherit(_ source: PlannedDescriptor.Source, as role: PlannedDescriptor.Role) -> String {
        let number = LaunchPlanner.firstDescriptor + Int32(descriptors.count)
        descriptors.append(PlannedDescriptor(source: source, number: number, role: role))
        return String(number)
    }

    /// The temporary name of a unix socket, with its endpoint noted.
    mutating func temporarySocket(_ path: String, _ kind: Endpoint.Kind, _ option: CommandLineOption) -> String {
        let temporary = LastingPath.temporary(path, handoffID: handoffID)
        if temporary.utf8.count > LastingPath.longestSocketPath {
            refuse(
                .socketPathTooLong,
                option,
                "The socket's path leaves no room for the \(temporary.utf8.count - LastingPath.lasting(path).utf8.count)"
                    + " characters of a temporary name: a unix socket's path has at most "
                    + "\(LastingPath.longestSocketPath).",
                remedy: "Start the guest with a shorter path."
            )
        }
        addEndpoint(kind, path)
        return temporary
    }

    mutating func addEndpoint(_ kind: Endpoint.Kind, _ path: String) {
        let lasting = LastingPath.absolute(LastingPath.lasting(path), in: directory)
        let temporary = LastingPath.temporary(lasting, handoffID: handoffID)
        endpoints.append(Endpoint(kind: kind, lasting: lasting, temporary: temporary))
    }

    // MARK: - The folder

    /// The folder that the old QEMU was started in.
    ///
    /// A QEMU that daemonizes or changes its root ends up in `/`; the shell's PWD in its environment then tells.
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
