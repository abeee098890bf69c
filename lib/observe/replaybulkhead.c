/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replaybulkhead.c - the recorded calls of a bulkhead through its rule (admit.c) in
 * virtual time, under other values.  Calls come when they came; those that ran hold
 * a slot as long as they did.
 *
 * Of a call that was rejected nobody knows for how long it would have, and of one
 * that did not wait, how long it would have taken to wake up: each is 0 in some runs
 * and the 99th percentile of what is known in others, and a figure has two ends.
 */
#include "observe/replay.h"

#include "layer.h"
#include "mut.h"
#include "observe/agenda.h"
#include "observe/stays.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum how { SLEEPY = 1, LONG = 2, RUNS = 4 };    /* bits: each of them at one of its ends */

struct caller { int64_t waited_us; bool admitted, waits, looks; };

struct play {
	const struct nl_stays *s;
	const struct nl_terms *terms;   /* of each text */
	enum how how;
	struct nl_agenda agenda;
	struct nl_row waiting;
	struct caller *caller;
	uint32_t held, peak;
	uint64_t admitted, shed, wrong, unknown;
	double vain_us, waits[3];       /* sum, p50, p99 */
};

static const struct nl_terms *terms_of(const struct play *p, uint32_t i)
{
	return &p->terms[p->s->stay[i].cfg];
}

static void add(struct play *p, uint32_t i, int64_t us, enum nl_step step)
{
	nl_agenda_add(&p->agenda, (struct nl_moment){ us, p->s->stay[i].boot, i, step });
}

static int64_t either(const struct play *p, int64_t known)
{
	return known >= 0 ? known : p->how & SLEEPY ? p->s->wake_p99_us : 0;
}

static void take(struct play *p, uint32_t i, int64_t us)
{
	const struct nl_stay *s = &p->s->stay[i];
	bool ran = s->fate == NL_TURN_OURS;
	p->caller[i].admitted = true, p->caller[i].waited_us = us - s->came_us;
	p->held++;
	p->peak = p->held > p->peak ? p->held : p->peak;
	p->admitted++;
	p->unknown += !ran;
	add(p, i, us + (ran ? s->hold_us : p->how & LONG ? p->s->hold_p99_us : 0), NL_STEP_LEAVES);
}

static void shed(struct play *p, uint32_t i, int64_t us)
{
	const struct nl_stay *s = &p->s->stay[i];
	p->shed++;
	p->vain_us += (double)(us - s->came_us);
	p->wrong += s->fate == NL_TURN_OURS && s->ok;
}

static enum nl_turn turn_of(const struct play *p, uint32_t i)
{
	const struct nl_stay *s = &p->s->stay[i];
	struct nl_terms t = *terms_of(p, i);
	if (MUTANT(REPLAYS_NO_QUEUE))
		t.queue = 0;
	if (s->unclear && p->how & SLEEPY)
		return nl_stay_turn(s);
	return nl_admit(&t, p->held, MUTANT(REPLAY_BARGES) ? 0 : p->waiting.n);
}

static void come(struct play *p, uint32_t i, int64_t us)
{
	const struct nl_stay *s = &p->s->stay[i];
	enum nl_turn turn = turn_of(p, i);
	if (turn == NL_TURN_OURS) {
		take(p, i, us);
		return;
	}
	if (turn != NL_TURN_WAITS) {
		shed(p, i, us);
		return;
	}
	nl_time wait = terms_of(p, i)->wait;
	int64_t until = wait == NL_NEVER ? INT64_MAX : s->came_us + wait / NL_US + either(p, s->late_us);
	if (s->fate == NL_TURN_STOPPED && s->left_us < until)
		until = s->left_us;
	p->caller[i].waits = true;
	nl_row_add(&p->waiting, i);
	if (until != INT64_MAX)
		add(p, i, until > us ? until : us, NL_STEP_GIVES_UP);
}

static void leave_row(struct play *p, uint32_t i)
{
	nl_row_remove(&p->waiting, i);
	p->caller[i].waits = false;
}

/* Who is first and could be admitted wakes up. */
static void wake_first(struct play *p, int64_t us)
{
	uint32_t i = p->waiting.first;
	if (i == NL_NOBODY || p->caller[i].looks || nl_admit(terms_of(p, i), p->held, 0) != NL_TURN_OURS)
		return;
	p->caller[i].looks = true;
	add(p, i, us + either(p, p->s->stay[i].wake_us), NL_STEP_LOOKS);
}

static void look(struct play *p, uint32_t i, int64_t us)
{
	p->caller[i].looks = false;
	if (!p->caller[i].waits || p->waiting.first != i || nl_admit(terms_of(p, i), p->held, 0) != NL_TURN_OURS)
		return;
	leave_row(p, i);
	take(p, i, us);
}

static void run(struct play *p)
{
	struct nl_moment m;
	uint32_t boot = UINT32_MAX;
	for (uint32_t i = 0; i < p->s->n; i++)
		add(p, i, p->s->stay[i].decided_us, NL_STEP_COMES);
	for (; nl_agenda_next(&p->agenda, &m); boot = m.boot) {
		if (m.boot != boot) {
			p->held = 0;
			nl_row_empty(&p->waiting);
		}
		switch (m.step) {
		case NL_STEP_COMES: come(p, m.call, m.us); break;
		case NL_STEP_LOOKS: look(p, m.call, m.us); break;
		case NL_STEP_LEAVES: p->held--; break;
		case NL_STEP_GIVES_UP:
			if (p->caller[m.call].waits) {
				leave_row(p, m.call);
				shed(p, m.call, m.us);
			}
			break;
		}
		wake_first(p, m.us);
	}
}

/* Of what was admitted; of[n] is used up. */
static void sum_up(int64_t *of, size_t n, double waits[3])
{
	waits[0] = 0;
	for (size_t i = 0; i < n; i++)
		waits[0] += (double)of[i];
	waits[1] = (double)nl_rank_of(of, n, .5), waits[2] = (double)nl_rank_of(of, n, .99);
}

static int play(struct play *p, int64_t *of)
{
	size_t n = 0;
	p->caller = calloc(p->s->n + 1, sizeof *p->caller);
	bool ready = nl_row_make(&p->waiting, p->s->n) == 0 && p->caller;
	if (ready) {
		run(p);
		for (size_t i = 0; i < p->s->n; i++)
			if (p->caller[i].admitted)
				of[n++] = p->caller[i].waited_us;
		sum_up(of, n, p->waits);
	}
	free(p->caller);
	free(p->agenda.heap);
	nl_row_free(&p->waiting);
	return ready && !p->agenda.starved ? 0 : -1;
}

/* As it was, in the shape of a run. */
static struct play recorded(const struct nl_stays *s, int64_t *of)
{
	struct play p = { .s = s, .peak = s->peak };
	for (size_t i = 0; i < s->n; i++) {
		const struct nl_stay *is = &s->stay[i];
		if (is->fate == NL_TURN_OURS)
			of[p.admitted++] = is->got_us - is->came_us;
		else
			p.shed++, p.vain_us += (double)(is->left_us - is->came_us);
	}
	sum_up(of, p.admitted, p.waits);
	return p;
}

static double seconds(double us)
{
	return us / 1e6;
}

/* Everything that a run has found, in order; how many. */
enum { CALLS, ADMITTED, REJECTED, WRONGLY, WAIT, WAIT_50, WAIT_99, VAIN, PEAK, UNKNOWN, FOUND };
static void figures_of(const struct play *p, double is[FOUND])
{
	is[CALLS] = (double)(p->admitted + p->shed), is[ADMITTED] = (double)p->admitted, is[REJECTED] = (double)p->shed, is[WRONGLY] = (double)p->wrong;
	is[WAIT] = seconds(p->waits[0]), is[WAIT_50] = seconds(p->waits[1]), is[WAIT_99] = seconds(p->waits[2]), is[VAIN] = seconds(p->vain_us);
	is[PEAK] = p->peak, is[UNKNOWN] = (double)p->unknown;
}

static const char *const names[FOUND] = {
	[CALLS] = "calls", [ADMITTED] = "admitted", [REJECTED] = "rejected", [WRONGLY] = "wrongly_rejected", [WAIT] = "wait_seconds", [WAIT_50] = "wait_p50",
	[WAIT_99] = "wait_p99", [VAIN] = "vain_seconds", [PEAK] = "peak", [UNKNOWN] = "unknown",
};

static int compare(struct nl_stays *s, const struct nl_terms *terms, struct nl_figure f[NL_FIGURES])
{
	int64_t *of = calloc(s->n + 1, sizeof *of);
	double is[FOUND];
	int r = of ? 0 : -1, unclear = 0;
	if (r == 0) {
		struct play was = recorded(s, of);
		figures_of(&was, is);
	}
	for (int k = 0; k < FOUND && r == 0; k++)
		f[k] = (struct nl_figure){ names[k], k == WRONGLY || k == UNKNOWN ? -1 : is[k], INFINITY, -INFINITY };
	for (unsigned how = 0; how < RUNS && r == 0; how++) {
		struct play p = { .s = s, .terms = terms, .how = (enum how)how };
		r = play(&p, of);
		figures_of(&p, is);
		for (int k = 0; k < FOUND; k++)
			f[k].low = fmin(f[k].low, is[k]), f[k].high = fmax(f[k].high, is[k]);
	}
	for (size_t i = 0; i < s->n; i++)
		unclear += s->stay[i].unclear;
	f[FOUND] = (struct nl_figure){ "unclear", -1, unclear, unclear };
	f[FOUND + 1] = (struct nl_figure){ "left_out", -1, (double)s->left_out, (double)s->left_out };
	f[FOUND + 2] = (struct nl_figure){ "unknown_hold", -1, 0, seconds((double)s->hold_p99_us) };
	free(of);
	return r;
}

static int read_terms(const struct nl_stays *s, const char *const *set, unsigned n, struct nl_terms *out, struct nl_err *err)
{
	for (uint32_t i = 0; i < s->texts.n; i++) {
		struct nl_svc *svc = nl_tape_configured(&nl_bulkhead, s->texts.text[i], set, n, err);
		if (!svc)
			return -1;
		out[i] = nl_bulkhead_terms(svc);
		free(svc);
	}
	return 0;
}

int nl_replay_bulkhead(struct nl_stays *s, const char *const *set, unsigned n, struct nl_figure f[NL_FIGURES], struct nl_err *err)
{
	struct nl_terms *was = calloc(s->texts.n + 1, sizeof *was), *is = calloc(s->texts.n + 1, sizeof *is);
	int r = -1;
	if (!was || !is || s->starved || s->texts.starved)
		(void)nl_fail(err, "out of memory");
	else if (read_terms(s, NULL, 0, was, err) == 0 && read_terms(s, set, n, is, err) == 0)
		r = nl_stays_settle(s, was) < 0 || compare(s, is, f) < 0 ? nl_fail(err, "out of memory") : 0;
	free(was);
	free(is);
	return r < 0 ? -1 : FOUND + 3;
}

int nl_replay_bulkhead_set(const char *set, struct nl_err *err)
{
	static const char *const keys[] = { "max=", "queue=", "wait=" };
	for (unsigned i = 0; i < 3; i++)
		if (!strncmp(set, keys[i], strlen(keys[i]))) {
			struct nl_svc *svc = nl_tape_configured(&nl_bulkhead, "", &set, 1, err);
			free(svc);
			return svc ? 0 : -1;
		}
	return nl_fail(err, "%.40s: of bulkheads max, queue and wait can be replayed", set);
}
