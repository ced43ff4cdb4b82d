import Testing

/// Interpreting the watcher's observations; needs no QEMU.
struct SideWatcherTests {
    private func runs(_ pids: Int32...) -> [SideWatcher.Run] {
        pids.enumerated().map { SideWatcher.Run(pid: $1, from: Int64($0) * 10, to: Int64($0) * 10 + 10) }
    }

    @Test func oneHandoverIsNoDoubleRun() {
        #expect(SideWatcher.doubleRun([]) == nil)
        #expect(SideWatcher.doubleRun(runs(1, 1, 1)) == nil)
        #expect(SideWatcher.doubleRun(runs(1, 1, 2, 2)) == nil)
    }

    @Test func aSideThatRunsAfterTheOtherHasIsOne() {
        #expect(SideWatcher.doubleRun(runs(1, 2, 1)) != nil)
        #expect(SideWatcher.doubleRun(runs(1, 1, 2, 2, 1, 2)) != nil)
    }

    /// A look does not examine two processes at the same instant.
    @Test func aLookThatOverlapsIsNone() {
        let overlapping = [
            SideWatcher.Run(pid: 1, from: 0, to: 10), SideWatcher.Run(pid: 2, from: 5, to: 15),
            SideWatcher.Run(pid: 1, from: 10, to: 20),
        ]
        #expect(SideWatcher.doubleRun(overlapping) == nil)
    }
}
