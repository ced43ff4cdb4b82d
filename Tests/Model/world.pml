inline forgetPlaces() { place[0] = NOWHERE; place[1] = NOWHERE }

inline instanceEnds(i) {
    d_step {
        lives[i] = false; QEMU(0, i) = absent; QEMU(1, i) = absent;
        owner[0] = (owner[0] == i -> NOWHERE : owner[0]);
        owner[1] = (owner[1] == i -> NOWHERE : owner[1])
    }
}

/*
 * Instances and guests end, and records are damaged, at any moment, any number of times, also during a command.
 * AT_ANY_MOMENT models this literally. Otherwise, any number of these changes happens right before a command looks,
 * which is when the command notices them: the command behaves the same, with a tenth of the states. A look and its
 * consequences are one step.
 */
#define RECORD(i)       (2 + (i))
#define PLACEMENT       4
chan look = [0] of { byte };    /* at an instance, its record, or the placement */
chan looked = [0] of { bit };
#ifdef AT_ANY_MOMENT
#define LOOK(at)        skip
#define NOTHING         false
#define ALL_OR_ONE(a, b)    if :: a :: b fi
#else
#define LOOK(at)        look!at; looked?_
#define NOTHING         true
#define ALL_OR_ONE(a, b)    a; b
#endif

inline guestEnds(who) {
    printf("guest %d ends in instance %d\n", who, what);
    QEMU(who, what) = absent; owner[who] = NOWHERE
}

inline isPutBack(who) {
    if
    :: place[who] != OLD -> place[who] = OLD
    :: place[who] != NEW -> place[who] = NEW
    :: place[who] != NOWHERE -> place[who] = NOWHERE
    :: NOTHING
    fi
}

#define IS_INSTANCE     (what == OLD || what == NEW)
#define IS_RECORD       (what == RECORD(OLD) || what == RECORD(NEW))

inline befalls() {
    if
    :: IS_INSTANCE && lives[what] -> printf("instance %d dies, and all that is in it\n", what); instanceEnds(what)
    :: IS_INSTANCE && QEMU(0, what) == running -> guestEnds(0)
    :: IS_INSTANCE && QEMU(1, what) == running -> guestEnds(1)
    :: IS_INSTANCE && QEMU(0, what) == running && QEMU(1, what) == running -> guestEnds(0); guestEnds(1)
    :: IS_RECORD && record[what - 2] == whole -> printf("an instance's record is damaged\n"); record[what - 2] = damaged
    :: IS_RECORD && record[what - 2] != absent -> printf("an instance's record is removed\n"); record[what - 2] = absent
    :: what == PLACEMENT && placement == whole ->
        printf("the placement is damaged\n"); placement = damaged; forgetPlaces()
    :: what == PLACEMENT && placement != absent ->
        printf("the placement is removed\n"); placement = absent; forgetPlaces()
    :: what == PLACEMENT && placement == whole ->
        ALL_OR_ONE(isPutBack(0), isPutBack(1));
        printf("another placement is put back: %d, %d\n", place[0], place[1])
    :: NOTHING
    fi
}

proctype World() {
    byte what;
end:
    do
#ifdef AT_ANY_MOMENT
    :: atomic {
            if
            :: lives[OLD] -> what = OLD
            :: lives[NEW] -> what = NEW
            :: record[OLD] != absent -> what = RECORD(OLD)
            :: record[NEW] != absent -> what = RECORD(NEW)
            :: placement != absent -> what = PLACEMENT
            fi;
            befalls(); what = 0 }
#else
    :: atomic {
            look?what;
            if
            :: !peace -> befalls()
            :: peace
            fi;
            what = 0; looked!0 }
#endif
    od
}
