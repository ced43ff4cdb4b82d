/*
 * The refresh of one hypervisor with two guests: the old and the new instance, their records, the commands that read
 * and write these, and everything that ends or damages them at any moment. The handoff of one guest is one step here,
 * which handoff.pml justifies. SPIN tries every interleaving. docs/model.md describes the results;
 * scripts/check-model runs it.
 *
 * The files and the sources that they model:
 *   records.pml      Sources/HyperFresh/Instances/StackStore.swift; asking an instance, ending it
 *   refresh.pml      Sources/HyperFresh/Stacks/HypervisorRefresh.swift: admission, boot, handover, retire, discard
 *   recover.pml      Sources/HyperFresh/Stacks/RecordRebuild.swift, HypervisorGuests/HypervisorGuestRecovery.swift
 *   up.pml           Sources/HyperFresh/Stacks: StackUp, StackDown
 *   operator.pml     a user who gives one command after the other
 *   world.pml        ends and damages
 * This file: the types, the world, and the rules (Witness).
 *
 * Macros: LIVENESS (see secondRunFinishes), AT_ANY_MOMENT (see World), ONLY=rule, and one for each mutant:
 * scripts/check-model lists them.
 */

/* A record. `damaged`: it exists, but cannot be read. */
mtype = { absent, whole, damaged };
/* A guest's QEMU in an instance: absent; started with -incoming and paused; its vCPUs run; postmigrate. */
mtype = { waiting, running, handedOver };
/* A guest's handoff according to its journal: none or finished; begun; past its commit. */
mtype = { settled, planned, committed };
/* Further results of looking at a guest's QEMU, in addition to its own states. */
mtype = { gone, silent };
/* The rules. */
mtype = { none, atMostOneRuns, onlyRunnerIsKept, runningIsNotForgotten, undoesOnlyItsOwn, unreadIsNotWritten,
          rebuiltIsProven, lostIsTrue, successIsTrue };

/* ---------------------------------------------------------------- the world */

/* Two instances; 0 is the older one. The state of a guest in an instance: QEMU(guest, instance). */
#define OLD             0
#define NEW             1
#define NOWHERE         2
bool lives[2];
mtype qemus[4] = absent;
#define QEMU(g, i)      qemus[2 * (g) + (i)]
#define BUSY(i)         (QEMU(0, i) != absent || QEMU(1, i) != absent)

/* Witness: the instance that has the guest. Up to the commit the old one, then the new one; NOWHERE after the guest's
   end. */
byte owner[2];

/* The records: the process of an instance; the instance of each guest; a journal for each guest. */
mtype record[2] = absent;
mtype placement = absent;
byte place[2];
mtype journal[2] = settled;
#define UNSETTLED       (journal[0] != settled || journal[1] != settled)

#ifdef LIVENESS
bool peace;                     /* from now on nothing dies, is damaged or fails, and everything answers */
#else
#define peace   false
#endif
mtype broken = none;            /* the rule that was broken */

/* Watches all rules, or only one. */
#ifdef ONLY
#define WATCHED(name)       (name == ONLY)
#else
#define WATCHED(name)       true
#endif
/* Notes the first rule that is broken, without a branch: SPIN would report a branch as unreached. */
#define RULE(name, holds)   broken = (broken == none && WATCHED(name) && !(holds) -> name : broken)

#include "world.pml"
#include "records.pml"
#include "refresh.pml"
#include "recover.pml"
#include "up.pml"
#include "operator.pml"

/* What a second run must achieve: all running guests are in the one living instance, and all of that is on record. */
#define HAS_ALL_OF(g, i) \
    ((owner[g] == NOWHERE && QEMU(g, OLD) == absent && QEMU(g, NEW) == absent) || \
        (owner[g] == i && QEMU(g, i) == running && QEMU(g, 1 - i) == absent && place[g] == i))
#define ALL_IN_ONE(i) \
    (lives[i] && !lives[1 - i] && HAS_ALL_OF(0, i) && HAS_ALL_OF(1, i) && \
        record[i] == whole && record[1 - i] == absent && placement == whole && !UNSETTLED)
#ifdef LIVENESS
ltl secondRunFinishes { [] (peace -> <> (ALL_IN_ONE(OLD) || ALL_IN_ONE(NEW))) }
#endif

/* Checks the rules about states in every state; wakes only to name a broken one. */
#define TWICE(g)    (QEMU(g, OLD) == running && QEMU(g, NEW) == running)
#define STATE_RULES (((TWICE(0) || TWICE(1)) && WATCHED(atMostOneRuns)) -> atMostOneRuns : none)

active proctype Witness() {
end:
    atomic { broken != none || STATE_RULES != none ->
        broken = (broken != none -> broken : STATE_RULES);
        printf("BROKEN: %e\n", broken);
        assert(broken == none) }
}

/* The initial state: one instance, two guests in it, all on record. */
init {
    atomic {
        lives[OLD] = true; QEMU(0, OLD) = running; QEMU(1, OLD) = running;
        record[OLD] = whole; placement = whole;
        run World(); run Operator()
    }
}
