import Handoff
import Testing

/// With somebody else at the monitors, at least no step of ours makes both sides run; and an operator is called exactly
/// when no safe step exists, in no other world that can be reached.
@Suite struct OutsideHandTests {
    @Test func nothingIsMadeWorseAndOperatorsAreCalledOnlyInNeed() {
        var rows: Set<Explorer.Row> = []
        for (start, verdict) in Start.explored {
            #expect(verdict.violation == nil, "\(start.testDescription): \(verdict.trail)")
            for case (let row, .mustLook) in verdict.rows { rows.insert(row) }
        }
        #expect(names(of: rows) { !$0.outsideHandWasHere && $0.nobodyIsSilent } == stillLoading)
        #expect(names(of: rows) { !$0.outsideHandWasHere && !$0.nobodyIsSilent } == silent)
        #expect(names(of: rows) { $0.outsideHandWasHere && $0.nobodyIsSilent } == touched.union(stillLoading))
    }

    private func names(of rows: Set<Explorer.Row>, where condition: (Explorer.Row) -> Bool) -> Set<String> {
        Set(rows.filter(condition).map { "\($0.recorded): \($0.old), \($0.new)" })
    }

    /// Both answer and nobody else was there: a second look a moment later finds the new side loaded, or gone.
    private let stillLoading: Set<String> = ["switching: gone, waiting", "rollingBack: gone, waiting"]

    /// Somebody cannot be asked.
    private let silent: Set<String> = [
        // It may hold the guest's state.
        "switching: silent, gone", "switching: silent, waiting", "switching: silent, paused",
        "switching: silent, silent", "switching: silent, ended", "switching: gone, silent",
        "loaded: gone, silent",
        "rollingBack: silent, gone", "rollingBack: silent, waiting", "rollingBack: silent, paused",
        "rollingBack: silent, silent", "rollingBack: silent, ended", "rollingBack: gone, silent",
        // It owns the guest.
        "committed: handedOver, silent", "committed: silent, silent", "committed: gone, silent",
        "running: handedOver, silent", "running: silent, silent", "running: gone, silent",
    ]

    /// Somebody else gave a command.
    private let touched: Set<String> = [
        // The new side was given a guest.
        "planned: running, running", "planned: paused, running", "planned: gone, running",
        "launched: running, running", "launched: paused, running", "launched: gone, running",
        "linked: running, running", "linked: paused, running", "linked: gone, running",
        // The new side was resumed while the old one still had the guest.
        "switching: running, running", "switching: paused, running", "switching: handingOver, running",
        "rollingBack: running, running", "rollingBack: paused, running", "rollingBack: handingOver, running",
        // The old side was resumed after commit.
        "committed: running, running", "committed: running, paused", "committed: running, gone",
        "running: running, running", "running: running, paused", "running: running, gone",
    ]
}
