internal import QEMUCommandLine

/// The objects of a whole command line to which options refer by id or by number.
struct CommandLineReferences {
    /// The purpose of each character device, by its id.
    private(set) var characterKinds: [String: Endpoint.Kind] = [:]
    /// The tap interfaces that netdevs name.
    private(set) var namedInterfaces: Set<String> = []
    /// The descriptors that netdevs name.
    private(set) var namedDescriptors: Set<Int32> = []
    /// The number of tap queues that neither a name nor a number identifies.
    private(set) var unnamedTapQueues = 0
    /// The number of netdevs of type `user`.
    private(set) var userNetdevs = 0

    /// Reads all options; `knownTaps` has the descriptors of those netdevs for which they are certain.
    init(_ options: [CommandLineOption], knownTaps: [String: [Int32]]) {
        namedDescriptors = Set(knownTaps.values.joined())
        for option in options {
            switch option.name {
            case "mon": noteMonitor(option)
            case "qmp", "qmp-pretty": noteShortMonitor(option, .qmp)
            case "monitor": noteShortMonitor(option, .monitor)
            case "netdev", "nic", "net": noteNetwork(option, knownTaps: knownTaps)
            default: break
            }
        }
    }

    private mutating func noteMonitor(_ option: CommandLineOption) {
        guard let properties = option.properties, let id = properties["chardev"] else { return }
        characterKinds[id] = properties["mode"] == "control" ? .qmp : .monitor
    }

    private mutating func noteShortMonitor(_ option: CommandLineOption, _ kind: Endpoint.Kind) {
        guard let value = option.value, value.hasPrefix("chardev:") else { return }
        characterKinds[String(value.dropFirst("chardev:".count))] = kind
    }

    private mutating func noteNetwork(_ option: CommandLineOption, knownTaps: [String: [Int32]]) {
        guard let properties = option.properties else { return }
        switch properties["type"] {
        case "user", nil:
            userNetdevs += 1
        case "tap", "bridge":
            let numbers = TapQueues.numbers(in: properties)
            if let id = properties["id"], knownTaps[id] != nil { return }
            if !numbers.isEmpty {
                namedDescriptors.formUnion(numbers)
            } else if let interface = TapQueues.interface(in: properties) {
                namedInterfaces.insert(interface)
            } else {
                unnamedTapQueues += TapQueues.count(in: properties)
            }
        default:
            break
        }
    }
}

/// Parses the properties by which an option identifies the queues of a tap interface.
enum TapQueues {
    /// Returns the descriptors that `fd` and `fds` name.
    static func numbers(in properties: OptionProperties) -> [Int32] {
        words(in: properties).compactMap { Int32($0) }
    }

    /// Returns the words of `fd` and `fds`; a descriptor passed over QMP has a name instead of a number.
    static func words(in properties: OptionProperties) -> [String] {
        let text = properties["fds"] ?? properties["fd"] ?? ""
        return text.split(separator: ":").map(String.init)
    }

    /// Returns the interface's name; nil if the kernel chose it.
    static func interface(in properties: OptionProperties) -> String? {
        properties["ifname"].flatMap { $0.isEmpty || $0.contains("%") ? nil : $0 }
    }

    /// QEMU's own limit (MAX_QUEUE_NUM in include/net/net.h).
    private static let mostQueues = 1024

    /// Returns the number of requested queues: at least one, and at most QEMU's limit.
    static func count(in properties: OptionProperties) -> Int {
        properties["queues"].flatMap { Int($0) }.map { min(max($0, 1), mostQueues) } ?? 1
    }
}
