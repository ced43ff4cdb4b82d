import StackFile

/// The guest to refresh, its new binary, and limits.
public struct RefreshRequest: Sendable {
    /// The guest: its name, its QEMU's pid, or the path of its QMP socket.
    public var guest: String
    /// The binary of the new QEMU; `nil` for the file now at the path from which the old one was started.
    public var target: String?
    /// Whether to stop at a linked new QEMU and remove it again; the guest is never paused.
    public var isRehearsal: Bool
    /// The longest time that the guest may be stopped before everything is rolled back, counted from QEMU's STOP event.
    public var maximumDowntime: Duration
    /// The longest time from the request to the commit before everything is rolled back.
    public var timeout: Duration

    /// Creates a request with the default limits.
    ///
    /// - Parameters:
    ///   - guest: A name, a pid, or the path of a QMP socket.
    ///   - target: The new binary; `nil` for the installed successor of the running one.
    ///   - isRehearsal: Whether this is a dry run.
    ///   - maximumDowntime: Default: one second, two hundred times the duration of a switch, and less than a TCP user
    ///     notices.
    ///   - timeout: Default: one minute.
    public init(
        guest: String, target: String? = nil, isRehearsal: Bool = false,
        maximumDowntime: Duration = .seconds(1), timeout: Duration = .seconds(60)
    ) {
        self.guest = guest
        self.target = target
        self.isRehearsal = isRehearsal
        self.maximumDowntime = maximumDowntime
        self.timeout = timeout
    }
}

/// The hypervisor or OS VM to refresh, its new image, and limits.
public struct HypervisorRefreshRequest: Sendable {
    /// The hypervisor's name, or the OS VM's.
    public var hypervisor: String
    /// Whether `hypervisor` is the name of a hypervisor or of an OS VM.
    let kind: HypervisorKind
    /// The image of the new one: a name in the image cache, or an image's folder; `nil` for the stack file's.
    public var image: String?
    /// Whether to stop at linked guests in a new hypervisor and remove it again; no guest is ever paused.
    public var isRehearsal = false
    /// The maximum number of guests that are stopped at the same time.
    public var parallelism = 1
    /// The longest time that a guest or container may be stopped before it is rolled back.
    public var maximumDowntime: Duration = .seconds(2)
    /// The longest time from the request to the last commit.
    public var timeout: Duration = .seconds(600)

    /// Creates a request to refresh a hypervisor, with the default limits.
    ///
    /// - Parameter hypervisor: The hypervisor's name.
    public init(hypervisor: String) {
        self.hypervisor = hypervisor
        kind = .hypervisor
    }

    /// Creates a request to refresh an OS VM, with the default limits.
    ///
    /// - Parameter system: The OS VM's name.
    public init(system: String) {
        hypervisor = system
        kind = .os
        maximumDowntime = .seconds(30)
    }
}
