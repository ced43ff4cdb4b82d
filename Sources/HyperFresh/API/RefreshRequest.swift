/// What to refresh, and within which bounds.
public struct RefreshRequest: Sendable {
    /// The guest: its name, its QEMU's pid, or the path of its QMP socket.
    public var guest: String
    /// The binary of the new QEMU; `nil` for the file that stands where the old one was started from.
    public var target: String?
    /// Go as far as a linked new QEMU, remove it again, never pause the guest.
    public var isRehearsal: Bool
    /// How long the guest may be stopped before everything is rolled back, counted from QEMU's STOP event.
    public var maximumDowntime: Duration
    /// How long the whole may take up to the commit before everything is rolled back.
    public var timeout: Duration

    /// A request with the default bounds.
    ///
    /// - Parameters:
    ///   - guest: A name, a pid, or the path of a QMP socket.
    ///   - target: The new binary; `nil` for the installed successor of the running one.
    ///   - isRehearsal: A dry run.
    ///   - maximumDowntime: Default one second: two hundred times what a switch takes, and less than a TCP user notices.
    ///   - timeout: Default one minute.
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
