/// The unit that a process belongs to, as far as its fate matters to the process.
public struct SystemdUnit: Sendable, Hashable {
    /// Its name: `qemu@web.service`, `session-3.scope`.
    public let name: String

    /// The slice that it is in: `system.slice`.
    public let slice: String

    /// Its control group: `/system.slice/qemu@web.service`.
    public let controlGroup: String

    /// The process whose end is the end of a service; nil where the unit has none.
    public let mainPID: Int32?

    /// When a service is started again after its main process has ended: `no`, `always`, `on-failure`, ...; nil for other units.
    public let restart: String?

    /// Whether systemd starts the service again once this process is killed: a second QEMU on the same disks.
    ///
    /// - Parameter pid: the process that is to be killed.
    /// - Returns: false where it is not the main process, or the unit is not restarted on an unclean signal.
    public func restarts(whenKilled pid: Int32) -> Bool {
        guard mainPID == pid, let restart else { return false }
        // systemd.service(5), table of Restart=: SIGKILL is an unclean signal.
        return restart != "no" && restart != "on-success"
    }
}
