import Glibc
import Linux
import StackFile
import VirtualMachines

/// Ends an instance of a hypervisor or OS VM, after it has reported that nothing is active in it.
///
/// Records do not count: those of an instance may be missing, or old.
struct InstanceEnd: Sendable {
    let store: StackStore

    /// Ends an instance that has no guest or container left.
    ///
    /// - Parameters:
    ///   - hypervisor: The instance.
    ///   - isOwn: Whether this run has started it and has committed nothing to it, so that it can only have waiting
    ///     QEMUs: then it is ended even if it does not answer.
    /// - Throws: ``HyperFreshError`` with status 6 if something is active in it, or if it does not answer: it was not
    ///   ended; or with status 5 if it does not end.
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
            guestState: "Everything in it keeps running.",
            remedy: "Run `hyperfresh recover`: it finds out where each of them belongs.",
            evidence: tenants.words(), exitCode: RefreshOutcome.unknown.exitCode)
    }

    /// Asks in a separate task: the answer is also needed to clean up after a cancellation.
    private static func tenants(of hypervisor: Hypervisor) async throws(HypervisorError) -> Tenants {
        let task = Task { () -> Result<Tenants, HypervisorError> in
            do throws(HypervisorError) { return .success(try await hypervisor.agent.tenants()) } catch {
                return .failure(error)
            }
        }
        return try await task.value.get()
    }

    /// Returns the error for an instance that cannot be asked, and so may have any guest.
    static func silent(
        _ record: InstanceRecord, in folder: InstanceFolder, because error: HypervisorError
    ) -> HyperFreshError {
        HyperFreshError(
            "instance \(record.id) of \(record.hypervisor) (pid \(record.process.pid)) was not ended: "
                + "it does not report its guests or containers",
            guestState: "Guests or containers in it may still run.",
            remedy:
                "See its console: `tail \(folder.consoleLog)`. When it answers again, run `hyperfresh recover`. If you "
                + "need nothing in it: `hyperfresh recover --force \(record.runName)` kills it with everything in it.",
            evidence: [error.message] + error.evidence, exitCode: RefreshOutcome.unknown.exitCode)
    }

    /// Returns the error for an instance that does not end after SIGKILL.
    static func survived(_ record: InstanceRecord) -> HyperFreshError {
        HyperFreshError(
            "instance \(record.id) of \(record.hypervisor) (pid \(record.process.pid)) does not end",
            remedy:
                "It is blocked in the kernel: see `ps -o stat,wchan -p \(record.process.pid)`. Then run "
                + "`hyperfresh recover`.",
            exitCode: RefreshOutcome.incomplete.exitCode)
    }

}

extension StackStore {
    /// Ends an instance with everything in it, on the order of an operator.
    ///
    /// - Parameter name: The instance, such as `alpha-1f3c`.
    /// - Throws: ``HyperFreshError`` with status 64 if none of that name runs; 3 if a controller is working on the
    ///   hypervisor; 5 if it does not end.
    func force(_ name: String) async throws(HyperFreshError) {
        let running = try processes()
        guard let instance = running.first(where: { "\($0.hypervisor)-\($0.id)" == name }) else {
            throw HyperFreshError(
                "no instance \(name) runs", remedy: "`hyperfresh ps` lists the running instances.",
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
