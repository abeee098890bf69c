/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blame.c - where the time of callers went.
 *
 * What a caller waited is dur_s of the outermost request.  Of that, events tell
 * how long the attempts that failed took, back-offs, waits for a slot, and what
 * was needed to stop commands beyond their limits; the rest is the attempt that
 * was the answer.  Overhead is what its process lasted beyond that.  All of one
 * outermost call have its trace and come before its request does.
 */
#include "observe/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum part { ANSWER, FAILED, BACKOFF, QUEUE, GRACE, OVERHEAD, PARTS };
static const char *const names[PARTS] = { "answer", "failed attempts", "back-off", "queue", "grace", "overhead" };
static const char *const keys[PARTS] = { "answer_s", "failed_s", "backoff_s", "queue_s", "grace_s", "overhead_s" };

#define CALLS (1u << 16)                /* going on at once, or in a window */
#define POLICIES 2000

/* A call that has not ended: what its inner events said.  inside: of queue and
 * grace what belongs to the attempt that goes on, below this depth. */
struct going { uint64_t trace; int64_t part[PARTS], inside; uint32_t depth; bool used; };
/* One that has. */
struct call { int64_t time_us; unsigned policy; int64_t part[PARTS]; };
struct blamed { char name[96]; uint64_t calls; int64_t part[PARTS]; };

struct blame {
	struct nl_listener base;
	struct going going[CALLS];
	struct call *call;              /* the last CALLS: a ring */
	size_t calls;
	uint64_t run;                   /* whose outermost request came last, */
	int64_t run_dur;
	unsigned n, last;
	struct blamed policy[POLICIES];
};

static struct going *going_of(struct blame *b, const struct nl_fact *f)
{
	uint64_t trace = (f->trace[0] ^ f->trace[1]) | 1;
	struct going *g = &b->going[trace * UINT64_C(0x9e3779b97f4a7c15) >> 48];
	if (!g->used || g->trace != trace)      // Who has its place had no end, or was one of too many.
		*g = (struct going){ .trace = trace, .used = true };
	return g;
}

static unsigned policy_of(struct blame *b, const struct nl_fact *f)
{
	char name[96] = "";
	snprintf(name, sizeof name, "%.*s/%.*s", (int)f->kind.n, f->kind.s, (int)f->policy.n, f->policy.s);
	for (unsigned i = 0; i < b->n; i++)
		if (!strcmp(b->policy[i].name, name))
			return i;
	if (b->n == POLICIES)
		return POLICIES - 1;
	memcpy(b->policy[b->n].name, name, sizeof name);
	return b->n++;
}

static void call_ends(struct blame *b, const struct nl_fact *f)
{
	struct going *g = going_of(b, f);
	struct call *c = &b->call[b->calls++ % CALLS];
	*c = (struct call){ .time_us = f->time_us, .policy = policy_of(b, f) };
	memcpy(c->part, g->part, sizeof c->part);
	c->part[ANSWER] = f->dur_us - c->part[FAILED] - c->part[BACKOFF] - c->part[QUEUE] - c->part[GRACE];
	if (c->part[ANSWER] < 0)                // No attempt was the answer: the last that failed is counted in dur_s alone.
		c->part[FAILED] += c->part[ANSWER], c->part[ANSWER] = 0;
	if (f->told == NL_TOLD_FAILURE)
		c->part[FAILED] += c->part[ANSWER], c->part[ANSWER] = 0;
	b->policy[c->policy].calls++;
	for (unsigned i = 0; i < PARTS; i++)
		b->policy[c->policy].part[i] += c->part[i];
	b->run = f->run, b->run_dur = f->dur_us, b->last = c->policy;
	g->used = false;
}

static void add(int64_t *sum, int64_t us)
{
	*sum += us > 0 ? us : 0;
}

static void add_inside(struct going *g, enum part part, int64_t us, uint32_t depth)
{
	add(&g->part[part], us);
	add(&g->inside, us);
	g->depth = depth;
}

static void attempt_failed(struct going *g, const struct nl_fact *f)
{
	bool around = f->depth < g->depth;      // Else it was waited before the attempts began.
	add(&g->part[FAILED], f->dur_us - (around ? g->inside : 0));
	add(&g->part[BACKOFF], f->delay_us);
	g->inside = 0;
}

static void blame_line(struct nl_listener *l, enum nl_line is, const struct nl_fact *f, const char *text, size_t n)
{
	struct blame *b = (struct blame *)l;
	(void)text, (void)n;
	if (!f || is == NL_LINE_DUP)
		return;
	switch (f->told) {
	case NL_TOLD_ATTEMPT:
		attempt_failed(going_of(b, f), f);
		break;
	case NL_TOLD_ACQUIRED: case NL_TOLD_BULKHEAD_REJECTED:
		add_inside(going_of(b, f), QUEUE, f->waited_us, f->depth);
		break;
	case NL_TOLD_TIMEOUT: {
		int64_t limit = nl_fact_us(f, "limit_s", -1);
		if (limit >= 0)
			add_inside(going_of(b, f), GRACE, f->dur_us - limit, f->depth);
		break;
	}
	case NL_TOLD_SUCCESS: case NL_TOLD_FAILURE:
		if (f->depth == 0 && f->dur_us >= 0)
			call_ends(b, f);
		break;
	case NL_TOLD_RUN_ENDED:
		if (f->run == b->run && f->depth == 0 && b->calls) {
			int64_t over = f->dur_us - b->run_dur;
			add(&b->policy[b->last].part[OVERHEAD], over);
			add(&b->call[(b->calls - 1) % CALLS].part[OVERHEAD], over);
			b->run = 0;
		}
		break;
	default:
		break;
	}
}

static int blame_begin(struct nl_ask *ask, struct nl_intake *in, struct nl_err *err)
{
	if (ask->by && strcmp(ask->by, "policy") && strcmp(ask->by, "stack"))
		return nl_fail(err, "blame: --by '%.40s': policy or stack", ask->by);
	if (nl_ask_events(ask, in, "blame", err) < 0)
		return -1;
	struct blame *b = calloc(1, sizeof *b);
	if (!b || !(b->call = calloc(CALLS, sizeof *b->call))) {
		free(b);
		return nl_fail(err, "out of memory");
	}
	b->base.line = blame_line;
	nl_intake_listen(in, &b->base);
	ask->data = b;
	return 0;
}

/* Those of the window instead of all. */
static void only_window(struct blame *b, int64_t now_us, int64_t window_us)
{
	int64_t after = now_us / 1000000 - window_us / 1000000;
	for (unsigned i = 0; i < b->n; i++)
		b->policy[i].calls = 0, memset(b->policy[i].part, 0, sizeof b->policy[i].part);
	for (size_t i = b->calls > CALLS ? b->calls - CALLS : 0; i < b->calls; i++) {
		const struct call *c = &b->call[i % CALLS];
		if (c->time_us / 1000000 <= after)
			continue;
		b->policy[c->policy].calls++;
		for (unsigned k = 0; k < PARTS; k++)
			b->policy[c->policy].part[k] += c->part[k];
	}
}

static int64_t total(const struct blamed *p)
{
	int64_t sum = 0;
	for (unsigned i = 0; i < PARTS; i++)
		sum += p->part[i];
	return sum;
}

static int longest_first(const void *a, const void *b)
{
	int64_t x = total(a), y = total(b);
	return x < y ? 1 : x > y ? -1 : strcmp(((const struct blamed *)a)->name, ((const struct blamed *)b)->name);
}

static void put_stacks(struct nl_out *o, const struct blamed *p)
{
	char name[256];
	for (unsigned i = 0; i < PARTS; i++)
		if (p->part[i] > 0)
			nl_out_put(o, "%s;%s %lld\n", nl_safe_text(p->name, 90, name), names[i], (long long)p->part[i]);
}

static void put_json(struct nl_out *o, const struct blamed *p)
{
	nl_out_begin(o, NULL, '{');
	nl_out_str(o, "policy", p->name);
	nl_out_uint(o, "calls", p->calls);
	nl_out_secs(o, "total_s", total(p) * NL_US);
	for (unsigned i = 0; i < PARTS; i++)
		nl_out_secs(o, keys[i], p->part[i] * NL_US);
	nl_out_end(o, '}');
	nl_out_bytes(o, "\n", 1);
}

static void put_row(struct nl_out *o, const struct blamed *p)
{
	char name[256], text[32];
	nl_out_put(o, "%-22s %6s %7s", nl_safe_text(p->name, 22, name), nl_count_text(p->calls, text), nl_span_text((double)total(p) / 1e6, (char[32]){ 0 }));
	for (unsigned i = 0; i < PARTS; i++)
		nl_out_put(o, " %5.1f%%", total(p) ? 100.0 * (double)p->part[i] / (double)total(p) : 0);
	nl_out_put(o, "\n");
}

/* "Of 12.4 s, 61 % were waited for back-off." */
static void put_worst(struct nl_out *o, const struct blamed *sum)
{
	char text[32];
	unsigned worst = FAILED;
	for (unsigned i = FAILED; i < PARTS; i++)
		worst = sum->part[i] > sum->part[worst] ? i : worst;
	if (total(sum) > 0 && sum->part[worst] * 100 >= total(sum))
		nl_out_put(o, "\nOf %s, %.0f %% went to %s.\n", nl_span_text((double)total(sum) / 1e6, text),
		           100.0 * (double)sum->part[worst] / (double)total(sum), names[worst]);
}

static int blame_answer(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	struct blame *b = ask->data;
	struct blamed sum = { .name = "all" };
	(void)err;
	if (ask->window_us)
		only_window(b, ask->now_us, ask->window_us);
	qsort(b->policy, b->n, sizeof b->policy[0], longest_first);
	bool text = !ask->json && !(ask->by && !strcmp(ask->by, "stack"));
	if (text)
		nl_out_put(o, "%-22s %6s %7s %6s %6s %6s %6s %6s %6s\n", "POLICY", "CALLS", "TIME", "ANSWER", "FAILED", "BACKOF", "QUEUE", "GRACE", "OVERH");
	for (unsigned i = 0; i < b->n && b->policy[i].calls; i++) {
		const struct blamed *p = &b->policy[i];
		(text ? put_row : ask->json ? put_json : put_stacks)(o, p);
		sum.calls += p->calls;
		for (unsigned k = 0; k < PARTS; k++)
			sum.part[k] += p->part[k];
	}
	if (text)
		put_worst(o, &sum);
	return 0;
}

static void blame_end(struct nl_ask *ask)
{
	struct blame *b = ask->data;
	if (b)
		free(b->call);
	free(b);
	ask->data = NULL;
}

const struct nl_query nl_q_blame = {
	.name = "blame", .args = "", .about = "where the time of callers went: attempts, back-off, queue, grace", .begin = blame_begin,
	.answer = blame_answer, .end = blame_end,
};
