import Containers
import StackFile
import VirtualMachines

extension ContainerPlacement {
    /// The place within the OS VM.
    var place: ContainerPlace { ContainerPlace(container, in: hypervisor) }

    /// Attaches everything from outside and makes everything ready inside, as far as it is not.
    func makeReady() async throws(HyperFreshError) {
        let bundle = try ContainerAdmission.bundle(of: container)
        try await attach()
        do throws(HypervisorError) {
            let address = try await hypervisor.memoryAddress(of: container.name)
            let device = try await CoMapping.findBlockDevice(at: address, by: hypervisor.agent)
            try await place.prepare(store: device, rootFolder: bundle.rootFolder)
        } catch {
            throw HyperFreshError(error)
        }
    }

    /// Starts the container anew.
    func start() async throws(HyperFreshError) {
        let bundle = try ContainerAdmission.bundle(of: container)
        do throws(HypervisorError) { try await place.start(bundle) } catch { throw HyperFreshError(error) }
    }

    /// Takes away what is left of a container that is somewhere else, but for the memory behind the image store.
    func vacate() async throws(HyperFreshError) {
        do throws(HypervisorError) { try await place.clear() } catch { throw HyperFreshError(error) }
        try await detach()
    }
}
