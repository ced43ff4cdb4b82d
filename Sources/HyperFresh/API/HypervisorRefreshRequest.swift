import StackFile

/// Which hypervisor to refresh, to what, and within which bounds.
public struct HypervisorRefreshRequest: Sendable {
    /// The hypervisor's name, or the OS VM's.
    public var hypervisor: String
    /// Which of them is meant: one kind's name is not taken for the other's.
    let kind: HypervisorKind
    /// The image of the new one: a name in the image cache, or an image's folder; `nil` for the stack file's.
    public var image: String?
    /// Go as far as linked guests in a new hypervisor, remove it again, never pause a guest.
    public var isRehearsal = false
    /// How many guests may be stopped at once.
    public var parallelism = 1
    /// How long each guest or container may be stopped before it is rolled back.
    public var maximumDowntime: Duration = .seconds(2)
    /// How long the whole may take up to the last commit.
    public var timeout: Duration = .seconds(600)

    /// A request to refresh a hypervisor, with the default bounds.
    ///
    /// - Parameter hypervisor: The hypervisor's name.
    public init(hypervisor: String) {
        self.hypervisor = hypervisor
        kind = .hypervisor
    }

    /// A request to refresh an OS VM, with the default bounds.
    ///
    /// - Parameter system: The OS VM's name.
    public init(system: String) {
        hypervisor = system
        kind = .os
        maximumDowntime = .seconds(30)
    }
}
