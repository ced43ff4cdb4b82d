import Glibc
import Guests
import Hypervisors
import Linux
import QMP

/// What `up` and `down` tell while they go on.
public enum StackProgress: Sendable {
    /// Something goes on, such as "hypervisor alpha boots".
    case step(String)
    /// It is done, after so many milliseconds.
    case done(String, milliseconds: Double)
}

/// Brings a stack up: what is not there is made, what is there is left alone.
///
/// Run again after the file has got another guest, it adds that guest to the hypervisor that runs; a guest that has ended is
/// started again; one that the file has no more is removed if that was asked for.
struct StackUp {
    let stack: Stack
    /// The stack file's text, to be remembered.
    let text: [UInt8]
    let store: StackStore
    /// Whether guests and hypervisors that the file has no more are removed, and what time guests get to shut down.
    let orphans: OrphanPolicy
    let tell: @Sendable (StackProgress) -> Void

    func run() async throws(HyperFreshError) {
        try checkNames()
        if store.stackNames().contains(stack.name) { try await follow(try store.stack(stack.name)) }
        do throws(SystemError) { try store.keep(text, of: stack) } catch {
            throw HyperFreshError(
                "the stack \(stack.name) cannot be remembered", because: error,
                remedy: "Make \(store.stateDirectory) this user's own, or name another folder with --state-dir.")
        }
        for spec in stack.hypervisors {
            let lock = try store.lock(spec.name)
            defer { lock.release() }
            do throws(HyperFreshError) { try await bringUp(spec) } catch {
                let isUp = stack.hypervisors.contains { !store.instances(of: $0.name).isEmpty }
                if !isUp { store.forget(stack: stack.name) }
                if store.instances(of: spec.name).isEmpty { store.forget(hypervisor: spec.name) }
                throw error
            }
        }
    }

    /// A name that another stack uses would make its hypervisor ours.
    private func checkNames() throws(HyperFreshError) {
        for name in store.stackNames() where name != stack.name {
            let taken = Set(try store.stack(name).hypervisors.map(\.name))
            guard let clash = stack.hypervisors.first(where: { taken.contains($0.name) }) else { continue }
            throw HyperFreshError(
                "\(clash.kind) \(clash.name) has the name of one of stack \(name)", remedy: "Give it another name.",
                exitCode: HyperFreshError.usage)
        }
    }

    private func bringUp(_ spec: HypervisorSpec) async throws(HyperFreshError) {
        if let record = try running(spec) {
            try await startTenants(on: record, spec)
        } else {
            try await start(spec)
        }
    }

    private func start(_ spec: HypervisorSpec) async throws(HyperFreshError) {
        try checkRoom(spec)
        // What an instance that died has left is nobody's.
        for instance in store.instances(of: spec.name) { store.forget(spec.name, instance: instance.id) }
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
            // All or nothing: a hypervisor that came up without its guests is of no use.
            guard await hypervisor.end() else { throw error }
            for file in made { file.remove() }
            for file in stores { file.remove() }
            GuestMemoryFile.removeFolder(of: stack)
            ContainerStoreFile.removeFolder(of: stack)
            store.forget(hypervisor: spec.name)
            if Task.isCancelled {
                throw HyperFreshError(
                    "the start of \(spec.kind) \(spec.name) was cut short",
                    remedy: "Nothing of it is left. Start it again when it suits.")
            }
            throw error
        }
    }

    /// Before anything is made: a host out of memory ends processes, and not always the newest.
    private func checkRoom(_ spec: HypervisorSpec) throws(HyperFreshError) {
        let guests =
            spec.guests.reduce(0) { $0 + GuestMemoryFile($1, in: stack).size }
            + spec.containers.reduce(0) { $0 + ContainerStoreFile($1, in: stack).size }
        let finding = HostChecks.memory(overhead: spec.memory + guests + (256 << 20))
        guard finding.severity == .fail else { return }
        let tenants = spec.kind == .os ? "the image stores of its containers" : "its guests"
        throw HyperFreshError(
            "there is too little memory for \(spec.kind) \(spec.name) and \(tenants)",
            remedy:
                "Free memory, or give them less in the stack file. A refresh needs room for a second \(spec.kind), too.",
            evidence: [
                "\(spec.name): \(spec.memory >> 20) MiB, \(tenants): \(guests >> 20) MiB", finding.evidence.first ?? "",
            ])
    }

    private func readImage(_ spec: HypervisorSpec) throws(HyperFreshError) -> HypervisorImage {
        do throws(HypervisorError) {
            return try HypervisorImage.read(ImageCache.folder(of: spec.image, stack: stack))
        } catch {
            throw HyperFreshError(error)
        }
    }

    /// Adds guests or containers that are new to a hypervisor or OS VM, and starts again those that have ended.
    private func startTenants(on record: InstanceRecord, _ spec: HypervisorSpec) async throws(HyperFreshError) {
        let hypervisor = try await reach(record, spec)
        defer { hypervisor.close() }
        let placed = store.placement(of: spec.name)
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
                try? await InnerUnit(guest.name).end(by: hypervisor.agent)
                // The NVDIMM cannot be unplugged: the file goes with the last who maps it.
                for file in made.dropFirst(before) { file.remove() }
                throw error
            }
        }
        if spec.kind == .os {
            var stores: [ContainerStoreFile] = []
            started = try await startContainers(in: hypervisor, spec, made: &stores)
        }
        if started == 0 { tell(.done("\(spec.kind) \(spec.name) is up", milliseconds: 0)) }
    }

    /// Starts a guest that has ended, as after the power button: it boots anew.
    ///
    /// - Returns: Whether it had ended.
    private func startAgain(
        _ guest: InnerGuestSpec, in hypervisor: Hypervisor, _ spec: HypervisorSpec
    ) async throws(HyperFreshError) -> Bool {
        let seat = GuestSeat(stack: stack, guest: guest, hypervisor: hypervisor)
        do throws(HypervisorError) {
            if try await seat.unit.isActive(by: hypervisor.agent) { return false }
        } catch {
            throw HyperFreshError(error)
        }
        try seat.memoryFile.verify()
        try await launch(seat, spec)
        return true
    }

    private func add(
        _ guest: InnerGuestSpec, to hypervisor: Hypervisor, _ spec: HypervisorSpec, made: inout [GuestMemoryFile]
    ) async throws(HyperFreshError) {
        let seat = GuestSeat(stack: stack, guest: guest, hypervisor: hypervisor)
        try await refuseUsedName(guest, in: hypervisor)
        try seat.memoryFile.create()
        made.append(seat.memoryFile)
        try await launch(seat, spec)
    }

    /// The memory of a guest that was removed is still attached, and it is not the new one's.
    private func refuseUsedName(_ guest: InnerGuestSpec, in hypervisor: Hypervisor) async throws(HyperFreshError) {
        do throws(HypervisorError) {
            guard try await hypervisor.hasMemory(of: guest.name) else { return }
        } catch {
            throw HyperFreshError(error)
        }
        let name = hypervisor.record.hypervisor
        throw HyperFreshError(
            "hypervisor \(name) had a guest \(guest.name) before, whose memory cannot be unplugged from it",
            guestState: "The other guests run on.",
            remedy: "Run `hyperfresh refresh hypervisor \(name)`: \(guest.name) can be added to the fresh one. Or "
                + "give it another name.",
            exitCode: RefreshOutcome.blocked.exitCode)
    }

    private func launch(_ seat: GuestSeat, _ spec: HypervisorSpec) async throws(HyperFreshError) {
        try await step("guest \(seat.guest.name) starts on \(spec.name)") { () throws(HyperFreshError) in
            try await seat.attach()
            let device = try await seat.prepare()
            let client = try await seat.start(on: device, isIncoming: false)
            client.close()
        }
        try record(seat.guest.name, on: seat.hypervisor.record.id, of: spec)
    }
}

// MARK: - What adding and removing have in common

extension StackUp {
    /// The one instance of a hypervisor that runs; `nil` where none does.
    func running(_ spec: HypervisorSpec) throws(HyperFreshError) -> InstanceRecord? {
        let alive = store.instances(of: spec.name).filter { $0.process.isAlive }
        guard alive.count < 2 else {
            throw HyperFreshError(
                "a refresh of \(spec.kind) \(spec.name) has not come to its end",
                guestState: "Its \(spec.kind.tenant)s run on.",
                remedy: "`hyperfresh recover`, then `hyperfresh refresh \(spec.kind.rawValue) "
                    + "\(spec.name)` finish it.",
                evidence: alive.map { "\($0.id): pid \($0.process.pid)" },
                exitCode: RefreshOutcome.blocked.exitCode)
        }
        try HypervisorAdmission.refuseUnfinished(of: spec.name, in: store)
        return alive.first
    }

    func record(
        _ guest: String, on instance: String?, of spec: HypervisorSpec
    ) throws(HyperFreshError) {
        do throws(SystemError) { try store.place(guest, on: instance, of: spec.name) } catch {
            throw HyperFreshError(
                "it could not be recorded where \(spec.kind.tenant) \(guest) is", because: error,
                remedy: "Make room in \(store.stateDirectory).")
        }
    }

    func reach(_ record: InstanceRecord, _ spec: HypervisorSpec) async throws(HyperFreshError) -> Hypervisor {
        do throws(HypervisorError) {
            return try await Hypervisor.reach(record, in: store.folder(spec.name, record.id))
        } catch {
            throw HyperFreshError(error)
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
