/* ---------------------------------------------------------------- steps */

#define EXIT(status)    printf("exit status %d\n", status); goto ended
#define DIES            printf("the command dies\n"); goto ended

/* One step of a command. The command may die before it; the effects of earlier steps stay. */
#define STEP(words, effect) \
    atomic { \
        if \
        :: printf(words); effect \
        :: !peace -> DIES \
        fi }
/* A step that may fail. */
#define TRY(words, effect, otherwise) \
    atomic { \
        if \
        :: printf(words); effect \
        :: !peace -> printf(words); printf("    which fails\n"); otherwise \
        :: !peace -> DIES \
        fi }
/* A query to an instance: its agent answers or does not, or the instance has ended. Each query may turn out
   differently. */
#define ASK(i, words, answered, unanswered, ended) \
    atomic { \
        LOOK(i); \
        if \
        :: lives[i] -> printf(words); answered \
        :: !peace && lives[i] -> printf(words); printf("    instance %d does not answer\n", i); unanswered \
        :: !lives[i] -> printf(words); printf("    instance %d is gone\n", i); ended \
        :: !peace -> DIES \
        fi }

/* ---------------------------------------------------------------- reading */

#ifdef DAMAGED_IS_EMPTY
#define CANNOT_READ(r)  false
#else
#define CANNOT_READ(r)  ((r) == damaged)
#endif
#define ANY_LIVES       (lives[OLD] || lives[NEW])
/* Whether it is on record; its process shows whether it lives. */
#define IS_KNOWN(i)     (lives[i] && record[i] == whole)
#define IS_UNKNOWN(i)   (lives[i] && record[i] != whole)

#ifdef UNREADABLE_IS_SETTLED
#define IF_UNREADABLE(otherwise)    skip
#else
#define IF_UNREADABLE(otherwise)    otherwise
#endif
/* Reads all journals; they may be unreadable for a while. */
#define JOURNALS(words, effect, otherwise) \
    TRY(words, effect, IF_UNREADABLE(otherwise))

/* Renames the living instance to OLD; nothing in the world changes. */
inline callTheLivingOneOld() {
    if
    :: !lives[OLD] && lives[NEW] ->
        d_step {
            lives[OLD] = true; lives[NEW] = false;
            qemus[0] = qemus[1]; qemus[2] = qemus[3]; qemus[1] = absent; qemus[3] = absent;
            seen = record[OLD]; record[OLD] = record[NEW]; record[NEW] = seen; seen = absent;
            owner[0] = (owner[0] == NOWHERE -> NOWHERE : 1 - owner[0]);
            owner[1] = (owner[1] == NOWHERE -> NOWHERE : 1 - owner[1]);
            place[0] = (place[0] == NOWHERE -> NOWHERE : 1 - place[0]);
            place[1] = (place[1] == NOWHERE -> NOWHERE : 1 - place[1])
        }
    :: else
    fi
}

/* ---------------------------------------------------------------- writing */

/* Whether this is the first guest of an instance that `up` has booted. */
#define IS_FIRST(g)     (placement == absent && myInstance && !mine[1 - g])
#if defined(WRITES_BACK_UNREAD) || defined(DAMAGED_IS_EMPTY)
#define MAY_WRITE(g)    true
#elif defined(ABSENT_IS_EMPTY)
#define MAY_WRITE(g)    (placement != damaged)
#else
#define MAY_WRITE(g)    (placement == whole || IS_FIRST(g))
#endif

/* Reads the placement, changes one guest's entry, and writes it back. If nothing was read, all other guests are
   NOWHERE. */
#define PLACE(g, i, otherwise) \
    TRY("puts on record where the guest is\n", \
        LOOK(PLACEMENT); \
        if \
        :: MAY_WRITE(g) -> \
            RULE(unreadIsNotWritten, placement == whole || (placement == absent && owner[1 - g] == NOWHERE)); \
            placement = whole; place[g] = i \
        :: !MAY_WRITE(g) -> printf("    which cannot be read\n"); otherwise \
        fi, otherwise)

inline forgetInstance(i) {
    RULE(runningIsNotForgotten, !lives[i]);
    record[i] = absent
}

/* ---------------------------------------------------------------- ending */

/* A command may end what it has started itself. */
#define IS_KEPT(g, i)   (owner[g] != i || mine[g])

inline endInstance(i) {
    RULE(onlyRunnerIsKept, IS_KEPT(0, i) && IS_KEPT(1, i));
    instanceEnds(i)
}

inline endQEMU(g, i) {
    RULE(onlyRunnerIsKept, IS_KEPT(g, i));
    QEMU(g, i) = absent;
    owner[g] = (owner[g] == i -> NOWHERE : owner[g])
}

#ifdef SILENT_IS_IDLE
#define IF_SILENT(otherwise)    skip
#else
#define IF_SILENT(otherwise)    otherwise
#endif
#define UNLESS_BUSY(i, otherwise) \
    if \
    :: BUSY(i) -> printf("    something is active there\n"); otherwise \
    :: else \
    fi
/* Ends an instance only after it has answered that nothing is active in it. */
#define ASK_BEFORE_END(i, otherwise) \
    ASK(i, "asks what is active in the instance\n", UNLESS_BUSY(i, otherwise), IF_SILENT(otherwise), skip)
