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
    /// The stack that it belongs to; `?` if that is no longer on record.
    public let stack: String
    /// Its running instances, the oldest first: one, two during a refresh, none if it died.
    public let instances: [InstanceReport]
    let kind: HypervisorKind
    /// Its guests, or the containers in it.
    public let guests: [InnerGuestStatus]
    /// Problems, one sentence each: damaged and missing records, files of others.
    public let problems: [String]
    /// The noun for one of its guests or containers: `guest` or `container`.
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
    /// The instance that has it; `nil` if it was never started.
    public let instance: String?
    /// The state that QEMU reports; `stopped` without a QEMU, `lost` without its hypervisor, `unknown` without an
    /// answer.
    ///
    /// For a container: `running`, `frozen` (as before a move), `paused` (as restored), or one of the latter three.
    public let state: String
    /// Its memory in bytes, for a container its limit; 0 if its stack file is no longer on record.
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
    /// Sorted by stack, in the order of the stack files; those whose stack is no longer on record come last.
    public let hypervisors: [HypervisorStatus]
    /// Damaged records of stacks without a known hypervisor, one sentence each.
    public let problems: [String]

    /// A `hypervisors` document: `items`, `problems`.
    public var json: JSONValue {
        JSONSchema.document(
            type: "hypervisors",
            ["items": .array(hypervisors.map(\.json)), "problems": .array(problems.map(JSONValue.string))])
    }
}

/// Lists every hypervisor of this host by its process and its own report; records only supply the expected state.
struct HypervisorListing {
    let store: StackStore

    func all() async throws(HyperFreshError) -> StackListing {
        do throws(HyperFreshError) { try store.verify() } catch {
            // Sockets in such a folder are not used; report the processes that run.
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

    /// Describes a hypervisor whose stack is no longer on record by its own copy, if that is intact.
    private func lookAtOrphan(_ name: String) async throws(HyperFreshError) -> HypervisorStatus {
        let problem = "it belongs to no stack on record"
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
        survey.damage.map(\.description)
            + survey.oddities.map { "\(survey.folder)/\($0) does not belong to hyperfresh" }
    }

    private func look(
        at spec: HypervisorSpec, of stack: Stack, problems: [String] = []
    ) async throws(HyperFreshError) -> HypervisorStatus {
        let survey = try store.survey(spec.name)
        let alive = survey.running.compactMap { $0.record(stack: stack.name) }
        // A monitor serves one client, and a refresh uses it. A hypervisor without a folder has no lock.
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
            // Use the instance that reports it; the record only if none does.
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

    /// An instance that was reached, and its active guests and containers; nil if it does not report them.
    private struct Seen {
        let hypervisor: Hypervisor
        let tenants: Tenants?
    }

    private func look(into records: [InstanceRecord], of survey: HypervisorSurvey) async -> [Seen] {
        var seen: [Seen] = []
        for record in records {
            // An instance that cannot be reached is shown as unknown.
            guard let hypervisor = try? await store.reach(record, within: .seconds(2)) else {
                continue
            }
            // An instance that does not answer is shown as unknown.
            seen.append(
                Seen(hypervisor: hypervisor, tenants: try? await hypervisor.agent.tenants(within: .seconds(10))))
        }
        return seen
    }

    /// Returns running guests and containers that are in no stack file on record.
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

    /// Returns the containers to show with an OS VM: those that are in it, and its own that are nowhere.
    private func shownContainers(of spec: HypervisorSpec, in stack: Stack, _ seen: [Seen]) -> [ContainerSpec] {
        let active = seen.reduce(into: Set<String>()) { $0.formUnion($1.tenants?.containers ?? []) }
        // Without a readable placement, only the reports of the instances remain.
        guard let placed = try? store.containers(of: spec, in: stack) else {
            return stack.containers.filter { active.contains($0.name) }
        }
        let names = active.union(placed.map(\.name))
        return stack.containers.filter { names.contains($0.name) }
    }

    private func state(of guest: InnerGuestSpec, in hypervisor: Hypervisor, _ stack: Stack) async -> String {
        let placement = GuestPlacement(stack: stack, guest: guest, hypervisor: hypervisor)
        // For display only.
        guard let client = try? await placement.connect() else { return "unknown" }
        defer { client.close() }
        return (try? await client.execute(QueryStatus()).state.rawValue) ?? "unknown"
    }
}
