internal import QEMUCommandLine

/// The facts about the running guest that the launch plan needs in addition to its command line.
///
/// All of them can be read from /proc and QMP at any time, so a refreshed guest can be refreshed again without a record
/// of the first refresh.
public struct LaunchFacts: Sendable, Hashable {
    /// The running binary.
    public var binary: QEMUBinary
    /// The running machine type, never an alias; nil if not queried.
    ///
    /// It is the value of `qom-get /machine type` without the suffix `-machine`.
    public var machineType: String?
    /// The old process's working directory (/proc/PID/cwd).
    public var workingDirectory: String
    /// The old process's environment (/proc/PID/environ), each as `NAME=value`.
    public var environment: [String]
    /// What each of the old process's descriptors refers to.
    public var descriptors: [Int32: OldDescriptor]
    /// The result of `query-fdsets`; nil if not queried.
    public var fdSets: [FDSet]?
    /// The result of `query-vnc-servers`; nil if not queried: the command line then tells where VNC listens.
    public var vncServers: [VNCServer]?
    /// The forwarding rules in `info usernet` by netdev id, in the form of `hostfwd` (`tcp:127.0.0.1:2222-:22`); nil if
    /// not queried: the command line then has them.
    public var hostForwards: [String: [String]]?
    /// The tap descriptors of a netdev by its id, in the order of its queues, where they are known for certain.
    ///
    /// For other netdevs they are found by the interface's name, or, if the command line has none, by elimination.
    public var tapDescriptors: [String: [Int32]]
    /// The command-line options for objects added while the guest ran, in an order in which QEMU can create them.
    public var additions: [CommandLineOption]
    /// The objects that were removed while the guest ran.
    public var removals: Set<RemovedObject>
    /// The lasting path of the QMP socket by which the old QEMU is reached; nil for the first one on the command line.
    public var qmpSocket: String?
    /// The guest's generation id (`query-vm-generation-id`); nil if it has no such device.
    ///
    /// With `guid=auto`, the new QEMU would have another one, which tells the guest that it was restored from a
    /// snapshot.
    public var generationID: String?
    /// The MAC addresses of network cards by id: QEMU derives omitted addresses from the number of preceding cards.
    public var hardwareAddresses: [String: String]

    /// Creates the facts; omitted ones count as not queried, or as empty.
    public init(
        binary: QEMUBinary,
        machineType: String?,
        workingDirectory: String,
        environment: [String] = [],
        descriptors: [Int32: OldDescriptor] = [:],
        fdSets: [FDSet]? = nil,
        vncServers: [VNCServer]? = nil,
        hostForwards: [String: [String]]? = nil,
        tapDescriptors: [String: [Int32]] = [:],
        additions: [CommandLineOption] = [],
        removals: Set<RemovedObject> = [],
        qmpSocket: String? = nil,
        generationID: String? = nil,
        hardwareAddresses: [String: String] = [:]
    ) {
        self.binary = binary
        self.machineType = machineType
        self.workingDirectory = workingDirectory
        self.environment = environment
        self.descriptors = descriptors
        self.fdSets = fdSets
        self.vncServers = vncServers
        self.hostForwards = hostForwards
        self.tapDescriptors = tapDescriptors
        self.additions = additions
        self.removals = removals
        self.qmpSocket = qmpSocket
        self.generationID = generationID
        self.hardwareAddresses = hardwareAddresses
    }
}
