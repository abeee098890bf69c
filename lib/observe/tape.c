/* SPDX-License-Identifier: Apache-2.0 */
/* tape.c - see tape.h: from lines to beats, and their order. */
#include "observe/tape.h"

#include "json.h"
#include "parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMANDS 1000                   /* different ones that are kept */

/* Attributes of one line, which is parsed once. */
struct attrs { const char *line; struct nl_json_tok tok[NL_FACT_MAX / 2 + 1]; };

static int64_t whole(const struct attrs *a, const char *key, int64_t absent)
{
	int64_t v;
	int at = nl_json_get(a->line, a->tok, 0, key);
	return at >= 0 && nl_json_integer(a->line, &a->tok[at], &v) && v >= 0 ? v : absent;
}

static int64_t micros(const struct attrs *a, const char *key, int64_t absent)
{
	double v;
	int at = nl_json_get(a->line, a->tok, 0, key);
	return at >= 0 && nl_json_number(a->line, &a->tok[at], &v) && v >= 0 && v < 1e12 ? (int64_t)(v * 1e6 + .5) : absent;
}

static const char *word(const struct attrs *a, const char *key, char *buf, size_t size)
{
	int at = nl_json_get(a->line, a->tok, 0, key);
	if (at < 0 || nl_json_string(a->line, &a->tok[at], buf, size) < 0)
		*buf = '\0';
	return buf;
}

static uint8_t state_of(const char *name, enum nl_circuit_state absent)
{
	for (int i = 0; i < NL_CIRCUIT_STATES; i++)
		if (!strcmp(name, nl_circuit_name((enum nl_circuit_state)i)))
			return (uint8_t)i;
	return (uint8_t)absent;
}

static uint8_t reason_of(const char *name)
{
	for (int i = 0; i < NL_CIRCUIT_REASONS; i++)
		if (!strcmp(name, nl_circuit_reason_name((enum nl_circuit_reason)i)))
			return (uint8_t)i;
	return NL_WHY_NONE;
}

/* A wait status again; for the evidence alone. */
static int32_t status_of(const struct nl_fact *f)
{
	char name[40];
	struct nl_err err;
	int sig = 0;
	snprintf(name, sizeof name, "%.*s", (int)f->signal.n, f->signal.s);
	if (f->signal.n && nl_parse_signal(name, &sig, &err) < 0)
		sig = 0;
	if (f->err.n == 7 && !memcmp(f->err.s, "timeout", 7))
		return NL_EXIT(NL_EX_TIMEOUT);
	return sig > 0 ? sig : f->exit > 0 ? NL_EXIT((int)f->exit) : 0;
}

static void request(struct nl_tapes *t, struct nl_tape *tape, const struct nl_fact *f, const struct attrs *a, struct nl_beat *b)
{
	char text[512];
	word(a, "counted", text, sizeof text);
	b->result = !strcmp(text, "success") ? NL_SUCCESS : !strcmp(text, "failure") ? NL_FAILURE : NL_IGNORED;
	b->at_us = whole(a, "at_us", -1);
	if (!*text || b->at_us < 0)
		return;
	b->epoch = (uint64_t)whole(a, "permit", 0);
	b->dur_us = f->dur_us, b->ws = status_of(f);
	b->cfg = nl_texts_add(&t->texts, word(a, "cfg", text, sizeof text), UINT32_MAX);
	b->asked = (uint32_t)whole(a, "asked_step", 0);
	if (b->asked) {
		struct nl_beat asked = *b;
		asked.kind = NL_BEAT_ASKED, asked.step = b->asked;
		asked.at_us = whole(a, "asked_us", b->at_us);
		nl_tape_put(t, tape, &asked);
	}
	int64_t step = whole(a, "step", -1);
	b->kind = step >= 0 ? NL_BEAT_RESULT : NL_BEAT_SAW;
	b->step = (uint32_t)(step >= 0 ? step : whole(a, "at_step", 0));
	nl_tape_put(t, tape, b);
}

static uint8_t event_of(enum nl_circuit_state to, enum nl_circuit_reason why)
{
	if (why == NL_WHY_RESET)
		return NL_RESET;
	switch (to) {
	case NL_FORCED_OPEN: return NL_FORCE_OPEN;
	case NL_FORCED_CLOSED: return NL_FORCE_CLOSED;
	case NL_DISABLED: return NL_DISABLE;
	case NL_HALF_OPEN: return NL_ACQUIRE;
	default: return NL_LOOK;
	}
}

static void moved(struct nl_tapes *t, struct nl_tape *tape, const struct nl_fact *f, const struct attrs *a, struct nl_beat *b)
{
	char text[512];
	int64_t step = whole(a, "step", -1);
	b->at_us = whole(a, "at_us", -1);
	if (step < 0 || b->at_us < 0)
		return;
	b->kind = NL_BEAT_MOVED;
	b->step = (uint32_t)step, b->epoch = f->epoch > 0 ? (uint64_t)f->epoch : 0;
	b->to = f->told == NL_TOLD_OPENED ? NL_OPEN : f->told == NL_TOLD_HALF_OPEN ? NL_HALF_OPEN : f->told == NL_TOLD_FORCED
	        ? state_of(word(a, "state", text, sizeof text), NL_FORCED_OPEN) : NL_CLOSED;
	b->from = state_of(word(a, "from", text, sizeof text), NL_CLOSED);
	b->reason = f->told == NL_TOLD_HALF_OPEN ? NL_WHY_TIME : f->told == NL_TOLD_FORCED ? NL_WHY_FORCED : f->told == NL_TOLD_COMMAND
	            ? NL_WHY_RESET : reason_of(word(a, "reason", text, sizeof text));
	b->result = event_of((enum nl_circuit_state)b->to, (enum nl_circuit_reason)b->reason);
	b->cfg = nl_texts_add(&t->texts, word(a, "cfg", text, sizeof text), UINT32_MAX);
	b->failures = (uint32_t)whole(a, "failures", 0), b->calls = (uint32_t)whole(a, "calls", 0);
	b->rate_ppm = (uint32_t)micros(a, "rate", 0);
	b->open_us = micros(a, "open_s", -1);
	int64_t calls = whole(a, "window_calls", 0), span = micros(a, "window_s", 0);
	if (calls > 0 && calls <= NL_WINDOW_CALLS)
		b->shape = (struct nl_shape){ NL_WINDOW_COUNT, (uint32_t)calls, 0 };
	else if (span > 0)
		b->shape = nl_shape_of_span(span * NL_US);
	nl_tape_put(t, tape, b);
}

static bool is_wanted(const struct nl_tapes *t, struct nl_quote policy)
{
	const char *name = t->only;
	if (name && !strncmp(name, "breaker/", 8))
		name += 8;
	return !name || (strlen(name) == policy.n && !memcmp(name, policy.s, policy.n));
}

static void take_line(struct nl_listener *l, enum nl_line is, const struct nl_fact *f, const char *text, size_t n)
{
	struct nl_tapes *t = (struct nl_tapes *)l;
	struct attrs a;
	(void)text, (void)n;
	if (!f || is == NL_LINE_DUP || !is_wanted(t, f->policy))
		return;
	bool breaker = f->kind.n == 7 && !memcmp(f->kind.s, "breaker", 7);
	bool reset = f->told == NL_TOLD_COMMAND && f->epoch > 0;       // Of a closed one, which has no event of the breaker's.
	if (!breaker && !reset)
		return;
	a.line = f->line.s;
	if (nl_json_parse(f->line.s, f->line.n, a.tok, sizeof a.tok / sizeof *a.tok, NULL) < 0)
		return;
	char cmd[72];
	struct nl_beat b = {
		.time_us = f->time_us, .at_us = f->mono_us, .off_us = f->mono_us < 0 ? 0 : f->time_us - f->mono_us, .span = f->span, .run = f->run, .open_us = -1,
		.cmd = f->cmd.n ? nl_texts_add(&t->texts, word(&a, "cmd", cmd, sizeof cmd), COMMANDS) : 0,
	};
	struct nl_tape *tape = nl_tape_of(t, f->policy);
	if (!tape)
		return;
	switch (f->told) {
	case NL_TOLD_SUCCESS: case NL_TOLD_FAILURE:
		request(t, tape, f, &a, &b);
		break;
	case NL_TOLD_OPENED: case NL_TOLD_HALF_OPEN: case NL_TOLD_CLOSED: case NL_TOLD_FORCED: case NL_TOLD_COMMAND:
		moved(t, tape, f, &a, &b);
		break;
	case NL_TOLD_BREAKER_REJECTED:
		b.kind = NL_BEAT_REJECTED, b.epoch = f->epoch > 0 ? (uint64_t)f->epoch : 0;
		nl_tape_put(t, tape, &b);
		break;
	default:
		break;
	}
}

void nl_tapes_listen(struct nl_tapes *t, struct nl_intake *in)
{
	t->base.line = take_line;
	nl_intake_listen(in, &t->base);
}

#define BY(a, b) if ((a) != (b)) return (a) < (b) ? -1 : 1

/* life is the number of the boot here. */
static int by_clock(const void *x, const void *y)
{
	const struct nl_beat *a = x, *b = y;
	BY(a->life, b->life);
	BY(a->at_us, b->at_us);
	BY(a->step, b->step);
	BY(a->kind, b->kind);
	BY(a->span, b->span);
	return 0;
}

static int by_step(const void *x, const void *y)
{
	const struct nl_beat *a = x, *b = y;
	bool late = a->kind == NL_BEAT_REJECTED, other = b->kind == NL_BEAT_REJECTED;
	BY(late, other);
	BY(a->life, b->life);
	BY(a->step, b->step);
	BY(a->kind, b->kind);
	BY(a->at_us, b->at_us);
	BY(a->span, b->span);
	return 0;
}

int nl_tape_by_time(struct nl_tape *t)
{
	int64_t *boot = calloc(t->n + 1, sizeof *boot);
	if (!boot)
		return -1;
	for (size_t i = 0; i < t->n; i++)
		boot[i] = t->beat[i].off_us;
	size_t boots = nl_boots_sort(boot, t->n);
	for (size_t i = 0; i < t->n; i++)
		t->beat[i].life = nl_boots_find(boot, boots, t->beat[i].off_us);
	free(boot);
	qsort(t->beat, t->n, sizeof *t->beat, by_clock);
	return 0;
}

/* A life ends where steps begin anew: at 1, or at a number that it has had.  A number
 * that is too low and new is a line in the wrong place, for who checks. */
int nl_tape_by_step(struct nl_tape *t)
{
	int64_t *seen = calloc(t->n + 1, sizeof *seen), at_us = -1;
	uint32_t boot = 0, life = 0;
	size_t n = 0;
	if (!seen || nl_tape_by_time(t) < 0) {
		free(seen);
		return -1;
	}
	for (size_t i = 0; i < t->n; i++) {
		struct nl_beat *b = &t->beat[i];
		bool steps = b->kind <= NL_BEAT_MOVED, same = n && b->step == seen[n - 1] && b->at_us == at_us;
		bool again = steps && n && !same && b->step <= seen[n - 1] && (b->step == 1 || seen[nl_place_in(seen, n, b->step)] == b->step);
		if (i && (b->life != boot || again))
			life++, n = 0;
		boot = b->life;
		b->life = life;
		if (steps && (!n || b->step > seen[n - 1]))
			seen[n++] = b->step, at_us = b->at_us;
	}
	free(seen);
	qsort(t->beat, t->n, sizeof *t->beat, by_step);
	return 0;
}
