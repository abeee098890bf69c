/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heat_test.c - races on a virtual clock: who starts when, who wins, and who
 * speaks for those that all failed; and the quantiles of a pace.
 */
#include "heat.h"
#include "pace.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

/* What an arm does when it is left alone.  speaks_at 0: says nothing. */
struct script { nl_time dur; int ws; nl_time speaks_at; };

static struct nl_heat h;
static char story[400];                 /* "1@0 2@250 won 2@300" */
static const struct script *script;

static void tell(const char *what, unsigned i, nl_time at)
{
	size_t n = strlen(story);
	snprintf(story + n, sizeof story - n, "%s%s%u@%lld", n ? " " : "", what, i + 1, (long long)(at / NL_MS));
}

/* What has happened by now; the next thing that will. */
static nl_time happen(nl_time now)
{
	nl_time next = NL_NEVER;
	for (unsigned i = 0; i < h.n; i++) {
		struct nl_arm *a = &h.arm[i];
		const struct script *s = &script[i];
		if (a->state != NL_ARM_RUNNING)
			continue;
		nl_time speaks = s->speaks_at ? a->began_at + s->speaks_at : NL_NEVER, ends = a->began_at + s->dur;
		if (!a->spoke && speaks <= now)
			a->spoke = true, a->spoke_at = now;
		else if (!a->spoke && speaks < next)
			next = speaks;
		if (ends <= now) {
			a->state = NL_ARM_OVER, a->ended_at = now;
			a->outcome = (struct nl_outcome){ NL_EXIT(s->ws), NL_RAN };
			a->good = s->ws == 0;
		} else if (ends < next) {
			next = ends;
		}
	}
	return next;
}

static const char *race(const struct script *s)
{
	nl_time now = 0;
	script = s;
	story[0] = '\0';
	for (unsigned steps = 0; steps < 1000; steps++) {
		nl_time next = happen(now);
		struct nl_heat_step step = nl_heat_next(&h, now);
		if (step.won || step.lost) {
			unsigned who = step.won ? step.winner : nl_heat_speaker(&h, false);
			tell(step.won ? "won " : "lost ", who, now);
			return story;
		}
		nl_heat_start(&h, &step, now);
		for (unsigned i = 0; i < step.start; i++)
			tell("", step.first + i, now);
		if (step.start)
			continue;
		next = step.look_at < next ? step.look_at : next;
		if (next == NL_NEVER || next <= now)
			return "stuck";
		now = next;
	}
	return "endless";
}

static void heat(unsigned n, unsigned quorum, nl_time delay)
{
	h = (struct nl_heat){ .n = n, .quorum = quorum, .delay = delay, .close_at = NL_NEVER };
}

static void heat_by_output(void)
{
	heat(2, 1, 0);
	h.by_output = true;
}

#define RACE(...) race((const struct script[]){ __VA_ARGS__ })
#define IS(want, ...) CHECK(!strcmp(RACE(__VA_ARGS__), want) || (printf("# %s\n", story), 0))
#define MS(n) ((n) * NL_MS)

static void winners(void)
{
	TEST("heat: all start at once, and the first success wins") {
		heat(3, 1, 0);
		IS("1@0 2@0 3@0 won 2@20", { MS(30), 0, 0 }, { MS(20), 0, 0 }, { MS(10), 1, 0 });
	}
	TEST("heat: of two successes at the same moment the left one wins") {
		heat(3, 1, 0);
		IS("1@0 2@0 3@0 won 2@20", { MS(30), 0, 0 }, { MS(20), 0, 0 }, { MS(20), 0, 0 });
	}
	TEST("heat: with a quorum the first of so many successes wins") {
		heat(3, 2, 0);
		IS("1@0 2@0 3@0 won 3@20", { MS(30), 0, 0 }, { MS(20), 0, 0 }, { MS(10), 0, 0 });
	}
	TEST("heat: it is lost as soon as a quorum cannot be reached") {
		heat(3, 2, 0);
		IS("1@0 2@0 3@0 lost 3@20", { MS(30), 0, 0 }, { MS(20), 75, 0 }, { MS(10), 4, 0 });
		heat(2, 2, 0);
		IS("1@0 2@0 lost 2@10", { MS(30), 0, 0 }, { MS(10), 4, 0 });
	}
	TEST("heat: by output the first that speaks wins, whatever becomes of it; a silent success, too") {
		heat_by_output();
		IS("1@0 2@0 won 2@5", { MS(10), 0, 0 }, { MS(30), 9, MS(5) });
		heat_by_output();
		IS("1@0 2@0 won 1@10", { MS(10), 0, 0 }, { MS(30), 9, MS(15) });
		heat_by_output();
		IS("1@0 2@0 won 1@10", { MS(20), 0, MS(10) }, { MS(20), 0, MS(10) });
		heat_by_output();
		IS("1@0 2@0 lost 1@20", { MS(20), 3, 0 }, { MS(10), 4, 0 });
	}
	TEST("heat: when all fail the first that ran speaks, then who could not run, then who was not admitted") {
		heat(3, 1, 0);
		IS("1@0 2@0 3@0 lost 2@30", { MS(10), 75, 0 }, { MS(30), 4, 0 }, { MS(20), 5, 0 });
		heat(3, 1, 0);
		IS("1@0 2@0 3@0 lost 2@30", { MS(10), 75, 0 }, { MS(30), 127, 0 }, { MS(20), 126, 0 });
		heat(2, 1, 0);
		IS("1@0 2@0 lost 1@30", { MS(10), 75, 0 }, { MS(30), 75, 0 });
	}
}

static void starts(void)
{
	TEST("heat: with a delay the next starts when nothing was started for so long") {
		heat(3, 1, MS(100));
		IS("1@0 2@100 3@200 won 1@250", { MS(250), 0, 0 }, { MS(500), 0, 0 }, { MS(500), 0, 0 });
	}
	TEST("heat: a failure starts the next at once, and the delay anew") {
		heat(3, 1, MS(100));
		IS("1@0 2@30 3@130 won 3@140", { MS(30), 1, 0 }, { MS(500), 0, 0 }, { MS(10), 0, 0 });
		heat(4, 1, MS(100));
		IS("1@0 2@100 3@110 4@110 won 4@120", { MS(110), 1, 0 }, { MS(10), 1, 0 }, { MS(500), 0, 0 }, { MS(10), 0, 0 });
	}
	TEST("heat: a failure in the moment in which the delay ends starts one and not two") {
		heat(3, 1, MS(100));
		IS("1@0 2@100 3@200 won 2@210", { MS(100), 1, 0 }, { MS(110), 0, 0 }, { MS(500), 0, 0 });
	}
	TEST("heat: with an endless delay only failures start others") {
		heat(3, 1, NL_NEVER);
		IS("1@0 2@10 won 2@510", { MS(10), 1, 0 }, { MS(500), 0, 0 }, { MS(1), 0, 0 });
	}
	TEST("heat: with a delay a quorum starts together") {
		heat(3, 2, MS(100));
		IS("1@0 2@0 3@20 won 1@30", { MS(10), 0, 0 }, { MS(20), 1, 0 }, { MS(10), 0, 0 });
	}
	TEST("heat: behind the limit nothing starts but the first") {
		heat(3, 1, MS(100));
		h.close_at = MS(150);
		IS("1@0 2@100 lost 1@500", { MS(500), 3, 0 }, { MS(200), 4, 0 }, { MS(10), 0, 0 });
		heat(2, 1, MS(100));
		h.close_at = 0;
		IS("1@0 lost 1@10", { MS(10), 3, 0 }, { MS(200), 0, 0 });
	}
	TEST("heat: random races start each arm once, from the left, and are decided by one of them") {
		for (unsigned k = 0; k < 20000; k++) {
			struct script s[6];
			uint64_t seed = k;
			heat(1 + k % 6, 1, k % 3 ? MS((nl_time)(nl_random(&seed) % 50)) : 0);
			h.by_output = k % 5 == 0;
			h.quorum = h.by_output ? 1 : 1 + (unsigned)(nl_random(&seed) % h.n);
			for (unsigned i = 0; i < 6; i++)
				s[i] = (struct script){ MS(1 + (nl_time)(nl_random(&seed) % 100)), nl_random(&seed) % 2 ? 0 : 7,
				                       MS((nl_time)(nl_random(&seed) % 40)) };
			const char *text = race(s);
			bool fair = strstr(text, "won") || strstr(text, "lost");
			unsigned good = 0, failed = 0;
			for (unsigned i = 0; i < h.n; i++) {
				good += h.arm[i].good, failed += h.arm[i].state == NL_ARM_OVER && !h.arm[i].good;
				fair &= i == 0 || h.arm[i].state == NL_ARM_WAITING || h.arm[i - 1].state != NL_ARM_WAITING;
			}
			if (!h.by_output)
				fair &= strstr(text, "won") ? good >= h.quorum : failed > h.n - h.quorum;
			CHECK(fair || (printf("# %u: %s\n", k, text), 0));
		}
	}
}

static int up(const void *a, const void *b)
{
	const nl_time *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

static void pace(void)
{
	static struct nl_pace p;
	TEST("pace: a quantile is the least duration that so many do not exceed") {
		for (int i = 1; i <= 20; i++)
			nl_pace_add(&p, MS(21 - i));
		CHECK(nl_pace_count(&p) == 20);
		CHECK(nl_pace_quantile(&p, 950000) == MS(19));
		CHECK(nl_pace_quantile(&p, 950001) == MS(20));
		CHECK(nl_pace_quantile(&p, 500000) == MS(10));
		CHECK(nl_pace_quantile(&p, 1000000) == MS(20));
		CHECK(nl_pace_quantile(&p, 1) == MS(1));
	}
	TEST("pace: the last 256 count, exactly") {
		nl_time all[1000];
		uint64_t seed = 7;
		p = (struct nl_pace){ .next = 0 };
		for (int i = 0; i < 1000; i++) {
			all[i] = (nl_time)(nl_random(&seed) % 1000000);
			nl_pace_add(&p, all[i]);
		}
		qsort(all + 744, 256, sizeof *all, up);
		CHECK(nl_pace_count(&p) == 256);
		CHECK(nl_pace_quantile(&p, 990000) == all[744 + 253]);
		CHECK(nl_pace_quantile(&p, 500000) == all[744 + 127]);
		CHECK(nl_pace_sane(&p));
		p.ns[3] = -1;
		CHECK(!nl_pace_sane(&p));
		p.ns[3] = 0, p.next = 1;
		CHECK(!nl_pace_sane(&p));
	}
	TEST("pace: with what lost the delay stays where it is; without, it shrinks") {
		/* A call takes 10 to 110 ms, and its hedge a millisecond. */
		for (int lost = 0; lost < 2; lost++) {
			uint64_t seed = 11;
			p = (struct nl_pace){ .next = 0 };
			for (int i = 0; i < 5000; i++) {
				nl_time dur = MS(10) + (nl_time)(nl_random(&seed) % (uint64_t)MS(100));
				nl_time limit = (nl_pace_count(&p) < NL_PACE_LEAST ? NL_PACE_BLIND : nl_pace_quantile(&p, 900000)) + MS(1);
				if (dur <= limit || lost)
					nl_pace_add(&p, dur < limit ? dur : limit);
			}
			nl_time p90 = nl_pace_quantile(&p, 900000);
			CHECK(lost ? p90 > MS(90) && p90 < MS(115) : p90 < MS(40));
		}
	}
}

int main(void)
{
	winners();
	starts();
	pace();
	return unit_done();
}
