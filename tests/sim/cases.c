/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cases.c - lines for tests/aid/laws.c: an expression, what each of its commands
 * does at each run, and how that ends.
 *
 * No time passes and no limit is reached, so all that comes of a race is a
 * matter of order.  Where no race is inside another, NL_ARM tells a command
 * where it is, and order can be given: of two sides that would succeed the one
 * that is to lose hangs instead, and the other succeeds when that has begun.
 * Else commands cannot be told apart: they all do the same, and who wins is open.
 */
#include "oracle.h"

#include <stdio.h>

#define WIDE 6
#define RETRIES 2
#define MANY (WIDE * 3 * 3)             /* runs: three attempts of each retry around each command */

static uint64_t tossed;
static unsigned toss(unsigned n)
{
	return (unsigned)(nl_random(&tossed) >> 33) % n;
}

/* A case that is being told by the oracle. */
static struct tale {
	struct sim_oracle o;
	unsigned success;               /* percent */
	unsigned race;                  /* the last that was seen, */
	bool hangs[3];                  /* which of its sides hang, */
	unsigned won;                   /* and which has succeeded */
	bool stuck;                     /* nobody ends a hang */
	unsigned n[3];
	struct { char how; int code; } act[3][MANY];
} t;

static void close_race(void)
{
	t.stuck |= t.hangs[1] && t.won != 2;
	t.hangs[1] = t.hangs[2] = false, t.won = 0;
}

static struct sim_cmd tell(const struct sim_plan *p, unsigned leaf, unsigned run)
{
	static const int ends[] = { NL_EXIT(75), NL_EXIT(124), NL_EXIT(125), NL_EXIT(126), NL_EXIT(255), 9, 13, 15 };
	unsigned arm = t.o.arm;
	struct sim_cmd c = { .ws = toss(100) < t.success ? 0 : toss(3) ? NL_EXIT(1 + (int)toss(3)) : ends[toss(8)], .way = SIM_OBEYS };
	(void)p, (void)leaf, (void)run;
	if (arm && t.o.races != t.race)
		close_race(), t.race = t.o.races;
	if (arm && t.hangs[arm])                // Behind what hangs nothing is run.
		return (struct sim_cmd){ .ws = NL_EXIT(1), .way = SIM_OBEYS };
	if (arm == 2 && t.hangs[1] && toss(2))
		c.ws = 0;
	if (arm && c.ws == 0 && (arm == 1 ? toss(2) : t.won == 1))
		t.hangs[arm] = true, c.dur = 365 * 86400 * NL_SEC, c.ws = NL_EXIT(1);
	t.won = arm && c.ws == 0 ? arm : t.won;
	snprintf(c.says, sizeof c.says, "%u.%u ", arm, t.n[arm]);
	t.act[arm][t.n[arm]].how = c.dur ? 'h' : c.ws == 0 && arm ? 'w' : nl_code(c.ws) > 128 && c.ws < 128 ? 's' : 0;
	t.act[arm][t.n[arm]++].code = c.ws < 128 ? c.ws : nl_code(c.ws);
	return c;
}

static struct sim_cmd steady(const struct sim_plan *p, unsigned leaf, unsigned run)
{
	(void)leaf, (void)run;
	return (struct sim_cmd){ .ws = (int)p->success, .way = SIM_OBEYS };
}

/* How many races are around a command at most. */
static unsigned races(const struct sim_term *e)
{
	if (e->op < SIM_WRAP)
		return 0;
	unsigned a = races(e->a), b = races(e->b), most = a > b ? a : b;
	return e->op == SIM_WRAP ? a + b : most + (e->op == SIM_RACE);
}

static void print_end(int ws)
{
	printf(ws < 128 && ws ? "s%d\t" : "%d\t", ws < 128 ? ws : nl_code(ws));
}

static void print_script(void)
{
	for (unsigned arm = 0; arm < 3; arm++) {
		for (unsigned i = 0; i < t.n[arm]; i++) {
			char how = t.act[arm][i].how;
			printf("%s%.1s", i ? "," : "", &how);
			if (how == 'w')
				printf("%u", t.n[3 - arm]);     // A success is the last thing that happens.
			else if (how != 'h')
				printf("%d", t.act[arm][i].code);
		}
		printf(arm < 2 ? ";" : "\n");
	}
}

static void print_told(const struct sim_term *e, const char *text)
{
	struct sim_fate end;
	do {
		t = (struct tale){ .o = { .script = tell }, .success = (unsigned []){ 5, 30, 60 }[toss(3)] };
		end = sim_mean(&t.o, e);
		close_race();
	} while (t.stuck);
	print_end(end.ws);
	printf("%u,%u,%u\t%.*s\t%s\t", t.n[0], t.n[1], t.n[2], (int)t.o.outs, t.o.out, text);
	print_script();
}

static void print_steady(const struct sim_term *e, const char *text)
{
	static const int ends[] = { 0, NL_EXIT(3), NL_EXIT(75), NL_EXIT(126), 15 };
	struct sim_plan p = { .success = (unsigned)ends[toss(5)] };
	struct sim_oracle o = { .script = steady, .plan = &p };
	print_end(sim_mean(&o, e).ws);
	printf("-\t-\t%s\t+%s%d\n", text, p.success == 15 ? "s" : "", p.success == 15 ? 15 : nl_code((int)p.success));
}

void sim_print_case(uint64_t seed)
{
	static char text[8192];
	struct sim_grove g = { .rnd = seed, .unit = 30 * NL_SEC };
	const struct sim_term *e;
	tossed = seed ^ 0x9e3779b97f4a7c15;
	do {
		g.n = 0, g.retries = RETRIES;
		e = sim_grow(&g, 1 + toss(5));
	} while (sim_width(e) > WIDE);
	for (unsigned i = 0; i < g.n; i++)
		if (g.term[i].op == SIM_RETRY)
			g.term[i].t = 0;
	sim_write(e, &g.rnd, text, sizeof text);
	if (races(e) > 1)
		print_steady(e, text);
	else
		print_told(e, text);
}
