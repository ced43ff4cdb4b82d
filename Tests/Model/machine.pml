/* The controller's own knowledge: fields of HandoffMachine. It is lost with the controller. */
mtype st = planned, outcome = none;
bool toldOldIsGone, toldNewIsGone, toldGuestEnded;   /* events received, whether or not the machine used them */
bool guestHasEnded, guestRuns, undoneByFailure, oldHasCompleted, oldIsGone, newIsLoaded, newIsGone, switchHasBegun, oldMakesWay,
     newHasResumed, isBlemished;
byte resumeAttempts;
/* The event that it processes, and its next action. A record, and an event that answers one, refer to a state. */
mtype event = none, about = none;
mtype todo = none, what = none;
/* Orders not finished: the first may have been performed, with an answer that has not been processed yet. */
mtype order1 = none, what1 = none, order2 = none, what2 = none;
mtype answer = none;
bool linkedRuns;                /* part of the answer `isLinked` */

inline toRecord(s)      { todo = record; what = s }
inline finishAs(o)      { outcome = o; todo = finish }
#ifdef CALLS_FOR_HELP_AT_ONCE
inline undo(byFailure)  { undoneByFailure = byFailure; st = rollingBack; finishAs(unknown) }
#else
inline undo(byFailure)  { undoneByFailure = byFailure; st = rollingBack; todo = removeNew }
#endif
inline takeOver()       { st = running; toRecord(running) }
inline tryToResume() {
    if
    :: guestRuns && !guestHasEnded -> resumeAttempts++; todo = resumeNew
    :: else -> takeOver()
    fi
}
inline lose() {
    todo = (isCommitted(st) && !oldIsGone -> retireOld : record);
    what = (todo == record -> lost : none);
    st = lost
}

#ifdef COMMIT_ON_NEW_ALONE
#define BOTH_COMPLETED  (newIsLoaded)
#elif defined(COMMIT_ON_OLD_ALONE)
#define BOTH_COMPLETED  (oldHasCompleted || (newIsLoaded && oldIsGone))
#else
#define BOTH_COMPLETED  (newIsLoaded && (oldHasCompleted || oldIsGone))
#endif

inline commitIfLoaded() {
    if
#ifdef RETIRES_BEFORE_COMMIT
    :: BOTH_COMPLETED -> todo = retireOld
#elif defined(SETTLES_BEFORE_COMMIT)
    :: BOTH_COMPLETED -> todo = settle
#else
    :: BOTH_COMPLETED -> st = loaded; toRecord(committed)
#endif
    :: else
    fi
}

inline prepare() {
    if
    :: event == recorded && about == planned -> todo = launchNew
    :: event == hasLaunched -> st = launched; toRecord(launched)
    :: event == recorded && about == launched -> todo = link
    :: event == isLinked -> guestRuns = linkedRuns; st = linked; toRecord(linked)
    :: event == recorded && about == linked && rehearsal ->
#ifdef SWITCHES_IN_REHEARSAL
        toRecord(switching)
#else
        undo(false)
#endif
    :: event == recorded && about == linked && !rehearsal ->
#ifdef SWITCHES_WITHOUT_RECORD
        st = switching; switchHasBegun = true; todo = beginSwitch
#else
        toRecord(switching)
#endif
    :: event == recorded && about == switching -> st = switching; switchHasBegun = true; todo = beginSwitch
    :: event == recordFailed || event == launchFailed || event == newExited || event == newFailed ||
        event == linkFailed || event == oldExited || event == deadlinePassed || event == cancelled -> undo(true)
    :: else
    fi
}

inline transfer() {
    if
    :: event == oldCompleted || event == newCompleted -> commitIfLoaded()
    :: event == switchRefused || (event == oldFailed && !oldHasCompleted) || event == newFailed || event == newExited ||
        event == deadlinePassed || event == cancelled -> undo(true)
    :: else
    fi
}

/* The old side died during the switch: the new one may hold the only copy of the guest's state. */
inline awaitOnlyCopy() {
    if
    :: event == oldExited || event == newCompleted -> commitIfLoaded()
    :: event == newFailed || event == newExited -> undo(true)
    :: event == deadlinePassed -> finishAs(unknown)
    :: else
    fi
}

inline commit() {
    if
    :: event == recorded && about == committed ->
        st = committed;
        if
        :: newIsGone -> lose()
        :: else -> tryToResume()
        fi
    :: event == recordFailed && about == committed && oldIsGone && !newIsGone && !guestHasEnded -> finishAs(unknown)
    :: event == recordFailed && about == committed && !(oldIsGone && !newIsGone && !guestHasEnded) -> undo(true)
    :: else
    fi
}

#define GIVES_UP  (resumeAttempts > 1 && !guestHasEnded)

inline resume() {
    if
    :: event == newResumed && !oldMakesWay -> takeOver()
    :: event == newExited && !oldMakesWay -> lose()
    :: event == resumeRefused && !oldMakesWay && GIVES_UP -> finishAs(unknown)
    :: event == resumeRefused && !oldMakesWay && !GIVES_UP && oldIsGone -> tryToResume()
    :: event == resumeRefused && !oldMakesWay && !GIVES_UP && !oldIsGone ->
        oldMakesWay = true; todo = retireOld
    :: event == oldRetired || event == oldSurvived ->
        oldMakesWay = false;
        if
        :: newIsGone -> lose()
        :: !newIsGone && newHasResumed -> takeOver()
        :: !newIsGone && !newHasResumed -> tryToResume()
        fi
    :: else
    fi
}

inline retire() {
    if
#ifdef ROLLS_BACK_AFTER_COMMIT
    :: event == resumeRefused -> todo = restoreOld
#endif
    :: event == recorded && about == running -> todo = retireOld
    :: event == recordFailed && about == running -> isBlemished = true; todo = retireOld
    :: event == oldRetired || event == oldSurvived ->
        isBlemished = isBlemished || event == oldSurvived;
        if
        :: newIsGone -> lose()
        :: else -> todo = settle
        fi
    :: event == settled && !newIsGone && !isBlemished -> toRecord(retired)
    :: (event == settled && (newIsGone || isBlemished)) || event == settleFailed ||
        (event == recordFailed && about == retired) ->
        if
        :: newIsGone -> lose()
        :: else -> finishAs(incomplete)
        fi
    :: event == recorded && about == retired ->
        if
        :: newIsGone -> lose()
        :: else -> st = retired; finishAs(refreshed)
        fi
    :: else
    fi
}

inline bury() {
    if
    :: event == oldRetired || event == oldSurvived -> toRecord(lost)
    :: (event == recorded || event == recordFailed) && about == lost -> finishAs(isLost)
    :: else
    fi
}

inline rollBack() {
    if
    :: event == newRemoved || event == newSurvived ->
        if
        :: !newIsGone -> finishAs(unknown)
        :: newIsGone && oldIsGone -> lose()
        :: newIsGone && !oldIsGone -> todo = restoreOld
        fi
    :: (event == oldRestored || event == restoreFailed) && oldIsGone -> lose()
    :: event == oldRestored && !oldIsGone -> toRecord(rolledBack)
    :: event == restoreFailed && !oldIsGone -> finishAs(unknown)
    :: (event == recorded || event == recordFailed) && about == rolledBack ->
        if
        :: oldIsGone -> lose()
        :: else -> st = rolledBack; finishAs((undoneByFailure -> backOnOld : rehearsed))
        fi
    :: else
    fi
}

/* restoreOld(resume:) */
#define RESUMES_OLD  (guestRuns && switchHasBegun && !guestHasEnded)

/* HandoffMachine.handle(_:): records the event and returns the next actions. */
inline handle() {
    guestHasEnded   = guestHasEnded || event == guestEnded;
    oldHasCompleted = oldHasCompleted || event == oldCompleted;
    oldIsGone       = oldIsGone || event == oldExited || event == oldRetired;
    newIsLoaded     = newIsLoaded || event == newCompleted;
    newIsGone       = newIsGone || event == newExited || event == newRemoved;
    newHasResumed   = newHasResumed || event == newResumed;
    if
#ifdef SPEAKS_AFTER_FINISH
    :: outcome != none -> todo = settle
#else
    :: outcome != none -> skip
#endif
    :: outcome == none && (st == planned || st == launched || st == linked) -> prepare()
    :: outcome == none && st == switching && !oldIsGone -> transfer()
    :: outcome == none && st == switching && oldIsGone && !guestHasEnded -> awaitOnlyCopy()
    :: outcome == none && st == switching && oldIsGone && guestHasEnded -> undo(true)
    :: outcome == none && st == loaded -> commit()
    :: outcome == none && st == committed -> resume()
    :: outcome == none && st == running -> retire()
    :: outcome == none && st == rollingBack -> rollBack()
    :: outcome == none && st == lost -> bury()
    fi
}
