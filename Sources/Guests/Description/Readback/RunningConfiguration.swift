/// The command line of a guest as it would be if everything that was plugged, unplugged and changed since its start had
/// been said at the start.
struct RunningConfiguration: Sendable, Hashable {
    /// Something that runs and cannot be put on a command line.
    struct Unreadable: Sendable, Hashable {
        /// What: `netdev n1 (socket)`.
        var what: String
        /// Why it cannot be followed.
        var why: String
    }

    /// The recorded command line, changed in place where an image or a medium was exchanged.
    var commandLine: CommandLine
    /// What was added, in an order in which it can be created.
    var additions: [CommandLineOption] = []
    /// What was removed.
    var removals: Set<RemovedObject> = []
    /// What was changed in place, a line each.
    var changes: [String] = []
    /// What cannot be followed.
    var unreadable: [Unreadable] = []
    /// What was followed with settings that QEMU does not tell, a line each.
    var assumptions: [String] = []

    /// Reads a machine against the command line that it was started with.
    ///
    /// - Parameters:
    ///   - machine: what runs.
    ///   - commandLine: what it was started with.
    ///   - knownProperties: the properties that the new QEMU knows of each device type; what it does not know is a
    ///     setting that its machine type has anyway, or had not yet. A type that is not in it is taken as it is.
    /// - Returns: the command line for what runs.
    static func read(
        _ machine: RunningMachine, against commandLine: CommandLine, knownProperties: [String: Set<String>] = [:]
    ) -> RunningConfiguration {
        var reader = ConfigurationReader(machine, commandLine, knownProperties)
        reader.readObjects()
        reader.readChardevs()
        reader.readNetworks()
        reader.readBlocks()
        reader.readDevices()
        return reader.result
    }

    /// Whether anything differs from what the guest was started with.
    var hasChanged: Bool {
        !(additions.isEmpty && removals.isEmpty && changes.isEmpty && unreadable.isEmpty)
    }

    /// What the administrator should know of it.
    var findings: [Finding] {
        let id = FindingID.devicesNotOnCommandLine
        if !unreadable.isEmpty {
            return [
                Finding(
                    id, .fail, "what was changed while the guest ran cannot all be put on a command line",
                    evidence: unreadable.map { "\($0.what): \($0.why)" },
                    remedy: "Unplug these before the refresh and plug them again afterwards "
                        + "(device_del, then netdev_del, blockdev-del, chardev-remove or object-del).")
            ]
        }
        guard hasChanged else { return [Finding(id, .pass, "everything that runs is on the command line")] }
        let evidence =
            additions.map { "added: \($0)" }
            + removals.map { "removed: \($0.kind.rawValue) \($0.id)" }.sorted() + changes.map { "changed: \($0)" }
        guard !assumptions.isEmpty else {
            return [
                Finding(
                    id, .pass, "what was changed while the guest ran goes onto the new command line", evidence: evidence
                )
            ]
        }
        return [
            Finding(
                id, .warn,
                "what was changed while the guest ran is followed, but QEMU does not tell all of its settings",
                evidence: assumptions + evidence,
                remedy: "If these settings were given, unplug what they belong to and plug it again after the refresh.")
        ]
    }
}

/// Compares a machine with its command line, kind by kind.
struct ConfigurationReader {
    let machine: RunningMachine
    let knownProperties: [String: Set<String>]
    var result: RunningConfiguration

    init(_ machine: RunningMachine, _ commandLine: CommandLine, _ knownProperties: [String: Set<String>]) {
        self.machine = machine
        self.knownProperties = knownProperties
        result = RunningConfiguration(commandLine: commandLine)
    }

    /// The ids that the command line gives to options of these names.
    func ids(of names: String..., key: String = "id") -> Set<String> {
        Set(names.flatMap { result.commandLine.options(named: $0) }.compactMap { $0.properties?[key] })
    }

    mutating func add(_ name: String, _ pairs: [(key: String, value: String)], impliedKey: String? = nil) {
        result.additions.append(
            CommandLineOption(name, properties: OptionProperties(pairs, impliedKey: impliedKey)))
    }

    mutating func refuse(_ what: String, _ why: String) {
        result.unreadable.append(.init(what: what, why: why))
    }

    mutating func remove(_ kind: RemovedObject.Kind, _ ids: some Sequence<String>) {
        result.removals.formUnion(ids.map { RemovedObject(kind, id: $0) })
    }
}
