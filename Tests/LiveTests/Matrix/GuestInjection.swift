import CanaryTesting
import Glibc
import JSON
import Linux
import QMP
import Testing

/// Causes a fault while the controller is stopped.
struct GuestInjection {
    let fault: GuestFault
    let guest: LiveGuest
    let state: SmallStateFolder
    let controller: ChildProgram
    let old: Int32
    /// The new QEMU, if it exists.
    let new: Int32?

    func perform() async throws {
        switch fault {
        case .controllerKilled: controller.signal(SIGKILL)
        case .controllerTerminated: controller.signal(SIGTERM)
        case .controllerInterrupted: controller.signal(SIGINT)
        case .oldKilled: try await LiveGuest.kill(old)
        case .oldHangs: kill(old, SIGSTOP)
        case .newKilled: try await LiveGuest.kill(side(new))
        case .newHangs: kill(try side(new), SIGSTOP)
        case .linkCut: try await ProcessSocket.cut(between: old, and: side(new))
        case .oldMonitorCut: try await cutMonitor(of: old)
        case .newMonitorCut: try await cutMonitor(of: side(new))
        case .stateFull: try state.fill()
        case .stateReadOnly: try state.lock()
        // The controller causes this fault itself.
        case .actionFails: break
        }
    }

    /// Undoes the fault: continues stopped processes, frees space.
    func undo() async throws {
        for pid in [old, new].compactMap(\.self) { kill(pid, SIGCONT) }
        try await state.restore(after: fault)
    }

    private func side(_ pid: Int32?) throws -> Int32 { try #require(pid, "there is no new QEMU") }

    /// Closes the connection to a QEMU's monitor from inside QEMU, through its second monitor.
    private func cutMonitor(of pid: Int32) async throws {
        let client = try await guest.secondMonitor(of: pid)
        defer { client.close() }
        try await client.executeRaw(
            "yank", arguments: ["instances": [["type": "chardev", "id": "compat_monitor0"]]])
    }
}
