import Glibc
import Guests
import Journal
import Linux
import QMP
import StackFile
import VirtualMachines

/// The progress of `up` and `down`.
public enum StackProgress: Sendable {
    /// A step has begun, such as "hypervisor alpha boots".
    case step(String)
    /// A step is done, after so many milliseconds.
    case done(String, milliseconds: Double)
}

/// Brings a stack up: creates everything that is missing, leaves everything else alone.
///
/// A later run adds guests that are new in the file to the running hypervisor, restarts guests that have ended, and, if
/// requested, removes guests that are no longer in the file.
struct StackUp {
    let stack: Stack
    /// The stack file's text, for the record.
    let text: [UInt8]
    let store: StackStore
    /// Whether to remove guests and hypervisors that are no longer in the file, and how long guests may take to shut
    /// down.
    let orphans: OrphanPolicy
    let tell: @Sendable (StackProgress) -> Void

    func run() async throws(HyperFreshError) {
        try store.verify()
        try checkNames()
        let isNew = try await followRecord()
        try refuseStrangers()
        try keepRecord()
        for spec in stack.hypervisors {
            let lock = try store.lock(spec.name)
            defer { lock.release() }
            let wasThere = try store.survey(spec.name).mayHaveInstances
            do throws(HyperFreshError) { try await bringUp(spec) } catch {
                throw undoing(spec, isNew: isNew, wasThere: wasThere, after: error)
            }
        }
    }

    /// Throws if another stack has a hypervisor of the same name, which this stack would take over.
    private func checkNames() throws(HyperFreshError) {
        for spec in stack.hypervisors {
            // Use the hypervisor's own copy: the record of an unrelated stack may be damaged.
            guard let owner = store.stackCopy(of: spec.name).shown?.name, owner != stack.name else { continue }
            throw HyperFreshError(
                "\(spec.kind) \(spec.name) has the same name as one of stack \(owner)", remedy: "Give it another name.",
                exitCode: HyperFreshError.usage)
        }
    }

    /// Compares the file with the stack's record.
    ///
    /// - Returns: Whether there is no record: the stack is new.
    private func followRecord() async throws(HyperFreshError) -> Bool {
        switch store.stackRecord(stack.name) {
        case .present(let record):
            try await follow(try record.parse(at: "the record of stack \(stack.name)"))
            return false
        case .damaged(let damage): throw .damaged([damage], of: "stack \(stack.name)")
        case .absent:
            for spec in stack.hypervisors where try !store.survey(spec.name).running.isEmpty {
                let lost = RecordDamage(path: "\(store.stateDirectory)/stacks/\(stack.name)", reason: "it is missing")
                throw .damaged([lost], of: "stack \(stack.name), whose \(spec.kind) \(spec.name) runs,")
            }
            return true
        }
    }

    private func keepRecord() throws(HyperFreshError) {
        do throws(SystemError) { try store.keep(text, of: stack) } catch {
            throw cannotRemember(error)
        }
    }

    private func cannotRemember(_ error: SystemError) -> HyperFreshError {
        HyperFreshError(
            "cannot record stack \(stack.name)", because: error,
            remedy: "Free space in \(store.stateDirectory), and move aside any other file with the name of a record.",
            exitCode: RefreshOutcome.blocked.exitCode)
    }

    /// Throws, before anything is started, if a hypervisor that is not on record may use a guest's file.
    private func refuseStrangers() throws(HyperFreshError) {
        try FileUse.refuseStrangers(
            stack.hypervisors.flatMap(\.guests).flatMap { FileUse.Claim.all(of: $0, in: stack) }
                + stack.containers.flatMap { FileUse.Claim.all(of: $0, in: stack) },
            known: try store.processes(of: stack))
    }

    /// Removes the records that this run has created, and nothing else, if it has started nothing.
    private func undoing(
        _ spec: HypervisorSpec, isNew: Bool, wasThere: Bool, after failure: HyperFreshError
    ) -> HyperFreshError {
        do throws(HyperFreshError) {
            let survey = try store.survey(spec.name)
            if !wasThere && !survey.mayHaveInstances { try store.forget(hypervisor: spec.name) }
            var isUp = false
            for spec in stack.hypervisors where try store.survey(spec.name).mayHaveInstances { isUp = true }
            if isNew && !isUp { store.forget(stack: stack.name) }
            return failure
        } catch {
            return failure.adding(evidence: [error.message] + error.evidence)
        }
    }

    private func bringUp(_ spec: HypervisorSpec) async throws(HyperFreshError) {
        do throws(SystemError) { try store.keepCopy(text, of: stack, with: spec.name) } catch {
            throw cannotRemember(error)
        }
        if let record = try running(spec) {
            try await startTenants(on: record, spec)
        } else {
            try await start(spec)
        }
    }

    private func start(_ spec: HypervisorSpec) async throws(HyperFreshError) {
        try checkRoom(spec)
        // No process uses the files of an instance that died.
        for instance in try store.survey(spec.name).instances { try store.forget(spec.name, instance: instance.id) }
        let image = try readImage(spec)
        let hypervisor = try await step("\(spec.kind) \(spec.name) boots") { () throws(HyperFreshError) in
            try await HypervisorBoot(stack: stack, spec: spec, image: image, store: store, boot: .seconds(600)).run()
        }
        defer { hypervisor.close() }
        var made: [GuestMemoryFile] = []
        var stores: [ContainerStoreFile] = []
        do throws(HyperFreshError) {
            for guest in spec.guests { try await add(guest, to: hypervisor, spec, made: &made) }
            if spec.kind == .os { _ = try await startContainers(in: hypervisor, spec, made: &stores) }
        } catch {
            // All or nothing: a hypervisor without its guests is useless. This run has started everything in it.
            guard await hypervisor.end() else {
                throw error.adding(evidence: [InstanceEnd.survived(hypervisor.record).message])
            }
            await ShareServer.endAll(of: hypervisor.folder)
            do throws(HyperFreshError) {
                for file in made { try file.remove() }
                for file in stores { try file.remove() }
                GuestMemoryFile.removeFolder(of: stack)
                ContainerStoreFile.removeFolder(of: stack)
                try store.forget(spec.name, instance: hypervisor.record.id)
            } catch let leftover {
                throw error.adding(evidence: [leftover.message] + leftover.evidence)
            }
            if Task.isCancelled {
                throw HyperFreshError(
                    "the start of \(spec.kind) \(spec.name) was interrupted",
                    remedy: "Nothing of it is left. Run the command again when you are ready.")
            }
            throw error
        }
    }

    /// Throws, before anything is created, if there is not enough memory: a host without memory kills processes, and
    /// not always the newest.
    private func checkRoom(_ spec: HypervisorSpec) throws(HyperFreshError) {
        let guests =
            spec.guests.reduce(0) { $0 + GuestMemoryFile($1, in: stack).size }
            + spec.containers.reduce(0) { $0 + ContainerStoreFile($1, in: stack).size }
        let finding = HostChecks.memory(overhead: spec.memory + guests + (256 << 20))
        guard finding.severity == .fail else { return }
        let tenants = spec.kind == .os ? "the image stores of its containers" : "its guests"
        throw HyperFreshError(
            "there is not enough memory for \(spec.kind) \(spec.name) and \(tenants)",
            remedy:
                "Free memory, or give them less in the stack file. A refresh also needs memory for a second "
                + "\(spec.kind).",
            evidence: [
                "\(spec.name): \(spec.memory >> 20) MiB, \(tenants): \(guests >> 20) MiB", finding.evidence.first ?? "",
            ])
    }

    private func readImage(_ spec: HypervisorSpec) throws(HyperFreshError) -> HypervisorImage {
        do throws(HypervisorError) {
            return try HypervisorImage.read(ImageCache.folder(of: spec.image, stack: stack))
        } catch {
            throw HyperFreshError(error, in: "\(spec.kind) \(spec.name)")
        }
    }

    /// Adds guests or containers that are new to a hypervisor or OS VM, and restarts those that have ended.
    private func startTenants(on record: InstanceRecord, _ spec: HypervisorSpec) async throws(HyperFreshError) {
        let hypervisor = try await reach(record, spec)
        defer { hypervisor.close() }
        let placed = try store.survey(spec.name).records().placement
        // A guest that runs, but is not on record, must not be started a second time.
        _ = try await TenantCheck(stack: stack, spec: spec).run(hypervisor, placed)
        var made: [GuestMemoryFile] = []
        var started = 0
        for guest in spec.guests {
            if placed[guest.name] != nil {
                started += try await startAgain(guest, in: hypervisor, spec) ? 1 : 0
                continue
            }
            let before = made.count
            started += 1
            do throws(HyperFreshError) { try await add(guest, to: hypervisor, spec, made: &made) } catch {
                throw await undoing(guest, made: Array(made.dropFirst(before)), in: hypervisor, after: error)
            }
        }
        if spec.kind == .os {
            var stores: [ContainerStoreFile] = []
            started = try await startContainers(in: hypervisor, spec, made: &stores)
        }
        if started == 0 { tell(.done("\(spec.kind) \(spec.name) is up", milliseconds: 0)) }
    }

    /// Removes a guest that could not be started, if its QEMU is certainly gone.
    private func undoing(
        _ guest: InnerGuestSpec, made: [GuestMemoryFile], in hypervisor: Hypervisor, after failure: HyperFreshError
    ) async -> HyperFreshError {
        do throws(HypervisorError) { try await InnerUnit(guest.name).end(by: hypervisor.agent) } catch {
            return failure.adding(evidence: [error.message, "its memory file was not removed"])
        }
        do throws(HyperFreshError) {
            // The NVDIMM cannot be unplugged: the hypervisor still maps the file, but does not use it.
            for file in made { try file.remove(butFor: [hypervisor.process.identity]) }
            return failure
        } catch {
            return failure.adding(evidence: [error.message] + error.evidence)
        }
    }

    /// Restarts a guest that has ended, as the power button does: it boots.
    ///
    /// - Returns: Whether it had ended.
    private func startAgain(
        _ guest: InnerGuestSpec, in hypervisor: Hypervisor, _ spec: HypervisorSpec
    ) async throws(HyperFreshError) -> Bool {
        let placement = GuestPlacement(stack: stack, guest: guest, hypervisor: hypervisor)
        do throws(HypervisorError) {
            if try await placement.unit.isActive(by: hypervisor.agent) { return false }
        } catch {
            throw HyperFreshError(error, in: "guest \(guest.name)")
        }
        try placement.memoryFile.verify()
        try await launch(placement, spec)
        return true
    }

    private func add(
        _ guest: InnerGuestSpec, to hypervisor: Hypervisor, _ spec: HypervisorSpec, made: inout [GuestMemoryFile]
    ) async throws(HyperFreshError) {
        let placement = GuestPlacement(stack: stack, guest: guest, hypervisor: hypervisor)
        try await refuseUsedName(guest, in: hypervisor)
        try placement.memoryFile.create()
        made.append(placement.memoryFile)
        try await launch(placement, spec)
    }

    /// Throws if the memory of a removed guest with the same name is still attached.
    private func refuseUsedName(_ guest: InnerGuestSpec, in hypervisor: Hypervisor) async throws(HyperFreshError) {
        do throws(HypervisorError) {
            guard try await hypervisor.hasMemory(of: guest.name) else { return }
        } catch {
            throw HyperFreshError(error, in: "guest \(guest.name)")
        }
        let name = hypervisor.record.hypervisor
        throw HyperFreshError(
            "hypervisor \(name) had a guest \(guest.name) before, whose memory cannot be unplugged",
            guestState: "The other guests keep running.",
            remedy: "Run `hyperfresh refresh hypervisor \(name)`; then \(guest.name) can be added. Or give it another "
                + "name.",
            exitCode: RefreshOutcome.blocked.exitCode)
    }

    private func launch(_ placement: GuestPlacement, _ spec: HypervisorSpec) async throws(HyperFreshError) {
        try await step("guest \(placement.guest.name) starts on \(spec.name)") { () throws(HyperFreshError) in
            try await placement.attach()
            let device = try await placement.prepare()
            let client = try await placement.start(on: device, isIncoming: false)
            client.close()
        }
        try record(placement.guest.name, on: placement.hypervisor.record.id, of: spec)
    }
}

// MARK: - Shared by adding and removing

extension StackUp {
    /// Returns the only running instance of a hypervisor; `nil` if none runs.
    func running(_ spec: HypervisorSpec) throws(HyperFreshError) -> InstanceRecord? {
        let alive = try store.survey(spec.name).records().alive
        guard alive.count < 2 else {
            throw HyperFreshError(
                "a refresh of \(spec.kind) \(spec.name) is unfinished",
                guestState: "Its \(spec.kind.tenant)s keep running.",
                remedy: "Run `hyperfresh recover`, then `hyperfresh refresh \(spec.kind.rawValue) "
                    + "\(spec.name)` to finish it.",
                evidence: alive.map { "\($0.id): pid \($0.process.pid)" },
                exitCode: RefreshOutcome.blocked.exitCode)
        }
        try HandoffEntry.refuseUnfinished(of: spec.name, in: store)
        if let stranger = alive.first(where: { $0.stack != stack.name }) {
            throw HyperFreshError(
                "\(spec.kind) \(spec.name) belongs to stack \(stranger.stack)", guestState: "It keeps running.",
                remedy: "Give the one in your file another name.", exitCode: HyperFreshError.usage)
        }
        return alive.first
    }

    func record(
        _ guest: String, on instance: String?, of spec: HypervisorSpec
    ) throws(HyperFreshError) {
        try store.place(guest, on: instance, of: spec.name)
    }

    func reach(_ record: InstanceRecord, _ spec: HypervisorSpec) async throws(HyperFreshError) -> Hypervisor {
        do throws(HypervisorError) {
            return try await store.reach(record)
        } catch {
            throw HyperFreshError(error, in: "\(spec.kind) \(spec.name)")
        }
    }

    func step<T>(
        _ what: String, _ work: () async throws(HyperFreshError) -> T
    ) async throws(HyperFreshError) -> T {
        tell(.step(what))
        let begin = ContinuousClock.now
        let result = try await work()
        tell(.done(what, milliseconds: (.now - begin).milliseconds))
        return result
    }
}
