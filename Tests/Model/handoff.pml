/*
 * The handoff of one guest between two QEMUs: both of them, the controller, the journal, recovery, and the death of each
 * at any moment. SPIN tries every interleaving. docs/model.md says what it shows; scripts/check-model runs it.
 *
 * What it mirrors, name by name:
 *   machine.pml      Sources/Handoff/HandoffMachine.swift
 *   controller.pml   Sources/HyperFresh/Handoff/HandoffDriver.swift, and every way in which an action may turn out
 *   recovery.pml     the table of docs/state-machine.md, carried out as in Sources/HyperFresh/Recovery/GuestRecovery.swift
 *   qemu.pml         the two QEMUs, as far as they matter here
 *   hand.pml         somebody else at their monitors
 * Here: the words, the world, and the promise (Witness).
 *
 * Macros: LIVENESS (see Peace), HAND (see Hand), ONLY=rule, and one for each mutant: scripts/check-model lists them.
 */

/* How far the handoff has come: HandoffState. `nothing`: no record at all. */
mtype = { nothing, planned, launched, linked, switching, loaded, committed, running, retired,
          rollingBack, rolledBack, lost };
/* The old QEMU: has the guest; told to hand over; vCPUs stopped and state on its way (finish-migrate); postmigrate. */
mtype = { idle, asked, handing, done, dead };
/* The new QEMU: none; inmigrate; could not load, about to exit; everything loaded, vCPUs stopped; vCPUs run; given to a
   third QEMU by somebody else: on its way, done. */
mtype = { absent, waiting, failed, ready, live, onward, passedOn };
/* The channel: all of the state is on its way; the old side knows that all is loaded; of no use any more. */
mtype = { quiet, flowing, complete, acknowledged, cut };
/* What recovery sees of a side: SideObservation. */
mtype = { gone, silent, runs, paused, waits, handingOver, handedOver, ended };
/* Events and actions: HandoffEvent, HandoffAction. */
mtype = { none, recorded, recordFailed, hasLaunched, launchFailed, isLinked, linkFailed, switchRefused, oldCompleted,
          oldFailed, oldExited, guestEnded, newCompleted, newFailed, newExited, newResumed, resumeRefused, oldRetired, oldSurvived,
          settled, settleFailed, newRemoved, newSurvived, oldRestored, restoreFailed, deadlinePassed, cancelled };
mtype = { record, launchNew, link, beginSwitch, resumeNew, retireOld, settle, removeNew, restoreOld, finish };
/* The guest's own end: none; wished for, but the old side stopped it before it looked; by the word of the old or new side. */
mtype = { goingOn, endedUnseen, endedOnOld, endedOnNew };
/* How it ended: HandoffOutcome; RecoveryDecision. */
mtype = { refreshed, rehearsed, backOnOld, incomplete, isLost, unknown };
mtype = { undecided, isFinished, keepOld, keepNew, clearAway, mustLook };
/* The rules. */
mtype = { atMostOneRuns, oldNeverRunsAfterCommit, newRunsOnlyOnceCommitted, memoryIsAsTheStateSays, diskIsAsOldLeftIt,
          resumedOnlyOnceLoaded, pausedStaysPaused, endedStaysEnded, completedMeansLoaded, ownerIsNeverEnded,
          onlyCopyIsKept, effectsAreOnRecord, finalRecordIsTrue, outcomeIsTrue, unknownOnlyInNeed,
          operatorOnlyInNeed, endedHandoffIsLeftAlone, rehearsalTouchesNothing, settlesOnlyOnceCommitted,
          ordersComeOneByOne, nothingAfterFinish, nothingIsMadeWorse };

/* ---------------------------------------------------------------- the world */

bool guestRan;                  /* the guest's vCPUs ran when all began */
bool rehearsal;                 /* stop at a linked new side */
bool forgets;                   /* an old side like QEMU 7.2: a guest that it could not hand over is `postmigrate` */

mtype old = idle;  bool oldRuns;
mtype new = absent;
mtype wire = quiet;
bool ranAtStop;                 /* the old side stopped the guest for the switch: it resumes what it stopped */
bool postmigrate;               /* the old side calls its guest handed over although it has it again */
mtype ending = goingOn;         /* the guest has come to its own end */
bool oldTuned;                  /* the old side has the migration settings of a handoff */
bool hasLoaded;                 /* the new side has loaded everything, whatever became of it since */
bool isSettled;                 /* the endpoints are the new side's */

/* Witnesses. Whoever starts its vCPUs moves the memory on; device state is of the memory at which it was taken. */
byte memory, oldState, sent, newState;
/* Whoever opens the disk for writing moves it on; the old side knows it as it left it. */
byte disk, diskLeft;

/* The journal: the last state on record, and what else is on record. */
mtype journal = nothing;
bool commitOnRecord, ranOnRecord, tuneOnRecord;

bool controllerLives = true;
bool handWasHere;               /* somebody else gave a command to a side */
mtype broken = none;            /* the rule that was broken */

/* What the controller was not told yet. A set: nothing is assumed about the order in which two monitors are heard. */
bool saysGuestEnded, saysOldCompleted, saysOldFailed, saysOldExited, saysNewCompleted, saysNewFailed, saysNewExited,
     saysSwitchRefused, saysResumeRefused;
bool endWasTold;                /* the guest's end, by the old side, to a controller that listened, whether or not it has heard */
byte saysNewResumed;            /* the RESUME event and the reply to `cont` say the same: up to two */

#ifdef LIVENESS
bool peace;                     /* from now on nobody dies, no command fails, everybody answers */
bool standsStill;               /* but nothing happens by itself as long as the controller lives */
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
/* The run state of the side that has the guest tells. */
#define overForAll      (ending == endedOnOld || ending == endedOnNew)
/* Whether a guest runs that has come to its own end is the orders' matter (endedStaysEnded), not that of where it is. */
#define oldHasGuest     (old == idle && (oldRuns == guestRan || over))
#define newHasGuest     (over -> new == ready || new == live : new == (guestRan -> live : ready))

/* All rules are watched, or one alone. */
#ifdef ONLY
#define WATCHED(name)       (name == ONLY)
#else
#define WATCHED(name)       true
#endif
/* Notes the first rule that is broken, without a branch of its own: SPIN would call it unreached. */
#define RULE_FOR_ALL(name, holds)   broken = (broken == none && WATCHED(name) && !(holds) -> name : broken)
/* What somebody else did cannot be undone: then most rules are silent. */
#define RULE(name, holds)           RULE_FOR_ALL(name, handWasHere || (holds))

#include "qemu.pml"
#include "machine.pml"
#include "controller.pml"
#include "recovery.pml"
#ifdef HAND
#include "hand.pml"
#endif

#ifdef LIVENESS
/* At some moment things stop going wrong. From then on all must come to its end, whether or not the QEMUs move. */
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

/* The promise, held against every state: it only wakes to name the rule that was broken. */
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
