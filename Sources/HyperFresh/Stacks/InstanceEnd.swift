import Glibc
import Linux
import StackFile
import VirtualMachines

/// Ends an instance of a hypervisor or OS VM, once that is earned: it was asked what is active in it, and nothing is.
///
/// Records do not count: what is on record of an instance may be lost, or old.
struct InstanceEnd: Sendable {
    let store: StackStore

    /// Ends an instance that has no tenant left.
    ///
    /// - Parameters:
    ///   - hypervisor: The instance.
    ///   - isOwn: Whether this very run has started it and has committed nobody to it, so that all it can have are QEMUs that
    ///     wait: then it is ended although it does not answer.
    /// - Throws: ``HyperFreshError`` with status 6 when something is active in it, or when it does not answer: it was not ended;
    ///   or with status 5 when it does not end.
    func run(_ hypervisor: Hypervisor, isOwn: Bool = false) async throws(HyperFreshError) {
        let record = hypervisor.record
        if !hypervisor.process.hasExited {
            try await ask(hypervisor, isOwn: isOwn)
            guard await hypervisor.end() else { throw Self.survived(record) }
        }
        try store.forget(record.hypervisor, instance: record.id)
    }

    private func ask(_ hypervisor: Hypervisor, isOwn: Bool) async throws(HyperFreshError) {
        let record = hypervisor.record
        let tenants: Tenants
        do throws(HypervisorError) { tenants = try await Self.tenants(of: hypervisor) } catch {
            if isOwn || hypervisor.process.hasExited { return }
            throw Self.silent(record, in: hypervisor.folder, because: error)
        }
        guard !tenants.isEmpty else { return }
        throw HyperFreshError(
            "instance \(record.id) of \(record.hypervisor) (pid \(record.process.pid)) was not ended: it is not empty",
            guestState: "What is in it runs on.",
            remedy: "Run `hyperfresh recover`: it finds out where each of them belongs.",
            evidence: tenants.words(), exitCode: RefreshOutcome.unknown.exitCode)
    }

    /// Asks in a task of its own: whoever was cancelled cleans up by this, and has to know.
    private static func tenants(of hypervisor: Hypervisor) async throws(HypervisorError) -> Tenants {
        let task = Task { () -> Result<Tenants, HypervisorError> in
            do throws(HypervisorError) { return .success(try await hypervisor.agent.tenants()) } catch {
                return .failure(error)
            }
        }
        return try await task.value.get()
    }

    /// An instance that cannot be asked may have any guest.
    static func silent(
        _ record: InstanceRecord, in folder: InstanceFolder, because error: HypervisorError
    ) -> HyperFreshError {
        HyperFreshError(
            "instance \(record.id) of \(record.hypervisor) (pid \(record.process.pid)) was not ended: "
                + "it does not say what is in it",
            guestState: "Guests or containers in it may run on.",
            remedy:
                "Look at its console: tail \(folder.consoleLog). When it answers again: `hyperfresh recover`. If nothing in it "
                + "is needed: `hyperfresh recover --force \(record.runName)` ends it with all that is in it.",
            evidence: [error.message] + error.evidence, exitCode: RefreshOutcome.unknown.exitCode)
    }

    static func survived(_ record: InstanceRecord) -> HyperFreshError {
        HyperFreshError(
            "instance \(record.id) of \(record.hypervisor) (pid \(record.process.pid)) does not end",
            remedy:
                "The kernel keeps it: see `ps -o stat,wchan -p \(record.process.pid)`. Then run `hyperfresh recover`.",
            exitCode: RefreshOutcome.incomplete.exitCode)
    }

}

extension StackStore {
    /// Ends an instance with all that is in it, because an operator says so.
    ///
    /// - Parameter name: The instance, such as `alpha-1f3c`.
    /// - Throws: ``HyperFreshError`` with status 64 when none of that name runs; 3 when a controller is at work on the
    ///   hypervisor; 5 when it does not end.
    func force(_ name: String) async throws(HyperFreshError) {
        let running = try processes()
        guard let instance = running.first(where: { "\($0.hypervisor)-\($0.id)" == name }) else {
            throw HyperFreshError(
                "no instance \(name) runs", remedy: "`hyperfresh ps` shows those that do.",
                evidence: running.map { "\($0.hypervisor)-\($0.id): pid \($0.process.pid)" },
                exitCode: HyperFreshError.usage)
        }
        let lock = try lock(instance.hypervisor)
        defer { lock.release() }
        do throws(SystemError) {
            if try await ProcessHandle(instance.process).end(within: .seconds(20)) { return }
        } catch {
            if !instance.process.isAlive { return }
        }
        throw InstanceEnd.survived(instance.record(stack: "?"))
    }
}
