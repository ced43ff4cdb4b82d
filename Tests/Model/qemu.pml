/* ---------------------------------------------------------------- the effects of commands on a QEMU */

inline runOld() {
    RULE(memoryIsAsTheStateSays, oldState == memory);
    RULE(diskIsAsOldLeftIt, diskLeft == disk);
    memory++; oldState = memory; oldRuns = true; postmigrate = false
}

/* The old side has the guest again: after a failure, a `migrate_cancel`, or a `cont` in `postmigrate`. */
inline takeBack() {
    wire = (old == idle -> wire : cut);
    postmigrate = postmigrate || old == done || (old == handing && forgets && !ranAtStop);
    old = idle
}

inline takeBackAndRun() {
    takeBack();
    if
    :: !oldRuns -> runOld()
    :: else
    fi
}

/* QEMU does not resume a guest that has ended, unless its state is `postmigrate`. */
#define CONT_REFUSED  (overForAll && !oldRuns && (old == idle || old == asked || (old == handing && !forgets)) && !postmigrate)

/* A guest that was stopped for the switch is resumed by QEMU, asked or not. */
inline cancelMigration() {
    if
    :: old == handing && ranAtStop -> takeBackAndRun()
    :: old == asked || (old == handing && !ranAtStop) -> takeBack()
    :: else
    fi
}

inline runNew() {
    RULE(memoryIsAsTheStateSays, newState == memory);
    memory++; newState = memory;
#ifndef NO_LATE_BLOCK_ACTIVATE
    disk++;
#endif
    new = live
}

inline endOld() {
    wire = (wire == quiet || wire == flowing -> cut : wire);
    old = dead; oldRuns = false; oldTuned = false; ranAtStop = false; postmigrate = false;
    oldState = 0; diskLeft = 0
}

inline endNew() { new = dead; newState = 0 }

/* The pidfd reports a process's exit; the closing monitor may be reported as a failure, before or after that. */
#define TELL_OLD_IS_GONE   saysOldExited = controllerLives; saysOldFailed = controllerLives
#define TELL_NEW_IS_GONE   saysNewExited = controllerLives

/* The controller listens from before it asks whether the guest runs, in `link`. */
#define TELL_GUEST_ENDED   saysGuestEnded = controllerLives && oldTuned; endWasTold = saysGuestEnded

/* ---------------------------------------------------------------- the two QEMUs, without commands */

#ifdef NO_RETURN_PATH
#define OLD_KNOWS_IT_IS_OVER  (wire == complete)
#define OLD_MAY_FAIL          (wire == quiet || wire == flowing)
#else
#define OLD_KNOWS_IT_IS_OVER  (wire == acknowledged)
/* Once everything is sent, only the return path can report a failure to the old side. */
#define OLD_MAY_FAIL          (wire == quiet || wire == flowing || (wire == complete && (new == failed || new == dead)))
#endif

proctype OldQEMU() {
end:
    do
    :: atomic { goesOn && old == asked ->
            printf("old: STOP\n");
            ranAtStop = oldRuns; oldRuns = false; oldState = memory; old = handing; wire = flowing }
    :: atomic { goesOn && old == handing && wire == flowing && new == waiting ->
            printf("old: all is sent, the disk is let go\n");
            diskLeft = disk; sent = oldState; wire = complete }
    :: atomic { goesOn && old == handing && OLD_KNOWS_IT_IS_OVER ->
            printf("old: completed\n");
#ifndef COMPLETED_MAY_LIE
            RULE(completedMeansLoaded, hasLoaded);
#endif
            old = done; saysOldCompleted = controllerLives }
    :: atomic { !peace && (old == asked || old == handing) && OLD_MAY_FAIL ->
            printf("old: fails, and resumes by itself\n");
            cancelMigration(); saysOldFailed = controllerLives }
    :: atomic { oldRuns ->
            printf("old: the guest comes to its own end: SHUTDOWN, STOP\n");
            oldRuns = false; oldState = memory; ending = endedOnOld; TELL_GUEST_ENDED }
    :: atomic { (old == handing || old == done) && ranAtStop && !over ->
            printf("old: the guest had wished to be off when it was stopped: SHUTDOWN\n");
            ending = endedUnseen; TELL_GUEST_ENDED }
    :: atomic { !peace && old != dead -> printf("old: dies\n"); endOld(); TELL_OLD_IS_GONE }
    od
}

proctype NewQEMU() {
end:
    do
    :: atomic { goesOn && new == waiting && wire == complete ->
            printf("new: everything is loaded: completed\n");
            newState = sent; hasLoaded = true; saysNewCompleted = controllerLives;
#ifdef NO_LATE_BLOCK_ACTIVATE
            disk++;             /* opened for writing although it waits for `cont` */
#endif
            new = ready;
#ifdef NO_DASH_S
            if
            :: guestRan -> printf("new: starts by itself\n"); runNew(); saysNewResumed = controllerLives
            :: else
            fi
#endif
        }
    :: atomic { goesOn && hasLoaded && newLives && wire == complete -> printf("new: acknowledges\n"); wire = acknowledged }
    :: atomic { !peace && new == waiting && (wire == flowing || wire == complete) ->
            printf("new: cannot load: failed\n"); new = failed; saysNewFailed = controllerLives }
    :: atomic { goesOn && new == waiting && wire == cut ->
            printf("new: the channel broke: failed\n"); new = failed; saysNewFailed = controllerLives }
    :: atomic { goesOn && new == failed -> printf("new: exits\n"); endNew(); TELL_NEW_IS_GONE }
    :: atomic { new == live -> printf("new: the guest comes to its own end\n"); new = ready; ending = endedOnNew }
    :: atomic { !peace && newLives -> printf("new: dies\n"); endNew(); TELL_NEW_IS_GONE }
    od
}
