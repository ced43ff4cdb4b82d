/* Appends the machine's actions to its orders. */
inline enqueue() {
#ifdef ORDERS_TWICE
    if
    :: todo == removeNew -> order2 = todo; order1 = todo
    :: else
    fi;
#endif
    RULE(onlyCopyIsKept, !(todo == removeNew && toldOldIsGone && !toldGuestEnded && newCanTakeOver));
    RULE(endedStaysEnded, !(toldGuestEnded && (todo == resumeNew || (todo == restoreOld && RESUMES_OLD))));
    RULE(nothingAfterFinish, !(todo != none && (order1 == finish || order2 == finish)));
    RULE(ordersComeOneByOne, todo == none || order2 == none);
    if
    :: todo == none -> skip
    :: todo != none && order1 == none -> order1 = todo; what1 = what
    :: todo != none && order1 != none -> order2 = todo; what2 = what
    fi;
    if
    :: todo == finish -> holdAgainstTheWorld()
    :: else
    fi;
    todo = none; what = none; event = none; about = none
}

/* Compares an outcome with the world; only a death that the controller was not told of excuses a difference. */
inline holdAgainstTheWorld() {
    RULE(outcomeIsTrue, outcome != refreshed || (journal == retired && old == dead && isSettled &&
        (newHasGuest || (new == dead && !toldNewIsGone))));
    RULE(outcomeIsTrue, outcome != incomplete || (commitOnRecord && (newHasGuest || (new == dead && !toldNewIsGone))));
    RULE(outcomeIsTrue, outcome != rehearsed || rehearsal);
    RULE(outcomeIsTrue, (outcome != rehearsed && outcome != backOnOld) || (!commitOnRecord && !newLives &&
        ((oldHasGuest && !oldTuned) || (old == dead && !toldOldIsGone))));
    RULE(outcomeIsTrue, outcome != isLost || (commitOnRecord -> new == dead : old == dead && !newCanTakeOver));
    RULE(unknownOnlyInNeed, outcome != unknown || (!(toldOldIsGone && toldNewIsGone) && (event == newSurvived ||
        event == restoreFailed || event == resumeRefused ||
        (toldOldIsGone && (event == deadlinePassed || (event == recordFailed && about == committed))))))
}

inline dequeue() {
    order1 = order2; what1 = what2; order2 = none; what2 = none; answer = none
}

/* The controller is gone, and with it all knowledge that only it had. */
inline forget() {
    d_step {
        controllerLives = false;
        st = planned; outcome = none; event = none; about = none; todo = none; what = none;
        order1 = none; what1 = none; order2 = none; what2 = none; answer = none; resumeAttempts = 0;
        guestRuns = false; undoneByFailure = false; oldHasCompleted = false; oldIsGone = false; newIsLoaded = false;
        guestHasEnded = false; toldGuestEnded = false; saysGuestEnded = false; endWasTold = false;
        newIsGone = false; switchHasBegun = false; oldMakesWay = false; newHasResumed = false; isBlemished = false;
        linkedRuns = false; toldOldIsGone = false; toldNewIsGone = false;
        saysOldCompleted = false; saysOldFailed = false; saysOldExited = false; saysNewCompleted = false;
        saysNewFailed = false; saysNewExited = false; saysSwitchRefused = false; saysResumeRefused = false;
        saysNewResumed = 0
    }
}

/* One write; if it fails, the record does not exist. After a final record, no one looks after the handoff: it must be
   true. */
inline put(s) {
    journal = s;
    commitOnRecord = commitOnRecord || s == committed;
    ranOnRecord = (s == linked -> linkedRuns : ranOnRecord && !(s == committed && guestHasEnded));
    RULE(finalRecordIsTrue, journal != rolledBack ||
        (!newLives && !commitOnRecord && ((oldHasGuest && !oldTuned) || old == dead)));
    RULE(finalRecordIsTrue, journal != retired || (old == dead && isSettled && (newHasGuest || new == dead)));
    RULE(finalRecordIsTrue, journal != lost || (commitOnRecord -> new == dead : old == dead))
}

/* Every possible result of a command. The first is success; the others occur only while things go wrong. */

inline doRecord() {
    if
#ifdef CONT_BEFORE_RECORD
    :: what1 == committed -> printf("controller: will record the commit later\n"); answer = recorded
#endif
    :: printf("controller: records %e\n", what1); put(what1); answer = recorded
    :: !peace -> printf("controller: cannot record %e\n", what1); answer = recordFailed
    fi
}

inline doLaunch() {
    if
    :: printf("controller: launches the new QEMU\n"); new = waiting; answer = hasLaunched
    :: !peace ->
        printf("controller: launches the new QEMU, which does not answer\n"); new = waiting; answer = launchFailed
    :: !peace -> printf("controller: cannot launch the new QEMU\n"); answer = launchFailed
    fi
}

inline doLink() {
    if
    :: old == idle && new == waiting ->
        printf("controller: links the two\n");
        tuneOnRecord = true; oldTuned = true; linkedRuns = oldRuns; answer = isLinked
    :: !peace && old == idle && new == waiting ->
        printf("controller: begins to link the two, and fails\n");
        tuneOnRecord = true; oldTuned = true; answer = linkFailed
    :: !peace || old != idle || new != waiting -> printf("controller: cannot link the two\n"); answer = linkFailed
    fi
}

inline doBeginSwitch() {
    if
    :: old == idle -> printf("controller: migrate\n"); old = asked
    :: !peace && old == idle ->
        printf("controller: migrate, heard, but the reply comes too late\n"); old = asked; saysSwitchRefused = true
    :: !peace || old != idle -> printf("controller: migrate, refused\n"); saysSwitchRefused = true
    fi
}

inline doResumeNew() {
    RULE(newRunsOnlyOnceCommitted, commitOnRecord);
    RULE(resumedOnlyOnceLoaded, new != waiting && new != failed && new != absent);
    RULE(endedStaysEnded, ending != endedOnOld);
    if
    :: new == ready && !overForAll ->
        printf("controller: cont on the new side: reply or RESUME\n"); runNew(); saysNewResumed = 1
    :: new == ready && !overForAll ->
        printf("controller: cont on the new side: reply and RESUME\n"); runNew(); saysNewResumed = 2
    :: !peace && new == ready && !overForAll ->
        printf("controller: cont on the new side, heard, but the reply comes too late\n");
        runNew(); saysResumeRefused = true
    :: !peace && new == ready && !overForAll ->
        printf("controller: cont on the new side, heard, RESUME comes late, the reply too late\n");
        runNew(); saysResumeRefused = true; saysNewResumed = 1
    :: new == live -> printf("controller: cont on the new side, which runs\n"); saysNewResumed = 1
    :: !peace || (new != live && (new != ready || overForAll)) ->
        printf("controller: cont on the new side, refused\n"); saysResumeRefused = true
    fi
}

inline doRetireOld() {
    if
    :: printf("controller: ends the old side\n");
        RULE(ownerIsNeverEnded, commitOnRecord || old == dead);
        if
        :: old != dead -> endOld(); TELL_OLD_IS_GONE
        :: else
        fi;
        answer = oldRetired
    :: !peace && old != dead -> printf("controller: cannot end the old side\n"); answer = oldSurvived
    fi
}

inline doSettle() {
    if
    :: printf("controller: settles the endpoints\n");
        RULE(settlesOnlyOnceCommitted, commitOnRecord || old == dead);
        isSettled = true; answer = settled
    :: !peace -> printf("controller: cannot settle the endpoints\n"); answer = settleFailed
    fi
}

inline doRemoveNew() {
    if
    :: printf("controller: ends the new side\n");
        RULE(ownerIsNeverEnded, !newLives || (!commitOnRecord && new != live));
        if
        :: newLives -> endNew(); TELL_NEW_IS_GONE
        :: else
        fi;
        answer = newRemoved
    :: !peace && newLives -> printf("controller: cannot end the new side\n"); answer = newSurvived
    fi
}

/* All events of the old side arrive before its `cont`, because it has answered a query since. */
#ifdef CONT_WITHOUT_ASKING
#define CONTINUES_OLD  (RESUMES_OLD)
#else
#define CONTINUES_OLD  (RESUMES_OLD && !endWasTold)
#endif

inline doRestoreOld() {
    if
    :: old != dead && !(CONT_REFUSED && CONTINUES_OLD) ->
        printf("controller: restores the old side\n");
        cancelMigration();
        RULE(endedStaysEnded, !(CONTINUES_OLD && over));
        if
#ifdef LEAVES_OLD_STOPPED
        :: CONTINUES_OLD -> takeBack()
#else
        :: CONTINUES_OLD -> takeBackAndRun()
#endif
        /* QEMU resumed it, although it had requested a power-off. */
        :: !CONTINUES_OLD && endWasTold && ending == endedUnseen -> takeBack(); oldRuns = false; oldState = memory
        :: !CONTINUES_OLD && !(endWasTold && ending == endedUnseen) -> takeBack()
        fi;
        oldTuned = false; answer = oldRestored
    :: !peace && (old == asked || old == handing) ->
        printf("controller: cancels the migration, and cannot do more\n"); cancelMigration(); answer = restoreFailed
    :: !peace || old == dead || (CONT_REFUSED && CONTINUES_OLD) ->
        printf("controller: cannot restore the old side\n"); answer = restoreFailed
    fi
}

/* Performs the first order. Orders without an answer leave the queue at once; the others stay until they are answered.
   */
inline perform() {
    if
    :: order1 == record -> doRecord()
    :: order1 == launchNew -> doLaunch()
    :: order1 == link -> doLink()
    :: order1 == beginSwitch -> doBeginSwitch(); dequeue()
    :: order1 == resumeNew -> doResumeNew(); dequeue()
    :: order1 == retireOld -> doRetireOld()
    :: order1 == settle -> doSettle()
    :: order1 == removeNew -> doRemoveNew()
    :: order1 == restoreOld -> doRestoreOld()
    fi
}

#ifdef DEAF_TO_DEADLINE
#define BEFORE_COMMIT  false
#else
#define BEFORE_COMMIT  (outcome == none && (st == planned || st == launched || st == linked || st == switching))
#endif

#define END_COMES_FIRST  (saysGuestEnded && ending == endedOnOld)
#ifdef EXIT_BEFORE_LAST_WORDS
#define HEARD_OUT  true
#else
#define HEARD_OUT  (!saysGuestEnded)
#endif

/* An event; nothing is assumed about the order of events, nor about the order that is being performed. */
inline hearSomething() {
    if
    :: answer != none -> event = answer; about = (order1 == record -> what1 : none); dequeue()
    :: saysGuestEnded -> event = guestEnded; saysGuestEnded = false
    /* Events of one monitor arrive in order; before an end that the old side had not seen, it may have sent this one.
       */
    :: saysOldCompleted && !END_COMES_FIRST -> event = oldCompleted; saysOldCompleted = false
    :: saysOldFailed && !END_COMES_FIRST -> event = oldFailed; saysOldFailed = false
    :: saysOldExited && HEARD_OUT -> event = oldExited; saysOldExited = false
    :: saysNewCompleted -> event = newCompleted; saysNewCompleted = false
    :: saysNewFailed -> event = newFailed; saysNewFailed = false
    :: saysNewExited -> event = newExited; saysNewExited = false
    :: saysSwitchRefused -> event = switchRefused; saysSwitchRefused = false
    :: saysNewResumed > 0 -> event = newResumed; saysNewResumed--
    :: saysResumeRefused -> event = resumeRefused; saysResumeRefused = false
    /* In other states, the machine ignores these two. */
    :: BEFORE_COMMIT -> event = deadlinePassed
    :: BEFORE_COMMIT && !(st == switching && oldIsGone) -> event = cancelled
    fi;
    printf("controller: hears %e\n", event);
    toldOldIsGone = toldOldIsGone || event == oldExited || event == oldRetired;
    toldNewIsGone = toldNewIsGone || event == newExited || event == newRemoved;
    toldGuestEnded = toldGuestEnded || event == guestEnded;
#ifdef DEAF_TO_GUESTS_END
    event = (event == guestEnded -> none : event);
#endif
#ifdef DEAF_TO_OLDS_DEATH
    event = (event == oldExited -> none : event);
#endif
#ifdef DEAF_TO_NEWS_DEATH
    event = (event == newExited && st == running -> none : event);
#endif
#ifdef ALWAYS_RESUMES
    linkedRuns = linkedRuns || event == isLinked;
#endif
#ifdef IGNORES_FAILED_RECORDS
    event = (event == recordFailed -> recorded : event);
#endif
}

proctype Controller() {
    order1 = record; what1 = planned;
    do
    :: atomic { hearSomething(); handle(); enqueue() }
    :: atomic { order1 != none && order1 != finish && answer == none -> perform() }
    :: atomic { order1 == finish ->
            /* The controller leaves the last state behind, if that can be written. */
            printf("controller: is done, in state %e: %e\n", st, outcome);
            if
            :: put(st)
            :: !peace
            fi;
            forget(); break }
    :: atomic { !peace -> printf("controller: dies\n"); forget(); break }
    od
}
