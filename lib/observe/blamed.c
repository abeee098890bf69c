/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blamed.c - see blame.h: marks of what took time, and calls cut into parts.
 *
 * Each event says when something ended and how long it lasted.  Of all that is of
 * a call's trace and began within it or a moment before, at each moment one is to blame: the grace of
 * a timeout, else the innermost, and of those at one depth the queue before a
 * failed attempt before a back-off.  So the parts are the call's own duration,
 * whatever went on at once.
 */
#include "observe/blame.h"

#include "observe/texthash.h"

#include <stdlib.h>

#define MARKS (1u << 19)
enum { DEEPEST = 20, GRACE_LEVEL = 63, EARLY_US = 1000000 };    /* an event is stamped a little later than it was measured */

enum what { CALL, RUN, PIECE };
struct mark {
	uint64_t trace, id, name;       /* id: its run */
	int64_t from_us, us;
	uint8_t what, level, failed;
};

struct edge { int64_t at; uint8_t level; bool begins; };

struct nl_marks {
	struct mark *mark;
	size_t n, room;
	unsigned halved;                /* traces whose hash begins with so many zeros are kept */
	struct edge *edge;
	size_t edges;
};

struct nl_marks *nl_marks_new(void)
{
	return calloc(1, sizeof(struct nl_marks));
}

void nl_marks_free(struct nl_marks *m)
{
	if (m) {
		free(m->mark);
		free(m->edge);
	}
	free(m);
}

uint64_t nl_marks_one_of(const struct nl_marks *m)
{
	return UINT64_C(1) << m->halved;
}

uint64_t nl_blame_name(struct nl_quote kind, struct nl_quote policy)
{
	return nl_text_hash(policy.s, policy.n, nl_text_hash(kind.s, kind.n, nl_hash_key()));
}

/* The same in each process: which traces are kept must be. */
static bool is_kept(const struct nl_marks *m, uint64_t trace)
{
	return !m->halved || nl_mix(nl_mix(0, trace), 1) >> (64 - m->halved) == 0;
}

static void halve(struct nl_marks *m)
{
	size_t n = 0;
	m->halved++;
	for (size_t i = 0; i < m->n; i++)
		if (is_kept(m, m->mark[i].trace))
			m->mark[n++] = m->mark[i];
	m->n = n;
}

static void put(struct nl_marks *m, struct mark mark)
{
	while (is_kept(m, mark.trace)) {
		if (m->n < m->room) {
			m->mark[m->n++] = mark;
			return;
		}
		size_t room = m->room ? m->room * 2 : 1024;
		struct mark *more = room <= MARKS ? realloc(m->mark, room * sizeof *more) : NULL;
		if (more)
			m->mark = more, m->room = room;
		else if (m->halved < 63)
			halve(m);
		else
			return;
	}
}

static void put_piece(struct nl_marks *m, const struct nl_fact *f, enum nl_part part, int64_t from_us, int64_t us)
{
	unsigned depth = f->depth < DEEPEST ? f->depth : DEEPEST;
	unsigned level = part == NL_P_GRACE ? GRACE_LEVEL : depth * 3 + (part == NL_P_QUEUE ? 2 : part == NL_P_FAILED);
	if (us > 0)
		put(m, (struct mark){ .trace = f->trace[0] ^ f->trace[1], .id = f->run, .from_us = from_us, .us = us, .what = PIECE, .level = (uint8_t)level });
}

static enum nl_part part_of(unsigned level)
{
	static const enum nl_part part[] = { NL_P_BACKOFF, NL_P_FAILED, NL_P_QUEUE };
	return level == GRACE_LEVEL ? NL_P_GRACE : part[level % 3];
}

void nl_marks_take(struct nl_marks *m, const struct nl_fact *f)
{
	struct mark mark = { .trace = f->trace[0] ^ f->trace[1], .id = f->run, .from_us = f->time_us - f->dur_us, .us = f->dur_us };
	int64_t over = f->told == NL_TOLD_TIMEOUT ? nl_fact_us(f, "limit_s", -1) : -1;
	switch (f->told) {
	case NL_TOLD_ATTEMPT:
		put_piece(m, f, NL_P_FAILED, mark.from_us, mark.us);
		put_piece(m, f, NL_P_BACKOFF, f->time_us, f->delay_us);
		break;
	case NL_TOLD_ACQUIRED: case NL_TOLD_BULKHEAD_REJECTED:
		put_piece(m, f, NL_P_QUEUE, f->time_us - f->waited_us, f->waited_us);
		break;
	case NL_TOLD_TIMEOUT:
		if (over >= 0)
			put_piece(m, f, NL_P_GRACE, mark.from_us + over, mark.us - over);
		break;
	case NL_TOLD_SUCCESS: case NL_TOLD_FAILURE:
		mark.failed = f->told == NL_TOLD_FAILURE, mark.name = nl_blame_name(f->kind, f->policy);
		if (f->depth == 0 && f->dur_us >= 0)
			put(m, mark);
		break;
	case NL_TOLD_RUN_ENDED:
		mark.what = RUN, mark.from_us = 0;
		if (f->depth == 0 && f->dur_us >= 0)
			put(m, mark);
		break;
	default:
		break;
	}
}

#define BY(member) if (x->member != y->member) return x->member < y->member ? -1 : 1

/* Calls of a trace by run, its runs, its pieces by time. */
static int in_order(const void *a, const void *b)
{
	const struct mark *x = a, *y = b;
	BY(trace);
	BY(what);
	if (x->what != PIECE)
		BY(id);
	BY(from_us);
	BY(us);
	BY(level);
	BY(name);
	BY(failed);
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;
	return (x->at > y->at) - (x->at < y->at);
}

static void put_edges(struct edge *e, const struct mark *call, const struct mark *p)
{
	int64_t to = call->from_us + call->us, end = p->from_us + p->us;
	e[0] = (struct edge){ p->from_us > call->from_us ? p->from_us : call->from_us, p->level, true };
	e[1] = (struct edge){ end < to ? end : to, p->level, false };
	if (e[1].at < e[0].at)
		e[1].at = e[0].at;
}

/* From edge to edge, the highest of the levels that go on is to blame. */
static void share_out(struct nl_blamed *b, const struct edge *e, size_t n)
{
	size_t on[GRACE_LEVEL + 1] = { 0 };
	uint64_t any = 0;
	for (size_t i = 0; i < n; i++) {
		if (any && e[i].at > e[i - 1].at)
			b->part[part_of(63 - (unsigned)__builtin_clzll(any))] += e[i].at - e[i - 1].at;
		on[e[i].level] += e[i].begins ? 1 : (size_t)-1;
		any = on[e[i].level] ? any | UINT64_C(1) << e[i].level : any & ~(UINT64_C(1) << e[i].level);
	}
}

static size_t first_from(const struct mark *p, size_t n, int64_t us)
{
	size_t low = 0;
	while (low < n) {
		size_t at = low + (n - low) / 2;
		if (p[at].from_us < us)
			low = at + 1;
		else
			n = at;
	}
	return low;
}

static int cut_call(struct nl_marks *m, struct nl_blamed *b, const struct mark *call, const struct mark *p, size_t n)
{
	size_t from = first_from(p, n, call->from_us - EARLY_US), to = first_from(p, n, call->from_us + call->us), k = 0;
	*b = (struct nl_blamed){ .name = call->name, .end_us = call->from_us + call->us };
	if (m->edges < 2 * (to - from)) {
		struct edge *more = realloc(m->edge, 2 * (to - from) * sizeof *more);
		if (!more)
			return -1;
		m->edge = more, m->edges = 2 * (to - from);
	}
	for (size_t i = from; i < to; i++, k += 2)
		put_edges(m->edge + k, call, p + i);
	if (k) {
		qsort(m->edge, k, sizeof *m->edge, by_time);
		share_out(b, m->edge, k);
	}
	int64_t rest = call->us;
	for (unsigned i = 0; i < NL_PARTS; i++)
		rest -= b->part[i];
	b->part[call->failed ? NL_P_FAILED : NL_P_ANSWER] += rest;
	return 0;
}

/* What its process lasted beyond its calls is the last one's: spent is theirs. */
static int64_t overhead(uint64_t id, int64_t spent, const struct mark *run, size_t runs)
{
	size_t low = 0, high = runs;
	while (low < high) {
		size_t at = low + (high - low) / 2;
		if (run[at].id < id)
			low = at + 1;
		else
			high = at;
	}
	return low < runs && run[low].id == id && run[low].us > spent ? run[low].us - spent : 0;
}

static size_t count(const struct mark *m, size_t n, uint64_t trace, enum what what)
{
	size_t k = 0;
	while (k < n && m[k].trace == trace && m[k].what == what)
		k++;
	return k;
}

int nl_marks_each(struct nl_marks *m, void (*tell)(void *, const struct nl_blamed *), void *arg)
{
	if (m->n)
		qsort(m->mark, m->n, sizeof *m->mark, in_order);
	for (size_t at = 0; at < m->n;) {
		const struct mark *call = m->mark + at;
		size_t kinds[PIECE + 1], left = m->n - at;
		for (unsigned i = 0; i <= PIECE; i++) {
			kinds[i] = count(m->mark + at, left, call->trace, i);
			at += kinds[i], left -= kinds[i];
		}
		const struct mark *run = call + kinds[CALL], *piece = run + kinds[RUN];
		int64_t spent = 0;
		for (; call < run; call++) {
			struct nl_blamed b;
			if (cut_call(m, &b, call, piece, kinds[PIECE]) < 0)
				return -1;
			spent += call->us;
			if (call + 1 == run || call[1].id != call->id) {
				b.part[NL_P_OVERHEAD] = overhead(call->id, spent, run, kinds[RUN]);
				spent = 0;
			}
			tell(arg, &b);
		}
	}
	return 0;
}
