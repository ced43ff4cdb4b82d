/*
 * The handoff of one guest between two QEMUs: both QEMUs, the controller, the journal, recovery, and the death of each
 * at any moment. SPIN tries every interleaving. docs/model.md describes the results; scripts/check-model runs it.
 *
 * The files and the sources that they model, name by name:
 *   machine.pml      Sources/Handoff/HandoffMachine.swift
 *   controller.pml   Sources/HyperFresh/Handoff/HandoffDriver.swift, and every possible result of an action
 *   recovery.pml     the table of docs/state-machine.md, as Sources/HyperFresh/Handoff/HandoffRecovery.swift uses it
 *   qemu.pml         the two QEMUs, as far as they are relevant here
 *   hand.pml         another client of their monitors
 * This file: the types, the world, and the rules (Witness).
 *
 * Macros: LIVENESS (see Peace), HAND (see Hand), ONLY=rule, and one for each mutant: scripts/check-model lists them.
 */

/* The progress of the handoff: HandoffState. `nothing`: no record. */
mtype = { nothing, planned, launched, linked, switching, loaded, committed, running, retired,
          rollingBack, rolledBack, lost };
/* The old QEMU: has the guest; told to hand over; vCPUs stopped and sending the state (finish-migrate); postmigrate. */
mtype = { idle, asked, handing, done, dead };
/* The new QEMU: none; inmigrate; failed to load, about to exit; everything loaded, vCPUs stopped; vCPUs run; being
   migrated to a third QEMU by another client; migrated there. */
mtype = { absent, waiting, failed, ready, live, onward, passedOn };
/* The channel: the whole state has been sent; the old side knows that it is loaded; closed. */
mtype = { quiet, flowing, complete, acknowledged, cut };
/* Recovery's observation of a side: SideObservation. */
mtype = { gone, silent, runs, paused, waits, handingOver, handedOver, ended };
/* Events and actions: HandoffEvent, HandoffAction. */
mtype = { none, recorded, recordFailed, hasLaunched, launchFailed, isLinked, linkFailed, switchRefused, oldCompleted,
          oldFailed, oldExited, guestEnded, newCompleted, newFailed, newExited, newResumed, resumeRefused, oldRetired, oldSurvived,
          settled, settleFailed, newRemoved, newSurvived, oldRestored, restoreFailed, deadlinePassed, cancelled };
mtype = { record, launchNew, link, beginSwitch, resumeNew, retireOld, settle, removeNew, restoreOld, finish };
/* The guest's own end: none; requested, but the old side stopped it before processing that; reported by the old or the
   new side. */
mtype = { goingOn, endedUnseen, endedOnOld, endedOnNew };
/* The result: HandoffOutcome; RecoveryDecision. */
mtype = { refreshed, rehearsed, backOnOld, incomplete, isLost, unknown };
mtype = { undecided, isFinished, keepOld, keepNew, clearAway, mustLook };
/* The rules. */
mtype = { atMostOneRuns, oldNeverRunsAfterCommit, newRunsOnlyOnceCommitted, memoryIsAsTheStateSays, diskIsAsOldLeftIt,
          resumedOnlyOnceLoaded, pausedStaysPaused, endedStaysEnded, completedMeansLoaded, ownerIsNeverEnded,
          onlyCopyIsKept, effectsAreOnRecord, finalRecordIsTrue, outcomeIsTrue, unknownOnlyInNeed,
          operatorOnlyInNeed, endedHandoffIsLeftAlone, rehearsalTouchesNothing, settlesOnlyOnceCommitted,
          ordersComeOneByOne, nothingAfterFinish, nothingIsMadeWorse };

/* ---------------------------------------------------------------- the world */

bool guestRan;                  /* the guest's vCPUs ran at the start */
bool rehearsal;                 /* stop at a linked new side */
bool forgets;                   /* an old side like QEMU 7.2: after a failed handoff it reports `postmigrate` */

mtype old = idle;  bool oldRuns;
mtype new = absent;
mtype wire = quiet;
bool ranAtStop;                 /* the old side stopped the guest for the switch: it resumes what it stopped */
bool postmigrate;               /* the old side reports `postmigrate` although it has the guest again */
mtype ending = goingOn;         /* the guest's own end */
bool oldTuned;                  /* the old side has the migration settings of a handoff */
bool hasLoaded;                 /* the new side has loaded everything, whatever happened since */
bool isSettled;                 /* the endpoints belong to the new side */

/* Witnesses. The side that runs its vCPUs changes the memory; a device state belongs to the memory at which it was
   saved. */
byte memory, oldState, sent, newState;
/* The side that opens the disk for writing changes it; the old side knows the version that it left. */
byte disk, diskLeft;

/* The journal: the last state on record, and other facts on record. */
mtype journal = nothing;
bool commitOnRecord, ranOnRecord, tuneOnRecord;

bool controllerLives = true;
bool handWasHere;               /* another client gave a command to a side */
mtype broken = none;            /* the rule that was broken */

/* Events that the controller has not received yet. A set: nothing is assumed about the order between two monitors. */
bool saysGuestEnded, saysOldCompleted, saysOldFailed, saysOldExited, saysNewCompleted, saysNewFailed, saysNewExited,
     saysSwitchRefused, saysResumeRefused;
bool endWasTold;                /* the old side reported the guest's end to a listening controller, received or not */
byte saysNewResumed;            /* the RESUME event and the reply to `cont` mean the same: up to two */

#ifdef LIVENESS
bool peace;                     /* from now on nothing dies, no command fails, everything answers */
bool standsStill;               /* but no QEMU moves on its own as long as the controller lives */
#define goesOn          (!(standsStill && controllerLives))
#else
#define peace           false
#define goesOn          true
#endif

#define isFinal(s)      (s == retired || s == rolledBack || s == lost)
#define isCommitted(s)  (s == committed || s == running || s == retired)
#define newLives        (new != absent && new != dead)
#define newCanTakeOver  ((new == ready && newState == memory) || new == live || (new == waiting && wire == complete))
#define over            (ending != goingOn)
/* The run state of the side that has the guest shows it. */
#define overForAll      (ending == endedOnOld || ending == endedOnNew)
/* Whether a guest runs after its own end is checked by endedStaysEnded, not here. */
#define oldHasGuest     (old == idle && (oldRuns == guestRan || over))
#define newHasGuest     (over -> new == ready || new == live : new == (guestRan -> live : ready))

/* Watches all rules, or only one. */
#ifdef ONLY
#define WATCHED(name)       (name == ONLY)
#else
#define WATCHED(name)       true
#endif
/* Notes the first rule that is broken, without a branch: SPIN would report a branch as unreached. */
#define RULE_FOR_ALL(name, holds)   broken = (broken == none && WATCHED(name) && !(holds) -> name : broken)
/* The commands of another client cannot be undone: after them, most rules are suspended. */
#define RULE(name, holds)           RULE_FOR_ALL(name, handWasHere || (holds))

#include "qemu.pml"
#include "machine.pml"
#include "controller.pml"
#include "recovery.pml"
#ifdef HAND
#include "hand.pml"
#endif

#ifdef LIVENESS
/* At some moment things stop going wrong. From then on everything must terminate, whether or not the QEMUs move. */
proctype Peace() {
    atomic {
        peace = true;
        if
        :: standsStill = true
        :: skip
        fi }
}

#define ALL_IS_SETTLED  (!controllerLives && (isFinal(journal) || journal == nothing))
ltl settles { [] (peace -> <> ALL_IS_SETTLED) }
#endif

/* Checks the rules about states in every state; wakes only to name a broken one. */
#define NAME(broke, name, otherwise)  (((broke) && WATCHED(name)) -> name : otherwise)
#define STATE_RULES \
    NAME(oldRuns && new == live, atMostOneRuns, \
    NAME(oldRuns && commitOnRecord, oldNeverRunsAfterCommit, \
    NAME(new == live && !commitOnRecord, newRunsOnlyOnceCommitted, \
    NAME(!guestRan && (oldRuns || new == live), pausedStaysPaused, \
    NAME(journal == nothing && new != absent, effectsAreOnRecord, \
    NAME((wire != quiet || old == asked) && old != dead && (PREPARING || journal == nothing), effectsAreOnRecord, \
    NAME(rehearsal && (commitOnRecord || (old != idle && old != dead)), rehearsalTouchesNothing, \
    none)))))))

active proctype Witness() {
end:
    atomic { broken != none || (!handWasHere && STATE_RULES != none) ->
        broken = (broken != none -> broken : STATE_RULES);
        printf("BROKEN: %e\n", broken);
        assert(broken == none) }
}

init {
    atomic {
        if
        :: guestRan = true; oldRuns = true; printf("a running guest\n")
        :: printf("a paused guest\n")
        fi;
        if
        :: rehearsal = true; printf("a rehearsal\n")
        :: skip
        fi;
        if
        :: forgets = true; printf("an old QEMU that forgets\n")
        :: skip
        fi;
        run OldQEMU(); run NewQEMU(); run Controller(); run Recovery();
#ifdef HAND
        run Hand();
#endif
#ifdef LIVENESS
        run Peace();
#endif
    }
}
