import Logging
import QMP
import StackFile
import VirtualMachines

extension HypervisorRefresh {
    /// All that the handoffs need.
    struct Prepared: Sendable {
        var guests: [Guest] = []
        var containers: [Container] = []

        struct Container: Sendable {
            let old: ContainerPlacement
            let new: ContainerPlacement
        }

        struct Guest: Sendable {
            let old: InnerQEMU
            let placement: GuestPlacement
            let device: MemoryDevice
            let channel: StateChannel
        }
    }

    /// Attaches everything to the new hypervisor; nothing is stopped yet.
    func attach(
        _ plan: HypervisorAdmission.Plan, new: Hypervisor
    ) async throws(HyperFreshError) -> Prepared {
        try await timed(.attach) { () throws(HyperFreshError) in
            try await cancellable { () throws(HyperFreshError) in
                var prepared = Prepared()
                do throws(HyperFreshError) {
                    for guest in plan.guests {
                        prepared.guests.append(try await self.prepare(guest, plan.stack, old: plan.old, new: new))
                    }
                    for container in plan.containers {
                        prepared.containers.append(
                            try await self.prepare(container, plan.stack, old: plan.old, new: new))
                    }
                } catch {
                    for guest in prepared.guests {
                        guest.old.client.close()
                        await guest.channel.close()
                    }
                    throw error
                }
                return prepared
            }
        }
    }

    private func prepare(
        _ guest: InnerGuestSpec, _ stack: Stack, old: Hypervisor, new: Hypervisor
    ) async throws(HyperFreshError) -> Prepared.Guest {
        let placement = GuestPlacement(stack: stack, guest: guest, hypervisor: new)
        try placement.memoryFile.verify()
        try await placement.attach()
        let device = try await placement.prepare()
        let oldPlacement = GuestPlacement(stack: stack, guest: guest, hypervisor: old)
        do throws(HypervisorError) {
            let address = try await old.memoryAddress(of: guest.name)
            let oldDevice = try await CoMapping.find(at: address, by: old.agent)
            let channel = StateChannel(guest: guest.name, old: old, new: new)
            try await channel.open()
            let client = try await withLogger(
                mergingMetadata: ["side": "old", "guest": "\(guest.name)"]
            ) { _ async throws(HypervisorError) in
                try await oldPlacement.connect()
            }
            return Prepared.Guest(
                old: InnerQEMU(placement: oldPlacement, device: oldDevice, client: client), placement: placement, device: device,
                channel: channel)
        } catch {
            throw HyperFreshError(error)
        }
    }

    private func prepare(
        _ container: ContainerSpec, _ stack: Stack, old: Hypervisor, new: Hypervisor
    ) async throws(HyperFreshError) -> Prepared.Container {
        let (old, new) = (
            ContainerPlacement(stack: stack, container: container, hypervisor: old),
            ContainerPlacement(stack: stack, container: container, hypervisor: new)
        )
        try new.storeFile.verify()
        try await new.makeReady()
        try await ContainerAdmission.check(container, old: old.place, new: new.place)
        return Prepared.Container(old: old, new: new)
    }
}
