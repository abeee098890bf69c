/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_test.c - random stacks: the real layers and the model end alike, and
 * the laws that hold whatever the model thinks.
 *
 * SIM_CASES=N (100000) cases without jitter, and half as many of each other
 * kind, from SIM_SEED=N (the time).  A case that fails is repeated by the
 * SIM_SEED that is printed with it, and SIM_CASES=1.
 */
#include "sim.h"
#include "unit.h"

#include <stdlib.h>
#include <time.h>

static uint64_t seed;
static unsigned cases;
static struct sim_log slog;

/* One of the kinds of trouble that a case can have. */
enum law { SAME_STATUS, SAME_RUNS, SAME_TIME, SAME_EVENTS, ATTEMPTS, DEADLINE, LAST, CAP, WALL, STOP, SANE, LAWS };
static const char *const laws[LAWS] = {
	[SAME_STATUS] = "the status is the model's",
	[SAME_RUNS] = "commands run and back-offs begun are the model's",
	[SAME_TIME] = "they end when the model does",
	[SAME_EVENTS] = "each call has one nl.request and each back-off one nl.retry.attempt",
	[ATTEMPTS] = "no more attempts than the product of all --attempts",
	[DEADLINE] = "no attempt begins behind a known deadline",
	[LAST] = "no back-off is begun that no attempt follows",
	[CAP] = "no back-off is negative or longer than the cap",
	[WALL] = "no stack lasts longer than its closed bound",
	[STOP] = "told to stop, nothing begins any more, and the end comes within the grace",
	[SANE] = "no command is signalled when gone or twice, left unreaped or run beside another, and no event has raw text",
};
static unsigned broken[LAWS], seen_cases, seen_runs;

static void breaks(const struct sim_plan *p, enum law law, struct sim_result is, struct sim_result model)
{
	if (broken[law]++ >= 3)
		return;
	printf("# SIM_SEED=%llu (%s): %s\n#  ", (unsigned long long)p->seed, p->leaf ? "leaf" : "exec", laws[law]);
	for (char *const *a = p->argv; *a; a++)
		printf(" %s", *a);
	printf("\n#   status 0x%x runs %u sleeps %u end %.9f; model 0x%x %u %u %.9f", (unsigned)is.ws, is.runs, is.sleeps,
	       (double)is.at / 1e9, (unsigned)model.ws, model.runs, model.sleeps, (double)model.at / 1e9);
	if (p->horizon != NL_NEVER)
		printf("; deadline %.6f", (double)p->horizon / 1e9);
	if (p->stop_at != NL_NEVER)
		printf("; signal %d at %.6f", p->stop_sig, (double)p->stop_at / 1e9);
	printf("%s%s\n", slog.wrong ? "; " : "", slog.wrong ? slog.wrong : "");
}

static nl_time plus(nl_time a, nl_time b)
{
	return a == NL_NEVER || b >= NL_NEVER - a ? NL_NEVER : a + b;
}

static nl_time times(nl_time a, unsigned n)
{
	return n && a > NL_NEVER / n ? NL_NEVER : a * n;
}

static nl_time least(nl_time a, nl_time b)
{
	return a < b ? a : b;
}

static nl_time cap(const struct sim_layer *y)
{
	nl_time usual = y->backoff.base > 60 * NL_SEC ? y->backoff.base : 60 * NL_SEC;
	return !y->backoff.base ? 0 : y->backoff.cap ? y->backoff.cap : usual;
}

static nl_time grace(const struct sim_plan *p)
{
	nl_time g = NL_NEVER;
	for (unsigned i = 0; i < p->depth; i++)
		g = least(g, p->layer[i].grace < 0 ? 5 * NL_SEC : p->layer[i].grace);
	return g;
}

/*
 * The longest that layer i can last, for commands that last at most `most`:
 *   W(command)  = most
 *   W(timeout)  = min(W(inner), limit + grace)
 *   W(retry)    = min(n * min(W(inner), per_attempt + grace) + (n-1) * cap, total + grace)
 * grace is the shortest of the whole stack.
 */
static nl_time bound(const struct sim_plan *p, unsigned i, nl_time most)
{
	nl_time g = grace(p);
	if (i == p->depth)
		return most;
	const struct sim_layer *y = &p->layer[i];
	nl_time inner = bound(p, i + 1, most);
	if (!y->retry)
		return least(inner, plus(y->limit, g));
	if (y->per_attempt)
		inner = least(inner, plus(y->per_attempt, g));
	nl_time all = y->n && !y->reset_after ? plus(times(inner, y->n), times(cap(y), y->n - 1)) : NL_NEVER;
	return y->total ? least(all, plus(y->total, g)) : all;
}

static void check_laws(const struct sim_plan *p, struct sim_result is, struct sim_result model)
{
	nl_time caps = 0, most = 0;
	unsigned product = 1;
	bool idle = false, stopped = p->stop_at <= is.at;
	for (unsigned i = 0; i < p->depth; i++) {
		const struct sim_layer *y = &p->layer[i];
		idle |= y->idle > 0;
		if (!y->retry)
			continue;
		product *= y->reset_after ? 0 : y->n;
		caps = cap(y) > caps ? cap(y) : caps;
	}
	for (unsigned i = 0; i < slog.n; i++) {
		const struct sim_step *s = &slog.step[i];
		if (!s->sleep && s->until - s->at > most)
			most = s->until - s->at;
		if (s->sleep && !idle && (s->until < s->at || s->until - s->at > caps))
			breaks(p, CAP, is, model);
		if (!s->sleep && i > 0 && (s->at >= s->known || s->at >= p->horizon))
			breaks(p, DEADLINE, is, model);
		if (s->sleep && !stopped && !idle && (i + 1 == slog.n || slog.step[i + 1].sleep || slog.step[i + 1].at != s->until))
			breaks(p, LAST, is, model);
		if (s->at > p->stop_at)
			breaks(p, STOP, is, model);
	}
	if (product && is.runs > product)
		breaks(p, ATTEMPTS, is, model);
	if (is.at > bound(p, 0, most))
		breaks(p, WALL, is, model);
	if (stopped && is.at > plus(p->stop_at, grace(p)))
		breaks(p, STOP, is, model);
	if (slog.wrong)
		breaks(p, SANE, is, model);
}

static void run_case(uint64_t number, enum sim_kind kind)
{
	struct sim_plan p;
	sim_plan(&p, number, kind);
	struct sim_result model = sim_model(&p), is = sim_world(&p, &slog);
	nl_time off = is.at > model.at ? is.at - model.at : model.at - is.at;
	seen_cases++, seen_runs += is.runs;
	if (is.ws != model.ws)
		breaks(&p, SAME_STATUS, is, model);
	if (is.runs != model.runs || is.sleeps != model.sleeps)
		breaks(&p, SAME_RUNS, is, model);
	if (off > (kind == SIM_NO_JITTER ? 0 : NL_US))  // The last bit of a double.
		breaks(&p, SAME_TIME, is, model);
	if (p.heard && (slog.requests != model.calls || slog.retries != model.sleeps))
		breaks(&p, SAME_EVENTS, is, model);
	check_laws(&p, is, model);
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	return text ? strtoull(text, NULL, 10) : otherwise;
}

int main(void)
{
	static const char *const kinds[] = {
		[SIM_NO_JITTER] = "without jitter", [SIM_JITTER] = "with any jitter and any luck",
		[SIM_STOPPED] = "told to stop at any moment",
	};
	char name[200];
	seed = number("SIM_SEED", (uint64_t)time(NULL) * 1000003);
	cases = (unsigned)number("SIM_CASES", 100000);
	printf("# SIM_SEED=%llu SIM_CASES=%u\n", (unsigned long long)seed, cases);
	for (enum sim_kind kind = SIM_NO_JITTER; kind <= SIM_STOPPED; kind++) {
		for (unsigned i = 0; i < LAWS; i++)
			broken[i] = 0;
		for (unsigned i = 0; i < cases / (kind == SIM_NO_JITTER ? 1 : 2) + (cases == 1); i++)
			run_case(seed + i, kind);
		for (unsigned i = 0; i < LAWS; i++) {
			snprintf(name, sizeof name, "sim: random stacks %s: %s", kinds[kind], laws[i]);
			TEST(name)
				CHECK(broken[i] == 0);
		}
	}
	printf("# %u cases, %u commands\n", seen_cases, seen_runs);
	return unit_done();
}
