/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bounds_test.c - the worst case that nl-run --bounds tells, from both sides:
 * no run of the real layers exceeds it, and an adversary who chooses what each
 * command does and each random number reaches it.
 *
 * SIM_CASES=N (10000) expressions from SIM_SEED=N (the time); the adversary
 * searches one of SIM_SEARCH=N (10), the others run three times for each figure.
 */
#include "adversary.h"
#include "bounds.h"
#include "sim.h"
#include "unit.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LEAVES = 4, PATIENCE = 300000 };

static uint64_t rnd;

static unsigned pick(unsigned n)
{
	return (unsigned)(nl_random(&rnd) >> 33) % n;
}

/* An expression in the making: how many commands it may run is kept small. */
static struct { char text[2048]; size_t n; unsigned leaves, runs; } e;

__attribute__((format(printf, 1, 2))) static void put(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	e.n += (size_t)vsnprintf(e.text + e.n, sizeof e.text - e.n, fmt, ap);
	va_end(ap);
}

static unsigned span(void)
{
	return pick(3) ? (1 + pick(60)) * 100 : 1 + pick(5000);
}

static void put_stop(void)
{
	if (pick(3) == 0)
		put(", kill-after=%ums", span() / 4 + 1);
	if (pick(8) == 0)
		put(", signal=KILL");
}

static void put_retry(void)
{
	static const char *const kinds[] = { "exp", "const", "lin", "fib" };
	static const char *const jitters[] = { "none", "full", "equal", "decorrelated", "finagle", "polly" };
	unsigned n = 1 + pick(4), base = span();
	n = n * e.runs > 24 ? 1 : n;
	e.runs *= n;
	put("retry(%u, backoff=%s:%ums..%ums, jitter=%s", n, kinds[pick(4)], base, base + span(), jitters[pick(3) ? pick(2) : pick(6)]);
	if (pick(4) == 0)
		put(", total=%ums", span() * 2);
	if (pick(4) == 0)
		put(", per-attempt=%ums", span());
	put_stop();
	put(")");
}

static void grow(unsigned depth);

static void put_branches(unsigned depth)
{
	const char *op = pick(2) ? "|" : "&";
	unsigned n = 2 + pick(2), runs = e.runs;
	e.leaves += n - 1;
	put("(");
	for (unsigned i = 0; i < n; i++) {
		e.runs = runs * n;
		put("%s(", i ? op : "");
		grow(depth);
		put(")");
	}
	put(")");
}

static void grow(unsigned depth)
{
	switch (depth ? pick(8) : 7) {
	case 0: case 1: case 2:
		put_retry();
		break;
	case 3: case 4:
		put("timeout(%ums", span() * (1 + pick(2)));
		put_stop();
		put(")");
		break;
	case 5:
		if (e.leaves < LEAVES) {
			put_branches(depth - 1);
			return;
		}
		put("pass");
		break;
	case 6:
		if (e.leaves < LEAVES && e.runs <= 8) {
			e.leaves *= 2, e.runs *= 2;
			put("race(hedge=2, delay=%ums", pick(3) ? span() : 0);
			put_stop();
			put(")");
			break;
		}
		put("pass");
		break;
	default:                                // The end: mostly with a limit, or all would be infinite.
		put(pick(5) ? "timeout(%ums, kill-after=%ums)" : "pass", span(), span() / 4 + 1);
		return;
	}
	put(" + ");
	grow(depth - 1);
}

static int64_t runs_of(struct sim_result r, const struct sim_log *log)
{
	(void)log;
	return r.runs;
}

static int64_t wall_of(struct sim_result r, const struct sim_log *log)
{
	(void)log;
	return r.at;
}

static int64_t slept_of(struct sim_result r, const struct sim_log *log)
{
	nl_time slept = 0;
	(void)r;
	for (unsigned i = 0; i < log->n; i++)
		slept += log->step[i].sleep ? log->step[i].until - log->step[i].at : 0;
	return slept;
}

static int64_t most_of(struct sim_result r, const struct sim_log *log)
{
	(void)r;
	return log->most;
}

/* The figures, how the adversary goes for each, and what came of it. */
static struct figure {
	const char *name;
	size_t at;                      /* in struct nl_bounds */
	int64_t (*score)(struct sim_result, const struct sim_log *);
	nl_time slack;                  /* moments and luck are not to be hit exactly; 0: no time */
	bool hang, dead;
	unsigned searched, reached, exact, missed, exceeded, infinite;
} figures[] = {
	{ .name = "attempts", .at = offsetof(struct nl_bounds, attempts), .score = runs_of },
	{ .name = "wall_s", .at = offsetof(struct nl_bounds, wall), .score = wall_of, .slack = NL_US, .hang = true },
	{ .name = "slept_s", .at = offsetof(struct nl_bounds, slept), .score = slept_of, .slack = NL_MS },
	{ .name = "concurrency", .at = offsetof(struct nl_bounds, concurrency), .score = most_of, .hang = true },
	{ .name = "load", .at = offsetof(struct nl_bounds, load), .score = runs_of, .dead = true },
};
enum { FIGURES = sizeof figures / sizeof *figures };

static void say(const char *what, const struct figure *f, int64_t far, const struct nl_bound *b, uint64_t seed)
{
	double unit = f->slack ? NL_SEC : 1;
	printf("# SIM_SEED=%llu: %s %s: %.9g, bound %.9g%s\n#   %s\n", (unsigned long long)seed, f->name, what,
	       (double)far / unit, (double)b->n / unit, b->loose ? " at most" : "", e.text);
}

static void judge(struct figure *f, struct sim_target *t, const struct nl_bound *b, bool searches)
{
	if (b->n == NL_NEVER) {
		f->infinite++;
		return;
	}
	t->score = f->score, t->time = f->slack, t->hang = f->hang, t->dead = f->dead;
	t->enough = b->n - f->slack;
	int64_t far = searches ? sim_attack(t, &rnd, b->loose ? PATIENCE / 50 : PATIENCE) : sim_stroll(t, &rnd);
	if (far > b->n && f->exceeded++ < 5)
		say("exceeded", f, far, b, t->seed);
	if (!searches)
		return;
	f->searched++;
	f->exact += !b->loose;
	f->reached += far >= t->enough;
	if (far < t->enough && !b->loose && f->missed++ < 5)
		say("not reached", f, far, b, t->seed);
}

static void run_case(uint64_t seed, bool searches)
{
	static char tool[] = "nl-timeout", grace[] = "--kill-after=inf", inf[] = "inf", cmd[] = "cmd", *command[] = { cmd, NULL };
	struct nl_arena mem = { .most = 1 << 20 };
	struct nl_words words = { 0 };
	struct nl_err err = { "" };
	struct nl_spot where;
	struct nl_bounds b;
	rnd = seed;
	e.n = 0, e.leaves = e.runs = 1;
	grow(1 + pick(4));
	struct nl_expr_tree *tree = nl_expr_parse(e.text, NULL, &err, &where);
	struct nl_term *term = tree ? nl_term_new(tree->root, &mem, &err) : NULL;
	if (!term || nl_bounds_of(term, &b, &err) < 0 || nl_expr_words(tree->root, command, &words, &err) < 0) {
		printf("Bail out! SIM_SEED=%llu: %s: %s\n", (unsigned long long)seed, e.text, err.msg);
		exit(1);
	}
	struct sim_target t = { .words = words.n + 3, .seed = seed, .line = malloc((words.n + 4) * sizeof *t.line) };
	if (!t.line)
		abort();
	t.line[0] = tool, t.line[1] = grace, t.line[2] = inf;
	memcpy(t.line + 3, words.v, (words.n + 1) * sizeof *t.line);
	for (struct figure *f = figures; f < figures + FIGURES; f++)
		judge(f, &t, (const struct nl_bound *)((const char *)&b + f->at), searches);
	free(t.line);
	nl_words_free(&words);
	nl_expr_free(tree);
	nl_arena_free(&mem);
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	return text ? strtoull(text, NULL, 10) : otherwise;
}

int main(void)
{
	uint64_t seed = number("SIM_SEED", (uint64_t)time(NULL) * 1000003);
	unsigned cases = (unsigned)number("SIM_CASES", 10000), search = (unsigned)number("SIM_SEARCH", 10);
	char name[120];
	printf("# SIM_SEED=%llu SIM_CASES=%u\n", (unsigned long long)seed, cases);
	for (unsigned i = 0; i < cases; i++)
		run_case(seed + i, i % search == 0);
	for (const struct figure *f = figures; f < figures + FIGURES; f++) {
		snprintf(name, sizeof name, "bounds: no run exceeds %s", f->name);
		TEST(name)
			CHECK(f->exceeded == 0);
		snprintf(name, sizeof name, "bounds: an adversary reaches %s where it is exact, and it mostly is", f->name);
		TEST(name)
			CHECK(f->missed * 500 <= f->searched && (f->searched < 50 || f->exact * 10 >= f->searched * 8));
		printf("# %s: of %u searched %u reached, %u exact, %u missed; %u infinite\n", f->name, f->searched, f->reached, f->exact, f->missed,
		       f->infinite);
	}
	printf("# %u cases, %llu runs\n", cases, (unsigned long long)sim_attacks());
	return unit_done();
}
