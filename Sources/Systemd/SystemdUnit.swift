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

    /// The programs that systemd runs once the service has ended (`ExecStopPost=`).
    public internal(set) var stopPrograms: [String] = []

    /// The folders that systemd removes once the service has ended: /run/NAME of `RuntimeDirectory=NAME`.
    public internal(set) var passingFolders: [String] = []

    /// Whether the service ends once this process is killed.
    ///
    /// - Parameters:
    ///   - pid: the process that is to be killed.
    ///   - ancestors: its parent, that one's parent, and so on: a main process that waits for it may end with it.
    /// - Returns: false for a unit without a main process.
    public func ends(whenKilled pid: Int32, ancestors: [Int32] = []) -> Bool {
        mainPID.map { $0 == pid || ancestors.contains($0) } ?? false
    }

    /// Whether systemd starts the service again once this process is killed: a second QEMU on the same disks.
    ///
    /// - Parameters:
    ///   - pid: the process that is to be killed.
    ///   - ancestors: its parent, that one's parent, and so on.
    /// - Returns: false where the service does not end with it, or is not restarted on an unclean signal.
    public func restarts(whenKilled pid: Int32, ancestors: [Int32] = []) -> Bool {
        guard ends(whenKilled: pid, ancestors: ancestors), let restart else { return false }
        // systemd.service(5), table of Restart=: SIGKILL is an unclean signal; but a main process that waited for the one
        // that is killed may exit in any way.
        return restart != "no" && (restart != "on-success" || mainPID != pid)
    }
}
