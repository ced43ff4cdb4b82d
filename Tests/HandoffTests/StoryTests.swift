import Handoff
import Testing

/// What goes well.
@Suite struct GoodStoryTests {
    @Test func aRefresh() {
        var story = Story()
        story.hears(.recorded(.planned), .launchNew)
        story.hears(.launched, .record(.launched))
        story.hears(.recorded(.launched), .link)
        story.hears(.linked(guestRuns: true), .record(.linked))
        story.hears(.recorded(.linked), .record(.switching))
        story.hears(.recorded(.switching), .beginSwitch)
        story.hears(.newCompleted)
        story.hears(.oldCompleted, .record(.committed))
        story.hears(.recorded(.committed), .resumeNew)
        story.hears(.newResumed, .record(.running))
        story.hears(.recorded(.running), .retireOld)
        story.hears(.oldExited)
        story.hears(.oldRetired, .settle)
        story.hears(.settled, .record(.retired))
        story.hears(.recorded(.retired), .finish(.refreshed))
        #expect(story.state == .retired)
        // Whatever comes late is none of its business.
        story.hears(.newResumed)
        story.hears(.deadlinePassed)
        story.hears(.newExited)
    }

    @Test func aRefreshOfAPausedGuestRunsItOnNeitherSide() {
        var story = Story.loaded(guestRuns: false)
        story.hears(.recorded(.committed), .record(.running))
        story.hears(.recorded(.running), .retireOld)
        story.hears(.oldRetired, .settle)
    }

    @Test func aRehearsalEndsBeforeTheSwitch() {
        var story = Story.linked(isRehearsal: true)
        story.hears(.recorded(.linked), .removeNew)
        story.hears(.newRemoved, .restoreOld(resume: false))
        story.hears(.oldRestored, .record(.rolledBack))
        story.hears(.recorded(.rolledBack), .finish(.rehearsed))
    }

    @Test func afterCommitNoDeadlineAndNoWishTurnsBack() {
        var story = Story.committed()
        story.hears(.deadlinePassed)
        story.hears(.cancelled)
        story.hears(.newResumed, .record(.running))
    }

    @Test func anUnwrittenRecordAfterCommitStopsNothing() {
        var story = Story.committed()
        story.hears(.newResumed, .record(.running))
        story.hears(.recordFailed(.running), .retireOld)
        story.hears(.oldRetired, .settle)
        story.hears(.settled, .finish(.incomplete))
    }

    @Test func anOldSideThatCannotBeEndedLeavesTheRefreshIncomplete() {
        var story = Story.running()
        story.hears(.oldSurvived, .settle)
        story.hears(.settled, .finish(.incomplete))
    }
}

/// Failures before commit: the guest is on the old side.
@Suite struct RollbackStoryTests {
    @Test func theNewSideDiesWhileLoading() {
        var story = Story.switching()
        story.hears(.newExited, .removeNew)
        // With a return path the old side notices, and resumes the guest by itself.
        story.hears(.oldFailed)
        story.hears(.newRemoved, .restoreOld(resume: true))
        story.hears(.oldRestored, .record(.rolledBack))
        story.hears(.recorded(.rolledBack), .finish(.rolledBack(.transfer)))
    }

    @Test func theOldSideHandsOverAndNobodyTakes() {
        var story = Story.switching()
        story.hears(.oldCompleted)
        story.hears(.deadlinePassed, .removeNew)
        // Too late.
        story.hears(.newCompleted)
        story.hears(.newRemoved, .restoreOld(resume: true))
        story.hears(.oldRestored, .record(.rolledBack))
        story.hears(.recordFailed(.rolledBack), .finish(.rolledBack(.deadline)))
    }

    @Test func aCancelledLaunchIsWaitedForBeforeItIsUndone() {
        var story = Story.planned()
        story.hears(.cancelled, .removeNew)
        story.hears(.launched)
        story.hears(.newRemoved, .restoreOld(resume: false))
        story.hears(.oldRestored, .record(.rolledBack))
        story.hears(.recorded(.rolledBack), .finish(.rolledBack(.cancelled)))
    }

    @Test func aPauseBeforeTheSwitchIsLeftAlone() {
        var story = Story.linked()
        story.hears(.recordFailed(.linked), .removeNew)
        story.hears(.newRemoved, .restoreOld(resume: false))
    }

    @Test func aGuestThatWasPausedIsNotResumed() {
        var story = Story.switching(guestRuns: false)
        story.hears(.newFailed, .removeNew)
        story.hears(.newRemoved, .restoreOld(resume: false))
    }

    @Test func theCommitRecordCannotBeWritten() {
        var story = Story.loaded()
        story.hears(.recordFailed(.committed), .removeNew)
        story.hears(.newRemoved, .restoreOld(resume: true))
        story.hears(.oldRestored, .record(.rolledBack))
        story.hears(.recorded(.rolledBack), .finish(.rolledBack(.journal)))
    }

    @Test func whileTheCommitRecordIsWrittenNothingElseDecides() {
        var story = Story.loaded()
        story.hears(.deadlinePassed)
        story.hears(.cancelled)
        story.hears(.oldFailed)
        story.hears(.recorded(.committed), .resumeNew)
    }

    @Test func theOldSideIsNotResumedBesideANewOneThatCannotBeEnded() {
        var story = Story.switching()
        story.hears(.newFailed, .removeNew)
        story.hears(.newSurvived, .finish(.unknown))
    }

    @Test func aNewSideThatEndsLateIsGoneAllTheSame() {
        var story = Story.switching()
        story.hears(.newFailed, .removeNew)
        story.hears(.newExited)
        story.hears(.newSurvived, .restoreOld(resume: true))
    }

    @Test func theOldSideDiesWhileItIsRestored() {
        var story = Story.switching()
        story.hears(.newFailed, .removeNew)
        story.hears(.newRemoved, .restoreOld(resume: true))
        story.hears(.oldExited)
        story.hears(.oldRestored, .record(.lost))
        story.hears(.recorded(.lost), .finish(.lost))
    }
}

/// The old side dies in the switch: the new one may hold the only copy.
@Suite struct OnlyCopyStoryTests {
    @Test func theNewSideHasLoadedEverything() {
        var story = Story.switching()
        story.hears(.newCompleted)
        story.hears(.oldExited, .record(.committed))
        story.hears(.recorded(.committed), .resumeNew)
    }

    @Test func theNewSideIsWaitedForWhateverAnybodyWants() {
        var story = Story.switching()
        story.hears(.oldExited)
        story.hears(.cancelled)
        story.hears(.switchRefused)
        story.hears(.oldFailed)
        story.hears(.newCompleted, .record(.committed))
    }

    @Test func itsDeadlineLeavesTheNewSideWhereItIs() {
        var story = Story.switching()
        story.hears(.oldExited)
        story.hears(.deadlinePassed, .finish(.unknown))
    }

    @Test func withoutACommitRecordItIsNeitherRunNorRemoved() {
        var story = Story.switching()
        story.hears(.newCompleted)
        story.hears(.oldExited, .record(.committed))
        story.hears(.recordFailed(.committed), .finish(.unknown))
    }

    @Test func withoutACommitRecordAndBothDeadItIsLost() {
        var story = Story.loaded()
        story.hears(.oldExited)
        story.hears(.newExited)
        story.hears(.recordFailed(.committed), .removeNew)
        story.hears(.newRemoved, .record(.lost))
    }

    @Test func theNewSideHasNotGotEverything() {
        var story = Story.switching()
        story.hears(.oldExited)
        story.hears(.newFailed, .removeNew)
        story.hears(.newRemoved, .record(.lost))
        story.hears(.recorded(.lost), .finish(.lost))
    }

    @Test func aMonitorTornDownAfterCompletedIsNoFailure() {
        var story = Story.switching()
        story.hears(.oldCompleted)
        story.hears(.oldFailed)
        story.hears(.newCompleted, .record(.committed))
    }
}

/// Failures after commit: the guest is on the new side, or lost.
@Suite struct CommittedStoryTests {
    @Test func theOldSideHoldsWhatTheNewOneNeeds() {
        var story = Story.committed()
        story.hears(.resumeRefused, .retireOld)
        story.hears(.oldExited)
        story.hears(.oldRetired, .resumeNew)
        story.hears(.newResumed, .record(.running))
    }

    @Test func theNewSideWillNotRun() {
        var story = Story.committed()
        story.hears(.resumeRefused, .retireOld)
        story.hears(.oldRetired, .resumeNew)
        story.hears(.resumeRefused, .finish(.unknown))
        #expect(story.state == .committed)
    }

    @Test func theNewSideRunsAfterItSeemedToRefuse() {
        var story = Story.committed()
        story.hears(.resumeRefused, .retireOld)
        story.hears(.newResumed)
        story.hears(.oldRetired, .record(.running))
        story.hears(.recorded(.running), .retireOld)
    }

    @Test func theNewSideDiesBeforeItRuns() {
        var story = Story.committed()
        story.hears(.newExited, .retireOld)
        story.hears(.resumeRefused)
        story.hears(.oldRetired, .record(.lost))
        story.hears(.recorded(.lost), .finish(.lost))
    }

    @Test func theNewSideDiesWhileTheOldOneMakesWay() {
        var story = Story.committed()
        story.hears(.resumeRefused, .retireOld)
        story.hears(.newExited)
        story.hears(.oldRetired, .record(.lost))
        story.hears(.recorded(.lost), .finish(.lost))
    }

    @Test func theNewSideDiesOnceItRan() {
        var story = Story.running()
        story.hears(.newExited)
        story.hears(.oldRetired, .record(.lost))
        story.hears(.recordFailed(.lost), .finish(.lost))
    }

    @Test func theNewSideDiesWhileItIsSettled() {
        var story = Story.running()
        story.hears(.oldRetired, .settle)
        story.hears(.newExited)
        story.hears(.settleFailed, .record(.lost))
        story.hears(.recorded(.lost), .finish(.lost))
    }
}
