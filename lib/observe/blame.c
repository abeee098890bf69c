/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blame.c - where the time of callers went.
 *
 * What a caller waited is dur_s of the outermost request.  Of that, events tell
 * how long the attempts that failed took, back-offs, waits for a slot, and what
 * was needed to stop commands beyond their limits; the rest is the attempt that
 * was the answer.  Overhead is what its process lasted beyond that.
 *
 * Policies are those that have a series: all others are in _overflow here, too.
 */
#include "observe/blame.h"

#include "observe/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[NL_PARTS] = { "answer", "failed attempts", "back-off", "queue", "grace", "overhead" };
static const char *const keys[NL_PARTS] = { "answer_s", "failed_s", "backoff_s", "queue_s", "grace_s", "overhead_s" };

struct blame {
	struct nl_listener base;
	struct nl_marks *marks;
};

/* All of one policy. */
struct sum { uint64_t hash, calls; int64_t part[NL_PARTS]; char name[128]; };

/* An answer in the making: sums by hash, the last one for others. */
struct sums { struct sum *of; unsigned n; int64_t after_s; };

static void blame_line(struct nl_listener *l, enum nl_line is, const struct nl_fact *f, const char *text, size_t n)
{
	(void)text, (void)n;
	if (f && is != NL_LINE_DUP)
		nl_marks_take(((struct blame *)l)->marks, f);
}

static int blame_begin(struct nl_ask *ask, struct nl_intake *in, struct nl_err *err)
{
	if (ask->by && strcmp(ask->by, "policy") && strcmp(ask->by, "stack"))
		return nl_fail(err, "blame: --by '%.40s': policy or stack", ask->by);
	if (nl_ask_events(ask, in, "blame", err) < 0)
		return -1;
	struct blame *b = calloc(1, sizeof *b);
	if (!b || !(b->marks = nl_marks_new())) {
		free(b);
		return nl_fail(err, "out of memory");
	}
	b->base.line = blame_line;
	nl_intake_listen(in, &b->base);
	ask->data = b;
	return 0;
}

static int by_hash(const void *a, const void *b)
{
	const struct sum *x = a, *y = b;
	return (x->hash > y->hash) - (x->hash < y->hash);
}

static int name_sums(struct sums *to, const struct nl_system *system)
{
	to->n = nl_system_count(system);
	to->of = calloc(to->n + 1, sizeof *to->of);
	if (!to->of)
		return -1;
	for (unsigned i = 0; i < to->n; i++) {
		const struct nl_series *s = nl_system_series(system, i);
		to->of[i].hash = nl_blame_name(nl_quoted(s->kind_text), nl_quoted(s->policy));
		snprintf(to->of[i].name, sizeof to->of[i].name, "%s/%s", s->kind_text, s->policy);
	}
	qsort(to->of, to->n, sizeof *to->of, by_hash);
	snprintf(to->of[to->n].name, sizeof to->of[0].name, "_overflow");
	return 0;
}

static void add_call(void *arg, const struct nl_blamed *call)
{
	struct sums *to = arg;
	struct sum key = { .hash = call->name };
	if (call->end_us / 1000000 <= to->after_s)
		return;
	struct sum *s = bsearch(&key, to->of, to->n, sizeof key, by_hash);
	s = s ? s : &to->of[to->n];
	s->calls++;
	for (unsigned i = 0; i < NL_PARTS; i++)
		s->part[i] += call->part[i];
}

static int64_t total(const struct sum *p)
{
	int64_t sum = 0;
	for (unsigned i = 0; i < NL_PARTS; i++)
		sum += p->part[i];
	return sum;
}

static int longest_first(const void *a, const void *b)
{
	int64_t x = total(a), y = total(b);
	return x < y ? 1 : x > y ? -1 : strcmp(((const struct sum *)a)->name, ((const struct sum *)b)->name);
}

static void put_stacks(struct nl_out *o, const struct sum *p)
{
	char name[256];
	for (unsigned i = 0; i < NL_PARTS; i++)
		if (p->part[i] > 0)
			nl_out_put(o, "%s;%s %lld\n", nl_safe_text(p->name, 90, name), names[i], (long long)p->part[i]);
}

static void put_json(struct nl_out *o, const struct sum *p)
{
	nl_out_begin(o, NULL, '{');
	nl_out_str(o, "policy", p->name);
	nl_out_uint(o, "calls", p->calls);
	nl_out_secs(o, "total_s", total(p) * NL_US);
	for (unsigned i = 0; i < NL_PARTS; i++)
		nl_out_secs(o, keys[i], p->part[i] * NL_US);
	nl_out_end(o, '}');
	nl_out_bytes(o, "\n", 1);
}

static void put_row(struct nl_out *o, const struct sum *p)
{
	char name[256], text[32];
	nl_out_put(o, "%-22s %6s %7s", nl_safe_text(p->name, 22, name), nl_count_text(p->calls, text), nl_span_text((double)total(p) / 1e6, (char[32]){ 0 }));
	for (unsigned i = 0; i < NL_PARTS; i++)
		nl_out_put(o, " %5.1f%%", total(p) ? 100.0 * (double)p->part[i] / (double)total(p) : 0);
	nl_out_put(o, "\n");
}

/* "Of 12.4 s, 61 % were waited for back-off." */
static void put_worst(struct nl_out *o, const struct sum *sum)
{
	char text[32];
	unsigned worst = NL_P_FAILED;
	for (unsigned i = NL_P_FAILED; i < NL_PARTS; i++)
		worst = sum->part[i] > sum->part[worst] ? i : worst;
	if (total(sum) > 0 && sum->part[worst] * 100 >= total(sum))
		nl_out_put(o, "\nOf %s, %.0f %% went to %s.\n", nl_span_text((double)total(sum) / 1e6, text),
		           100.0 * (double)sum->part[worst] / (double)total(sum), names[worst]);
}

static void put_sums(struct nl_ask *ask, struct nl_out *o, const struct sums *from)
{
	struct sum all = { .name = "all" };
	bool text = !ask->json && !(ask->by && !strcmp(ask->by, "stack"));
	if (text)
		nl_out_put(o, "%-22s %6s %7s %6s %6s %6s %6s %6s %6s\n", "POLICY", "CALLS", "TIME", "ANSWER", "FAILED", "BACKOF", "QUEUE", "GRACE", "OVERH");
	for (unsigned i = 0; i <= from->n; i++) {
		const struct sum *p = &from->of[i];
		if (!p->calls)
			continue;
		(text ? put_row : ask->json ? put_json : put_stacks)(o, p);
		all.calls += p->calls;
		for (unsigned k = 0; k < NL_PARTS; k++)
			all.part[k] += p->part[k];
	}
	if (text)
		put_worst(o, &all);
}

static int blame_answer(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	struct blame *b = ask->data;
	struct sums sums = { .after_s = ask->window_us ? ask->now_us / 1000000 - ask->window_us / 1000000 : INT64_MIN };
	if (name_sums(&sums, ask->system) < 0 || nl_marks_each(b->marks, add_call, &sums) < 0) {
		free(sums.of);
		return nl_fail(err, "out of memory");
	}
	qsort(sums.of, sums.n + 1, sizeof *sums.of, longest_first);
	put_sums(ask, o, &sums);
	uint64_t one_of = nl_marks_one_of(b->marks);
	if (one_of > 1)
		nl_fail(err, "blame: too many calls: these are those of one trace of %llu", (unsigned long long)one_of);
	free(sums.of);
	return 0;
}

static void blame_end(struct nl_ask *ask)
{
	struct blame *b = ask->data;
	if (b)
		nl_marks_free(b->marks);
	free(b);
	ask->data = NULL;
}

const struct nl_query nl_q_blame = {
	.name = "blame", .args = "", .about = "where time went: attempts, back-off, queue, grace", .windowed = true,
	.begin = blame_begin, .answer = blame_answer, .end = blame_end,
};
