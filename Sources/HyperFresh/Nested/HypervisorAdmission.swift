import Containers
import Glibc
import Guests
import Handoff
import Hypervisors
import Linux

/// What has to be known and true before a hypervisor is refreshed.
///
/// Changes nothing.
struct HypervisorAdmission {
    let stack: Stack
    let spec: HypervisorSpec
    let store: StackStore
    let request: HypervisorRefreshRequest

    /// What is to be done.
    struct Plan: Sendable {
        let stack: Stack
        let spec: HypervisorSpec
        let image: HypervisorImage
        /// The instance with guests to move; with none, when an earlier refresh moved them all but could not end it.
        let old: Hypervisor
        /// The instance of an earlier refresh that did not come to its end; `nil` when one has to be started.
        let new: Hypervisor?
        /// The guests to hand over.
        let guests: [InnerGuestSpec]
        /// The containers to relocate, of an OS VM.
        let containers: [ContainerSpec]
        /// Guests without a QEMU: shut down from within, or ended; containers without a process.
        let stoppedGuests: [String]
        let isRehearsal: Bool

        /// Whether this run brings an earlier one to its end.
        var isFinishing: Bool { new != nil }
    }

    func run() async throws(HyperFreshError) -> Plan {
        try Self.refuseUnfinished(of: spec.name, in: store)
        try refuseFunctions()
        let image = try readImage()
        let alive = store.instances(of: spec.name).filter { $0.process.isAlive }
        guard let last = alive.last else {
            throw HyperFreshError(
                "\(spec.kind) \(spec.name) does not run", guestState: "None of its \(spec.kind.tenant)s runs.",
                remedy: "hyperfresh down, then up, with its stack file.", exitCode: RefreshOutcome.blocked.exitCode)
        }
        guard alive.count <= 2 else {
            throw HyperFreshError(
                "\(spec.kind) \(spec.name) has \(alive.count) instances",
                remedy: "`hyperfresh recover` ends those without guests.",
                evidence: alive.map { "\($0.id): pid \($0.process.pid)" }, exitCode: RefreshOutcome.blocked.exitCode)
        }
        let placement = store.placement(of: spec.name)
        let first = alive[0]
        let new = alive.count == 2 ? try await reach(last) : nil
        if new == nil { try checkRoom() }
        let old = try await reach(first)
        do throws(HyperFreshError) {
            let (guests, stopped) = try await guests(of: old, placement)
            let (containers, ended) = try await containers(of: old, placement)
            return Plan(
                stack: stack, spec: spec, image: image, old: old, new: new, guests: guests, containers: containers,
                stoppedGuests: stopped + ended, isRehearsal: request.isRehearsal)
        } catch {
            old.close()
            new?.close()
            throw error
        }
    }

    private func readImage() throws(HyperFreshError) -> HypervisorImage {
        do throws(HypervisorError) {
            return try HypervisorImage.read(ImageCache.folder(of: request.image ?? spec.image, stack: stack))
        } catch {
            var error = HyperFreshError(error)
            error.guestState = "Nothing was touched."
            error.exitCode = RefreshOutcome.blocked.exitCode
            throw error
        }
    }

    private func reach(_ record: InstanceRecord) async throws(HyperFreshError) -> Hypervisor {
        do throws(HypervisorError) {
            let hypervisor = try await Hypervisor.reach(record, in: store.folder(spec.name, record.id))
            guard await hypervisor.agent.answers(within: .seconds(20)) else {
                hypervisor.close()
                throw HypervisorError(
                    "the agent of \(spec.kind) \(spec.name) (instance \(record.id)) does not answer",
                    remedy: "Its guests may run on. Without the agent they cannot be handed over: see its console, "
                        + "shut the guests down from within, then take it down.",
                    evidence: Hypervisor.consoleTail(hypervisor.folder).map { "console: \($0)" })
            }
            return hypervisor
        } catch {
            var error = HyperFreshError(error)
            error.guestState = "Nothing was touched."
            error.exitCode = RefreshOutcome.blocked.exitCode
            throw error
        }
    }

    /// The guests whose QEMU runs in the old hypervisor, and those that have none.
    private func guests(
        of old: Hypervisor, _ placement: [String: String]
    ) async throws(HyperFreshError) -> ([InnerGuestSpec], [String]) {
        var (running, stopped): ([InnerGuestSpec], [String]) = ([], [])
        for guest in spec.guests where placement[guest.name] == old.record.id {
            do throws(HypervisorError) {
                if try await InnerUnit(guest.name).isActive(by: old.agent) {
                    running.append(guest)
                } else {
                    stopped.append(guest.name)
                }
            } catch {
                throw HyperFreshError(error)
            }
        }
        try await refuseStrangers(in: old, placement)
        return (running, stopped)
    }

    /// The containers whose processes are in the old OS VM, and those that have none.
    private func containers(
        of old: Hypervisor, _ placement: [String: String]
    ) async throws(HyperFreshError) -> ([ContainerSpec], [String]) {
        var (running, ended): ([ContainerSpec], [String]) = ([], [])
        // Those, too, that were relocated to it.
        for container in stack.containers where placement[container.name] == old.record.id {
            do throws(HypervisorError) {
                if try await ContainerPlace(container, in: old).observe() == .gone {
                    ended.append(container.name)
                } else {
                    running.append(container)
                }
            } catch {
                throw HyperFreshError(error)
            }
        }
        return (running, ended)
    }

    /// A guest that the stack file does not name any more would be left behind in a hypervisor that is ended.
    private func refuseStrangers(in old: Hypervisor, _ placement: [String: String]) async throws(HyperFreshError) {
        let known = Set(spec.guests.map(\.name) + stack.containers.map(\.name))
        for (guest, instance) in placement where instance == old.record.id && !known.contains(guest) {
            // Where the agent does not say, it is taken to run.
            guard (try? await InnerUnit(guest).isActive(by: old.agent)) != false else { continue }
            throw HyperFreshError(
                "guest \(guest) runs in hypervisor \(spec.name), but is not in its stack file",
                guestState: "Nothing was touched.",
                remedy: "Put it back into the file and run `hyperfresh up`, or shut it down from within.",
                exitCode: RefreshOutcome.blocked.exitCode)
        }
    }

    /// A function of a device has one owner.
    private func refuseFunctions() throws(HyperFreshError) {
        guard !spec.functions.isEmpty else { return }
        throw HyperFreshError(
            "\(spec.kind) \(spec.name) holds functions of this host's devices, which a second one cannot have beside it",
            guestState: "Nothing was touched.", remedy: "Take the stack down, and up again. docs/limits.md says more.",
            evidence: spec.functions, exitCode: RefreshOutcome.blocked.exitCode)
    }

    /// Both hypervisors are in memory for the time of the refresh.
    private func checkRoom() throws(HyperFreshError) {
        var finding = HostChecks.memory(overhead: spec.memory + (256 << 20))
        guard finding.severity == .fail else { return }
        finding.message = "there is too little memory for a second \(spec.kind) beside the first"
        throw HyperFreshError(
            "\(spec.kind) \(spec.name) cannot be refreshed: \(finding.message) (\(finding.id))",
            guestState: "Nothing was touched.",
            remedy: "Free \((spec.memory >> 20) + 256) MiB, or give hypervisors less memory in the stack file.",
            evidence: finding.evidence, exitCode: RefreshOutcome.blocked.exitCode)
    }

    /// A controller died in the middle of it: until that is settled, where a guest runs is not known.
    static func refuseUnfinished(of hypervisor: String, in store: StackStore) throws(HyperFreshError) {
        let unfinished = try HandoffEntry.unfinished(in: store.stateDirectory).filter { $0.concerns(hypervisor) }
        guard !unfinished.isEmpty else { return }
        throw HyperFreshError(
            "handoffs of hypervisor \(hypervisor) were left unfinished",
            remedy: "Run `hyperfresh recover` first.",
            evidence: unfinished.map { "\($0.id): \($0.guest ?? "?"), \($0.state?.rawValue ?? "?")" },
            exitCode: RefreshOutcome.blocked.exitCode)
    }
}

/// Where images lie that are named without a folder.
enum ImageCache {
    /// The folder of an image: a path as it is; a name under `$HYPERFRESH_IMAGES`, else the stack file's folder's
    /// `.cache/hypervisor`, else /var/lib/hyperfresh/images.
    static func folder(of image: String, stack: Stack) -> String {
        guard !image.contains("/") else { return image }
        let folders =
            [variable("HYPERFRESH_IMAGES"), variable("HYPERFRESH_CACHE").map { "\($0)/hypervisor" }].compactMap(\.self)
            + ["\(stack.directory)/.cache/hypervisor", "/var/lib/hyperfresh/images"]
        return folders.map { "\($0)/\(image)" }.first { Files.exists($0) } ?? "\(folders[0])/\(image)"
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
}
