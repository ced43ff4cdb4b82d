import JSON
import Linux

/// The subject of a handoff, with all facts that another controller needs to finish the handoff.
///
/// It is the first record of a handoff's journal.
enum Subject: Sendable, Hashable {
    /// A guest of this host: from one QEMU process to another.
    case hostGuest(HostGuestFacts)
    /// A guest of a hypervisor: from a QEMU in one instance to a QEMU in another.
    case hypervisorGuest(HypervisorGuestFacts)
    /// A container: from one OS VM to another.
    case container(ContainerFacts)

    /// Parses the merged facts of a journal; `nil` if this version does not know the kind.
    init?(json: [String: JSONValue]) {
        if let facts = HostGuestFacts(json: json) {
            self = .hostGuest(facts)
        } else if let facts = HypervisorGuestFacts(json: json) {
            self = .hypervisorGuest(facts)
        } else if let facts = ContainerFacts(json: json) {
            self = .container(facts)
        } else {
            return nil
        }
    }

    /// The facts of the first record.
    var json: [String: JSONValue] {
        switch self {
        case .hostGuest(let facts): facts.json
        case .hypervisorGuest(let facts): facts.json
        case .container(let facts): facts.json
        }
    }

    /// The guest's name, or the container's.
    var name: String {
        switch self {
        case .hostGuest(let facts): facts.guest
        case .hypervisorGuest(let facts): facts.guest
        case .container(let facts): facts.container
        }
    }

    /// The noun for it: `guest` or `container`.
    var noun: String {
        if case .container = self { "container" } else { "guest" }
    }

    /// The file that a controller locks while it works on the subject: memory, or the image store.
    var lockedFile: String {
        switch self {
        case .hostGuest(let facts): facts.memoryFile
        case .hypervisorGuest(let facts): facts.memoryFile
        case .container(let facts): facts.storeFile
        }
    }

    /// The facts of a guest of this host; `nil` for another kind.
    var hostGuest: HostGuestFacts? {
        if case .hostGuest(let facts) = self { facts } else { nil }
    }

    /// The hypervisors or OS VMs whose instances are its sides; none for a guest of this host.
    var hypervisors: Set<String> {
        switch self {
        case .hostGuest: []
        case .hypervisorGuest(let facts): [facts.hypervisor]
        case .container(let facts): [facts.oldSystem, facts.newSystem]
        }
    }

    /// The new instance; `nil` for a guest of this host.
    var newInstance: String? {
        switch self {
        case .hostGuest: nil
        case .hypervisorGuest(let facts): facts.newInstance
        case .container(let facts): facts.newInstance
        }
    }

    /// Returns the instance of this hypervisor that had it; `nil` if another hypervisor had it.
    func oldInstance(in hypervisor: String) -> String? {
        switch self {
        case .hostGuest: nil
        case .hypervisorGuest(let facts): facts.hypervisor == hypervisor ? facts.oldInstance : nil
        case .container(let facts): facts.oldSystem == hypervisor ? facts.oldInstance : nil
        }
    }

    /// The versions of QEMU on both sides, as far as they were known at the beginning.
    var versions: (old: String?, new: String?) {
        switch self {
        case .hostGuest(let facts): (facts.oldVersion, facts.targetVersion)
        case .hypervisorGuest(let facts): (facts.oldVersion, facts.newVersion)
        case .container: (nil, nil)
        }
    }

    /// Locks the subject, to exclude every other controller.
    func lock() throws(HyperFreshError) -> HeldLock {
        let lock: HeldLock?
        do throws(SystemError) { lock = try HeldLock(lockedFile) } catch {
            throw HyperFreshError(
                "cannot lock \(lockedFile) of \(noun) \(name)", because: error,
                remedy: "Check that the file exists and that you may open it.")
        }
        guard let lock else {
            throw HyperFreshError(
                "another controller is working on \(noun) \(name)",
                remedy: "Wait until it has ended: `hyperfresh status`.")
        }
        return lock
    }
}
