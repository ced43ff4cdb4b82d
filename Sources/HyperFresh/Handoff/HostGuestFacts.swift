import Guests
import JSON
import Linux
import QMP

/// The facts about a handoff in the journal's first record: all that another controller needs to finish it.
struct HostGuestFacts: Sendable, Hashable {
    var guest: String
    var old: ProcessIdentity
    var oldVersion: String?
    var oldBinary: String
    /// The socket of the old QEMU's monitor until the endpoints are settled.
    var oldQMP: String
    /// The first of the guest's memory files; locked while a controller is working on the guest.
    var memoryFile: String
    /// All of the guest's memory files, as the old QEMU maps them; empty if an earlier version recorded the handoff.
    var memory: Set<FileIdentity> = []
    /// The boot of the host in which the pids are valid; `nil` if unknown.
    var boot: String?
    var targetBinary: String
    var targetVersion: String?
    /// The socket of the new QEMU's monitor until the endpoints are settled.
    var newQMP: String
    var endpoints: [Endpoint]
    var followUps: [FollowUp]
    var isRehearsal: Bool

    /// The socket of the guest's monitor after the endpoints are settled.
    var lastingQMP: String { endpoints.first { $0.temporary == newQMP }?.lasting ?? newQMP }
}

extension HostGuestFacts {
    var json: [String: JSONValue] {
        [
            "guest": .string(guest), "old": old.json, "old_version": oldVersion.map(JSONValue.string),
            "old_binary": .string(oldBinary), "old_qmp": .string(oldQMP), "memory_file": .string(memoryFile),
            "memory": .array(memory.map(\.description).sorted().map(JSONValue.string)),
            "boot": boot.map(JSONValue.string),
            "target": .string(targetBinary), "target_version": targetVersion.map(JSONValue.string),
            "new_qmp": .string(newQMP), "endpoints": .array(endpoints.map(\.json)),
            "follow_ups": .array(followUps.map(\.json)), "dry_run": .bool(isRehearsal),
        ].compactMapValues(\.self)
    }

    init?(json: [String: JSONValue]) {
        guard let guest = json["guest"]?.string, let old = json["old"].flatMap(ProcessIdentity.init(json:)),
            let oldBinary = json["old_binary"]?.string, let oldQMP = json["old_qmp"]?.string,
            let memoryFile = json["memory_file"]?.string, let targetBinary = json["target"]?.string,
            let newQMP = json["new_qmp"]?.string, let isRehearsal = json["dry_run"]?.bool,
            let endpoints = json["endpoints"]?.array, let followUps = json["follow_ups"]?.array
        else { return nil }
        self.guest = guest
        self.old = old
        oldVersion = json["old_version"]?.string
        self.oldBinary = oldBinary
        self.oldQMP = oldQMP
        self.memoryFile = memoryFile
        let memory = json["memory"]?.array ?? []
        self.memory = Set(memory.compactMap { $0.string.flatMap(FileIdentity.init(text:)) })
        boot = json["boot"]?.string
        self.targetBinary = targetBinary
        targetVersion = json["target_version"]?.string
        self.newQMP = newQMP
        self.endpoints = endpoints.compactMap(Endpoint.init(json:))
        self.followUps = followUps.compactMap(FollowUp.init(json:))
        self.isRehearsal = isRehearsal
        guard self.endpoints.count == endpoints.count, self.followUps.count == followUps.count,
            self.memory.count == memory.count
        else { return nil }
    }
}

extension FileIdentity {
    /// Parses `device:inode`.
    fileprivate init?(text: String) {
        let numbers = text.split(separator: ":", omittingEmptySubsequences: false).map { UInt64($0) }
        guard numbers.count == 2, let device = numbers[0], let inode = numbers[1] else { return nil }
        self.init(device: device, inode: inode)
    }
}

extension HostGuestFacts {
    /// Returns whether its pids are of this boot; those of another boot belong to other processes by now.
    func isOfThisBoot() throws(HyperFreshError) -> Bool {
        guard let boot else { return true }
        do throws(SystemError) { return try ProcFS.bootID() == boot } catch {
            throw HyperFreshError(
                "cannot determine the id of this boot", because: error, remedy: "Mount /proc, then try again.",
                exitCode: RefreshOutcome.unknown.exitCode)
        }
    }
}

extension ProcessIdentity {
    var json: JSONValue { ["pid": .integer(Int64(pid)), "start": JSONValue(startTime)] }

    init?(json: JSONValue) {
        guard let pid = json["pid"]?.integer.flatMap(Int32.init(exactly:)), let startTime = json["start"]?.unsigned
        else { return nil }
        self.init(pid: pid, startTime: startTime)
    }
}

extension Endpoint {
    var json: JSONValue {
        ["kind": .string(kind.rawValue), "lasting": .string(lasting), "temporary": .string(temporary)]
    }

    init?(json: JSONValue) {
        guard let kind = json["kind"]?.string.flatMap(Kind.init(rawValue:)), let lasting = json["lasting"]?.string,
            let temporary = json["temporary"]?.string
        else { return nil }
        self.init(kind: kind, lasting: lasting, temporary: temporary)
    }
}

extension FollowUp {
    var json: JSONValue {
        switch self {
        case .vncListen(let display, let descriptors):
            ["vnc": .string(display), "descriptors": .array(descriptors.map { .integer(Int64($0)) })]
        case .hostForward(let netdev, let rule):
            .object(["netdev": netdev.map(JSONValue.string), "rule": .string(rule)].compactMapValues(\.self))
        }
    }

    init?(json: JSONValue) {
        if let display = json["vnc"]?.string, let descriptors = json["descriptors"]?.array {
            let numbers = descriptors.compactMap { $0.integer.flatMap(Int32.init(exactly:)) }
            self = .vncListen(display: display, oldDescriptors: numbers)
        } else if let rule = json["rule"]?.string {
            self = .hostForward(netdev: json["netdev"]?.string, rule: rule)
        } else {
            return nil
        }
    }
}

extension MigrationLink.Settings {
    var json: JSONValue {
        .object(
            [
                "capabilities": .object(capabilities.mapValues(JSONValue.bool)),
                "max_bandwidth": maximumBandwidth.map { JSONValue($0) },
                "downtime_limit": downtimeLimit.map { .integer(Int64($0)) },
            ].compactMapValues(\.self))
    }

    init?(json: JSONValue) {
        guard let capabilities = json["capabilities"]?.object else { return nil }
        self.init(
            capabilities: capabilities.compactMapValues(\.bool), maximumBandwidth: json["max_bandwidth"]?.unsigned,
            downtimeLimit: json["downtime_limit"]?.int)
    }
}
