/// The properties of a process's unit that decide what systemd does when the process ends.
public struct SystemdUnit: Sendable, Hashable {
    /// Its name: `qemu@web.service`, `session-3.scope`.
    public let name: String

    /// Its slice: `system.slice`.
    public let slice: String

    /// Its control group: `/system.slice/qemu@web.service`.
    public let controlGroup: String

    /// The main process, whose exit ends the service; nil if the unit has none.
    public let mainPID: Int32?

    /// The value of `Restart=`: `no`, `always`, `on-failure`, ...; nil for units that are no services.
    public let restart: String?

    /// The programs that systemd runs after the service has ended (`ExecStopPost=`).
    public internal(set) var stopPrograms: [String] = []

    /// The folders that systemd removes after the service has ended: /run/NAME for `RuntimeDirectory=NAME`.
    public internal(set) var passingFolders: [String] = []

    /// Returns whether the service ends when this process is killed.
    ///
    /// - Parameters:
    ///   - pid: the process to be killed.
    ///   - ancestors: its parent, grandparent, and so on: a main process that waits for it may exit with it.
    /// - Returns: false for a unit without a main process.
    public func ends(whenKilled pid: Int32, ancestors: [Int32] = []) -> Bool {
        mainPID.map { $0 == pid || ancestors.contains($0) } ?? false
    }

    /// Returns whether systemd restarts the service when this process is killed, which would start a second QEMU on the
    /// same disks.
    ///
    /// - Parameters:
    ///   - pid: the process to be killed.
    ///   - ancestors: its parent, grandparent, and so on.
    /// - Returns: false if the service does not end with it, or is not restarted after an unclean signal.
    public func restarts(whenKilled pid: Int32, ancestors: [Int32] = []) -> Bool {
        guard ends(whenKilled: pid, ancestors: ancestors), let restart else { return false }
        // systemd.service(5), table of Restart=: SIGKILL is an unclean signal. But a main process that waits for the
        // killed one may exit with any status.
        return restart != "no" && (restart != "on-success" || mainPID != pid)
    }
}
