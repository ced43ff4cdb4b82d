internal import JSON
internal import Linux
package import QEMUCommandLine
internal import QMP

/// The facts about the running guest that the launch plan needs in addition to its command line.
///
/// All of them can be read from /proc and QMP at any time, so a refreshed guest can be refreshed again without a record
/// of the first refresh.
package struct LaunchFacts: Sendable, Hashable {
    /// The running binary.
    package var binary: QEMUBinary
    /// The running machine type, never an alias; nil if not queried.
    ///
    /// It is the value of `qom-get /machine type` without the suffix `-machine`.
    package var machineType: String?
    /// The old process's working directory (/proc/PID/cwd).
    package var workingDirectory: String
    /// The old process's environment (/proc/PID/environ), each as `NAME=value`.
    package var environment: [String]
    /// What each of the old process's descriptors refers to.
    package var descriptors: [Int32: OldDescriptor]
    /// The result of `query-fdsets`; nil if not queried.
    package var fdSets: [FDSet]?
    /// The result of `query-vnc-servers`; nil if not queried: the command line then tells where VNC listens.
    package var vncServers: [VNCServer]?
    /// The forwarding rules in `info usernet` by netdev id, in the form of `hostfwd` (`tcp:127.0.0.1:2222-:22`); nil if
    /// not queried: the command line then has them.
    package var hostForwards: [String: [String]]?
    /// The tap descriptors of a netdev by its id, in the order of its queues, where they are known for certain.
    ///
    /// For other netdevs they are found by the interface's name, or, if the command line has none, by elimination.
    package var tapDescriptors: [String: [Int32]]
    /// The command-line options for objects added while the guest ran, in an order in which QEMU can create them.
    package var additions: [CommandLineOption]
    /// The objects that were removed while the guest ran.
    package var removals: Set<RemovedObject>
    /// The lasting path of the QMP socket by which the old QEMU is reached; nil for the first one on the command line.
    package var qmpSocket: String?
    /// The guest's generation id (`query-vm-generation-id`); nil if it has no such device.
    ///
    /// With `guid=auto`, the new QEMU would have another one, which tells the guest that it was restored from a
    /// snapshot.
    package var generationID: String?
    /// The MAC addresses of network cards by id: QEMU derives omitted addresses from the number of preceding cards.
    package var hardwareAddresses: [String: String]

    /// Creates the facts; omitted ones count as not queried, or as empty.
    package init(
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

// MARK: - Gather

extension LaunchFacts {
    /// Gathers the facts about a running guest that the launch plan needs.
    ///
    /// - Parameters:
    ///   - process: the guest's QEMU.
    ///   - client: its monitor.
    ///   - monitor: the monitor's socket.
    ///   - description: the guest as the monitor reports it.
    ///   - machine: the running machine, which may differ from the command line.
    ///   - configuration: the differences between the two.
    /// - Returns: the facts.
    /// - Throws: `SystemError` if the process is not readable or has ended; `QMPError`.
    static func gather(
        _ process: GuestProcess, client: QMPClient, monitor: MonitorSocket, description: GuestDescription,
        machine: RunningMachine, configuration: RunningConfiguration
    ) async throws -> LaunchFacts {
        let pid = process.identity.pid
        let environment = try ProcFS.environment(pid)
        let binary = OldBinary.describe(process, environment: environment, version: description.version)
        let folder = try startFolder(process, environment: environment)
        var addresses: [String: String] = [:]
        for card in description.peripherals {
            if let id = card.id { addresses[id] = card.hardwareAddress }
        }
        return LaunchFacts(
            binary: binary, machineType: description.machineType, workingDirectory: folder,
            environment: OldBinary.withoutOwnLibraries(environment, binary: binary.path),
            descriptors: try OldDescriptor.all(of: pid),
            fdSets: description.fdSets.map(FDSet.init), vncServers: try await VNCServer.query(client),
            hostForwards: machine.hostForwards, additions: configuration.additions,
            removals: configuration.removals, qmpSocket: monitor.lastingPath,
            generationID: try await generationID(description, client),
            hardwareAddresses: addresses)
    }

    /// Returns the id by which a guest knows that it was not restored from a snapshot; nil if it has no device for it.
    private static func generationID(
        _ description: GuestDescription, _ client: QMPClient
    ) async throws(QMPError) -> String? {
        guard description.peripherals.contains(where: { $0.type == "vmgenid" }) else { return nil }
        return try await client.executeRaw("query-vm-generation-id")["guid"]?.string
    }

    /// Returns the directory for the relative paths of the command line.
    ///
    /// With `-daemonize`, QEMU changes to `/` once it has opened its files; the environment then has the directory of
    /// the shell that started it.
    private static func startFolder(_ process: GuestProcess, environment: [String]) throws(SystemError) -> String {
        let folder = try ProcFS.workingDirectory(process.identity.pid)
        guard folder == "/", process.commandLine?.contains("daemonize") == true else { return folder }
        return environment.first { $0.hasPrefix("PWD=/") }.map { String($0.dropFirst("PWD=".count)) } ?? folder
    }
}

extension FDSet {
    fileprivate init(_ set: QueryFDSets.FDSet) {
        self.init(
            id: set.id,
            entries: set.descriptors.map { Entry(descriptor: Int32(clamping: $0.number), opaque: $0.opaque) })
    }
}

/// The binary of a running QEMU, with the options and the environment that only this binary needs.
enum OldBinary {
    static func describe(_ process: GuestProcess, environment: [String], version: QEMUVersion) -> QEMUBinary {
        let path = process.executable?.path ?? process.arguments.first ?? ""
        let modules = ModuleDirectory.value(in: environment)
        let folders = process.commandLine?.options(named: "L").compactMap(\.value) ?? []
        return QEMUBinary(
            path: path, version: .init(version.major, version.minor),
            firmwareDirectories: folders.filter { isInTree($0, of: path) },
            moduleDirectory: modules.flatMap { isInTree($0, of: path) ? $0 : nil })
    }

    /// Returns the environment without the libraries of a QEMU that was unpacked into a directory: another QEMU must
    /// not use them.
    static func withoutOwnLibraries(_ environment: [String], binary: String) -> [String] {
        let name = "LD_LIBRARY_PATH="
        return environment.compactMap { variable in
            guard variable.hasPrefix(name) else { return variable }
            let kept = variable.dropFirst(name.count).split(separator: ":").filter { !isInTree(String($0), of: binary) }
            return kept.isEmpty ? nil : name + kept.joined(separator: ":")
        }
    }

    private static func isInTree(_ folder: String, of binary: String) -> Bool {
        guard let tree = FirmwareSearch.tree(of: binary) else { return false }
        return folder.hasPrefix(tree + "/")
    }
}
