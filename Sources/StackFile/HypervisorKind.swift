/// The kind of an L1.
///
/// The raw value is used in commands and in JSON, the description in sentences.
public enum HypervisorKind: String, Sendable, Hashable, CustomStringConvertible {
    /// It runs guests on QEMU and KVM.
    case hypervisor
    /// It runs containers.
    case os

    /// `hypervisor` or `OS VM`.
    public var description: String { self == .os ? "OS VM" : "hypervisor" }

    /// The kind of what it runs: `guest` or `container`.
    public var tenant: String { self == .os ? "container" : "guest" }
}
