/*
 * The refresh of one hypervisor with two guests: the old and the new instance, their records, the commands that read
 * and write those, and whatever ends and damages them at any moment. The handoff of one guest is one step here:
 * handoff.pml shows that it may be. SPIN tries every interleaving. docs/model.md says what it shows;
 * scripts/check-model runs it.
 *
 * What it mirrors:
 *   records.pml      Sources/HyperFresh/Stack/StackStore.swift; asking an instance, ending it
 *   refresh.pml      Sources/HyperFresh/Nested: admission, boot, handover, retire, discard
 *   recover.pml      Sources/HyperFresh/Recovery, and Nested/InnerRecovery.swift
 *   up.pml           Sources/HyperFresh/Stack: StackUp, StackDown
 *   operator.pml     somebody who gives one command after the other
 *   world.pml        what ends, and what is damaged
 * Here: the words, the world, and the promise (Witness).
 *
 * Macros: LIVENESS (see secondRunFinishes), AT_ANY_MOMENT (see World), ONLY=rule, and one for each mutant:
 * scripts/check-model lists them.
 */

/* A record. `damaged`: it is there, and cannot be read. */
mtype = { absent, whole, damaged };
/* A guest's QEMU in an instance: absent; started with -incoming and paused; its vCPUs run; postmigrate. */
mtype = { waiting, running, handedOver };
/* A guest's handoff by its journal: none, or at its end; begun; past its commit. */
mtype = { settled, planned, committed };
/* What a look at a guest's QEMU comes to, besides what it says itself. */
mtype = { gone, silent };
/* The rules. */
mtype = { none, atMostOneRuns, onlyRunnerIsKept, runningIsNotForgotten, undoesOnlyItsOwn, unreadIsNotWritten,
          rebuiltIsProven, lostIsTrue, successIsTrue };

/* ---------------------------------------------------------------- the world */

/* Two instances: 0 is the older one. What there is of a guest in an instance: QEMU(guest, instance). */
#define OLD             0
#define NEW             1
#define NOWHERE         2
bool lives[2];
mtype qemus[4] = absent;
#define QEMU(g, i)      qemus[2 * (g) + (i)]
#define BUSY(i)         (QEMU(0, i) != absent || QEMU(1, i) != absent)

/* Witness: which instance has the guest. Up to the commit the old one, then the new one; NOWHERE once it has ended. */
byte owner[2];

/* The records: who an instance's process is; which instance has which guest; a journal for each guest. */
mtype record[2] = absent;
mtype placement = absent;
byte place[2];
mtype journal[2] = settled;
#define UNSETTLED       (journal[0] != settled || journal[1] != settled)

#ifdef LIVENESS
bool peace;                     /* from now on nothing dies, is damaged or fails, and everybody answers */
#else
#define peace   false
#endif
mtype broken = none;            /* the rule that was broken */

/* All rules are watched, or one alone. */
#ifdef ONLY
#define WATCHED(name)       (name == ONLY)
#else
#define WATCHED(name)       true
#endif
/* Notes the first rule that is broken, without a branch of its own: SPIN would call it unreached. */
#define RULE(name, holds)   broken = (broken == none && WATCHED(name) && !(holds) -> name : broken)

#include "world.pml"
#include "records.pml"
#include "refresh.pml"
#include "recover.pml"
#include "up.pml"
#include "operator.pml"

/* What a second run must come to: what runs, runs in the one instance that lives, and all of that is on record. */
#define HAS_ALL_OF(g, i) \
    ((owner[g] == NOWHERE && QEMU(g, OLD) == absent && QEMU(g, NEW) == absent) || \
        (owner[g] == i && QEMU(g, i) == running && QEMU(g, 1 - i) == absent && place[g] == i))
#define ALL_IN_ONE(i) \
    (lives[i] && !lives[1 - i] && HAS_ALL_OF(0, i) && HAS_ALL_OF(1, i) && \
        record[i] == whole && record[1 - i] == absent && placement == whole && !UNSETTLED)
#ifdef LIVENESS
ltl secondRunFinishes { [] (peace -> <> (ALL_IN_ONE(OLD) || ALL_IN_ONE(NEW))) }
#endif

/* The promise, held against every state: it only wakes to name the rule that was broken. */
#define TWICE(g)    (QEMU(g, OLD) == running && QEMU(g, NEW) == running)
#define STATE_RULES (((TWICE(0) || TWICE(1)) && WATCHED(atMostOneRuns)) -> atMostOneRuns : none)

active proctype Witness() {
end:
    atomic { broken != none || STATE_RULES != none ->
        broken = (broken != none -> broken : STATE_RULES);
        printf("BROKEN: %e\n", broken);
        assert(broken == none) }
}

/* All began well: one instance, two guests in it, all on record. */
init {
    atomic {
        lives[OLD] = true; QEMU(0, OLD) = running; QEMU(1, OLD) = running;
        record[OLD] = whole; placement = whole;
        run World(); run Operator()
    }
}
