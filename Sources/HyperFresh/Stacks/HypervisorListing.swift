public import JSON
import Journal
import Linux
import QMP
import StackFile
import VirtualMachines

/// A hypervisor or OS VM of this host, as `ps` shows it.
public struct HypervisorStatus: Sendable, JSONRepresentable {
    /// Its name.
    public let name: String
    /// The stack that it belongs to; `?` where that is not on record any more.
    public let stack: String
    /// Its running instances, the oldest first: one, two during a refresh, none when it died.
    public let instances: [InstanceReport]
    let kind: HypervisorKind
    /// Its guests, or the containers that are in it.
    public let guests: [InnerGuestStatus]
    /// What cannot be relied on: damaged and lost records, files that are not ours; a sentence each.
    public let problems: [String]
    /// What its tenants are, one of them: `guest` or `container`.
    public var tenant: String { kind.tenant }

    /// `name`, `kind` (`hypervisor` or `os`), `stack`, `instances`, `problems`, and `guests` or `containers`.
    public var json: JSONValue {
        [
            "name": .string(name), "kind": .string(kind.rawValue), "stack": .string(stack),
            "instances": .array(instances.map(\.json)), "problems": .array(problems.map(JSONValue.string)),
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
    /// Its memory in bytes; of a container, the most that it may use; 0 where its stack file is not on record any more.
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

/// The hypervisors and OS VMs of this host, as `ps` shows them.
public struct StackListing: Sendable, JSONRepresentable {
    /// By stack, in their files' order; last those whose stack is not on record any more.
    public let hypervisors: [HypervisorStatus]
    /// Records of stacks that cannot be relied on, and of which no hypervisor is known; a sentence each.
    public let problems: [String]

    /// A `hypervisors` document: `items`, `problems`.
    public var json: JSONValue {
        JSONSchema.document(
            type: "hypervisors",
            ["items": .array(hypervisors.map(\.json)), "problems": .array(problems.map(JSONValue.string))])
    }
}

/// Looks at every hypervisor of this host: by its process, and by what it says; records only tell what should be there.
struct HypervisorListing {
    let store: StackStore

    func all() async throws(HyperFreshError) -> StackListing {
        do throws(HyperFreshError) { try store.verify() } catch {
            // Sockets in such a folder are not used. The processes that run are named.
            throw error.adding(
                evidence: try store.processes().map { "\($0.hypervisor)-\($0.id) runs as pid \($0.process.pid)" })
        }
        var (all, problems): ([HypervisorStatus], [String]) = ([], [])
        var names = Set(try store.hypervisorNames()).union(try store.processes().map(\.hypervisor))
        for name in try store.stackNames() {
            let reading = store.stackRecord(name)
            guard let record = reading.shown else {
                problems += [reading.damage?.description].compactMap(\.self)
                continue
            }
            let stack = try record.parse(at: "the record of stack \(name)")
            for spec in stack.hypervisors {
                names.remove(spec.name)
                all.append(try await look(at: spec, of: stack))
            }
        }
        for name in names.sorted() { all.append(try await lookAtOrphan(name)) }
        return StackListing(hypervisors: all, problems: problems)
    }

    /// A hypervisor whose stack is not on record any more: it is described by the copy that it has, if that is whole.
    private func lookAtOrphan(_ name: String) async throws(HyperFreshError) -> HypervisorStatus {
        let problem = "no stack on record has it"
        if let copy = store.stackCopy(of: name).shown {
            let stack = try copy.parse(at: "the copy of \(name)")
            if let spec = stack.hypervisors.first(where: { $0.name == name }) {
                return try await look(at: spec, of: stack, problems: [problem])
            }
        }
        let survey = try store.survey(name)
        let records = survey.running.compactMap { $0.record(stack: "?") }
        return HypervisorStatus(
            name: name, stack: "?", instances: records.map(InstanceReport.init), kind: .hypervisor,
            guests: await strangers(in: records, of: survey, known: []), problems: [problem] + Self.problems(survey))
    }

    private static func problems(_ survey: HypervisorSurvey) -> [String] {
        survey.damage.map(\.description) + survey.oddities.map { "\(survey.folder)/\($0) is not hyperfresh's" }
    }

    private func look(
        at spec: HypervisorSpec, of stack: Stack, problems: [String] = []
    ) async throws(HyperFreshError) -> HypervisorStatus {
        let survey = try store.survey(spec.name)
        let alive = survey.running.compactMap { $0.record(stack: stack.name) }
        // The monitors serve one client: whoever refreshes has them. A hypervisor without a folder has no lock.
        var problems = problems
        var (lock, isBusy): (HeldLock?, Bool) = (nil, false)
        do throws(HyperFreshError) {
            if Files.exists(survey.folder) {
                lock = try store.tryLock(spec.name)
                isBusy = lock == nil
            }
        } catch {
            problems += [error.message] + error.evidence
        }
        defer { lock?.release() }
        let seen = isBusy ? [] : await look(into: alive, of: survey)
        defer { for instance in seen { instance.hypervisor.close() } }
        func status(
            _ name: String, memory: UInt64, isThere: (Tenants) -> Bool, _ state: (Hypervisor) async -> String
        ) async -> InnerGuestStatus {
            // Where it is, by the word of the instances; what is on record where none of them has it.
            let there = seen.filter { $0.tenants.map(isThere) == true }
            let placed = survey.shownPlacement[name]
            let home = there.first { $0.hypervisor.record.id == placed } ?? there.first
            let instance = home?.hypervisor.record.id ?? placed
            let asked = seen.first { $0.hypervisor.record.id == instance }
            let word =
                if let home { await state(home.hypervisor) } else if instance == nil {
                    isBusy || seen.count == alive.count && seen.allSatisfy { $0.tenants != nil } ? "stopped" : "unknown"
                } else if !alive.contains(where: { $0.id == instance }) { "lost" } else if isBusy {
                    "refreshing"
                } else {
                    asked?.tenants == nil ? "unknown" : "stopped"
                }
            return InnerGuestStatus(name: name, instance: instance, state: word, memory: memory)
        }
        var guests: [InnerGuestStatus] = []
        for guest in spec.guests {
            guests.append(
                await status(guest.name, memory: guest.memory, isThere: { $0.guests.contains(guest.name) }) {
                    await state(of: guest, in: $0, stack)
                })
        }
        for container in spec.kind == .os ? shownContainers(of: spec, in: stack, seen) : [] {
            guests.append(
                await status(
                    container.name, memory: container.memory, isThere: { $0.containers.contains(container.name) }
                ) { await ContainerPlacement(stack: stack, container: container, hypervisor: $0).state() })
        }
        guests += Self.strangers(in: seen, known: Set(spec.guests.map(\.name) + stack.containers.map(\.name)))
        return HypervisorStatus(
            name: spec.name, stack: stack.name, instances: alive.map(InstanceReport.init), kind: spec.kind,
            guests: guests, problems: problems + Self.problems(survey))
    }

    /// An instance that was reached, and what is active in it; nil when it does not say.
    private struct Seen {
        let hypervisor: Hypervisor
        let tenants: Tenants?
    }

    private func look(into records: [InstanceRecord], of survey: HypervisorSurvey) async -> [Seen] {
        var seen: [Seen] = []
        for record in records {
            // What cannot be reached is shown as unknown.
            guard let hypervisor = try? await store.reach(record, within: .seconds(2)) else {
                continue
            }
            // What is not answered is shown as unknown.
            seen.append(
                Seen(hypervisor: hypervisor, tenants: try? await hypervisor.agent.tenants(within: .seconds(10))))
        }
        return seen
    }

    /// Guests and containers that run, and of which no stack file on record knows.
    private static func strangers(in seen: [Seen], known: Set<String>) -> [InnerGuestStatus] {
        seen.flatMap { instance in
            let names = (instance.tenants?.guests ?? []).union(instance.tenants?.containers ?? []).subtracting(known)
            return names.sorted().map {
                InnerGuestStatus(name: $0, instance: instance.hypervisor.record.id, state: "active", memory: 0)
            }
        }
    }

    private func strangers(
        in records: [InstanceRecord], of survey: HypervisorSurvey, known: Set<String>
    ) async -> [InnerGuestStatus] {
        let seen = await look(into: records, of: survey)
        defer { for instance in seen { instance.hypervisor.close() } }
        return Self.strangers(in: seen, known: known)
    }

    /// The containers to be shown with an OS VM: those that are in it, and those that belong to it and are nowhere.
    private func shownContainers(of spec: HypervisorSpec, in stack: Stack, _ seen: [Seen]) -> [ContainerSpec] {
        let active = seen.reduce(into: Set<String>()) { $0.formUnion($1.tenants?.containers ?? []) }
        // Where a placement cannot be read, what the instances say is all there is.
        guard let placed = try? store.containers(of: spec, in: stack) else {
            return stack.containers.filter { active.contains($0.name) }
        }
        let names = active.union(placed.map(\.name))
        return stack.containers.filter { names.contains($0.name) }
    }

    private func state(of guest: InnerGuestSpec, in hypervisor: Hypervisor, _ stack: Stack) async -> String {
        let placement = GuestPlacement(stack: stack, guest: guest, hypervisor: hypervisor)
        // For showing only.
        guard let client = try? await placement.connect() else { return "unknown" }
        defer { client.close() }
        return (try? await client.execute(QueryStatus()).state.rawValue) ?? "unknown"
    }
}
