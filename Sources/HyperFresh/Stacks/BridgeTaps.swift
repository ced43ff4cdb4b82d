import StackFile
import VirtualMachines

/// The taps by which a hypervisor is on this host's bridges.
///
/// Its QEMU makes them, and they go with it, however it ends: nothing to remove.
struct BridgeTaps: Sendable {
    private let pairs: [(tap: String, bridge: String)]

    init(_ instance: HypervisorInstance, in stack: Stack) {
        pairs = stack.networks.compactMap { network in
            guard case .bridge(let bridge) = network.kind, let tap = instance.taps[network.name] else { return nil }
            return (tap, bridge)
        }
    }

    /// Puts the taps on their bridges, which keep their own hardware address.
    func connect() async throws(HyperFreshError) {
        for (tap, bridge) in pairs {
            let address = HypervisorInstance.tapAddress(on: bridge)
            do throws(HyperFreshError) {
                try await HostProgram.run(
                    "ip", ["link", "set", "dev", tap, "address", address, "master", bridge, "up"])
            } catch {
                throw HyperFreshError(
                    "\(tap) cannot be put on bridge \(bridge)", because: error,
                    remedy: "Create the bridge (ip link add \(bridge) type bridge; ip link set \(bridge) up), as root.")
            }
        }
    }
}
