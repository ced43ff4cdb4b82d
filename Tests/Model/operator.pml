/* What a command knows is gone with it. */
inline forgetAll() {
    d_step {
        g = 0; finishes = false; hasMoved = false; hasStayed = false; boots = false; myInstance = false; at = OLD;
        moves[0] = false; moves[1] = false; expects[0] = false; expects[1] = false; ran[0] = false; ran[1] = false;
        mine[0] = false; mine[1] = false; found[0] = NOWHERE; found[1] = NOWHERE; unproven = false;
        seen = absent; seenNew = absent
    }
}

/* One command at a time, as the hypervisor's lock has it; any of them, in any order, any number of times. Once things
   stop going wrong: `recover`, then `refresh`, or `up` where no instance lives any more. */
proctype Operator() {
    byte g;
    /* refresh: it finishes an earlier one; guests to be moved, that run as it knows, that do run (a witness). */
    bool finishes, moves[2], expects[2], ran[2], hasMoved, hasStayed;
    /* up: it boots an instance; guests and instance that it made; the instance that guests are started in. */
    bool boots, mine[2], myInstance;
    byte at;
    /* recover: which instance has a guest, by its own word; something is not settled; both sides of a handoff. */
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
    /* Between two commands is soon enough: a command that nothing befalls any more is the same. */
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
