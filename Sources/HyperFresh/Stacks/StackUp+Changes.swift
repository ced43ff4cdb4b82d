import StackFile

extension StackUp {
    /// Removes what the file has no more, or refuses: nothing that runs is ever without a description.
    func follow(_ old: Stack) async throws(HyperFreshError) {
        let change = try change(from: old)
        guard change.alterations.isEmpty else {
            throw HyperFreshError(
                "the stack \(stack.name) is up, and what runs cannot follow these changes of its file",
                guestState: "Nothing was touched.",
                remedy: "Undo them, or take the stack down first. A guest alone: `up` without it and with "
                    + "--remove-orphans, refresh its hypervisor, and `up` with it.",
                evidence: change.alterations, exitCode: RefreshOutcome.blocked.exitCode)
        }
        let names =
            change.orphanedHypervisors.map { "\($0.kind) \($0.name)" }
            + change.orphanedGuests.map { "guest \($0.guest.name) in hypervisor \($0.hypervisor.name)" }
            + change.orphanedContainers.map { "container \($0.container.name) in OS VM \($0.system.name)" }
        guard names.isEmpty || orphans != .refuse else {
            throw HyperFreshError(
                "the stack \(stack.name) has what its file has no more", guestState: "Nothing was touched.",
                remedy: "Put it back into the file, or let it be shut down and removed: --remove-orphans.",
                evidence: names, exitCode: RefreshOutcome.blocked.exitCode)
        }
        guard case .remove(let grace) = orphans else { return }
        for hypervisor in change.orphanedHypervisors {
            let lock = try store.lock(hypervisor.name)
            defer { lock.release() }
            try await StackDown(name: old.name, store: store, grace: grace, tell: tell).takeDown(hypervisor, old)
        }
        for orphan in change.orphanedGuests { try await remove(orphan, of: old, grace: grace) }
        for orphan in change.orphanedContainers { try await remove(orphan, of: old, grace: grace) }
    }

    /// What the file changes, given what is there.
    private func change(from old: Stack) throws(HyperFreshError) -> StackChange {
        var surveys: [String: HypervisorSurvey] = [:]
        var placements: [String: [String: String]] = [:]
        var systems: [String: HypervisorSpec] = [:]
        for spec in old.hypervisors {
            let survey = try store.survey(spec.name)
            surveys[spec.name] = survey
            placements[spec.name] = try survey.records().placement
        }
        for container in old.containers {
            systems[container.name] = try store.place(ofContainer: container.name, in: old)?.system
        }
        return StackChange(
            from: old, to: stack, isUp: { surveys[$0.name]?.instances.isEmpty == false },
            isPlaced: { placements[$1.name]?[$0.name] != nil }, systemOf: { systems[$0.name] })
    }

    private func remove(
        _ orphan: StackChange.ContainerOrphan, of old: Stack, grace: Duration
    ) async throws(HyperFreshError) {
        let (container, spec) = (orphan.container, orphan.system)
        let lock = try store.lock(spec.name)
        defer { lock.release() }
        // Where its OS VM died there is nothing to stop.
        if let record = try running(spec) {
            let hypervisor = try await reach(record, spec)
            defer { hypervisor.close() }
            try await step("container \(container.name) is removed from \(spec.name)") { () throws(HyperFreshError) in
                try await ContainerPlacement(stack: old, container: container, hypervisor: hypervisor).remove(grace: grace)
            }
        } else {
            try ContainerStoreFile(container, in: old).remove()
        }
        try record(container.name, on: nil, of: spec)
    }

    private func remove(_ orphan: StackChange.Orphan, of old: Stack, grace: Duration) async throws(HyperFreshError) {
        let (guest, spec) = (orphan.guest, orphan.hypervisor)
        let lock = try store.lock(spec.name)
        defer { lock.release() }
        // Where its hypervisor died there is nobody to shut down.
        if let record = try running(spec) {
            let hypervisor = try await reach(record, spec)
            defer { hypervisor.close() }
            try await step("guest \(guest.name) is removed from \(spec.name)") { () throws(HyperFreshError) in
                let placement = GuestPlacement(stack: old, guest: guest, hypervisor: hypervisor)
                try await GuestRemoval(placement: placement, grace: grace).run()
            }
        } else {
            try GuestMemoryFile(guest, in: old).remove()
        }
        try record(guest.name, on: nil, of: spec)
    }
}
