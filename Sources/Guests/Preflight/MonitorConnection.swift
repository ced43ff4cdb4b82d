internal import Linux
internal import Logging
internal import QMP

/// Connects to the guest's monitor, and says why where it cannot.
enum MonitorConnection {
    /// QEMU greets at once unless its main loop is stuck, or another client holds the monitor.
    private static let greetingDeadline = Duration.seconds(2)

    /// The first monitor that answers, or the findings of all that do not.
    static func open(
        _ guest: GuestProcess
    ) async -> (client: QMPClient, monitor: MonitorSocket)? {
        for monitor in guest.monitors {
            // The next monitor is tried; where none answers, a finding says so.
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

    /// Why a monitor does not answer.
    static func refusal(of guest: GuestProcess) async -> Finding {
        guard let monitor = guest.monitors.first else { return Preflight.monitorMissing(guest) }
        do throws(QMPError) {
            let client = try await QMPClient.connect(path: monitor.path, greetingDeadline: greetingDeadline)
            defer { client.close() }
            let pid = client.peer.map { "\($0.pid)" } ?? "?"
            return Finding(
                .monitorMissing, .fail, "another process answers at the guest's monitor",
                evidence: ["\(monitor.path) is served by pid \(pid), the guest is pid \(guest.identity.pid)"],
                remedy: "Give each guest a monitor socket of its own, and start it again.")
        } catch {
            return finding(for: error, monitor: monitor, guest: guest)
        }
    }

    static func finding(for error: QMPError, monitor: MonitorSocket, guest: GuestProcess) -> Finding {
        switch error.code {
        case .busy, .timeout:
            let stack = ManagementStack(arguments: guest.arguments)
            return Finding(
                .monitorBusy, .fail, "the monitor does not greet: another client holds it, or QEMU hangs",
                evidence: ["\(error)"],
                remedy: stack.monitorRemedy.replacing("SOCKET", with: monitor.path).replacing("NAME", with: guest.name))
        case .system where error.systemError?.name == "EACCES" || error.systemError?.name == "EPERM":
            return Finding(
                .notPermitted, .fail, "the caller may not use the guest's monitor", evidence: ["\(error)"],
                remedy: "Run hyperfresh as root, or as the user that the guest runs as.")
        default:
            return Finding(
                .monitorMissing, .fail, "nothing that speaks QMP answers at the guest's monitor",
                evidence: ["\(error)"],
                remedy: "Its socket was removed or replaced. chardev-add and mon cannot give it another one: "
                    + "shut the guest down, and start it with -qmp unix:PATH,server=on,wait=off.")
        }
    }

    /// The kernel tells who listens; a socket that QEMU was given was opened by somebody else.
    private static func answersFor(_ guest: GuestProcess, _ client: QMPClient, _ monitor: MonitorSocket) -> Bool {
        guard !monitor.isInheritedDescriptor, let peer = client.peer, peer.pid > 0 else { return true }
        return peer.pid == guest.identity.pid
    }
}
