/* One customer's way through inbox and outbox: leases, fencing, retries, ambiguous sends, dead letters, people.

   Every change of a row's state is a MOVE(row, move, from, to) of the table in bot/domain/boxes.py; a test compares both.
   A transaction of the code is an atomic block here. Whatever lies between two of them can be cut short by a crash, and
   any lease can lapse though its worker lives (it is stuck, or cannot reach the database), as often as the budgets say.
   tests/model/proving.py says with which settings this is checked, and which wrong models have to fail. */

#ifndef CRASHES
#define CRASHES 1       /* how often a process dies */
#endif
#ifndef LAPSES
#define LAPSES 1        /* how often a lease ends though its worker lives */
#endif
#ifndef KEYED
#define KEYED 0         /* whether the channel shows what comes twice under one key once */
#endif
#ifndef POISON
#define POISON 9        /* the message that kills every worker; 9: none does */
#endif
#ifndef POISON_OUT
#define POISON_OUT 9    /* the answer that does */
#endif
#define N 2             /* messages of the customer, and the answer to each under the same number */
#define ATTEMPTS 2      /* SEND_RETRY.attempts_max, TURN_RETRY.attempts_max */
#define CRASHES_MAX 2

#define NONE 0          /* there is no row */
mtype = { PENDING, CLAIMED, DONE, SENT, JOINED, WITHHELD, DEAD, HELD, KEPT };
mtype = { OK, LOST, LATER, NEVER, MOVED };

#define NOBODY 0
#define GONE 9          /* the lease of a worker that died */

typedef Row { mtype state; byte lease; byte crashes; byte attempts; bool in_doubt };

Row inbox[N];
Row outbox[N];
bool is_owned;          /* an agent has the conversation; before, it is the bot's */
bool decided_owned[N];  /* whose the conversation was when the answer was decided: the row's epoch */

/* What the world saw, which no process of ours reads. */
bool acknowledged[N];   /* the channel was told that we have it */
byte shown[N];          /* how often the customer saw the answer */
bool told[N];           /* people see it: in a ticket, or as a dead letter with its alarm */
bool along[N];          /* it is handled, or shown, with the one before it */
bool begun_unowned[N];  /* its first call may have been made while the conversation was the bot's */
bool chosen[N];         /* a person let it be tried once more, or let us forget that it came */
bool is_restored;       /* the database went back to an earlier state */
bool forgotten[N];      /* it came after the backup that the database was restored from */

byte crashes = CRASHES;
byte lapses = LAPSES;
byte busy;              /* how many rows are in work */

#define MOVE(row, how, of, to) assert(row.state == of); row.state = to

#ifdef NO_FENCE
#define MINE(row) (row.state == CLAIMED)
#else
#define MINE(row) (row.state == CLAIMED && row.lease == _pid + 1)
#endif
#ifdef BLIND_RETRY
#define REPEATS 1
#else
#define REPEATS KEYED
#endif

#define IS_OPEN(row) (row.state == PENDING || row.state == CLAIMED)
#define IS_FREE(box) (box[0].state != CLAIMED && box[1].state != CLAIMED)
#ifdef NO_LANE
#define READY(box, n) (box[n].state == PENDING)
#else
#define READY(box, n) (box[n].state == PENDING && IS_FREE(box) && (n == 0 || !IS_OPEN(box[0])))
#endif

/* Everything that a message may come to; the second may be handled with the first. */
#define ENDED0 (outbox[0].state == SENT || told[0] || forgotten[0])
#define ENDED1 (outbox[1].state == SENT || told[1] || forgotten[1] || (along[1] && ENDED0))

ltl each_ends { [] (acknowledged[0] -> <> ENDED0) && [] (acknowledged[1] -> <> ENDED1) }

/* ------------------------------------------------------------------------------- the channel, and what takes in from it */

inline take_in(n) {
    if
#ifdef NO_UNIQUE
    :: !IS_OPEN(inbox[n]) -> inbox[n].state = PENDING; outbox[n].state = NONE
#endif
#ifdef RESTORE
    :: inbox[n].state == NONE && is_restored -> MOVE(inbox[n], put, NONE, HELD); told[n] = true
#endif
#ifdef UNREADABLE
    :: inbox[n].state == NONE -> MOVE(inbox[n], put, NONE, DEAD); told[n] = true
    :: inbox[n].state == NONE -> MOVE(inbox[n], put, NONE, KEPT); told[n] = true
#endif
    :: inbox[n].state == NONE && !is_restored -> MOVE(inbox[n], put, NONE, PENDING)
    :: inbox[n].state != NONE -> skip                           /* brought before */
    fi
}

active proctype Channel() {
    byte n = 0;
#ifdef ACKNOWLEDGE_FIRST
    bool again = false;
#else
    bool again = true;                                          /* it may bring what was acknowledged once more */
#endif
    do
    :: n < N ->
#ifdef ACKNOWLEDGE_FIRST
        acknowledged[n] = true;
        if
        :: atomic { take_in(n) }
        :: atomic { crashes > 0 -> crashes-- }
        fi;
        n++
#else
        atomic { take_in(n) };
        if
        :: acknowledged[n] = true; n++
        :: atomic { crashes > 0 -> crashes-- }                  /* before the acknowledgement: it is brought again */
        fi
#endif
    :: n > 0 && again -> again = false; atomic { take_in(0) }
    :: n == N -> break
    od
}

/* ------------------------------------------------------------------------------------------------------------ a worker */

inline withhold_stale(n) {
    skip;
#ifndef NO_EPOCH
    if
    :: is_owned && !decided_owned[n] && !outbox[n].in_doubt ->
        MOVE(outbox[n], withhold, CLAIMED, WITHHELD);
        outbox[n].lease = NOBODY;
        told[n] = true                                          /* the agent sees what was said, and what was not */
    :: else
    fi
#endif
}

inline join_next(n) {
    skip;
#ifdef DESK
    if
    :: n == 0 && !outbox[0].in_doubt && outbox[1].state == PENDING && !outbox[1].in_doubt ->
        MOVE(outbox[1], go_along, PENDING, JOINED);
        along[1] = true
    :: else
    fi
#endif
}

inline reach(n) {
    assert(shown[n] == 0 || KEYED || chosen[n]);                               /* never doubled */
    assert(n == 1 || !shown[1] || shown[0] || outbox[0].state == HELD || chosen[0] || is_restored);    /* in order */
    assert(!is_owned || decided_owned[n] || begun_unowned[n] || chosen[n]);    /* no bot after a claim */
    assert(outbox[n].state != DEAD && outbox[n].state != WITHHELD);            /* what has not left stays with us */
    shown[n] = (shown[n] && KEYED -> shown[n] : 1)
}

inline claim_in(n) {
    MOVE(inbox[n], claim, PENDING, CLAIMED);
    assert(inbox[1 - n].state != CLAIMED);                      /* one at a time */
    inbox[n].lease = _pid + 1;
    busy++;
    inbox[n].attempts++;
    was_owned = is_owned                                        /* read before the turn, compared when it commits */
}

inline claim_out(n) {
    MOVE(outbox[n], claim, PENDING, CLAIMED);
    assert(outbox[1 - n].state != CLAIMED);
    outbox[n].lease = _pid + 1;
    busy++;
    outbox[n].attempts++;
    withhold_stale(n);
    in_doubt = outbox[n].in_doubt;
    begun_unowned[n] = begun_unowned[n] || !is_owned;
    join_next(n)
}

inline again_later(row) { row.lease = NOBODY; row.crashes = 0 }

inline give_up(n, state_of_knowledge) {
    if
    :: state_of_knowledge -> MOVE(outbox[n], give_up, CLAIMED, HELD)
    :: else -> assert(shown[n] == 0 || chosen[n]); MOVE(outbox[n], give_up, CLAIMED, DEAD)
    fi;
    outbox[n].lease = NOBODY;
#ifndef SILENT
    told[n] = true
#endif
}

inline commit_turn(n) {
    MOVE(inbox[n], finish, CLAIMED, DONE);
    inbox[n].lease = NOBODY;
    if
#ifdef REPORTS
    :: true -> told[n] = true                                   /* a channel's report on a message of ours */
#else
    :: outbox[n].state == NONE && !is_owned -> MOVE(outbox[n], put, NONE, PENDING); decided_owned[n] = false
#ifdef AGENTS
    :: outbox[n].state == NONE && is_owned -> MOVE(outbox[n], put, NONE, PENDING); decided_owned[n] = true
#else
    :: outbox[n].state == NONE && is_owned -> told[n] = true    /* relayed */
#endif
    :: outbox[n].state != NONE -> skip                          /* an answer's key is known for ever */
#endif
    fi;
    if
    :: n == 0 && inbox[1].state == PENDING && outbox[1].state == NONE ->    /* two in a row, one answer */
        MOVE(inbox[1], go_along, PENDING, DONE);
        along[1] = true
    :: true
    fi
}

inline fail_turn(n) {
    inbox[n].lease = NOBODY;
    if
    :: inbox[n].attempts < ATTEMPTS -> inbox[n].crashes = 0; MOVE(inbox[n], defer, CLAIMED, PENDING)
    :: else -> MOVE(inbox[n], give_up, CLAIMED, DEAD); told[n] = true
    fi
}

inline record(n) {
    if
    :: result == OK -> MOVE(outbox[n], finish, CLAIMED, SENT); assert(shown[n]); outbox[n].lease = NOBODY
#ifdef DESK
    :: result == MOVED -> MOVE(outbox[n], finish, CLAIMED, JOINED); told[n] = true; outbox[n].lease = NOBODY
#endif
    :: result == LOST && REPEATS && outbox[n].attempts < ATTEMPTS ->
        outbox[n].in_doubt = true; again_later(outbox[n]); MOVE(outbox[n], defer, CLAIMED, PENDING)
    :: result == LOST && !(REPEATS && outbox[n].attempts < ATTEMPTS) -> give_up(n, true)
    :: result == LATER && outbox[n].attempts < ATTEMPTS ->
        outbox[n].in_doubt = in_doubt; again_later(outbox[n]); MOVE(outbox[n], defer, CLAIMED, PENDING)
    :: result == LATER && outbox[n].attempts >= ATTEMPTS -> give_up(n, in_doubt)
#ifdef REFUSAL_IS_CERTAIN
    :: result == NEVER -> give_up(n, false)
#else
    :: result == NEVER -> give_up(n, in_doubt)
#endif
    fi
}

/* The process is killed; what it had claimed stays claimed. */
inline die(row) {
    if
    :: MINE(row) -> row.lease = GONE
    :: else
    fi
}

inline rest() { busy--; n = 0; in_doubt = false; was_owned = false; result = NONE }

active [2] proctype Worker() {
    byte n;
    bool in_doubt, was_owned;
    mtype result;

end: idle:
    if
    :: atomic { READY(inbox, 0) -> n = 0; claim_in(0) }; goto turn
    :: atomic { READY(inbox, 1) -> n = 1; claim_in(1) }; goto turn
    :: atomic { READY(outbox, 0) -> n = 0; claim_out(0) }; goto leaving
    :: atomic { READY(outbox, 1) -> n = 1; claim_out(1) }; goto leaving
    fi;

turn:
    atomic {
        if
        :: n == POISON -> die(inbox[n])
        :: crashes > 0 -> crashes--; die(inbox[n])
        :: n != POISON && !MINE(inbox[n])                       /* a stale lease writes nothing */
        :: n != POISON && MINE(inbox[n]) && was_owned != is_owned -> was_owned = is_owned; goto turn
        :: n != POISON && MINE(inbox[n]) && was_owned == is_owned -> commit_turn(n)
        :: n != POISON && MINE(inbox[n]) -> fail_turn(n)
        fi;
        rest();
        goto idle
    };

leaving:
#ifdef UNHEARD
    /* Nobody heard that the claim was committed: it is found by its token and gone on with, if it is not too late now. */
    atomic {
        if
        :: MINE(outbox[n]) -> withhold_stale(n)
        :: true
        fi
    };
#endif
    atomic {
        if
        :: outbox[n].state == WITHHELD -> rest(); goto idle
        :: else
        fi;
        if
        :: n == POISON_OUT -> die(outbox[n]); rest(); goto idle
        :: else
        fi;
        if
        :: crashes > 0 -> crashes--; die(outbox[n]); rest(); goto idle
        :: in_doubt && !REPEATS -> result = LOST                /* it may have left in an earlier life */
        :: !in_doubt || REPEATS -> reach(n); result = OK
        :: !in_doubt || REPEATS -> reach(n); result = LOST      /* the answer to our call is lost */
        :: !in_doubt || REPEATS -> result = LOST                /* the call itself is */
        :: !in_doubt || REPEATS -> result = LATER
        :: !in_doubt || REPEATS -> result = NEVER
#ifdef DESK
        :: !in_doubt && !shown[n] -> result = MOVED             /* the card was gone: all is told again below a new one */
#endif
        fi
    };
    atomic {
        if
        :: crashes > 0 -> crashes--; die(outbox[n])
        :: !MINE(outbox[n])
        :: MINE(outbox[n]) -> record(n)
        fi;
        rest();
        goto idle
    }
}

/* --------------------------------------------------------------------------------------------- what takes rows from them */

#define IS_LOST(row) (row.state == CLAIMED && (row.lease == GONE || (lapses > 0 && row.lease != NOBODY)))
#ifdef NO_CRASH_COUNT
#define IS_POISONOUS(row) false
#else
#define IS_POISONOUS(row) (row.crashes + 1 >= CRASHES_MAX)
#endif

inline lose_worker(row) {
    lapses = (row.lease == GONE -> lapses : lapses - 1);
    row.lease = NOBODY;
    row.crashes = (row.crashes + 1 < CRASHES_MAX -> row.crashes + 1 : row.crashes)
}

inline release_in(n) {
    if
    :: IS_POISONOUS(inbox[n]) -> lose_worker(inbox[n]); MOVE(inbox[n], release, CLAIMED, DEAD); told[n] = true
    :: else -> lose_worker(inbox[n]); MOVE(inbox[n], release, CLAIMED, PENDING)
    fi
}

inline release_out(n) {
#ifndef NO_INTENT
    outbox[n].in_doubt = true;
#endif
    if
    :: IS_POISONOUS(outbox[n]) -> lose_worker(outbox[n]); MOVE(outbox[n], release, CLAIMED, HELD); told[n] = true
    :: else -> lose_worker(outbox[n]); MOVE(outbox[n], release, CLAIMED, PENDING)
    fi
}

#ifndef NO_RELEASE
active proctype Sweep() {
end:
    do
    :: atomic { IS_LOST(inbox[0]) -> release_in(0) }
    :: atomic { IS_LOST(inbox[1]) -> release_in(1) }
    :: atomic { IS_LOST(outbox[0]) -> release_out(0) }
    :: atomic { IS_LOST(outbox[1]) -> release_out(1) }
    od
}
#endif

/* ---------------------------------------------------------------------------------------------------------------- people */

#ifdef CLAIMS
active proctype Agent() {
    is_owned = true
}
#endif

#ifdef TAKES_BACK
active proctype Undoing() {
    if
    :: atomic { inbox[1].state == PENDING && inbox[1].attempts == 0 ->
                MOVE(inbox[1], take_back, PENDING, WITHHELD); told[1] = true }
    :: atomic { outbox[1].state == PENDING && outbox[1].attempts == 0 ->
                MOVE(outbox[1], take_back, PENDING, WITHHELD); told[1] = true }
    :: true
    fi
}
#endif

#ifdef DECIDES
inline revive(row, n) {
    row.attempts = 0; row.crashes = 0; row.in_doubt = false;
    told[n] = false; chosen[n] = true
}

active proctype Person() {
    if
    :: atomic { inbox[0].state == DEAD -> MOVE(inbox[0], revive, DEAD, PENDING); revive(inbox[0], 0) }
    :: atomic { outbox[0].state == DEAD -> MOVE(outbox[0], revive, DEAD, PENDING); revive(outbox[0], 0) }
    :: atomic { outbox[0].state == HELD -> MOVE(outbox[0], revive, HELD, PENDING); revive(outbox[0], 0) }
    :: atomic { inbox[0].state == DEAD -> MOVE(inbox[0], drop, DEAD, NONE); chosen[0] = true }
    :: atomic { inbox[0].state == KEPT -> MOVE(inbox[0], drop, KEPT, NONE); chosen[0] = true }
    :: atomic { outbox[0].state == DEAD -> MOVE(outbox[0], drop, DEAD, NONE) }
    :: atomic { outbox[0].state == HELD -> MOVE(outbox[0], drop, HELD, NONE) }
#ifdef RESTORE
    :: atomic { inbox[0].state == HELD -> MOVE(inbox[0], revive, HELD, PENDING); revive(inbox[0], 0) }
    :: atomic { inbox[0].state == HELD -> MOVE(inbox[0], drop, HELD, NONE); chosen[0] = true }
#endif
    :: true
    fi
}
#endif

/* -------------------------------------------------------------------------------------------------- a backup, restored */

#ifdef RESTORE
mtype saved_in[N], saved_out[N];
bool saved_told[N], saved_along;

inline settle_in(n) {
#ifdef REPORTS
    if
    :: inbox[n].state == CLAIMED -> MOVE(inbox[n], restore, CLAIMED, PENDING)
    :: else
    fi
#else
    if
    :: inbox[n].state == PENDING -> MOVE(inbox[n], restore, PENDING, HELD); told[n] = true
    :: inbox[n].state == CLAIMED -> MOVE(inbox[n], restore, CLAIMED, HELD); told[n] = true
    :: else
    fi
#endif
}

inline settle_out(n) {
#ifdef DESK
    outbox[n].in_doubt = true;
    if
    :: outbox[n].state == CLAIMED -> MOVE(outbox[n], restore, CLAIMED, PENDING)
    :: else
    fi
#else
    if
    :: outbox[n].state == PENDING -> MOVE(outbox[n], restore, PENDING, HELD); told[n] = true
    :: outbox[n].state == CLAIMED -> MOVE(outbox[n], restore, CLAIMED, HELD); told[n] = true
    :: else
    fi
#endif
}

inline go_back(n) {
    forgotten[n] = (saved_in[n] == NONE && (inbox[n].state != NONE || chosen[n]));
    inbox[n].state = saved_in[n]; inbox[n].lease = NOBODY;
    outbox[n].state = saved_out[n]; outbox[n].lease = NOBODY;
    told[n] = saved_told[n];
#ifndef NO_SETTLING
    settle_in(n);
    settle_out(n)
#endif
}

active proctype Operator() {
    d_step {
        saved_in[0] = inbox[0].state; saved_in[1] = inbox[1].state;
        saved_out[0] = outbox[0].state; saved_out[1] = outbox[1].state;
        saved_told[0] = told[0]; saved_told[1] = told[1]; saved_along = along[1]
    };
    atomic {
        busy == 0 ->                                            /* no service runs: it has stopped, or was killed */
        go_back(0);
        go_back(1);
        along[1] = saved_along;
        is_restored = true
    }
}
#endif
