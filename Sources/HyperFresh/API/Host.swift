public import Guests
import Handoff
import Journal
import Linux
public import QMP
import StackFile

/// The version of the product.
public enum Product {
    /// The version that `--version` prints.
    public static let version = "0.1.0"
}

/// This host and its guests: the entry point to everything that the product does.
///
/// A value without state of its own: running guests are in QEMU, records are in the state folder.
/// Each QMP command and event, each started process and each written file is logged at debug level to the task's logger
/// (`Logger.current` of swift-log; set it with `withLogger`).
public struct Host: Sendable {
    /// The folder with the journals and records.
    public let stateDirectory: String

    /// Refers to the host as seen from this process; reads nothing yet.
    ///
    /// - Parameter stateDirectory: The folder for journals and records; `nil` for `$HYPERFRESH_STATE_DIR`, else
    ///   `/run/hyperfresh` for root and `$XDG_RUNTIME_DIR/hyperfresh` for others.
    public init(stateDirectory: String? = nil) {
        self.stateDirectory = stateDirectory ?? StateDirectory.standard
    }

    /// Lists the QEMUs of this host that the caller may see, each with the first reason, if any, that prevents a
    /// refresh.
    ///
    /// - Returns: The guests, sorted by name.
    public func guests() async throws(HyperFreshError) -> [GuestSummary] {
        try await GuestSummary.all()
    }

    /// Checks whether a guest can be refreshed, and plans how its new QEMU would be started.
    ///
    /// Changes nothing.
    ///
    /// - Parameters:
    ///   - guest: A name, a pid, or the path of a QMP socket.
    ///   - target: The new binary; `nil` for the installed successor of the running one.
    /// - Returns: The findings and the new QEMU's command line.
    /// - Throws: If no guest matches, or more than one.
    public func plan(guest: String, target: String? = nil) async throws(HyperFreshError) -> GuestPlan {
        let preparation = try await HostGuestAdmission.prepare(RefreshRequest(guest: guest, target: target), host: self)
        preparation.close()
        return GuestPlan(preparation)
    }

    /// Begins to refresh a guest of this host.
    ///
    /// - Parameter request: The guest, its new binary, and limits.
    /// - Returns: The running refresh.
    public func refresh(_ request: RefreshRequest) -> Operation<HandoffReport> {
        let driver = HandoffDriver(isRehearsal: request.isRehearsal)
        return Operation(cancellation: { driver.happened(.cancelled) }) { tell in
            await HostGuestRefresh(
                request: request, host: self, driver: driver, clock: PhaseClock { tell(.event($0)) }
            ).run()
        }
    }

    /// Completes or rolls back every unfinished handoff, rebuilds damaged and missing records of hypervisors from what
    /// runs, and ends hypervisors that a refresh has left without guests.
    ///
    /// Harmless when repeated.
    ///
    /// - Parameter instance: An instance to end first, with everything in it and without asking it: `alpha-1f3c`.
    /// - Returns: One report for each unfinished handoff, other repairs, and problems that remain.
    /// - Throws: If the state folder cannot be read, or `instance` is not an instance.
    public func recover(forcing instance: String? = nil) async throws(HyperFreshError) -> RecoverySummary {
        let store = StackStore(stateDirectory: stateDirectory)
        try store.verify()
        if let instance { try await store.force(instance) }
        var rebuild = RecordRebuild(store: store)
        await rebuild.restoreRecords()
        await rebuild.restorePlacements()
        var reports: [RecoveryReport] = []
        for entry in try entries().filter(\.isUnfinished) { reports.append(await RecoveryReport.recover(entry)) }
        let known = Set(try entries().map(\.id) + reports.map(\.id))
        reports += await UnrecordedHandoffs(known: known).recover()
        await rebuild.restorePlacements()
        var idle = IdleInstances(store: store)
        try await idle.end()
        return RecoverySummary(
            handoffs: reports, cleanUps: rebuild.done + idle.done, problems: rebuild.problems + idle.problems)
    }

    /// Returns the handoffs on record, for a recovery: if they cannot be read, the exit status is that of an unknown
    /// outcome.
    private func entries() throws(HyperFreshError) -> [HandoffEntry] {
        do throws(HyperFreshError) {
            return try HandoffEntry.all(in: stateDirectory)
        } catch {
            var error = error
            error.exitCode = RefreshOutcome.unknown.exitCode
            throw error
        }
    }

    /// Lists handoffs that are in progress, or were left unfinished.
    ///
    /// - Returns: The oldest first.
    /// - Throws: If the state folder cannot be read.
    public func status() throws(HyperFreshError) -> [HandoffStatus] {
        try HandoffEntry.unfinished(in: stateDirectory).map(HandoffStatus.init)
    }

    /// Lists past handoffs.
    ///
    /// - Parameter limit: The maximum number; the latest are kept.
    /// - Returns: The oldest first.
    /// - Throws: If the state folder cannot be read.
    public func history(limit: Int = 20) throws(HyperFreshError) -> [HistoryEntry] {
        try HandoffEntry.all(in: stateDirectory).suffix(limit).map(HistoryEntry.init)
    }

    /// Connects to a guest's monitor.
    ///
    /// - Parameter guest: A name, a pid, or the path of a QMP socket.
    /// - Returns: A client; the caller closes it.
    /// - Throws: If no guest matches, or its monitor does not answer.
    public func monitor(of guest: String) async throws(HyperFreshError) -> QMPClient {
        let process = try await HostGuestAdmission.find(guest)
        guard let socket = process.monitors.first else {
            throw HyperFreshError(
                "\(process.name) has no QMP monitor on a unix socket",
                remedy: "Restart it with -qmp unix:PATH,server=on,wait=off.")
        }
        do throws(QMPError) {
            return try await QMPClient.connect(path: socket.path)
        } catch {
            throw HyperFreshError.monitor(error)
        }
    }

    /// Checks this host: rights, kernel, QEMU, memory, leftovers.
    ///
    /// - Returns: One finding for each check.
    public func doctor() async -> [Finding] { await Doctor.examine(self) }
}

// MARK: - Stacks

extension Host {
    /// Brings a stack up: creates missing parts, restarts ended ones, leaves running ones alone.
    ///
    /// - Parameters:
    ///   - file: The stack file (docs/stack-file.md).
    ///   - orphans: How to treat guests and hypervisors that are no longer in the file.
    ///   - tell: Receives the progress.
    /// - Throws: All errors in the file; or the reason why a hypervisor or guest could not be started: everything
    ///   created for it has been removed then.
    public func up(
        file: String, orphans: OrphanPolicy = .refuse, tell: @escaping @Sendable (StackProgress) -> Void = { _ in }
    ) async throws(HyperFreshError) {
        let (stack, text) = try readStack(file)
        try await StackUp(stack: stack, text: text, store: store, orphans: orphans, tell: tell).run()
    }

    /// Takes a stack down: shuts its guests down, ends its hypervisors, and removes all of its files.
    ///
    /// - Parameters:
    ///   - stack: Its name, or its file.
    ///   - grace: How long guests may take to shut themselves down; zero ends them at once.
    ///   - tell: Receives the progress.
    /// - Throws: If no such stack exists, or a hypervisor does not end.
    public func down(
        stack: String, grace: Duration = .seconds(30), tell: @escaping @Sendable (StackProgress) -> Void = { _ in }
    ) async throws(HyperFreshError) {
        var name = stack
        if try !store.stackNames().contains(stack), stack.contains("/") || stack.contains(".") {
            name = try readStack(stack).0.name
        }
        try await StackDown(name: name, store: store, grace: grace, tell: tell).run()
    }

    /// Lists every hypervisor of this host with its guests.
    ///
    /// - Returns: The state of everything that runs, as it reports itself, and the problems of the records.
    /// - Throws: If the state folder cannot be read.
    public func hypervisors() async throws(HyperFreshError) -> StackListing {
        try await HypervisorListing(store: store).all()
    }

    /// Begins to replace the hypervisor beneath all of its guests, or the OS VM beneath all of its containers.
    ///
    /// - Parameter request: The hypervisor or OS VM, its new image, and limits.
    /// - Returns: The running refresh.
    public func refresh(_ request: HypervisorRefreshRequest) -> Operation<HypervisorReport> {
        let cancellation = Cancellation()
        return Operation(cancellation: cancellation.cancel) { tell in
            await HypervisorRefresh(request, host: self, cancellation: cancellation, tell: tell).run()
        }
    }

    /// Begins to relocate a container.
    ///
    /// - Parameter request: The container, its target, and limits.
    /// - Returns: The running relocation.
    public func relocate(_ request: RelocationRequest) -> Operation<RelocationReport> {
        let cancellation = Cancellation()
        return Operation(cancellation: cancellation.cancel) { tell in
            await ContainerRelocation(request, host: self, cancellation: cancellation, tell: tell).run()
        }
    }

    private var store: StackStore { StackStore(stateDirectory: stateDirectory) }

    private func readStack(_ file: String) throws(HyperFreshError) -> (Stack, [UInt8]) {
        do {
            // Read the file once: the record must hold exactly the text that was parsed.
            let (stack, text) = try Stack.read(path: file)
            return (stack, text)
        } catch {
            throw HyperFreshError(
                "\(file) is not a valid stack file",
                remedy: "Correct the file; docs/stack-file.md describes the format.",
                evidence: "\(error)".split(whereSeparator: \.isNewline).map(String.init),
                exitCode: HyperFreshError.usage)
        }
    }
}
