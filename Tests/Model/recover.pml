#ifdef LOOKS_BY_RECORD
#define LOOK_FOR(i)     LOOK(i); LOOK(RECORD(i))
#define IS_FOUND(i)     IS_KNOWN(i)
#else
#define LOOK_FOR(i)     LOOK(i)
#define IS_FOUND(i)     lives[i]
#endif
#ifdef REBUILDS_FROM_GUESS
#define CANNOT_PROVE    skip
#else
#define CANNOT_PROVE    unproven = true
#endif

/* A guest's QEMU shows which instance has it; between commit and `cont` the journal does. */
#define HAS(g, i)       (QEMU(g, i) == running || (QEMU(g, i) == waiting && journal[g] == committed))
#define ALL_FOUND(i)    found[0] = (HAS(0, i) -> i : found[0]); found[1] = (HAS(1, i) -> i : found[1])

/* An instance is found by its process, and asked; a record without a process belongs to an instance that is gone. */
inline lookAt(i) {
    ASK(i, "recover: asks the instance what is active in it\n",
        ALL_FOUND(i); record[i] = whole,
        CANNOT_PROVE,
        forgetInstance(i))
}

#define IS_LOST         (placement == absent && ANY_LIVES)
#define IS_STALE(g)     (found[g] != NOWHERE && place[g] != found[g])
#define IS_PROVEN(g)    (owner[g] == NOWHERE || owner[g] == found[g])
/* Guests that do not run keep their placement, if it can be read. */
inline rebuildPlacement() {
    STEP("recover: writes the placement anew, by what was seen\n",
        RULE(rebuiltIsProven, IS_PROVEN(0) && IS_PROVEN(1));
        placement = whole;
        place[0] = (found[0] != NOWHERE -> found[0] : place[0]);
        place[1] = (found[1] != NOWHERE -> found[1] : place[1]);
        found[0] = NOWHERE; found[1] = NOWHERE)
}

#define SEE(variable, i) \
    LOOK_FOR(i); \
    if \
    :: IS_FOUND(i) -> variable = (QEMU(g, i) == absent -> gone : QEMU(g, i)) \
    :: !peace && IS_FOUND(i) -> variable = silent \
    :: !IS_FOUND(i) -> variable = gone \
    :: !peace -> DIES \
    fi

#ifdef ENDS_SILENT_BY_PLACEMENT
/* Ends the whole instance because of one guest, as no other is on record there. */
#define IF_NEW_IS_SILENT \
    LOOK(PLACEMENT); \
    if \
    :: place[1 - g] == NEW || journal[1 - g] != settled -> goto leaves \
    :: else -> endInstance(NEW) \
    fi
#else
#define IF_NEW_IS_SILENT    goto leaves
#endif

/* Settles an unfinished handoff according to the table of docs/state-machine.md. */
inline settle() {
    atomic { SEE(seenNew, NEW) };
    atomic {
        SEE(seen, OLD);
        printf("recover: guest %d: on record %e, sees old %e, new %e\n", g, journal[g], seen, seenNew);
        if
        :: seenNew == silent || (journal[g] == committed && seen == silent) -> goto leaves
        :: journal[g] == planned && seenNew != silent -> goto rollsItBack
        :: journal[g] == committed && seenNew != silent && seen == gone -> goto oldIsEnded
        :: journal[g] == committed && seenNew != silent && seen != silent && seen != gone
        fi };
    ASK(OLD, "recover: ends the old QEMU\n", endQEMU(g, OLD), goto leaves, skip);
oldIsEnded:
    if
    :: seenNew == gone -> goto isSettled
    :: seenNew == running
    :: seenNew == waiting ->
        TRY("recover: lets the new QEMU run\n",
            LOOK(NEW);
            if
            :: QEMU(g, NEW) == waiting -> QEMU(g, NEW) = running
            :: else -> goto leaves
            fi,
            goto leaves)
    fi;
    PLACE(g, NEW, goto leaves);
    goto isSettled;

rollsItBack:
    ASK(NEW, "recover: ends the new QEMU\n", endQEMU(g, NEW), IF_NEW_IS_SILENT, skip);
isSettled:
    TRY("recover: the handoff is at its end\n",
        RULE(lostIsTrue, (journal[g] == committed -> seenNew : seen) != gone || owner[g] == NOWHERE);
        journal[g] = settled; goto nextUnsettled,
        goto leaves)
}

inline endIfIdle(i) {
#ifdef ENDS_WITHOUT_ASKING
    STEP("recover: reads the placement\n",
        LOOK(PLACEMENT);
        if
        :: CANNOT_READ(placement) || place[0] == i || place[1] == i -> goto nextIdle
        :: else
        fi);
#else
    ASK_BEFORE_END(i, goto nextIdle);
#endif
    STEP("recover: ends the idle instance\n", endInstance(i));
    STEP("recover: forgets it\n", forgetInstance(i))
}

/* Records first: settling a handoff writes a record, which must be readable. */
inline rebuild() {
    lookAt(OLD);
    lookAt(NEW);
    STEP("recover: reads the placement\n",
        LOOK(PLACEMENT);
        if
        :: unproven || !(placement == damaged || IS_LOST || IS_STALE(0) || IS_STALE(1)) ->
            found[0] = NOWHERE; found[1] = NOWHERE; goto rebuilt
        :: else
        fi);
    rebuildPlacement();
rebuilt:
    g = 0
}

inline recover() {
    JOURNALS("recover: looks for unfinished handoffs\n", skip, EXIT(6));
#if !defined(REBUILDS_LAST) && !defined(LEAVES_DAMAGE)
    rebuild();
#endif
    do
    :: g < 2 && journal[g] != settled ->
        settle();
        atomic {
            skip;
leaves:
            unproven = true;
nextUnsettled:
            seen = absent; seenNew = absent; g++ }
    :: g < 2 && journal[g] == settled -> g++
    :: g == 2 -> break
    od;
    /* Of two instances, the one without a guest is ended, unless a handoff is unfinished. */
    g = 0;
    do
    :: g < 2 && lives[OLD] && lives[NEW] && !UNSETTLED ->
        endIfIdle(g);
nextIdle:
        g++
    :: g < 2 && !(lives[OLD] && lives[NEW] && !UNSETTLED) -> g++
    :: g == 2 -> break
    od;
#ifdef REBUILDS_LAST
    rebuild();
#endif
    atomic {
        if
        :: unproven -> EXIT(6)
        :: else -> EXIT(0)
        fi }
}
