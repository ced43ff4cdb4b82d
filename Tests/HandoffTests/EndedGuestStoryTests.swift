import Handoff
import Testing

/// The guest comes to its own end on the old side: nobody lets it run any more.
@Suite struct EndedGuestStoryTests {
    @Test func aRefreshGoesOnAndDoesNotRunIt() {
        var story = Story.linked()
        story.hears(.guestEnded)
        story.hears(.recorded(.linked), .record(.switching))
        story.hears(.recorded(.switching), .beginSwitch)
        story.hears(.newCompleted)
        story.hears(.oldCompleted, .record(.committed))
        story.hears(.recorded(.committed), .record(.running))
        story.hears(.recorded(.running), .retireOld)
        story.hears(.oldRetired, .settle)
        story.hears(.settled, .record(.retired))
        story.hears(.recorded(.retired), .finish(.refreshed))
    }

    @Test func itsEndMayBeHeardAsLateAsTheCommitRecordIsWritten() {
        var story = Story.loaded()
        story.hears(.guestEnded)
        story.hears(.recorded(.committed), .record(.running))
    }

    @Test func aRollbackLeavesItStopped() {
        var story = Story.switching()
        story.hears(.guestEnded)
        story.hears(.newExited, .removeNew)
        story.hears(.newRemoved, .restoreOld(resume: false))
        story.hears(.oldRestored, .record(.rolledBack))
        story.hears(.recorded(.rolledBack), .finish(.rolledBack(.transfer)))
    }

    @Test func itsEndMayBeHeardWhileItIsRolledBack() {
        var story = Story.switching()
        story.hears(.newExited, .removeNew)
        story.hears(.guestEnded)
        story.hears(.newRemoved, .restoreOld(resume: false))
    }

    @Test func itIsOverWhenItsQEMUExitsInTheSwitch() {
        var story = Story.switching()
        story.hears(.guestEnded)
        story.hears(.newCompleted)
        story.hears(.oldExited, .removeNew)
        story.hears(.newRemoved, .record(.lost))
        story.hears(.recorded(.lost), .finish(.lost))
    }

    @Test func itIsOverWhenItsQEMUExitsBeforeTheSwitch() {
        var story = Story.linked()
        story.hears(.guestEnded)
        story.hears(.oldExited, .removeNew)
        story.hears(.newRemoved, .record(.lost))
    }

    @Test func withoutACommitRecordNothingOfItIsKept() {
        var story = Story.loaded()
        story.hears(.guestEnded)
        story.hears(.oldExited)
        story.hears(.recordFailed(.committed), .removeNew)
        story.hears(.newRemoved, .record(.lost))
    }

    @Test func aNewSideThatWouldNotRunItIsNotToldAgain() {
        var story = Story.committed()
        story.hears(.resumeRefused, .retireOld)
        story.hears(.guestEnded)
        story.hears(.oldRetired, .record(.running))
    }

    @Test func aSecondRefusalIsNoRiddle() {
        var story = Story.committed()
        story.hears(.resumeRefused, .retireOld)
        story.hears(.oldRetired, .resumeNew)
        story.hears(.guestEnded)
        story.hears(.resumeRefused, .record(.running))
    }

    @Test func aNewSideThatRunsItAlreadyGoesOn() {
        var story = Story.committed()
        story.hears(.guestEnded)
        story.hears(.newResumed, .record(.running))
    }

    @Test func aPausedGuestThatEndedIsHandedOverAsItIs() {
        var story = Story.switching(guestRuns: false)
        story.hears(.guestEnded)
        story.hears(.newCompleted)
        story.hears(.oldCompleted, .record(.committed))
        story.hears(.recorded(.committed), .record(.running))
    }
}
