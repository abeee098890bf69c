/* SPDX-License-Identifier: Apache-2.0 */
/*
 * circuit.h - internal: the state machine of a circuit breaker.  Pure: the same
 * object code decides live, in --simulate, in the simulators and in replay.
 *
 *              trip: failures, rate or slow calls
 *     CLOSED -------------------------------------> OPEN <---------+
 *        ^                                           |             |
 *        |                                           | open time   | any probe
 *        |  close_after successes                    v is over     | fails
 *        +---------------------------------------- HALF_OPEN ------+
 *
 *   FORCED_OPEN, FORCED_CLOSED, DISABLED: a person's word, until another.
 *
 * A caller holds the guard, loads, steps, stores, lets the guard go, tells what
 * happened, and only then acts.  How many probes are in flight is not in the
 * record: the kernel knows it (lease.h), the caller counts and passes it in.
 *
 * Three profiles of rules.
 *
 *  ninelives     a failure trips by any rule, a slow success by the slow one
 *                alone, a good success never; rates by >=, slow by >, half-open
 *                when now >= until, min_calls clamped to a count window; any
 *                failed probe reopens (a slow one too where slow_ppm is set),
 *                close_after successes close; results of other epochs dropped
 *  resilience4j  2.3: evaluates after every result, half-open strictly after
 *                until, then decides a batch of `probes` results; no epochs
 *  gobreaker     v2: counts requests at admission (so each is a change), trips
 *                on failures alone, half-open strictly after until, `probes`
 *                successes in a row close; an epoch is its generation
 */
#ifndef NL_CIRCUIT_H
#define NL_CIRCUIT_H

#include "nl.h"

enum nl_circuit_state { NL_CLOSED, NL_OPEN, NL_HALF_OPEN, NL_FORCED_OPEN, NL_FORCED_CLOSED, NL_DISABLED, NL_CIRCUIT_STATES };
const char *nl_circuit_name(enum nl_circuit_state);     /* "closed", "open", "half_open", "forced_open", … */

enum nl_semantics { NL_SEM_NINELIVES, NL_SEM_RESILIENCE4J, NL_SEM_GOBREAKER };

#define NL_WINDOW_CALLS 1000            /* most calls of a count window */
#define NL_WINDOW_BUCKETS 60            /* most buckets of a time window */

/* Shape of the window: a record's, not a caller's. */
enum nl_window_kind { NL_WINDOW_NONE, NL_WINDOW_COUNT, NL_WINDOW_TIME };
struct nl_shape { uint32_t kind; uint32_t n; int64_t width_ns; };       /* n calls, or n buckets of width_ns */
/* Of a span: whole seconds up to 60 are buckets of a second, else 60 equal
 * ones; below a second 10. */
struct nl_shape nl_shape_of_span(nl_time span);

/* Thresholds: each caller's own.  In records too, as the last caller had them,
 * so that a person can be told. */
struct nl_circuit_cfg {
	struct nl_shape shape;
	uint32_t semantics;
	uint32_t failures;              /* consecutive ones; 0: not this rule */
	uint32_t rate_ppm;              /* of failures, 1 000 000 is 100 %; 0: not this rule */
	uint32_t slow_ppm;              /* of slow calls; 0: not this rule */
	int64_t slow_ns;                /* longer is slow; 0: none is */
	uint32_t min_calls;
	uint32_t probes;                /* most in flight while half-open, >= 1 */
	uint32_t close_after;           /* successes that close, >= 1 */
	uint32_t jitter_ppm;            /* open time is longer by up to this part of it */
	int64_t open_ns, open_max_ns;   /* open time; most it grows to (0: 24 h) */
	uint64_t factor_ppm;            /* growth of open time with each opening until a close; 1 000 000: none */
	uint64_t given;                 /* bits of enum nl_circuit_given: came from a flag; for people */
};
enum nl_circuit_given {
	NL_GIVEN_FAILURES = 1, NL_GIVEN_RATE = 2, NL_GIVEN_WINDOW = 4, NL_GIVEN_MIN_CALLS = 8, NL_GIVEN_SLOW = 16,
	NL_GIVEN_SLOW_RATE = 32, NL_GIVEN_OPEN = 64, NL_GIVEN_OPEN_FACTOR = 128, NL_GIVEN_OPEN_MAX = 256,
	NL_GIVEN_OPEN_JITTER = 512, NL_GIVEN_PROBES = 1024, NL_GIVEN_CLOSE_AFTER = 2048,
};

/* How a call ended, for evidence: a wait status, or what an enclosing limit cut. */
struct nl_circuit_err { int32_t ws; uint32_t count; };  /* ws: exit n << 8 or signal; NL_EXIT(124) is timeout */
#define NL_CIRCUIT_ERRS 8               /* kinds of failures remembered; the last is all others, its ws -1 */

/* What is counted.  ninelives and resilience4j count a call when it ends, and
 * calls are oks and fails; gobreaker when it begins. */
struct nl_tally { uint32_t calls, fails, slows, oks, excluded; };

/* Why it opened: as things were at that moment. */
struct nl_circuit_trip {
	uint32_t reason;                /* enum nl_circuit_reason; 0: has not opened */
	uint32_t limit;                 /* that was reached: failures, or ppm */
	uint32_t streak;                /* consecutive failures */
	struct nl_tally n;              /* in the window */
	struct nl_circuit_err errs[NL_CIRCUIT_ERRS];
};

/* The body of a breaker's record. */
struct nl_circuit {
	uint32_t state, openings;       /* openings since the last close */
	int64_t since;                  /* CLOCK_BOOTTIME ns, of this state; 0: of the record */
	int64_t until;                  /* open: when probes may come; closed, gobreaker, one bucket: end of the generation */
	int64_t open_for;               /* until - since as it was drawn */
	int64_t opened;                 /* the first opening since the last close; 0: none */
	uint32_t spent;                 /* half-open: results of its own permits (gobreaker: less the excluded) */
	uint32_t streak_ok, streak_fail;        /* consecutive, in this epoch (closed ninelives: only failures) */
	uint32_t rejected;              /* calls, in this state; only where a write happened anyway, and in --simulate */
	uint32_t stale;                 /* results of other epochs, dropped */
	uint32_t reason;                /* enum nl_circuit_reason of the last transition */
	uint32_t forced_uid;            /* who forced it */
	uint32_t steps;                 /* how often it was changed, modulo 2^32: the order of results, for who replays them */
	struct nl_circuit_cfg cfg;      /* cfg.shape is what holds; the rest the last writer's */
	struct nl_circuit_err errs[NL_CIRCUIT_ERRS];    /* failures that count towards the next opening */
	struct nl_circuit_trip trip;    /* of the last opening */
	struct { int64_t at, real; uint64_t span; int32_t ws; char cmd[20]; } last;   /* failure; at BOOTTIME */
	uint64_t spans[2];              /* of the last failures, newest first */
	/* The window.  While half-open, and open again after that, it is a count
	 * window of so many probes. */
	struct nl_tally n;              /* in it */
	uint32_t half_window;           /* calls of a half-open window; 0: it is of cfg.shape */
	uint32_t head;                  /* count: next cell */
	uint32_t zero2;
	int64_t bucket;                 /* time: number of the newest bucket, of time / width (gobreaker: since `since`) */
	union {
		uint8_t cell[NL_WINDOW_CALLS];          /* 1 failed, 2 slow, kind of failure (of errs) << 2 */
		struct nl_bucket {                      /* number b is at b % n */
			struct nl_tally n;
			uint32_t streak_ok, streak_fail;        /* gobreaker */
			uint16_t errs[NL_CIRCUIT_ERRS];
		} buckets[NL_WINDOW_BUCKETS];
	} w;
};

enum nl_circuit_reason { NL_WHY_NONE, NL_WHY_CONSECUTIVE, NL_WHY_RATE, NL_WHY_SLOW, NL_WHY_PROBE, NL_WHY_FORCED, NL_WHY_RESET,
                         NL_WHY_TIME, NL_WHY_SUCCESS, NL_CIRCUIT_REASONS };
const char *nl_circuit_reason_name(enum nl_circuit_reason);     /* consecutive failure_rate slow_rate probe_failed forced reset timer success */

enum nl_circuit_event {
	NL_ACQUIRE,                     /* somebody asks */
	NL_SUCCESS, NL_FAILURE,         /* of a call that was admitted */
	NL_IGNORED,                     /* it counts as nothing: cancelled, rejected inside, never run, excluded */
	NL_LOOK,                        /* only time has passed (gobreaker evaluates on reads) */
	NL_FORCE_OPEN, NL_FORCE_CLOSED, NL_DISABLE, NL_RESET,
};

struct nl_circuit_input {
	enum nl_circuit_event event;
	nl_time now;                    /* the record's clock */
	uint64_t epoch;                 /* results: of the permit */
	int64_t age;                    /* results, gobreaker: number of the bucket that the permit was given in */
	unsigned held;                  /* ACQUIRE: probes in flight */
	nl_time dur;                    /* results */
	int ws;                         /* failures: for the evidence */
	uint64_t span;                  /* failures: same; 0 unknown */
	nl_time real;                   /* failures: CLOCK_REALTIME; for people */
	const char *cmd;                /* failures: same, or NULL */
	double u;                       /* for jitter, uniform in [0, 1) */
	uint32_t uid;                   /* FORCE_*, DISABLE, RESET */
};

enum nl_verdict { NL_NO_VERDICT, NL_ADMIT, NL_PROBE, NL_REJECT };
struct nl_circuit_step {
	enum nl_verdict verdict;        /* of ACQUIRE; PROBE: take a lease, or give the step up */
	bool changed;                   /* must be stored (a rejection alone is not) */
	bool moved;                     /* a transition: epoch was raised; to tell */
	bool stale;                     /* a result of another epoch: dropped, and counted */
	enum nl_circuit_state from;
	nl_time was_for;                /* how long `from` lasted */
	uint32_t probes;                /* moved: successes in a row until then */
	nl_time was_open;               /* moved: since the first opening since the last close; without one was_for */
	nl_time retry_in;               /* REJECT: until it may be asked again; 0: when a probe ends; NL_NEVER: until a
	                                 * person says so */
	int64_t age;                    /* ADMIT or PROBE, gobreaker: bucket of the permit */
};

/*
 * One step of *c (changed in place) and *epoch.  A permit is (the epoch after
 * ACQUIRE, age).  cfg: the caller's; its shape is used only when c has none yet
 * (callers that count consecutive failures alone leave none), its semantics only
 * in a body of zeroes, which is a breaker just made.  cfg may be NULL: c->cfg.
 * An admission may be a change too: see changed.  A step that is not stored, and
 * whose verdict is not acted upon, has never been.
 */
struct nl_circuit_step nl_circuit_step(const struct nl_circuit_cfg *cfg, struct nl_circuit *c, uint64_t *epoch,
                                       const struct nl_circuit_input *);

/* Counts of the window at a moment (time windows move; without one, gobreaker
 * apart, the consecutive failures).  rate: ppm, -1 below min_calls. */
struct nl_circuit_counts { struct nl_tally n; int64_t fail_ppm, slow_ppm; };
struct nl_circuit_counts nl_circuit_counts(const struct nl_circuit_cfg *, const struct nl_circuit *, nl_time now);

/* What made it what it is: "5 consecutive failures", "12 of 20 calls failed,
 * limit 50 %", "a probe failed", "forced by uid 0"; "" when closed.
 * nl_circuit_why is that with its evidence: "5 consecutive failures (exit 2 ×4,
 * timeout ×1)".  Both are cut at a character. */
void nl_circuit_cause(const struct nl_circuit *, char *buf, size_t size);
void nl_circuit_evidence(const struct nl_circuit_err[NL_CIRCUIT_ERRS], char *buf, size_t size);
void nl_circuit_why(const struct nl_circuit *, char *buf, size_t size);

/* What an instance of nl-breaker asks for (breaker.c). */
struct nl_circuit_cfg nl_breaker_config(const struct nl_svc *);

/* Range check of a body: nl_kind's check. */
int nl_circuit_sane(struct nl_circuit *, nl_time now);  /* 0 fine, 1 a clock was put right, -1 cannot be */

#endif
