#ifdef IGNORES_UNFINISHED
#define MUST_SETTLE_FIRST   false
#else
#define MUST_SETTLE_FIRST   UNSETTLED
#endif
/* A guest that is active in the old instance, but not placed there. */
#ifdef ADMITS_BY_PLACEMENT
#define IS_UNPLACED(g)      false
#else
#define IS_UNPLACED(g)      (QEMU(g, OLD) != absent && !moves[g])
#endif
/* Facts that the command needs and may not know. */
#define NOTE_WHO_RUNS       ran[0] = (owner[0] != NOWHERE); ran[1] = (owner[1] != NOWHERE)
#ifdef EXPECTS_ONLY_MOVED
#define EXPECT_ALSO(g)      skip
#else
#define EXPECT_ALSO(g)      expects[g] = expects[g] || QEMU(g, NEW) != absent
#endif

/* The guests to move: those placed on the old instance that are active there. */
inline admit() {
    JOURNALS("refresh: looks for unfinished handoffs\n",
        if
        :: MUST_SETTLE_FIRST -> EXIT(3)
        :: else
        fi,
        EXIT(3));
    STEP("refresh: reads the records of the instances\n",
        LOOK(OLD); LOOK(NEW); LOOK(RECORD(OLD)); LOOK(RECORD(NEW));
        callTheLivingOneOld();
        if
        :: CANNOT_READ(record[OLD]) || CANNOT_READ(record[NEW]) || IS_UNKNOWN(OLD) || IS_UNKNOWN(NEW) || !lives[OLD] ->
            EXIT(3)
        :: else -> finishes = lives[NEW]
        fi);
    STEP("refresh: reads the placement\n",
        LOOK(PLACEMENT);
        if
        :: CANNOT_READ(placement) -> EXIT(3)
        :: else -> moves[0] = (place[0] == OLD); moves[1] = (place[1] == OLD)
        fi);
    ASK(OLD, "refresh: asks what is active in the old instance\n",
        if
        :: IS_UNPLACED(0) || IS_UNPLACED(1) -> EXIT(3)
        :: else ->
            moves[0] = moves[0] && QEMU(0, OLD) != absent; moves[1] = moves[1] && QEMU(1, OLD) != absent;
            expects[0] = moves[0]; expects[1] = moves[1]; NOTE_WHO_RUNS
        fi,
        EXIT(3), EXIT(3));
    if
    :: finishes ->
        ASK(NEW, "refresh: asks the new instance of an earlier refresh\n",
            EXPECT_ALSO(0); EXPECT_ALSO(1); NOTE_WHO_RUNS, EXIT(3), EXIT(3))
    :: else
    fi
}

inline boot() {
    TRY("refresh: puts the new instance on record\n", record[NEW] = whole, EXIT(1));
    TRY("refresh: boots the new instance\n", lives[NEW] = true, goto forgets)
}

inline launch() {
    TRY("refresh: begins a guest's handoff\n", printf("    guest %d\n", g); journal[g] = planned, goto calledOff);
    ASK(NEW, "refresh: starts a guest's new QEMU\n",
        if
        :: QEMU(g, NEW) == absent -> QEMU(g, NEW) = waiting
        :: else -> goto calledOff
        fi,
        goto calledOff, goto calledOff)
}

/* The handoff is one step; the actions after the commit are several. */
inline handOver() {
    TRY("refresh: hands a guest over: committed\n",
        LOOK(OLD); LOOK(NEW);
        if
        :: QEMU(g, OLD) == running && QEMU(g, NEW) == waiting ->
            printf("    guest %d\n", g);
            QEMU(g, OLD) = handedOver; journal[g] = committed; owner[g] = NEW
        :: else -> goto nextHandover
        fi,
        goto nextHandover);
    TRY("refresh: lets the new QEMU run\n",
        LOOK(NEW);
        if
        :: QEMU(g, NEW) == waiting -> QEMU(g, NEW) = running
        :: else -> goto nextHandover
        fi,
        goto nextHandover);
    ASK(OLD, "refresh: ends the old QEMU\n", endQEMU(g, OLD), goto nextHandover, skip);
    PLACE(g, NEW, goto nextHandover);
    TRY("refresh: the handoff is at its end\n", journal[g] = settled; hasMoved = true, goto nextHandover)
}

#ifdef ROLLS_BACK_UNSEEN
#define IF_NOT_ROLLED_BACK  skip
#else
#define IF_NOT_ROLLED_BACK  goto nextRollback
#endif
inline rollBack() {
    ASK(NEW, "refresh: rolls back, ends the new QEMU\n", endQEMU(g, NEW), IF_NOT_ROLLED_BACK, skip);
    TRY("refresh: the handoff is rolled back\n", journal[g] = settled; hasStayed = true, goto nextRollback)
}

/* A final query: success is reported only if the new instance confirms it. */
#define EXPECTED(g)     (!expects[g] || QEMU(g, NEW) == running)
#define IS_FRESH(g)     (!ran[g] || (owner[g] == NEW && QEMU(g, NEW) == running && QEMU(g, OLD) == absent))
inline claim() {
    RULE(successIsTrue, !lives[OLD] && lives[NEW] && IS_FRESH(0) && IS_FRESH(1));
    EXIT(0)
}

inline retire() {
#ifndef RETIRES_WITHOUT_ASKING
    ASK_BEFORE_END(OLD, EXIT(6));
#endif
    STEP("refresh: ends the old instance\n", endInstance(OLD));
    STEP("refresh: forgets the old instance\n", forgetInstance(OLD));
    g = 0;
    do
    :: g < 2 && place[g] == OLD -> PLACE(g, NEW, EXIT(5)); g++
    :: g < 2 && place[g] != OLD -> g++
    :: g == 2 -> break
    od;
#ifdef CLAIMS_WITHOUT_A_LOOK
    STEP("refresh: is done\n", claim())
#else
    ASK(NEW, "refresh: looks at the guests in the new instance\n",
        if
        :: EXPECTED(0) && EXPECTED(1) -> claim()
        :: else -> EXIT(6)
        fi,
        EXIT(6), EXIT(6))
#endif
}

inline refresh() {
    admit();
    if
    :: !finishes -> boot()
    :: else
    fi;
    g = 0;
    do
    :: g < 2 && moves[g] -> launch(); g++
    :: g < 2 && !moves[g] -> g++
    :: g == 2 -> break
    od;
    /* All are ready: from now on, each guest fails on its own. */
    g = 0;
    do
    :: g < 2 && moves[g] ->
        handOver();
nextHandover:
        g++
    :: g < 2 && !moves[g] -> g++
    :: g == 2 -> break
    od;
    goto rollsBack;

calledOff:
    hasStayed = true;
rollsBack:
    g = 0;
    do
    :: g < 2 && journal[g] == planned ->
        rollBack();
nextRollback:
        g++
    :: g < 2 && journal[g] != planned -> g++
    :: g == 2 -> break
    od;
    atomic {
        if
        :: UNSETTLED -> EXIT(6)
        :: !UNSETTLED && hasStayed && (hasMoved || finishes) -> EXIT(5)
        :: !UNSETTLED && hasStayed && !hasMoved && !finishes -> goto discards
        :: !UNSETTLED && !hasStayed
        fi };
    retire();

discards:
#ifdef FORGETS_THE_SILENT
    ASK(NEW, "asks what is active in the new instance\n", UNLESS_BUSY(NEW, EXIT(6)), goto forgets, skip);
#else
    ASK_BEFORE_END(NEW, EXIT(6));
#endif
    STEP("refresh: ends the new instance\n", endInstance(NEW));
forgets:
    STEP("refresh: forgets the new instance\n", forgetInstance(NEW));
    EXIT(1)
}
