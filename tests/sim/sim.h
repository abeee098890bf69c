/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim.h - the policy simulator: stacks of real layers on a virtual clock.
 *
 * A plan is everything that a case depends on: the stack, what each command
 * does, luck, and when somebody tells us to stop.  world.c plays it with the
 * real code, model.c reads the man page aloud, and both must agree.
 */
#ifndef SIM_H
#define SIM_H

#include "backoff.h"
#include "nl.h"
#include "os.h"

#define SIM_DEPTH 5
#define SIM_LEAVES 64                   /* commands in one line */
#define SIM_SCRIPTED 60                 /* from here on all commands are long: no stack runs for ever */

/* What one run of the command does. */
struct sim_cmd {
	nl_time dur;                    /* left alone, it ends after dur with ws */
	int ws;
	enum { SIM_OBEYS, SIM_HANDLES, SIM_DEAF, SIM_MISSING } way;     /* MISSING: it cannot be run */
	nl_time late;                   /* HANDLES: told to stop, it ends after late with late_ws */
	int late_ws;
	nl_time beat;                   /* writes a byte each so often; 0 never */
	char says[12];                  /* it writes that when it begins */
};

/* Sets of outcomes: text for the option, expression for the model. */
#define SIM_SETS(X) \
	X("any", code != 0) X("timeout", code == 124 || late) X("signal", sig) X("3,7", code == 3 || code == 7) \
	X("!3", code != 0 && code != 3) X("KILL", sig == 9) X("rejected", code == 75) X("0-9", code < 10) \
	X("any,!timeout,!SIGTERM", code != 0 && code != 124 && !late && sig != 15) X("143,127", code == 143 || code == 127)

struct sim_layer {
	bool retry;
	nl_time grace;                  /* -k: -1 not given, NL_NEVER for 0 and inf */
	int sig;                        /* -s: 0 not given */
	unsigned n;                     /* of retry; 0 inf */
	struct nl_backoff backoff;
	enum nl_jitter jitter;
	nl_time total, per_attempt, reset_after;        /* 0: off */
	int on, except, ok;             /* rows of SIM_SETS, -1 not given */
	nl_time limit, idle;            /* of timeout; limit NL_NEVER and idle 0: none */
	bool preserve;
};

struct sim_plan {
	uint64_t seed;
	unsigned depth;
	struct sim_layer layer[SIM_DEPTH];
	enum { SIM_UNLUCKY, SIM_LUCKY, SIM_FAIR } luck; /* unit gives 0, nearly 1, anything */
	nl_time stop_at, horizon;       /* NL_NEVER: never, none */
	int stop_sig;
	unsigned success;               /* percent of commands that exit with 0 */
	bool leaf;                      /* a scripted leaf, else exec and child over a virtual process */
	bool heard;                     /* events are written */
	/* What the leaves do, counted from left to right, at their runs from 0; NULL: all as sim_cmd says. */
	struct sim_cmd (*script)(const struct sim_plan *, unsigned leaf, unsigned run);
	/* Luck at each draw; NULL: as luck says. */
	double (*unit)(const struct sim_plan *, unsigned draw);
	char **line;                    /* argv[0] is the outermost tool; NULL: argv */
	char *argv[SIM_DEPTH * 32];
	char text[2048];
};

enum sim_kind { SIM_NO_JITTER, SIM_JITTER, SIM_STOPPED };
void sim_plan(struct sim_plan *, uint64_t seed, enum sim_kind);
struct sim_cmd sim_cmd(const struct sim_plan *, unsigned run);
double sim_unit(const struct sim_plan *, unsigned draw);

/* What a case came to. */
struct sim_result {
	int ws;
	nl_time at;                     /* the clock began at 0 */
	unsigned runs, sleeps;          /* commands started, back-offs begun */
	unsigned calls;                 /* of layers */
};
struct sim_result sim_model(const struct sim_plan *);

/* The same from the real code, and all that it did. */
struct sim_step { bool sleep; nl_time at, until, known; };      /* known: the limit that a command was given */
struct sim_log {
	unsigned n;
	struct sim_step step[4096];
	unsigned requests, retries;
	unsigned most;                  /* scripted leaves at once */
	const char *wrong;              /* the first thing that must not happen, or NULL */
	char out[4096];                 /* stdout */
	size_t outs;
};
struct sim_result sim_world(struct sim_plan *, struct sim_log *);

#endif
