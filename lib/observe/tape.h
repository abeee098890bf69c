/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tape.h - internal: what happened to each breaker, in the order in which its
 * record was changed, to be played again by circuit.c.
 *
 * Every change of a record has a number, its step, and a time on the record's
 * clock; an event of it has both.  So order is that of the steps, whatever order
 * lines are in, and a step that no line tells of is known to be missing.  A
 * record that was made anew counts from 1 again: that is another life.
 */
#ifndef NL_TAPE_H
#define NL_TAPE_H

#include "circuit.h"
#include "observe/query.h"
#include "observe/texts.h"

enum nl_beat_kind {
	NL_BEAT_ASKED,                  /* an admission that changed the record (gobreaker) */
	NL_BEAT_RESULT,                 /* a call ended, and that changed the record */
	NL_BEAT_MOVED,                  /* a transition: beside the result that made it, or alone */
	NL_BEAT_SAW,                    /* a call ended, and that changed nothing: behind the step that it saw */
	NL_BEAT_REJECTED,               /* a call was not admitted: has a time, and no step */
};

struct nl_beat {
	int64_t time_us, at_us;         /* wall clock; the record's, BOOTTIME */
	int64_t off_us;                 /* between them: one per boot */
	uint64_t span, run, epoch;      /* epoch: of the permit; moved: the new one */
	uint32_t step, asked, life;     /* asked: step of the admission, or 0 */
	uint32_t cmd, cfg;              /* texts of the tapes, 0: none */
	uint8_t kind, result;           /* enum nl_beat_kind, enum nl_circuit_event: of a transition by a person its own */
	uint8_t from, to, reason;       /* moved */
	int32_t ws;
	int64_t dur_us, age;            /* age: of an admission, as the player has seen it */
	/* nl.circuit.opened */
	uint32_t failures, calls, rate_ppm;     /* rate: of what the rule counts; 0: it has none */
	int64_t open_us;                /* -1: until somebody closes it */
	struct nl_shape shape;
};

struct nl_tape { char *policy; struct nl_beat *beat; size_t n, room; struct nl_tape *next; };

struct nl_tapes {
	struct nl_listener base;
	const char *only;               /* "db", "breaker/db", or NULL: all */
	struct nl_tape *first, *last;   /* in the order in which they came */
	struct nl_texts names;          /* of breakers */
	struct nl_tape **of;            /* by the number of its name */
	uint32_t room;
	struct nl_texts texts;          /* of commands and options */
	bool starved;                   /* no memory for a beat */
};

/* tapes.c: the tape of a breaker, made when it is new; NULL, and starved: no memory.  A copy of a beat onto it. */
struct nl_tape *nl_tape_of(struct nl_tapes *, struct nl_quote policy);
void nl_tape_put(struct nl_tapes *, struct nl_tape *, const struct nl_beat *);

void nl_tapes_listen(struct nl_tapes *, struct nl_intake *);
void nl_tapes_free(struct nl_tapes *);

/* Into the order of lives and steps, what was seen behind its step, rejections
 * last; or into that of time.  0, -1: no memory. */
int nl_tape_by_step(struct nl_tape *);
int nl_tape_by_time(struct nl_tape *);

/* A layer's instance as the text of an event says, and KEY=VALUE words that stand over
 * it; to be freed.  NULL with err. */
struct nl_svc *nl_tape_configured(const struct nl_layer *, const char *cfg, const char *const *set, unsigned n, struct nl_err *);
/* Of that a breaker's rules. */
int nl_tape_rules(const char *cfg, const char *const *set, unsigned n, struct nl_circuit_cfg *, struct nl_err *);

/* A circuit that is played.  known: it is in the state that the log's was. */
struct nl_player {
	const struct nl_tapes *tapes;
	struct nl_circuit c;
	uint64_t epoch;
	bool known;
	uint32_t rules_of;              /* text that rules are of; UINT32_MAX: none yet */
	struct nl_circuit_cfg rules;
};
struct nl_player nl_player_of(const struct nl_tapes *);
/* The rules of a beat, in memory of the player's. */
const struct nl_circuit_cfg *nl_player_rules(struct nl_player *, const struct nl_beat *);
void nl_player_fresh(struct nl_player *, uint64_t epoch);
/* One step as the beat says (a transition alone: what must have made it). */
struct nl_circuit_step nl_player_step(struct nl_player *, const struct nl_beat *);
/* What the rules cannot know is taken from the log: the open time as it was drawn. */
void nl_player_adopt(struct nl_player *, const struct nl_beat *);
/* Into the state behind a transition, from any.  by: the result that made it, NULL: none. */
void nl_player_resume(struct nl_player *, const struct nl_beat *, const struct nl_beat *by);

#endif
