/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mut.h - internal: promises that a build can be made to break.
 *
 * `make mutants` builds the library once for each name here, with -DMUT=MUT_NAME,
 * and the test that guards the promise must fail.  In what ships MUT is 0 and
 * the compiler leaves nothing of it.
 */
#ifndef NL_MUT_H
#define NL_MUT_H

#ifndef MUT
#define MUT 0
#endif
#define MUTANT(name) (MUT == MUT_##name)

enum {
	MUT_NO_SUBREAPER = 1,           /* an orphan escapes a stop */
	MUT_NO_DEATHSIG,                /* a command outlives a supervisor that is killed */
	MUT_ANY_PARENT,                 /* the same, killed between vfork and exec */
	MUT_REAPS_FIRST,                /* a signal reaches whoever got the number of a reaped command */
	MUT_SIGNALS_TWICE,              /* a command gets the same stop signal twice */
	MUT_NOT_TOLD,                   /* a retry goes on although it was told to stop */
	MUT_UNKNOWN_IS_0,               /* a status that nobody knows is success */
	MUT_ADOPTS_DAEMONS,             /* a stop ends what an earlier attempt has left */
	MUT_SLEEPS_PAST_LIMIT,          /* a back-off begins that cannot end in time */
	MUT_SLEEPS_THROUGH_IDLE,        /* an idle limit passes unseen in a back-off */
	MUT_ANY_OWNER,                  /* a limit of another layer becomes 124 here */
	MUT_NO_CAP,                     /* a delay exceeds its cap */
	MUT_KEEPS_HELD,                 /* output of a failed attempt is delivered */
	MUT_HALF_REPLAY,                /* an attempt gets half of its stdin */
	MUT_OUR_MASK,                   /* a command starts with signals blocked */
	MUT_OUR_SIGCHLD,                /* a command loses an ignored SIGCHLD */
	MUT_CANCELLED_COUNTS,           /* a call that was cancelled is a failure of the service */
	MUT_TICKET_OUTSIDE_GUARD,       /* one who arrives is overtaken before he is seen */
	MUT_PREDECESSOR_ONLY,           /* the death of one in the middle of a queue lets another pass */
	MUT_INDEX_NOT_COUNT,            /* a lowered limit admits one too many */
	MUT_COUNTS_BY_RANGE,            /* so does a slot that was locked after one behind it */
	MUT_UNLOCK_ALONE,               /* a slot that was given back wakes nobody */
	MUT_LATE_WATCH,                 /* a slot that is given back between a look and the watch wakes nobody */
	MUT_SLOT_NOT_INHERITED,         /* a command outlives its slot */
	MUT_NO_GUARD,                   /* two write a record at once */
	MUT_RAW_TEXT,                   /* text of users breaks an event's line */
	MUT_UNTIL,                      /* a circuit is half-open a nanosecond late; in other profiles early */
	MUT_SLOW_AT,                    /* a call that takes just the limit is slow */
	MUT_RATE_ABOVE,                 /* a rate that is just reached does not open */
	MUT_STALE_APPLIED,              /* a result of an earlier epoch decides */
	MUT_TRIPS_ON_SUCCESS,           /* a success opens it */
	MUT_NO_GROWTH,                  /* open times do not grow */
	MUT_MIN_UNCLAMPED,              /* more calls are asked for than a window holds */
	MUT_BARGES,                     /* one who does not wait overtakes those who do */
	MUT_ACTS_ON_OLD,                /* a record is changed as it was before the guard */
	MUT_PROBES_UNCOUNTED,           /* all may probe at once */
	MUT_LEAKS_PROBE,                /* a probe is kept after its result */
	MUT_INHERITS_PROBE,             /* a command keeps its wrapper's probe */
	MUT_EPOCH_WRAPS,                /* an epoch comes again */
	MUT_HALF_EARLY,                 /* probes come before the open time is over */
	MUT_HALF_BATCH,                 /* resilience4j: one probe too many before it decides */
	MUT_LAST_SPEAKS,                /* of branches that all failed the last gives the status */
	MUT_AND_BINDS_LESS,             /* + binds tighter than &, as in other languages */
	MUT_RIGHT_ASSOC,                /* operators associate to the right */
	MUT_DISTRIBUTES_WRONG,          /* (A | B) + C: C is in the last branch alone */
	MUT_INNER_LIMIT_WINS,           /* of two limits the inner one counts, not the tighter */
	MUT_ONE_MORE,                   /* a retry makes one attempt more than it says: retry(1) is not pass */
	MUT_FAIL_SPEAKS,                /* when all branches failed, one that ran nothing gives the status */
	MUT_PIPE_ORPHANS,               /* a stage outlives a pipeline that is killed */
	MUT_PIPE_MASK,                  /* a stage starts with signals blocked */
	MUT_PIPE_ENOUGH,                /* a producer fails when its consumer has had enough */
	MUT_PIPE_FIRST,                 /* the first stage that failed decides */
	MUT_PIPE_EXITS,                 /* an exit status of libpipeline's own */
	MUT_TIES_GO_RIGHT,              /* of two that succeed at once the right one wins */
	MUT_FAILURE_WAITS,              /* the next arm waits for its delay although one has failed */
	MUT_KILLS_DAEMONS,              /* what a winner leaves running dies with the losers */
	MUT_LATE_REAP,                  /* a race is over before its losers are */
	MUT_LOSER_COUNTS,               /* a breaker counts an arm that lost as a failure */
	MUT_LOST_UNMEASURED,            /* the delay of a hedge shrinks because hedges cut slow calls out */
	MUT_LOSER_DELIVERED,            /* the output of an arm that lost is delivered */
	MUT_SHARES_COUNT,               /* a branch in our memory counts its events as ours */
	MUT_KILLS_STRANGERS,            /* a stop kills children of the program that embeds us */
	MUT_LAST_MARK_ALONE,            /* what an earlier branch of its race has left is taken for the program's */
	MUT_EATS_SIGCHLD,               /* that program is not told of a child that ended meanwhile */
	MUT_LATE_IS_FINE,               /* a function that returns behind its deadline has not timed out */
	MUT_GRACE_FORGOTTEN,            /* a bound is exceeded by what a deaf command gets */
	MUT_SLEEP_OFF_BY_ONE,           /* so it is by the last back-off */
	MUT_RACE_SUMS,                  /* a bound that nothing reaches: branches at once are taken for one after the other */
	MUT_LATE_BY_ARRIVAL,            /* a late event is in the windows: what they say depends on the order of lines */
	MUT_FIRST_TO_COME,              /* which of too many policies are kept depends on the order of lines */
	MUT_OLDEST_BY_NUMBER,           /* of merged runs others are forgotten than the oldest */
	MUT_OLD_IS_LATE,                /* of old files that are read one after the other, all but the newest lines are late */
	MUT_MERGE_BY_MOST,              /* of two distributions the taller bucket counts, not their sum */
	MUT_SERIES_GONE,                /* what was looked up for an event is used although it was freed */
	MUT_READS_TWICE,                /* a line that is read twice counts twice */
	MUT_SKIPS_TAIL,                 /* the half line at a file's end is never read whole */
	MUT_RESUMES_ANOTHER,            /* a snapshot's offset is used in another file */
	MUT_TAKES_SOCKET,               /* a socket that somebody listens at is taken away */
	MUT_TEE_EATS,                   /* text in front of an event is taken out with it */
	MUT_OVERWRITES_SNAPSHOT,        /* a snapshot that does not read is begun anew */
	MUT_ZERO_IN_FRONT,              /* a number that is no JSON fits a shape */
	MUT_FIRST_OF_GLUED,             /* of two events in a line, a shape takes the first */
	MUT_READER_FOR_EVER,            /* a reader of events that died is not looked for again */
	MUT_LOST_UNTOLD,                /* a subscriber is not told that it has lost lines */
	MUT_DELIVERS_SOME,              /* nl-sink leaves out what is debug, untold */
	MUT_NEVER_RESTS,                /* who cannot be accepted now is tried again and again */
	MUT_SCRAPED_BY_PAGES,           /* a request with the Host of another is answered with metrics */
	MUT_GIVES_TWICE,                /* a place that is full has the others given the same line again */
	MUT_DROPS_UNCOUNTED,            /* a line that no place had room for is neither sent nor lost */
	MUT_KILLED_ENDS,                /* a run that was killed is one that ended */
	MUT_FORGETS_READ,               /* after a crash, files that had been read count again */
	MUT_STOPS_DEAF,                 /* told to stop, what has come to a socket is lost */
	MUT_WAITS_FOR_SLOW,             /* a subscriber that takes nothing holds all others */
	MUT_MISSES_UNTOLD,              /* one that is slow is not told what it has missed */
	MUT_PATIENT,                    /* who takes nothing, or sends half a request, has its place for ever */
	MUT_CROWDS_OUT,                 /* one client too many takes another's place */
	MUT_WAITS_FOR_REST,             /* half a request holds all others */
	MUT_KEEPS_LONG,                 /* a request without end is never answered */
	MUT_LEAKS_CALLER,               /* a client that has gone keeps its descriptor */
	MUT_FEARS_DEAD,                 /* a socket that a dead server has left is taken for a live one's */
	MUT_ANYBODY_OBSERVES,           /* rules do not hold for observe */
	MUT_LEAVES_RAW,                 /* a terminal is left as a program wanted it that has ended */
	MUT_CRASHES_RAW,                /* so it is when that has crashed */
	MUT_LIVE_IS_KILLED,             /* a run that goes on is told as killed */
	MUT_FINDS_AGAIN,                /* a finding is told each second */
	MUT_SCRAPE_WAITS,               /* one client that sends nothing keeps all others waiting */
	MUT_REPLAYS_NO_QUEUE,           /* the replay of a bulkhead forgets how many may wait */
	MUT_REPLAY_BARGES,              /* in the replay of a bulkhead who comes overtakes who waits */
	MUT_LOSS_IS_FRAUD,              /* a line that was lost is said to be a defect of the tools */
	MUT_REPLAY_UNRULED,             /* a breaker is replayed by the rules of nobody until a call changes something */
	MUT_REPLACES_DEVICES,           /* --out takes a device away, and puts a file there */
};

#endif
