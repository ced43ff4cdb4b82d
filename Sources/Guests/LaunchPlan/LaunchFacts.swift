/// All that the launch plan has to know of the running guest besides its command line.
///
/// Everything here can be read from /proc and QMP at any time, so a refreshed guest can be refreshed again with no
/// record of the first time.
public struct LaunchFacts: Sendable, Hashable {
    /// The binary that runs now.
    public var binary: QEMUBinary
    /// The machine type that runs, never an alias; nil if not asked.
    ///
    /// It is `qom-get /machine type` without its suffix `-machine`.
    public var machineType: String?
    /// The old process's working folder (/proc/PID/cwd).
    public var workingDirectory: String
    /// The old process's environment (/proc/PID/environ), each as `NAME=value`.
    public var environment: [String]
    /// What is behind the old process's descriptors.
    public var descriptors: [Int32: OldDescriptor]
    /// `query-fdsets`; nil if not asked.
    public var fdSets: [FDSet]?
    /// `query-vnc-servers`; nil if not asked: the command line then says where VNC listens.
    public var vncServers: [VNCServer]?
    /// `info usernet`: the forwarding rules by netdev id as `hostfwd` takes them (`tcp:127.0.0.1:2222-:22`); nil if
    /// not asked: the command line then says them.
    public var hostForwards: [String: [String]]?
    /// The tap descriptors of a netdev by its id, in the order of its queues, where that is known for sure.
    ///
    /// Without an entry they are found by the interface's name, and where the command line has none, by elimination.
    public var tapDescriptors: [String: [Int32]]
    /// What was added while the guest ran, as command-line options, in an order in which they can be created.
    public var additions: [CommandLineOption]
    /// What was removed while the guest ran.
    public var removals: Set<RemovedObject>
    /// The lasting path of the QMP socket by which the old QEMU is reached; nil: the first one on the command line.
    public var qmpSocket: String?
    /// The guest's generation id (`query-vm-generation-id`); nil where it has no device for one.
    ///
    /// `guid=auto` would give the new QEMU another one, which tells the guest that it was restored from a snapshot.
    public var generationID: String?
    /// The MAC addresses of network cards by their id: QEMU counts those that are not given, by the cards before them.
    public var hardwareAddresses: [String: String]

    /// Gathers facts; what is not given is taken as not asked or empty.
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
