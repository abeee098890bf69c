/* SPDX-License-Identifier: Apache-2.0 */
/*
 * laws_test.c - random expressions around random commands: what the real parser
 * and the real layers make of them is what the oracle says, and the laws that
 * ninelives(7) states hold.
 *
 * SIM_CASES=N (100000) expressions, and as many pairs for all laws together,
 * from SIM_SEED=N (the time).  A case that fails is repeated by the SIM_SEED
 * that is printed with it, and SIM_CASES=1.
 */
#include "expr.h"
#include "oracle.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct sim_log slog;

static unsigned pick(uint64_t *s, unsigned n)
{
	return (unsigned)(nl_random(s) >> 33) % n;
}

/* What the leaf's run does: the same in every expression of a case. */
static struct sim_cmd script(const struct sim_plan *p, unsigned leaf, unsigned run)
{
	static const int ends[] = { NL_EXIT(75), NL_EXIT(124), NL_EXIT(125), NL_EXIT(126), NL_EXIT(255), 9, 13, 15 };
	uint64_t s = p->seed * 977 + leaf * 64 + run + 1;
	// Commands tie with each other, but not with limits: a limit that passes as its command ends may be hit or not.
	struct sim_cmd c = { .dur = (1 + pick(&s, 5)) * 100 * NL_MS + 13 * NL_US, .way = SIM_OBEYS };
	c.ws = pick(&s, 100) < p->success ? 0 : pick(&s, 3) ? NL_EXIT(1 + (int)pick(&s, 3)) : ends[pick(&s, sizeof ends / sizeof *ends)];
	if (pick(&s, 30) == 0)
		return (struct sim_cmd){ .way = SIM_MISSING, .ws = NL_EXIT(NL_EX_NOTFOUND) };
	if (pick(&s, 20) == 0)
		c.dur = 0;
	snprintf(c.says, sizeof c.says, "%u.%u ", leaf, run);
	return c;
}

/* An expression and what came of it. */
struct done { char text[8192]; int ws; nl_time at; unsigned runs; size_t outs; char out[sizeof slog.out]; const char *wrong; };

static _Noreturn void bail_out(const struct sim_plan *p, const char *text, const char *why)
{
	printf("Bail out! SIM_SEED=%llu: %s: %s\n", (unsigned long long)p->seed, text, why);
	exit(1);
}

static void play(struct sim_plan *p, struct done *d)
{
	static char tool[] = "nl-timeout", inf[] = "inf", cmd[] = "cmd", *command[] = { cmd, NULL };
	struct nl_err err = { "" };
	struct nl_spot where;
	struct nl_words words = { 0 };
	struct nl_expr_tree *tree = nl_expr_parse(d->text, NULL, &err, &where);
	if (!tree || nl_expr_words(tree->root, command, &words, &err) < 0)
		bail_out(p, d->text, err.msg);
	char **line = malloc((words.n + 3) * sizeof *line);
	if (!line)
		abort();
	line[0] = tool, line[1] = inf;
	memcpy(line + 2, words.v, (words.n + 1) * sizeof *line);
	p->line = line;
	struct sim_result r = sim_world(p, &slog);
	d->ws = r.ws, d->at = r.at, d->runs = r.runs, d->outs = slog.outs, d->wrong = slog.wrong;
	memcpy(d->out, slog.out, slog.outs);
	free(line);
	nl_words_free(&words);
	nl_expr_free(tree);
}

static void show(const char *who, const struct done *d)
{
	printf("#   %s 0x%x at %.3f after %u runs, says '%.*s'%s%s\n#     %s\n", who, (unsigned)d->ws, (double)d->at / 1e9, d->runs,
	       (int)d->outs, d->out, d->wrong ? "; " : "", d->wrong ? d->wrong : "", d->text);
}

static bool alike(const struct done *a, const struct done *b, bool always)
{
	return a->ws == b->ws && a->at == b->at
	       && ((!always && a->ws) || (a->outs == b->outs && !memcmp(a->out, b->out, a->outs)));
}

static struct sim_plan plan_of(uint64_t seed)
{
	static const unsigned success[] = { 5, 30, 60 };
	uint64_t s = seed;
	struct sim_plan p = { .seed = seed, .stop_at = NL_NEVER, .horizon = NL_NEVER, .script = script };
	p.success = success[pick(&s, 3)];
	p.leaf = pick(&s, 4) != 0;
	return p;
}

static struct sim_grove grove_of(uint64_t seed)
{
	struct sim_grove g = { .rnd = seed ^ 0x9e3779b97f4a7c15, .retries = 4, .unit = 100 * NL_MS };
	g.hold = pick(&g.rnd, 2);
	return g;
}

static void write_out(const struct sim_term *e, uint64_t *rnd, struct done *d)
{
	sim_write(e, rnd, d->text, sizeof d->text);
}

/* Random expressions against the oracle. */
static unsigned strangers, successes, widest;

static void against_oracle(uint64_t seed)
{
	static struct done is;
	struct sim_plan p = plan_of(seed);
	struct sim_grove g = grove_of(seed);
	const struct sim_term *e;
	do {
		g.n = 0, g.retries = 4;
		e = sim_grow(&g, 1 + pick(&g.rnd, 8));
	} while (sim_width(e) > 24);
	write_out(e, &g.rnd, &is);
	play(&p, &is);
	struct sim_oracle o = { .script = script, .plan = &p };
	struct sim_end_of end = sim_mean(&o, e);
	struct done means = { .ws = end.ws, .at = end.at, .runs = o.runs, .outs = o.outs, .text = "" };
	memcpy(means.out, o.out, o.outs);
	successes += end.ws == 0;
	widest = sim_width(e) > widest ? sim_width(e) : widest;
	if ((alike(&is, &means, true) && !is.wrong) || strangers++ >= 5)
		return;
	printf("# SIM_SEED=%llu (%s)\n", (unsigned long long)seed, p.leaf ? "leaf" : "exec");
	show("is", &is);
	show("oracle", &means);
}

/* The laws: two terms made of the same parts. */

struct parts { const struct sim_term *a, *b, *c; struct sim_grove *g; unsigned m, n; nl_time s, t; };
static const struct sim_term pass = { .op = SIM_PASS }, fail = { .op = SIM_FAIL };

static const struct sim_term *two(struct parts *p, unsigned op, const struct sim_term *a, const struct sim_term *b)
{
	return sim_term(p->g, (struct sim_term){ .op = op, .a = a, .b = b });
}

static const struct sim_term *retry(struct parts *p, unsigned n)
{
	return sim_term(p->g, (struct sim_term){ .op = SIM_RETRY, .n = n, .t = 50 * NL_MS });
}

static const struct sim_term *timeout(struct parts *p, nl_time t)
{
	return sim_term(p->g, (struct sim_term){ .op = SIM_TIMEOUT, .t = t });
}

#define WRAP(x, y) two(p, SIM_WRAP, x, y)
#define ELSE(x, y) two(p, SIM_ELSE, x, y)
#define RACE(x, y) two(p, SIM_RACE, x, y)
#define A p->a
#define B p->b
#define C p->c
#define LAWS(X) \
	X("(A + B) + C = A + (B + C)", WRAP(WRAP(A, B), C), WRAP(A, WRAP(B, C))) \
	X("(A | B) | C = A | (B | C)", ELSE(ELSE(A, B), C), ELSE(A, ELSE(B, C))) \
	X("(A & B) & C = A & (B & C)", RACE(RACE(A, B), C), RACE(A, RACE(B, C))) \
	X("pass + A = A", WRAP(&pass, A), A) \
	X("A + pass = A", WRAP(A, &pass), A) \
	X("fail | A = A", ELSE(&fail, A), A) \
	X("A | fail = A", ELSE(A, &fail), A) \
	X("fail & A = A", RACE(&fail, A), A) \
	X("A & fail = A", RACE(A, &fail), A) \
	X("fail + A = fail", WRAP(&fail, A), &fail) \
	X("A + fail = fail", WRAP(A, &fail), &fail) \
	X("(A | B) + C = (A + C) | (B + C)", WRAP(ELSE(A, B), C), ELSE(WRAP(A, C), WRAP(B, C))) \
	X("(A & B) + C = (A + C) & (B + C)", WRAP(RACE(A, B), C), RACE(WRAP(A, C), WRAP(B, C))) \
	X("retry(1) + A = A", WRAP(retry(p, 1), A), A) \
	X("A + retry(1) = A", WRAP(A, retry(p, 1)), A) \
	X("timeout(s) + timeout(t) + A = timeout(min(s, t)) + A", WRAP(WRAP(timeout(p, p->s), timeout(p, p->t)), A), \
	  WRAP(timeout(p, p->s < p->t ? p->s : p->t), A))

static void sides_of(unsigned law, struct parts *p, const struct sim_term *side[2])
{
	unsigned i = 0;
#define SIDES(name, x, y) if (i++ == law) { side[0] = x, side[1] = y; }
	LAWS(SIDES)
}

static const char *const names[] = {
#define TEXT(name, x, y) name,
	LAWS(TEXT)
};
enum { NLAWS = sizeof names / sizeof *names };
static unsigned broken[NLAWS], tried[NLAWS];

static void obeys(unsigned law, uint64_t seed)
{
	static struct done is[2];
	const struct sim_term *side[2] = { NULL, NULL };
	struct sim_plan p = plan_of(seed);
	struct sim_grove g = grove_of(seed);
	struct parts parts = { .g = &g };
	do {
		g.n = 0, g.retries = 3;
		parts.a = sim_grow(&g, 1 + pick(&g.rnd, 3));
		parts.b = sim_grow(&g, 1 + pick(&g.rnd, 3));
		parts.c = sim_grow(&g, 1 + pick(&g.rnd, 2));
		parts.s = (1 + pick(&g.rnd, 9)) * g.unit, parts.t = (1 + pick(&g.rnd, 9)) * g.unit;
		sides_of(law, &parts, side);
	} while (sim_width(side[0]) > 24 || sim_width(side[1]) > 24);
	tried[law]++;
	for (int i = 0; i < 2; i++) {
		write_out(side[i], &g.rnd, &is[i]);
		play(&p, &is[i]);
	}
	if ((alike(&is[0], &is[1], false) && !is[0].wrong && !is[1].wrong) || broken[law]++ >= 3)
		return;
	printf("# %s: SIM_SEED=%llu\n", names[law], (unsigned long long)seed);
	show("left ", &is[0]);
	show("right", &is[1]);
}

/* Lines for tests/laws.bats: the end that is wanted, how often the command runs
 * ("-" where a race decides), and a line around flaky, whose runs all end alike. */
static struct sim_cmd steady(const struct sim_plan *p, unsigned leaf, unsigned run)
{
	(void)leaf, (void)run;
	return (struct sim_cmd){ .ws = (int)p->success, .way = SIM_OBEYS };
}

static bool races(const struct sim_term *e)
{
	return e->op == SIM_RACE || (e->op >= SIM_WRAP && (races(e->a) || races(e->b)));
}

static void print_line(uint64_t seed)
{
	static const struct { int ws; const char *word, *end; } ends[] = {
		{ 0, "0", "0" }, { NL_EXIT(3), "3", "3" }, { NL_EXIT(75), "75", "75" }, { NL_EXIT(126), "126", "126" }, { 15, "TERM", "TERM" },
	};
	static struct done d;
	struct sim_grove g = { .rnd = seed, .retries = 2, .unit = 30 * NL_SEC };
	unsigned k = pick(&g.rnd, sizeof ends / sizeof *ends);
	struct sim_plan p = { .success = (unsigned)ends[k].ws };
	const struct sim_term *e;
	do {
		g.n = 0, g.retries = 2;
		e = sim_grow(&g, 1 + pick(&g.rnd, 4));
	} while (sim_width(e) > 6);
	for (unsigned i = 0; i < g.n; i++)
		if (g.term[i].op == SIM_RETRY)
			g.term[i].t = 0;
	struct sim_oracle o = { .script = steady, .plan = &p };
	struct sim_end_of end = sim_mean(&o, e);
	write_out(e, &g.rnd, &d);
	if (nl_code(end.ws) > 128)
		printf("TERM ");
	else
		printf("%d ", nl_code(end.ws));
	if (races(e))
		printf("- ");
	else
		printf("%u ", o.runs);
	printf("nl-run '%s' flaky n %s\n", d.text, ends[k].word);
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	return text ? strtoull(text, NULL, 10) : otherwise;
}

int main(void)
{
	uint64_t seed = number("SIM_SEED", (uint64_t)time(NULL) * 1000003), cases = number("SIM_CASES", 100000);
	uint64_t lines = number("SIM_LINES", 0);
	for (uint64_t i = 0; i < lines; i++)
		print_line(seed + i);
	if (lines)
		return 0;
	printf("# SIM_SEED=%llu SIM_CASES=%llu\n", (unsigned long long)seed, (unsigned long long)cases);
	for (uint64_t i = 0; i < cases; i++)
		against_oracle(seed + i);
	TEST("laws: what random expressions do is what the oracle says")
		CHECK(strangers == 0 && (cases < 1000 || (successes > cases / 20 && widest > 4)));
	for (uint64_t i = 0; i < cases + (cases == 1 ? NLAWS - 1 : 0); i++)
		obeys((unsigned)(i % NLAWS), cases == 1 ? seed : seed + i);
	for (unsigned i = 0; i < NLAWS; i++) {
		char name[200];
		snprintf(name, sizeof name, "laws: %s", names[i]);
		TEST(name)
			CHECK(broken[i] == 0 && tried[i] > 0);
	}
	printf("# %u of %llu end in success, up to %u commands in a line\n", successes, (unsigned long long)cases, widest);
	return unit_done();
}
