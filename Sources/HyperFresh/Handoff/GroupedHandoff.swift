import Handoff

/// The handoff of one guest or container that is handed over together with others.
protocol GroupedHandoff: Sendable {
    /// The guest's or container's name.
    var name: String { get }
    /// The subject of the handoff.
    var subject: Subject { get }
    /// The subjects that are handed over together.
    var group: HandoffGroup { get }

    /// Returns the sides of the handoff, after it is on record.
    func sides(_ context: HandoffContext, _ store: StackStore) -> any HandoffSides
    /// Closes the connections that were prepared for a handoff that could not be recorded.
    func abandon() async
}

extension GroupedHandoff {
    func abandon() async {}

    /// Performs the handoff.
    ///
    /// - Parameter run: Host, driver, clock and limits.
    /// - Returns: The report.
    func perform(_ run: HandoffRun) async -> HandoffReport {
        defer { group.ended(name) }
        var report = HandoffReport(name)
        do throws(HyperFreshError) {
            let subject = subject
            let store = StackStore(stateDirectory: run.host.stateDirectory)
            try await run.perform(subject, id: HandoffJournal.makeID(), lock: try subject.lock(), &report) {
                sides($0, store)
            }
        } catch {
            await abandon()
            report.failure = error
        }
        return report
    }
}
