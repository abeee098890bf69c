/* SPDX-License-Identifier: Apache-2.0 */
/*
 * follow.c - the calls of a bulkhead as the log has them, one after the other, to
 * find out what it does not say: see stays.h.
 *
 * How many slots were held is known at each decision.  When we have more, somebody
 * was killed.  When we have less, who left last had not quite: a slot is free a
 * little after its event says so, or much later when it is the tree's.
 */
#include "observe/stays.h"

#include "observe/agenda.h"

#include <math.h>
#include <stdlib.h>

#define SOON 100000                     /* us: a slot is free so soon after it was given back, or a place in the row */

struct follow {
	struct nl_stays *s;
	const struct nl_terms *terms;
	struct nl_agenda agenda;
	struct nl_row waiting;
	uint32_t first;                 /* who was first in line before this moment */
	int64_t free_us;                /* since when the first in line might have had a slot; -1: not yet */
	int64_t vacant_us;              /* since when there is one */
	uint32_t held;
	uint32_t *left, lefts;          /* who has left, the last one on top */
	uint32_t *endless, ends, begin; /* of whose end nothing is known, from begin on */
	uint32_t gone;                  /* who gave up last; NL_NOBODY */
};

static void add(struct follow *w, uint32_t i, int64_t us, enum nl_step step)
{
	nl_agenda_add(&w->agenda, (struct nl_moment){ us, w->s->stay[i].boot, i, step });
}

static const struct nl_terms *terms_of(const struct follow *w, uint32_t i)
{
	return &w->terms[w->s->stay[i].cfg];
}

static void take(struct follow *w, uint32_t i)
{
	struct nl_stay *s = &w->s->stay[i];
	w->held++;
	if (w->held > w->s->peak)
		w->s->peak = w->held;
	if (s->left_us >= 0)
		add(w, i, s->left_us, NL_STEP_LEAVES);
	else
		w->endless[w->ends++] = i;
}

static void leave(struct follow *w, uint32_t i, int64_t us)
{
	if (w->held-- >= terms_of(w, i)->limit)
		w->vacant_us = us;
	w->s->stay[i].hold_us = us - w->s->stay[i].got_us;
}

/* How many were held when this was decided is on record. */
static void agree(struct follow *w, uint32_t i, int64_t us)
{
	struct nl_stay *s = &w->s->stay[i];
	while (w->held > s->found && w->begin < w->ends)
		leave(w, w->endless[w->begin++], us);
	while (w->held < s->found && w->lefts > 0) {
		uint32_t last = w->left[--w->lefts];
		w->held++;
		add(w, last, us + 1, NL_STEP_LEAVES);
		s->unclear |= w->s->stay[last].left_us < us - SOON && !terms_of(w, last)->tree;
	}
	s->unclear |= w->held != s->found;
}

/* So many must have waited: as with slots, who gave up last had not quite. */
static void be_full(struct follow *w, int64_t us, uint32_t queue)
{
	if (w->waiting.n + 1 != queue || w->gone == NL_NOBODY || w->s->stay[w->gone].left_us < us - SOON)
		return;
	nl_row_add(&w->waiting, w->gone);
	add(w, w->gone, us + 1, NL_STEP_GIVES_UP);
	if (w->waiting.first == w->gone && w->free_us < 0)
		w->free_us = w->vacant_us;
	w->first = w->waiting.first;            // It was all the time.
	w->gone = NL_NOBODY;
}

enum nl_turn nl_stay_turn(const struct nl_stay *s)
{
	bool at_once = s->fate == NL_TURN_FULL || s->fate == NL_TURN_QUEUE_FULL || s->got_us == s->decided_us;
	return at_once ? (enum nl_turn)s->fate : NL_TURN_WAITS;
}

static void come(struct follow *w, uint32_t i, int64_t us)
{
	struct nl_stay *s = &w->s->stay[i];
	const struct nl_terms *t = terms_of(w, i);
	agree(w, i, us);
	if (s->left_us < 0 && nl_admit(t, w->held, w->waiting.n) == NL_TURN_OURS)
		s->got_us = us;                 // It was killed, and its event is a little later.
	enum nl_turn turn = nl_stay_turn(s);
	if (turn == NL_TURN_QUEUE_FULL)
		be_full(w, us, t->queue);
	else if (turn != NL_TURN_OURS && w->held < t->limit)
		be_full(w, us, 1);
	s->unclear |= nl_admit(t, w->held, w->waiting.n) != turn;
	if (turn == NL_TURN_OURS)
		take(w, i);
	if (turn != NL_TURN_WAITS)
		return;
	nl_row_add(&w->waiting, i);
	add(w, i, s->got_us >= 0 ? s->got_us : s->left_us, s->got_us >= 0 ? NL_STEP_LOOKS : NL_STEP_GIVES_UP);
}

/* How long after its limit it still waited; -1: it did not. */
static int64_t late(const struct follow *w, uint32_t i, int64_t us)
{
	nl_time wait = terms_of(w, i)->wait;
	int64_t until = wait == NL_NEVER ? INT64_MAX : w->s->stay[i].came_us + wait / NL_US;
	return us >= until ? us - until : -1;
}

static void got(struct follow *w, uint32_t i, int64_t us)
{
	struct nl_stay *s = &w->s->stay[i];
	bool first = w->waiting.first == i;
	while (w->held >= terms_of(w, i)->limit && w->begin < w->ends)
		leave(w, w->endless[w->begin++], us);   // It has the slot of one that was killed.
	s->unclear |= !first || w->held >= terms_of(w, i)->limit;
	s->wake_us = first && w->free_us >= 0 ? us - w->free_us : 0;
	s->late_us = late(w, i, us + 1);
	nl_row_remove(&w->waiting, i);
	take(w, i);
}

static void gave_up(struct follow *w, uint32_t i, int64_t us)
{
	struct nl_stay *s = &w->s->stay[i];
	int64_t free = w->waiting.first == i ? w->free_us : -1;
	if (s->wake_us >= 0)                    // Once more, and a little later.
		free = s->left_us + 1 - s->wake_us;
	if (free >= 0)                          // It would have had it, if it had been awake.
		s->wake_us = us + 1 - free;
	s->late_us = late(w, i, us);
	s->left_us = us;
	nl_row_remove(&w->waiting, i);
	w->gone = i;
}

/* us: the last that is known of the one before. */
static void begin_boot(struct follow *w, int64_t us)
{
	while (w->begin < w->ends)              // Held until then at least.
		leave(w, w->endless[w->begin++], us);
	nl_row_empty(&w->waiting);
	w->held = w->lefts = w->ends = w->begin = 0;
	w->gone = NL_NOBODY;
	w->free_us = -1;
}

static void see_first(struct follow *w, int64_t us)
{
	uint32_t i = w->waiting.first;
	bool free = i != NL_NOBODY && nl_admit(terms_of(w, i), w->held, 0) == NL_TURN_OURS;
	if (!free)
		w->free_us = -1;
	else if (w->free_us < 0 || w->first != i)
		w->free_us = us;
}

static void run(struct follow *w)
{
	struct nl_moment m, before = { 0, UINT32_MAX, 0, NL_STEP_COMES };
	for (uint32_t i = 0; i < w->s->n; i++)
		add(w, i, w->s->stay[i].decided_us, NL_STEP_COMES);
	begin_boot(w, 0);
	for (; nl_agenda_next(&w->agenda, &m); before = m) {
		if (m.boot != before.boot)
			begin_boot(w, before.us);
		w->first = w->waiting.first;
		switch (m.step) {
		case NL_STEP_COMES: come(w, m.call, m.us); break;
		case NL_STEP_LOOKS: got(w, m.call, m.us); break;
		case NL_STEP_GIVES_UP: gave_up(w, m.call, m.us); break;
		case NL_STEP_LEAVES:
			leave(w, m.call, m.us);
			w->left[w->lefts++] = m.call;
			break;
		}
		see_first(w, m.us);
	}
	begin_boot(w, before.us);
}

#define BY(a, b) if ((a) != (b)) return (a) < (b) ? -1 : 1

/* Of a span that has its end, what was known before is nothing more. */
static int by_span(const void *x, const void *y)
{
	const struct nl_stay *a = x, *b = y;
	BY(a->span, b->span);
	BY(b->left_us, a->left_us);
	return 0;
}

static int by_decision(const void *x, const void *y)
{
	const struct nl_stay *a = x, *b = y;
	BY(a->boot, b->boot);
	BY(a->decided_us, b->decided_us);
	BY(a->span, b->span);
	return 0;
}

static int by_size(const void *x, const void *y)
{
	BY(*(const int64_t *)x, *(const int64_t *)y);
	return 0;
}

int64_t nl_rank_of(int64_t *of, size_t n, double part)
{
	if (n == 0)
		return 0;
	qsort(of, n, sizeof *of, by_size);
	size_t rank = (size_t)ceil((double)n * part);
	return of[rank ? rank - 1 : 0];
}

static int sort(struct nl_stays *s)
{
	size_t n = 0;
	if (s->n)
		qsort(s->stay, s->n, sizeof *s->stay, by_span);
	for (size_t i = 0; i < s->n; i++)
		if (!n || s->stay[n - 1].span != s->stay[i].span)
			s->stay[n++] = s->stay[i];
	s->n = n;
	int64_t *off = calloc(n + 1, sizeof *off);
	if (!off)
		return -1;
	for (size_t i = 0; i < n; i++)
		off[i] = s->stay[i].off_us;
	size_t boots = nl_boots_sort(off, n);
	for (size_t i = 0; i < n; i++)
		s->stay[i].boot = nl_boots_find(off, boots, s->stay[i].off_us);
	free(off);
	if (n)
		qsort(s->stay, n, sizeof *s->stay, by_decision);
	return 0;
}

static int measure(struct nl_stays *s)
{
	int64_t *of = calloc(s->n + 1, sizeof *of);
	size_t n = 0;
	if (!of)
		return -1;
	for (size_t i = 0; i < s->n; i++)
		if (s->stay[i].got_us >= 0 && s->stay[i].left_us >= 0)
			of[n++] = s->stay[i].left_us - s->stay[i].got_us;
	s->hold_p99_us = nl_rank_of(of, n, .99);
	n = 0;
	for (size_t i = 0; i < s->n; i++)
		if (s->stay[i].got_us >= 0 && s->stay[i].wake_us >= 0)
			of[n++] = s->stay[i].wake_us;
	s->wake_p99_us = nl_rank_of(of, n, .99);
	free(of);
	return 0;
}

int nl_stays_settle(struct nl_stays *s, const struct nl_terms *terms)
{
	struct follow w = { .s = s, .terms = terms, .gone = NL_NOBODY };
	if (sort(s) < 0)
		return -1;
	w.left = calloc(s->n + 1, sizeof *w.left);
	w.endless = calloc(s->n + 1, sizeof *w.endless);
	bool ready = nl_row_make(&w.waiting, s->n) == 0 && w.left && w.endless;
	if (ready)
		run(&w);
	free(w.left);
	free(w.endless);
	nl_row_free(&w.waiting);
	free(w.agenda.heap);
	return ready && !w.agenda.starved ? measure(s) : -1;
}
