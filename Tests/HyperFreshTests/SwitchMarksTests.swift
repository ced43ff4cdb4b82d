import QMP
import Testing

@testable import HyperFresh

struct SwitchMarksTests {
    /// A switch of 5 ms, during which the host's clock may have been set.
    private func marks(clockSetBy seconds: Int64) -> SwitchMarks {
        let start = ContinuousClock.now
        var marks = SwitchMarks()
        marks.stop = 1_000_000
        marks.stopSeen = start + .microseconds(100)
        marks.oldCompleted = 1_003_000
        marks.oldCompletedSeen = start + .microseconds(3100)
        marks.newCompleted = 1_004_000 + seconds * 1_000_000
        marks.newCompletedSeen = start + .microseconds(4200)
        marks.resumeWritten = start + .microseconds(4300)
        marks.resume = 1_005_000 + seconds * 1_000_000
        marks.resumeSeen = start + .microseconds(5200)
        return marks
    }

    @Test func aSwitchIsTimedByQEMUsOwnStamps() {
        #expect(marks(clockSetBy: 0).timing?.stopToResume == 5000)
    }

    @Test(arguments: [-3600, -1, 1, 3600] as [Int64])
    func aClockThatIsSetMeanwhileIsNotBelieved(seconds: Int64) {
        let timing = marks(clockSetBy: seconds).timing
        #expect(timing?.stopToResume == 5100)
        #expect(timing?.stopToNewCompleted == 4100)
    }
}
