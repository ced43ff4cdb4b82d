/* The knowledge of a command is lost with it. */
inline forgetAll() {
    d_step {
        g = 0; finishes = false; hasMoved = false; hasStayed = false; boots = false; myInstance = false; at = OLD;
        moves[0] = false; moves[1] = false; expects[0] = false; expects[1] = false; ran[0] = false; ran[1] = false;
        mine[0] = false; mine[1] = false; found[0] = NOWHERE; found[1] = NOWHERE; unproven = false;
        seen = absent; seenNew = absent
    }
}

/* One command at a time, as the hypervisor's lock ensures; any command, in any order, any number of times. Once things
   stop going wrong: `recover`, then `refresh`, or `up` if no instance lives. */
proctype Operator() {
    byte g;
    /* refresh: whether it finishes an earlier one; guests to move, running as far as it knows, actually running (a
       witness). */
    bool finishes, moves[2], expects[2], ran[2], hasMoved, hasStayed;
    /* up: whether it boots an instance; guests and instance that it created; the instance in which guests are started.
       */
    bool boots, mine[2], myInstance;
    byte at;
    /* recover: the instance of each guest, as reported by the instances; whether something is unsettled; both sides of
       a handoff. */
    byte found[2];
    bool unproven;
    mtype seen, seenNew;
    byte turn;

    atomic {
        skip;
ended:
        forgetAll();
        goto again };
again:
    if
    :: atomic { !peace || turn == 0 -> printf("recover\n"); turn = (peace -> 1 : 0) }; recover()
    :: atomic { !peace || (turn == 1 && ANY_LIVES) -> printf("refresh\n"); turn = (peace -> 2 : 0) }; refresh()
    :: atomic { !peace || (turn == 1 && !ANY_LIVES) -> printf("up\n"); turn = (peace -> 2 : 0) }; up()
    :: atomic { !peace -> printf("down\n") }; down()
#ifdef LIVENESS
    /* Changes between two commands suffice: a command during which nothing happens is the same. */
    :: atomic { !peace ->
            LOOK(OLD); LOOK(NEW); LOOK(RECORD(OLD)); LOOK(RECORD(NEW)); LOOK(PLACEMENT);
            printf("peace\n"); peace = true }
    :: peace && turn == 2 -> goto ends
#endif
    fi;
    goto ended;
#ifdef LIVENESS
ends:
    skip
#endif
}
