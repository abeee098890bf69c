/* SPDX-License-Identifier: Apache-2.0 */
/*
 * laws_test.c - random expressions around random commands: what the real parser
 * and the real layers make of them is what the oracle says, and the laws that
 * ninelives(7) states hold.
 *
 * SIM_CASES=N (100000) expressions, and as many pairs for all laws together,
 * from SIM_SEED=N (the time).  A case that fails is repeated by the SIM_SEED
 * that is printed with it, and SIM_CASES=1.  SIM_LINES=N prints so many cases for
 * tests/aid/laws.c instead.
 */
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
	struct sim_cmd c = { .dur = (1 + pick(&s, 5)) * 100 * NL_MS, .way = SIM_OBEYS };
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

static void play(struct sim_plan *p, struct done *d)
{
	static char tool[] = "nl-run", command[] = "cmd";
	char *line[] = { tool, d->text, command, NULL };
	p->line = line;
	struct sim_result r = sim_world(p, &slog);
	d->ws = r.ws, d->at = r.at, d->runs = r.runs, d->outs = slog.outs, d->wrong = slog.wrong;
	memcpy(d->out, slog.out, slog.outs);
}

static void show(const char *who, const struct done *d)
{
	printf("#   %s 0x%x at %.3f after %u runs, says '%.*s'%s%s\n#     %s\n", who, (unsigned)d->ws, (double)d->at / 1e9, d->runs,
	       (int)d->outs, d->out, d->wrong ? "; " : "", d->wrong ? d->wrong : "", d->text);
}

enum output { ALWAYS, ON_SUCCESS, NEVER };     /* when it has to be the same */

static bool alike(const struct done *a, const struct done *b, enum output when)
{
	bool same = a->outs == b->outs && !memcmp(a->out, b->out, a->outs);
	return a->ws == b->ws && a->at == b->at && (same || when == NEVER || (when == ON_SUCCESS && a->ws));
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
	struct sim_fate end = sim_mean(&o, e);
	struct done means = { .ws = end.ws, .at = end.at, .runs = o.runs, .outs = o.outs, .text = "" };
	memcpy(means.out, o.out, o.outs);
	successes += end.ws == 0;
	widest = sim_width(e) > widest ? sim_width(e) : widest;
	if ((alike(&is, &means, o.tie ? NEVER : ALWAYS) && !is.wrong) || strangers++ >= 5)
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
#define SIDES(name, x, y) if (i++ == law) { side[0] = (x), side[1] = (y); }
	LAWS(SIDES)
}

static const char *const names[] = {
#define NAME(name, x, y) name,
	LAWS(NAME)
};
#define COUNT (sizeof names / sizeof *names)

static unsigned broken[COUNT], good[COUNT];

static void against_law(unsigned law, uint64_t seed)
{
	static struct done left, right;
	struct sim_plan p = plan_of(seed);
	struct sim_grove g = grove_of(seed);
	struct parts parts = { .g = &g };
	const struct sim_term *side[2] = { NULL, NULL };
	do {
		g.n = 0, g.retries = 4;
		parts.a = sim_grow(&g, 1 + pick(&g.rnd, 3));
		parts.b = sim_grow(&g, 1 + pick(&g.rnd, 3));
		parts.c = sim_grow(&g, 1 + pick(&g.rnd, 3));
		parts.s = (1 + pick(&g.rnd, 5)) * g.unit, parts.t = (1 + pick(&g.rnd, 5)) * g.unit;
		sides_of(law, &parts, side);
	} while (sim_width(side[0]) > 24);
	/* Where nothing of a failed attempt is seen, they may stand for each other anywhere. */
	const struct sim_term *around = g.hold && pick(&g.rnd, 2) ? sim_grow(&g, 1 + pick(&g.rnd, 2)) : NULL;
	for (int i = 0; i < 2 && around; i++)
		side[i] = sim_term(&g, (struct sim_term){ .op = SIM_WRAP, .a = around, .b = side[i] });
	write_out(side[0], &g.rnd, &left);
	write_out(side[1], &g.rnd, &right);
	play(&p, &left);
	play(&p, &right);
	good[law] += left.ws == 0;
	if (alike(&left, &right, ON_SUCCESS) || broken[law]++ >= 3)
		return;
	printf("# SIM_SEED=%llu: %s\n", (unsigned long long)seed, names[law]);
	show("left ", &left);
	show("right", &right);
}

/* What does not hold, each by one case. */
static const struct sim_cmd *fixed;

static struct sim_cmd as_fixed(const struct sim_plan *p, unsigned leaf, unsigned run)
{
	(void)p;
	struct sim_cmd c = fixed[leaf * 4 + (run < 3 ? run : 3)];
	snprintf(c.says, sizeof c.says, "%u.%u ", leaf, run);
	return c;
}

#define TAKES(tenths, status) { .dur = (tenths) * 100 * NL_MS, .ws = NL_EXIT(status), .way = SIM_OBEYS }
#define ALL(x) x, x, x, x

static struct done of_text(const char *text, const struct sim_cmd *cmds)
{
	struct sim_plan p = { .stop_at = NL_NEVER, .horizon = NL_NEVER, .script = as_fixed, .leaf = true };
	struct done d;
	fixed = cmds;
	snprintf(d.text, sizeof d.text, "%s", text);
	play(&p, &d);
	return d;
}

static bool says(const struct done *d, const char *text)
{
	return d->outs == strlen(text) && !memcmp(d->out, text, d->outs);
}

static void counterexamples(void)
{
	static const struct sim_cmd slow_then_good[] = { ALL(TAKES(3, 1)), ALL(TAKES(3, 0)) };
	static const struct sim_cmd left_fails[] = { ALL(TAKES(1, 1)), ALL(TAKES(1, 0)) };
	static const struct sim_cmd both_fail[] = { ALL(TAKES(1, 1)), ALL(TAKES(1, 1)) };
	static const struct sim_cmd both_good[] = { ALL(TAKES(1, 0)), ALL(TAKES(1, 0)) };
	static const struct sim_cmd five[] = { TAKES(1, 3), TAKES(1, 4), ALL(TAKES(1, 0)), TAKES(0, 0), TAKES(0, 0) };
	struct done a, b;
	TEST("laws: timeout + (B | C) is one budget, (timeout + B) | (timeout + C) is two") {
		a = of_text("timeout(500ms) + (pass | pass)", slow_then_good);
		b = of_text("(timeout(500ms) + pass) | (timeout(500ms) + pass)", slow_then_good);
		CHECK(a.ws == NL_EXIT(124) && a.at == 500 * NL_MS);
		CHECK(b.ws == 0 && b.at == 600 * NL_MS);
	}
	TEST("laws: retry + (B | C) tries C after the first failure, (retry + B) | (retry + C) after the last") {
		a = of_text("retry(3, backoff=constant:0) + (pass | pass)", left_fails);
		b = of_text("(retry(3, backoff=constant:0) + pass) | (retry(3, backoff=constant:0) + pass)", left_fails);
		CHECK(a.ws == 0 && a.runs == 2);
		CHECK(b.ws == 0 && b.runs == 4);
		a = of_text("retry(2, backoff=constant:0) + (pass | pass)", both_fail);
		CHECK(a.ws == NL_EXIT(1) && a.runs == 4);
	}
	TEST("laws: timeout + retry is one budget, retry + timeout one for each attempt") {
		a = of_text("timeout(500ms) + retry(3, backoff=constant:0)", slow_then_good);
		b = of_text("retry(3, backoff=constant:0) + timeout(500ms)", slow_then_good);
		CHECK(a.ws == NL_EXIT(124) && a.runs == 2);
		CHECK(b.ws == NL_EXIT(1) && b.runs == 3);
	}
	TEST("laws: A | A runs twice, A runs once") {
		a = of_text("pass | pass", both_fail);
		b = of_text("pass", both_fail);
		CHECK(a.ws == b.ws && a.runs == 2 && b.runs == 1);
	}
	TEST("laws: of two that succeed at once the left one is heard, so & does not commute") {
		a = of_text("pass & retry(1)", both_good);
		CHECK(a.ws == 0 && says(&a, "0.0 "));
	}
	TEST("laws: retry(m) + retry(n) is not retry(m * n) where an outcome is not retried") {
		a = of_text("retry(2, backoff=constant:0) + retry(2, backoff=constant:0, on=3)", five);
		b = of_text("retry(4, backoff=constant:0)", five);
		CHECK(a.runs == 3 && b.runs == 3 && a.ws == 0 && b.ws == 0);
		a = of_text("retry(2, backoff=constant:0, on=3) + retry(2, backoff=constant:0)", five);
		CHECK(a.runs == 2 && a.ws == NL_EXIT(4));
	}
	TEST("laws: pass | A is not pass: what fails has another try") {
		a = of_text("pass | pass", left_fails);
		b = of_text("pass", left_fails);
		CHECK(a.ws == 0 && b.ws == NL_EXIT(1));
	}
}

/* retry(m) + retry(n) runs m * n times when all fail, and never more. */
static void products(uint64_t seed, unsigned cases)
{
	static struct done d;
	unsigned over = 0, under = 0;
	for (unsigned i = 0; i < cases; i++) {
		struct sim_plan p = plan_of(seed + i);
		uint64_t s = seed + i;
		unsigned m = 1 + pick(&s, 5), n = 1 + pick(&s, 5);
		snprintf(d.text, sizeof d.text, "retry(%u, backoff=constant:0) + retry(%u, backoff=constant:0)", m, n);
		play(&p, &d);
		over += d.runs > m * n;
		p.script = as_fixed;
		fixed = (const struct sim_cmd []){ ALL(TAKES(0, 1)) };
		play(&p, &d);
		under += d.runs != m * n;
	}
	TEST("laws: retry(m) + retry(n) runs a command m * n times at most, and so often when it always fails")
		CHECK(over == 0 && under == 0);
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	return text ? strtoull(text, NULL, 10) : otherwise;
}

int main(void)
{
	char name[200];
	uint64_t seed = number("SIM_SEED", (uint64_t)time(NULL) * 1000003);
	unsigned cases = (unsigned)number("SIM_CASES", 100000);
	unsigned lines = (unsigned)number("SIM_LINES", 0);
	for (unsigned i = 0; i < lines; i++)
		sim_print_case(seed + i);
	if (lines)
		return 0;
	printf("# SIM_SEED=%llu SIM_CASES=%u\n", (unsigned long long)seed, cases);
	for (unsigned i = 0; i < cases; i++)
		against_oracle(seed + i);
	TEST("laws: a random expression ends as the oracle says, at the same moment and with the same output")
		CHECK(strangers == 0);
	printf("# %u expressions, %u succeed, up to %u commands in one\n", cases, successes, widest);
	for (unsigned law = 0; law < COUNT; law++) {
		for (unsigned i = 0; i < cases / COUNT + (cases == 1); i++)
			against_law(law, seed + i);
		snprintf(name, sizeof name, "laws: %s", names[law]);
		TEST(name) {
			CHECK(broken[law] == 0);
			CHECK(cases < 10000 || good[law] > cases / COUNT / 50 || !strcmp(names[law] + strlen(names[law]) - 6, "= fail"));
		}
	}
	products(seed, cases / 100);
	counterexamples();
	return unit_done();
}
