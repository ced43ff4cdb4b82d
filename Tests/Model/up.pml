#ifdef KNOWS_BY_RECORD
#define IS_OVERLOOKED(i)    false
#else
/* It lives, but is not on record. */
#define IS_OVERLOOKED(i)    IS_UNKNOWN(i)
#endif
#ifdef IGNORES_MAPPED
#define IS_MAPPED(g)        false
#else
/* Another process maps the guest's memory file. */
#define IS_MAPPED(g)        (QEMU(g, 1 - at) != absent)
#endif

/* Starts a guest that is not active. */
inline start() {
    ASK(at, "up: starts the guest unless it is active\n",
        if
        :: QEMU(g, at) != absent -> goto nextStart
        :: QEMU(g, at) == absent && IS_MAPPED(g) -> printf("    its memory is in use\n"); goto undoes
        :: QEMU(g, at) == absent && !IS_MAPPED(g) ->
            printf("    guest %d in instance %d\n", g, at);
            QEMU(g, at) = running; mine[g] = true; owner[g] = (owner[g] == NOWHERE -> at : owner[g])
        fi,
        goto undoes, goto undoes);
    PLACE(g, at, goto undoes)
}

/* Undoes what it has created, and nothing else: single guests, or the instance with all guests that it started there.
   */
inline undo() {
#ifdef UP_REMOVES_ALL
    STEP("up: removes all records\n",
        RULE(undoesOnlyItsOwn, placement == absent && (myInstance || record[at] == absent) && record[1 - at] == absent);
        RULE(runningIsNotForgotten, (myInstance || !lives[at]) && !lives[1 - at]);
        placement = absent; forgetPlaces(); record[OLD] = absent; record[NEW] = absent);
#endif
    if
    :: myInstance ->
        ASK(at, "up: asks what is active in the instance that it booted\n", skip, EXIT(6), skip);
        STEP("up: ends it, and what it started there\n", endInstance(at));
        STEP("up: forgets it\n", forgetInstance(at))
    :: else
    fi;
    g = 0;
    do
    :: g < 2 && mine[g] ->
        ASK(at, "up: ends the guest that it started\n", endQEMU(g, at), EXIT(6), skip);
        if
        :: place[g] == at -> PLACE(g, NOWHERE, EXIT(6))
        :: else
        fi;
        mine[g] = false; g++
    :: g < 2 && !mine[g] -> g++
    :: g == 2 -> break
    od;
    EXIT(1)
}

inline up() {
    JOURNALS("up: looks for unfinished handoffs\n",
        if
        :: UNSETTLED -> EXIT(3)
        :: else
        fi,
        EXIT(3));
    STEP("up: reads the records of the instances\n",
        LOOK(OLD); LOOK(NEW); LOOK(RECORD(OLD)); LOOK(RECORD(NEW));
        callTheLivingOneOld();
        at = (IS_UNKNOWN(OLD) -> NEW : OLD);
        if
        :: CANNOT_READ(record[OLD]) || CANNOT_READ(record[NEW]) || IS_OVERLOOKED(OLD) || IS_OVERLOOKED(NEW) ||
            IS_UNKNOWN(at) || (IS_KNOWN(OLD) && IS_KNOWN(NEW)) -> EXIT(3)
        :: else -> boots = !lives[at]
        fi);
    STEP("up: reads the placement\n",
        LOOK(PLACEMENT);
        if
        :: CANNOT_READ(placement) || (placement == absent && !boots) -> EXIT(3)
        :: else
        fi);
    if
    :: boots ->
        TRY("up: puts an instance on record\n", record[at] = whole; myInstance = true, EXIT(1));
        TRY("up: boots it\n", lives[at] = true, goto undoes)
    :: else
    fi;
    g = 0;
    do
    :: g < 2 ->
        start();
nextStart:
        g++
    :: g == 2 -> break
    od;
    EXIT(0);

undoes:
    undo()
}

/* Tells a guest to shut down; that may take longer than the command waits. */
inline shutDown(who, where) {
    if
    :: QEMU(who, where) == running -> QEMU(who, where) = absent; owner[who] = NOWHERE
    :: skip
    fi
}

/* Without --now, nothing is ended that is still active or does not answer. */
inline takeDown(i) {
    ASK(i, "down: shuts the guests down\n", shutDown(0, i); shutDown(1, i), EXIT(6), skip);
    ASK_BEFORE_END(i, EXIT(6));
    STEP("down: ends the instance\n", endInstance(i));
    STEP("down: forgets it\n", forgetInstance(i))
}

inline down() {
    JOURNALS("down: looks for unfinished handoffs\n",
        if
        :: UNSETTLED -> EXIT(3)
        :: else
        fi,
        EXIT(3));
    takeDown(OLD);
    takeDown(NEW);
    STEP("down: forgets the placement\n",
        RULE(runningIsNotForgotten, !lives[OLD] && !lives[NEW]); placement = absent; forgetPlaces());
    EXIT(0)
}
