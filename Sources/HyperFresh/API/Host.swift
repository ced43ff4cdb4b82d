public import Guests
import Handoff
import Journal
import Linux
public import QMP

/// The version of the product.
public enum Product {
    /// As `--version` prints it.
    public static let version = "0.1.0"
}

/// This host and the guests on it: the entry to everything the product does.
///
/// A value without state of its own; what goes on is in QEMU, and what is remembered is in the state folder. Each QMP
/// command and event, process started and file written is logged at debug level to the task's logger (`Logger.current` of
/// swift-log; `withLogger` sets it).
public struct Host: Sendable {
    /// The folder where handoffs are recorded.
    public let stateDirectory: String

    /// The host as seen from this process.
    ///
    /// - Parameter stateDirectory: Where handoffs are recorded; `nil` for `$HYPERFRESH_STATE_DIR`, else `/run/hyperfresh` for
    ///   root and `$XDG_RUNTIME_DIR/hyperfresh` for others.
    public init(stateDirectory: String? = nil) {
        self.stateDirectory = stateDirectory ?? StateDirectory.standard
    }

    /// Every QEMU on this host that the caller may see, with the first reason, if any, why it cannot be refreshed.
    ///
    /// - Returns: The guests by name.
    public func guests() async throws(HyperFreshError) -> [GuestSummary] {
        try await GuestSummary.all()
    }

    /// Checks whether a guest can be refreshed, and how its new QEMU would be started.
    ///
    /// Touches nothing.
    ///
    /// - Parameters:
    ///   - guest: A name, a pid, or the path of a QMP socket.
    ///   - target: The new binary; `nil` for the installed successor of the running one.
    /// - Returns: What was found.
    /// - Throws: If there is no such guest, or more than one.
    public func plan(guest: String, target: String? = nil) async throws(HyperFreshError) -> GuestPlan {
        let preparation = try await HostGuestAdmission.prepare(RefreshRequest(guest: guest, target: target), host: self)
        preparation.close()
        return GuestPlan(preparation)
    }

    /// Begins to refresh a guest of this host.
    ///
    /// - Parameter request: What to refresh, and within which bounds.
    /// - Returns: The refresh, to watch and to cancel.
    public func refresh(_ request: RefreshRequest) -> Operation<HandoffReport> {
        let driver = HandoffDriver(isRehearsal: request.isRehearsal)
        return Operation(cancellation: { driver.happened(.cancelled) }) { tell in
            await HostGuestRefresh(
                request: request, host: self, driver: driver, clock: PhaseClock { tell(.event($0)) }
            ).run()
        }
    }

    /// Brings every unfinished handoff to its one right end, makes damaged and lost records of hypervisors anew from what
    /// runs, and ends hypervisors that a refresh has left without guests.
    ///
    /// Harmless when repeated.
    ///
    /// - Parameter instance: An instance that is ended first with all that is in it, without being asked: `alpha-1f3c`.
    /// - Returns: One report for each handoff that was unfinished, what else was put in order, and what could not be.
    /// - Throws: If the state folder cannot be read, or the instance is none.
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

    /// What is on record, for a recovery: without it nobody can tell what is unfinished.
    private func entries() throws(HyperFreshError) -> [HandoffEntry] {
        do throws(HyperFreshError) {
            return try HandoffEntry.all(in: stateDirectory)
        } catch {
            var error = error
            error.exitCode = RefreshOutcome.unknown.exitCode
            throw error
        }
    }

    /// Handoffs that go on, or were left unfinished.
    ///
    /// - Returns: The oldest first.
    /// - Throws: If the state folder cannot be read.
    public func status() throws(HyperFreshError) -> [HandoffStatus] {
        try HandoffEntry.unfinished(in: stateDirectory).map(HandoffStatus.init)
    }

    /// Past handoffs.
    ///
    /// - Parameter limit: At most so many, the latest ones.
    /// - Returns: The oldest first.
    /// - Throws: If the state folder cannot be read.
    public func history(limit: Int = 20) throws(HyperFreshError) -> [HistoryEntry] {
        try HandoffEntry.all(in: stateDirectory).suffix(limit).map(HistoryEntry.init)
    }

    /// Connects to a guest's monitor.
    ///
    /// - Parameter guest: A name, a pid, or the path of a QMP socket.
    /// - Returns: A client that is the caller's to close.
    /// - Throws: If there is no such guest, or its monitor does not answer.
    public func monitor(of guest: String) async throws(HyperFreshError) -> QMPClient {
        let process = try await HostGuestAdmission.find(guest)
        guard let socket = process.monitors.first else {
            throw HyperFreshError(
                "\(process.name) has no QMP monitor on a unix socket",
                remedy: "Start it with -qmp unix:PATH,server=on,wait=off.")
        }
        do throws(QMPError) {
            return try await QMPClient.connect(path: socket.path)
        } catch {
            throw HyperFreshError.monitor(error)
        }
    }

    /// What this host offers and lacks: rights, kernel, QEMU, memory, leftovers.
    ///
    /// - Returns: A finding for each thing looked at.
    public func doctor() async -> [Finding] { await Doctor.examine(self) }
}
