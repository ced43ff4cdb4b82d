internal import QEMUCommandLine

/// The command line that would start the guest with everything that was plugged, unplugged and changed since its start.
struct RunningConfiguration: Sendable, Hashable {
    /// A part of the running machine that cannot be written as command-line options.
    struct Unreadable: Sendable, Hashable {
        /// The part: `netdev n1 (socket)`.
        var what: String
        /// Why it cannot be written as options.
        var why: String
    }

    /// The recorded command line, changed in place where an image or a medium was exchanged.
    var commandLine: CommandLine
    /// The added options, in an order in which QEMU can create them.
    var additions: [CommandLineOption] = []
    /// The removed objects.
    var removals: Set<RemovedObject> = []
    /// The changes made in place, one per line.
    var changes: [String] = []
    /// The parts that cannot be written as options.
    var unreadable: [Unreadable] = []
    /// Settings that QEMU does not report and that were assumed, one per line.
    var assumptions: [String] = []

    /// Compares a machine with the command line with which it was started.
    ///
    /// - Parameters:
    ///   - machine: the running machine.
    ///   - commandLine: the command line with which it was started.
    ///   - knownProperties: the properties that the new QEMU knows for each device type. Other properties are omitted:
    ///     the machine type either implies them or predates them. A type that is not listed keeps all of its
    ///     properties.
    /// - Returns: the command line for the running machine.
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

    /// Whether anything differs from the original command line.
    var hasChanged: Bool {
        !(additions.isEmpty && removals.isEmpty && changes.isEmpty && unreadable.isEmpty)
    }

    /// The findings for the administrator.
    var findings: [Finding] {
        let id = FindingID.devicesNotOnCommandLine
        if !unreadable.isEmpty {
            return [
                Finding(
                    id, .fail, "some changes made while the guest ran cannot be put on a command line",
                    evidence: unreadable.map { "\($0.what): \($0.why)" },
                    remedy: "Unplug these before the refresh and plug them in again afterwards "
                        + "(device_del, then netdev_del, blockdev-del, chardev-remove or object-del).")
            ]
        }
        guard hasChanged else { return [Finding(id, .pass, "the command line describes the running guest")] }
        let evidence =
            additions.map { "added: \($0)" }
            + removals.map { "removed: \($0.kind.rawValue) \($0.id)" }.sorted() + changes.map { "changed: \($0)" }
        guard !assumptions.isEmpty else {
            return [
                Finding(
                    id, .pass, "the new command line includes the changes made while the guest ran", evidence: evidence
                )
            ]
        }
        return [
            Finding(
                id, .warn,
                "the new command line includes the changes made while the guest ran, "
                    + "but QEMU does not report all of their settings",
                evidence: assumptions + evidence,
                remedy: "If you set one of these, unplug its device before the refresh and plug it in again later.")
        ]
    }
}

/// Compares a machine with its command line, one kind of object at a time.
struct ConfigurationReader {
    let machine: RunningMachine
    let knownProperties: [String: Set<String>]
    var result: RunningConfiguration

    init(_ machine: RunningMachine, _ commandLine: CommandLine, _ knownProperties: [String: Set<String>]) {
        self.machine = machine
        self.knownProperties = knownProperties
        result = RunningConfiguration(commandLine: commandLine)
    }

    /// Returns the ids that the command line gives to options with these names.
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
