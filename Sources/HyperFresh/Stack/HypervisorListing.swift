import Hypervisors
public import JSON
import Linux
import QMP

/// A hypervisor or OS VM of this host, as `ps` shows it.
public struct HypervisorStatus: Sendable, JSONRepresentable {
    /// Its name.
    public let name: String
    /// The stack that it belongs to.
    public let stack: String
    /// Its running instances, the oldest first: one, two during a refresh, none when it died.
    public let instances: [InstanceReport]
    let kind: HypervisorKind
    /// Its guests, or the containers that are in it.
    public let guests: [InnerGuestStatus]
    /// What its tenants are, one of them: `guest` or `container`.
    public var tenant: String { kind.tenant }

    /// `name`, `kind` (`hypervisor` or `os`), `stack`, `instances`, and `guests` or `containers`.
    public var json: JSONValue {
        [
            "name": .string(name), "kind": .string(kind.rawValue), "stack": .string(stack),
            "instances": .array(instances.map(\.json)),
            "\(kind.tenant)s": .array(guests.map(\.json)),
        ]
    }
}

/// A guest in a hypervisor or a container in an OS VM, as `ps` shows it.
public struct InnerGuestStatus: Sendable, Hashable, JSONRepresentable {
    /// Its name.
    public let name: String
    /// The instance that has it; `nil` when it was never started.
    public let instance: String?
    /// QEMU's word for its state, `stopped` without a QEMU, `lost` without its hypervisor, `unknown` where nobody answers.
    ///
    /// Of a container: `running`, `frozen` (as before it is moved), `paused` (as it was restored), or the latter three.
    public let state: String
    /// Its memory in bytes; of a container, the most that it may use.
    public let memory: UInt64

    /// `name`, `instance`, `state`, `memory`.
    public var json: JSONValue {
        .object(
            [
                "name": .string(name), "instance": instance.map(JSONValue.string), "state": .string(state),
                "memory": JSONValue(memory),
            ].compactMapValues(\.self))
    }
}

/// Looks at every hypervisor of this host.
struct HypervisorListing {
    let store: StackStore

    func all() async throws(HyperFreshError) -> [HypervisorStatus] {
        try store.verify()
        var all: [HypervisorStatus] = []
        for name in store.stackNames() {
            let stack = try store.stack(name)
            for spec in stack.hypervisors { all.append(await look(at: spec, of: stack)) }
        }
        return all
    }

    private func look(at spec: HypervisorSpec, of stack: Stack) async -> HypervisorStatus {
        let alive = store.instances(of: spec.name).filter { $0.process.isAlive }
        let placement = store.placement(of: spec.name)
        // The monitors serve one client: whoever refreshes has them.
        let lock = try? store.lock(spec.name)
        defer { lock?.release() }
        var reached: [String: Hypervisor] = [:]
        if lock != nil {
            for record in alive where placement.values.contains(record.id) {
                let folder = store.folder(spec.name, record.id)
                reached[record.id] = try? await Hypervisor.reach(record, in: folder, within: .seconds(2))
            }
        }
        defer { for hypervisor in reached.values { hypervisor.close() } }
        func status(
            _ name: String, memory: UInt64, _ state: (Hypervisor?) async -> String
        ) async -> InnerGuestStatus {
            let instance = placement[name]
            let isAlive = alive.contains { $0.id == instance }
            let word =
                if instance == nil { "stopped" } else if !isAlive { "lost" } else if lock == nil { "refreshing" } else {
                    await state(instance.flatMap { reached[$0] })
                }
            return InnerGuestStatus(name: name, instance: instance, state: word, memory: memory)
        }
        var guests: [InnerGuestStatus] = []
        for guest in spec.guests {
            guests.append(await status(guest.name, memory: guest.memory) { await state(of: guest, in: $0, stack) })
        }
        for container in spec.kind == .os ? store.containers(of: spec, in: stack) : [] {
            guests.append(
                await status(container.name, memory: container.memory) { await state(of: container, in: $0, stack) })
        }
        return HypervisorStatus(
            name: spec.name, stack: stack.name, instances: alive.map(InstanceReport.init), kind: spec.kind,
            guests: guests)
    }

    private func state(of container: ContainerSpec, in hypervisor: Hypervisor?, _ stack: Stack) async -> String {
        guard let hypervisor else { return "unknown" }
        return await ContainerSeat(stack: stack, container: container, hypervisor: hypervisor).state()
    }

    private func state(of guest: InnerGuestSpec, in hypervisor: Hypervisor?, _ stack: Stack) async -> String {
        guard let hypervisor else { return "unknown" }
        let seat = GuestSeat(stack: stack, guest: guest, hypervisor: hypervisor)
        guard let isActive = try? await seat.unit.isActive(by: hypervisor.agent) else { return "unknown" }
        guard isActive else { return "stopped" }
        guard let client = try? await seat.connect() else { return "unknown" }
        defer { client.close() }
        return (try? await client.execute(QueryStatus()).state.rawValue) ?? "unknown"
    }
}
