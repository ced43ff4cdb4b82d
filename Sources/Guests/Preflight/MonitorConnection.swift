internal import Linux
internal import Logging
internal import QMP

/// Connects to the guest's monitor, or reports why it cannot.
enum MonitorConnection {
    /// QEMU sends its greeting at once unless its main loop is blocked, or another client holds the monitor.
    private static let greetingDeadline = Duration.seconds(2)

    /// Returns the first monitor that answers; nil if none does.
    static func open(
        _ guest: GuestProcess
    ) async -> (client: QMPClient, monitor: MonitorSocket)? {
        for monitor in guest.monitors {
            // Tries the next monitor; if none answers, a finding reports that.
            let client = try? await withLogger(mergingMetadata: ["side": "old"]) { _ async throws(QMPError) in
                try await QMPClient.connect(path: monitor.path, greetingDeadline: greetingDeadline)
            }
            if let client {
                if answersFor(guest, client, monitor) { return (client, monitor) }
                client.close()
            }
        }
        return nil
    }

    /// Returns why a monitor does not answer.
    static func refusal(of guest: GuestProcess) async -> Finding {
        guard let monitor = guest.monitors.first else { return Preflight.monitorMissing(guest) }
        do throws(QMPError) {
            let client = try await QMPClient.connect(path: monitor.path, greetingDeadline: greetingDeadline)
            defer { client.close() }
            let pid = client.peer.map { "\($0.pid)" } ?? "?"
            return Finding(
                .monitorMissing, .fail, "another process answers at the guest's monitor",
                evidence: ["\(monitor.path) is served by pid \(pid), the guest is pid \(guest.identity.pid)"],
                remedy: "Give each guest its own monitor socket, and restart it.")
        } catch {
            return finding(for: error, monitor: monitor, guest: guest)
        }
    }

    static func finding(for error: QMPError, monitor: MonitorSocket, guest: GuestProcess) -> Finding {
        switch error.code {
        case .busy, .timeout:
            let stack = ManagementStack(arguments: guest.arguments)
            return Finding(
                .monitorBusy, .fail, "the monitor sends no greeting: another client holds it, or QEMU hangs",
                evidence: ["\(error)"],
                remedy: stack.monitorRemedy.replacing("SOCKET", with: monitor.path).replacing("NAME", with: guest.name))
        case .system where error.systemError?.name == "EACCES" || error.systemError?.name == "EPERM":
            return Finding(
                .notPermitted, .fail, "the caller may not use the guest's monitor", evidence: ["\(error)"],
                remedy: "Run hyperfresh as root, or as the user that the guest runs as.")
        default:
            return Finding(
                .monitorMissing, .fail, "the guest's monitor does not answer in QMP",
                evidence: ["\(error)"],
                remedy: "Its socket was removed or replaced, and chardev-add and mon cannot add another at run time: "
                    + "shut the guest down, and start it with -qmp unix:PATH,server=on,wait=off.")
        }
    }

    /// Returns whether the guest's process listens on the socket, as the kernel reports; another process opened a
    /// socket that QEMU received as a descriptor.
    private static func answersFor(_ guest: GuestProcess, _ client: QMPClient, _ monitor: MonitorSocket) -> Bool {
        guard !monitor.isInheritedDescriptor, let peer = client.peer, peer.pid > 0 else { return true }
        return peer.pid == guest.identity.pid
    }
}
