mtype seenOld = none, seenNew = none, decision = undecided;
bool resumeIt;                  /* `resume if it ran`, and it did */
bool recovering;

inline observeNew() {
    if
#ifdef TRUSTS_THE_JOURNAL_ALONE
    :: isCommitted(journal) -> seenNew = paused
    :: !isCommitted(journal) -> seenNew = waits
#else
    :: new == absent || new == dead -> seenNew = gone
    :: new == waiting || new == failed -> seenNew = waits
    :: new == ready && !overForAll -> seenNew = paused
    :: new == ready && overForAll -> seenNew = ended
    :: new == live -> seenNew = runs
    :: new == onward -> seenNew = handingOver
    :: new == passedOn -> seenNew = handedOver
    :: !peace && newLives -> seenNew = silent
#endif
    fi
}

inline observeOld() {
    if
#ifdef TRUSTS_THE_JOURNAL_ALONE
    :: isCommitted(journal) -> seenOld = handedOver
    :: !isCommitted(journal) -> seenOld = runs
#else
    :: old == dead -> seenOld = gone
    :: (old == idle || old == asked) && oldRuns -> seenOld = runs
    :: (old == idle || old == asked) && !oldRuns && !postmigrate && !overForAll -> seenOld = paused
    :: (old == idle || old == asked) && !oldRuns && !postmigrate && overForAll -> seenOld = ended
    :: old == handing -> seenOld = handingOver
    :: old == done -> seenOld = handedOver
    :: (old == idle || old == asked) && !oldRuns && postmigrate -> seenOld = handedOver
    :: !peace && old != dead -> seenOld = silent
#endif
    fi
}

/* The table of docs/state-machine.md, row by row; the first match decides. scripts/check-model compares the two. */
#define ROW(records, oldSide, newSide, verdict) \
    if \
    :: decision == undecided && (records) && (oldSide) && (newSide) -> verdict \
    :: else \
    fi
#define MUTANT_ROW  ROW
#define PREPARING   (journal == planned || journal == launched || journal == linked)
#define SWITCHING   (journal == switching || journal == loaded || journal == rollingBack)
#define COMMITTED   (journal == committed || journal == running)
#define OLD(s)      (seenOld == s)
#define NEW(s)      (seenNew == s)
#define ANY         true
#define IF_IT_RAN   resumeIt = ranOnRecord

inline decide() {
    decision = (journal == nothing -> isFinished : undecided);     /* nothing was done either */
    resumeIt = false;
#ifdef TAKES_UP_ENDED_HANDOFFS
    MUTANT_ROW(journal == retired, ANY, NEW(paused), decision = keepNew; IF_IT_RAN);
#endif
#ifdef RESURRECTS_OLD_AFTER_COMMIT
    MUTANT_ROW(COMMITTED, ANY, NEW(gone), decision = keepOld; IF_IT_RAN);
#endif
#ifdef ABANDONS_LOADING_NEW
    MUTANT_ROW(SWITCHING, OLD(gone), NEW(waits), decision = clearAway);
#endif
#ifdef GIVES_UP_SILENT_NEW
    MUTANT_ROW(COMMITTED, ANY, NEW(silent), decision = clearAway);
#endif
#ifdef ALWAYS_CALLS_OPERATOR
    MUTANT_ROW(SWITCHING, ANY, ANY, decision = mustLook);
#endif
    ROW(ANY, OLD(runs), NEW(runs), decision = mustLook);
    ROW(isFinal(journal), ANY, ANY, decision = isFinished);
#ifndef BLIND_TO_FED_NEW
    ROW(PREPARING, ANY, NEW(runs), decision = mustLook);
#endif
    ROW(PREPARING, OLD(gone), NEW(gone) || NEW(silent) || NEW(waits), decision = clearAway);
    ROW(PREPARING, OLD(gone), ANY, decision = mustLook);
    ROW(PREPARING, ANY, ANY, decision = keepOld);
    ROW(SWITCHING, OLD(gone) || OLD(handedOver), NEW(runs), decision = keepNew);
    ROW(SWITCHING, ANY, NEW(runs), decision = mustLook);
    ROW(SWITCHING, OLD(gone) || OLD(handedOver), NEW(ended), decision = keepNew);
    ROW(SWITCHING, OLD(gone), NEW(paused), decision = keepNew; IF_IT_RAN);
    ROW(SWITCHING, OLD(gone), NEW(gone), decision = clearAway);
    ROW(SWITCHING, OLD(gone), NEW(waits), decision = mustLook);
    ROW(SWITCHING, OLD(gone), ANY, decision = mustLook);
    ROW(SWITCHING, OLD(silent), ANY, decision = mustLook);
    ROW(SWITCHING, OLD(ended), ANY, decision = keepOld);
    ROW(SWITCHING, ANY, ANY, decision = keepOld; IF_IT_RAN);
    ROW(COMMITTED, OLD(runs), ANY, decision = mustLook);
    ROW(COMMITTED, ANY, NEW(gone), decision = clearAway);
    ROW(COMMITTED, ANY, NEW(silent), decision = mustLook);
    ROW(COMMITTED, ANY, NEW(runs) || NEW(ended), decision = keepNew);
    ROW(journal == committed, ANY, NEW(paused), decision = keepNew; IF_IT_RAN);
    ROW(journal == running, ANY, NEW(paused), decision = keepNew);
    ROW(COMMITTED, ANY, ANY, decision = mustLook)
}

#define STILL_LOADING  (OLD(gone) && NEW(waits) && SWITCHING)

inline judge() {
    printf("recovery: on record %e, sees old %e, new %e: %e\n", journal, seenOld, seenNew, decision);
    RULE(endedHandoffIsLeftAlone, !isFinal(journal) || decision == isFinished);
    RULE(operatorOnlyInNeed, decision != mustLook || OLD(silent) || NEW(silent) || STILL_LOADING);
    RULE(onlyCopyIsKept, (decision != keepOld && decision != clearAway) ||
        !(old == dead && !commitOnRecord && newCanTakeOver));
    /* This rule holds with another client, too: nothing that was seen running is ended. */
    RULE_FOR_ALL(nothingIsMadeWorse, !(decision == keepNew && OLD(runs)) &&
        !((decision == keepOld || decision == clearAway) && NEW(runs)))
}

/* One step of recovery. It may fail, or recovery may die before it; then recovery runs again, with a new look. */
#define STEP(possible, words, effect) \
    atomic { \
        if \
        :: (possible) -> printf(words); effect \
        :: !peace || !(possible) -> printf("recovery: fails or dies\n"); goto again \
        fi }
#define CHECK_BOTH  RULE_FOR_ALL(nothingIsMadeWorse, !(oldRuns && new == live))

inline recoveryEndsNew() {
    RULE(ownerIsNeverEnded, !newLives || (!commitOnRecord && new != live));
    if
    :: newLives -> endNew()
    :: else
    fi
}

inline recoveryEndsOld() {
    /* After its own end, a guest has no owner. */
    RULE(ownerIsNeverEnded, commitOnRecord || old == dead || over);
    if
    :: old != dead -> endOld()
    :: else
    fi
}

inline recoveryContinuesOld() {
    if
    :: resumeIt -> takeBackAndRun()
    :: else -> takeBack()
    fi;
    CHECK_BOTH
}

inline recoveryContinuesNew() {
    RULE(newRunsOnlyOnceCommitted, commitOnRecord);
    runNew();
    CHECK_BOTH
}

proctype Recovery() {
    !controllerLives;
again:
    atomic { recovering = false; seenOld = none; seenNew = none; decision = undecided; resumeIt = false }
    atomic { recovering = true; observeNew() }
    atomic { observeOld(); decide(); judge() }
    if
    :: decision == isFinished -> goto ends
    :: decision == mustLook -> goto operator
    :: decision == keepOld -> goto restoring
    :: decision == keepNew -> goto moving
    :: decision == clearAway -> goto clearing
    fi;

restoring:
#ifdef RESTORES_OLD_FIRST
    STEP(old != dead, "recovery: lets the old side run\n", recoveryContinuesOld());
#endif
    STEP(true, "recovery: ends the new side\n", recoveryEndsNew());
    if
#ifdef FORGETS_SETTINGS
    :: OLD(silent) && tuneOnRecord -> goto recordRolledBack
#endif
    :: OLD(silent) && tuneOnRecord -> goto again        /* its settings cannot be put back: not settled */
    :: OLD(silent) && !tuneOnRecord -> goto recordRolledBack
    :: else
    fi;
    STEP(old != dead, "recovery: cancels the migration\n", cancelMigration(); CHECK_BOTH);
    STEP(old != dead && !(resumeIt && CONT_REFUSED), "recovery: lets the old side be as it was\n",
        recoveryContinuesOld());
    STEP(old != dead, "recovery: puts the settings of the old side back\n", oldTuned = false);
recordRolledBack:
#ifndef RECORDS_NO_END
    STEP(true, "recovery: records rolledBack\n", put(rolledBack));
#endif
    goto again;

moving:
#ifndef LEAVES_OLD_ALIVE
    STEP(true, "recovery: ends the old side\n", recoveryEndsOld());
#endif
    if
    :: !isCommitted(journal) -> STEP(true, "recovery: records committed\n", put(committed))
    :: else
    fi;
    if
    :: resumeIt -> STEP(new == ready && !overForAll, "recovery: cont on the new side\n", recoveryContinuesNew())
    :: else
    fi;
    STEP(true, "recovery: settles the endpoints\n", isSettled = true);
    STEP(true, "recovery: records retired\n", put(retired));
    goto again;

clearing:
    STEP(true, "recovery: ends the new side\n", recoveryEndsNew());
    if
    :: isCommitted(journal) -> STEP(true, "recovery: ends the old side\n", recoveryEndsOld())
    :: else
    fi;
    STEP(true, "recovery: records lost\n", put(lost));
    goto again;

operator:
    if
    :: OLD(silent) || NEW(silent) -> goto again
    :: STILL_LOADING && !OLD(silent) && !NEW(silent) -> !(new == waiting || new == failed) -> goto again
    :: handWasHere -> goto ends
    fi;

ends:
    atomic { recovering = false; seenOld = none; seenNew = none; decision = undecided; resumeIt = false }
}
