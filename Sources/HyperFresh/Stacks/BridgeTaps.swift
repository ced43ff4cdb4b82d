import StackFile
import VirtualMachines

/// The taps that connect a hypervisor to this host's bridges.
///
/// Its QEMU creates them, and they disappear with it, however it ends: there is nothing to remove.
struct BridgeTaps: Sendable {
    private let pairs: [(tap: String, bridge: String)]

    init(_ instance: HypervisorInstance, in stack: Stack) {
        pairs = stack.networks.compactMap { network in
            guard case .bridge(let bridge) = network.kind, let tap = instance.taps[network.name] else { return nil }
            return (tap, bridge)
        }
    }

    /// Attaches the taps to their bridges, which keep their own hardware address.
    func connect() async throws(HyperFreshError) {
        for (tap, bridge) in pairs {
            let address = HypervisorInstance.tapAddress(on: bridge)
            do throws(HyperFreshError) {
                try await HostProgram.run(
                    "ip", ["link", "set", "dev", tap, "address", address, "master", bridge, "up"])
            } catch {
                throw HyperFreshError(
                    "cannot attach \(tap) to bridge \(bridge)", because: error,
                    remedy: "Create the bridge as root: `ip link add \(bridge) type bridge; ip link set \(bridge) up`.")
            }
        }
    }
}
