/* SPDX-License-Identifier: Apache-2.0 */
/*
 * played.h - internal to witness.c and played.c: the world of a witness, and the
 * layers in it that are none of ours.
 */
#ifndef NL_PLAYED_H
#define NL_PLAYED_H

#include "arena.h"
#include "circuit.h"
#include "run.h"
#include "witness.h"

enum { NL_PLAYED_RUNS = 64, NL_PLAYED_TOLD = 400, NL_PLAYED_GATES = 64, NL_PLAYED_HOLDS = 64 };

/* An instance before what it stands for. */
struct nl_part { struct nl_svc svc; const struct nl_term *t; };

/* A breaker or bulkhead.  What arms of a race hold is over when the race is: they
 * are played one behind the other, and each must see that the others have it. */
struct nl_gate {
	const char *name;
	enum nl_term_kind kind;
	struct nl_circuit circuit;
	uint64_t epoch;
	unsigned inside, held;
	nl_time until[NL_PLAYED_HOLDS];
};

struct nl_told { nl_time at; char text[100]; };

struct nl_world {
	const struct nl_scene *scene;
	nl_time now;
	unsigned runs, n, gates, made;
	const struct nl_svc *first;     /* command of the line */
	bool endless;                   /* it was ended by us */
	struct nl_told told[NL_PLAYED_TOLD];
	struct nl_gate gate[NL_PLAYED_GATES];
	struct { struct nl_svc *svc; const struct nl_term *t; } made_of[NL_TERM_MOST];
	struct nl_arena mem;
	struct nl_err *err;
};

/* One, for the clock of struct nl_os has no other way to it. */
extern struct nl_world nl_world;

/* What stands for the term; NULL: the real one does. */
const struct nl_layer *nl_played(const struct nl_term *);

void nl_world_tell(nl_time at, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
