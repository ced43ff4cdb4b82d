/// What an L1 is for.
///
/// The raw value is its word in commands and in JSON, the description the one in sentences.
public enum HypervisorKind: String, Sendable, Hashable, CustomStringConvertible {
    /// It runs guests, by QEMU and KVM.
    case hypervisor
    /// It runs containers.
    case os

    /// `hypervisor` or `OS VM`.
    public var description: String { self == .os ? "OS VM" : "hypervisor" }

    /// What lives in it, one of them: `guest` or `container`.
    public var tenant: String { self == .os ? "container" : "guest" }
}
