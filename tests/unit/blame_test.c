/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blame_test.c - where the time of calls went is a function of the set of events,
 * also when there are more than are kept.
 */
#include "observe/blame.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

struct seen { uint64_t calls; int64_t least, part[NL_PARTS]; };

static void add(void *arg, const struct nl_blamed *b)
{
	struct seen *s = arg;
	s->calls++;
	for (unsigned i = 0; i < NL_PARTS; i++) {
		s->part[i] += b->part[i];
		s->least = b->part[i] < s->least ? b->part[i] : s->least;
	}
}

static struct nl_fact fact(enum nl_told told, uint64_t trace, unsigned depth, int64_t time_us, int64_t dur_us)
{
	return (struct nl_fact){
		.told = told, .trace = { trace, 0 }, .run = trace, .depth = depth, .time_us = time_us, .dur_us = dur_us, .delay_us = -1, .waited_us = -1,
		.kind = nl_quoted("retry"), .policy = nl_quoted("db"),
	};
}

/* Event k of call i: a failed attempt of 40, a back-off of 20, an answer; of 100, and 5 more. */
static struct nl_fact event(uint64_t i, unsigned k)
{
	int64_t begin = 1000000000 + (int64_t)i * 10;
	struct nl_fact attempt = fact(NL_TOLD_ATTEMPT, i, 0, begin + 40, 40);
	attempt.delay_us = 20;
	return k == 0 ? attempt : fact(k == 1 ? NL_TOLD_SUCCESS : NL_TOLD_RUN_ENDED, i, 0, begin + 100, k == 1 ? 100 : 105);
}

static struct seen told_of(uint64_t calls, bool backward, uint64_t *one_of)
{
	struct nl_marks *m = nl_marks_new();
	struct seen s = { 0 };
	for (uint64_t i = 0; m && i < calls * 3; i++) {
		uint64_t at = backward ? calls * 3 - 1 - i : i;
		struct nl_fact f = event(1 + at / 3, at % 3);
		nl_marks_take(m, &f);
	}
	CHECK(m && nl_marks_each(m, add, &s) == 0);
	*one_of = m ? nl_marks_one_of(m) : 0;
	nl_marks_free(m);
	return s;
}

static void orders(void)
{
	uint64_t a, b;
	TEST("each call is cut into its parts, in whatever order its events come") {
		struct seen s = told_of(1000, false, &a), r = told_of(1000, true, &b);
		CHECK(a == 1 && b == 1 && s.calls == 1000);
		CHECK(s.part[NL_P_FAILED] == 40000 && s.part[NL_P_BACKOFF] == 20000 && s.part[NL_P_ANSWER] == 40000 && s.part[NL_P_OVERHEAD] == 5000);
		CHECK(!memcmp(&s, &r, sizeof s));
	}
	TEST("of more calls than are kept those of some traces are, and which is the same in any order") {
		struct seen s = told_of(400000, false, &a), r = told_of(400000, true, &b);
		CHECK(a > 1 && a == b && s.calls > 400000 / a / 2 && s.calls < 400000);
		CHECK(s.part[NL_P_BACKOFF] == 20 * (int64_t)s.calls);
		CHECK(!memcmp(&s, &r, sizeof s));
	}
}

static void at_once(void)
{
	TEST("what goes on at once counts once: grace, else the innermost; no part is below 0") {
		struct nl_marks *m = nl_marks_new();
		struct seen s = { 0 };
		struct nl_fact f[] = {
			fact(NL_TOLD_ATTEMPT, 1, 1, 1080, 80), fact(NL_TOLD_ATTEMPT, 1, 1, 1090, 90), fact(NL_TOLD_ATTEMPT, 1, 1, 1300, 400),
			fact(NL_TOLD_ACQUIRED, 1, 2, 1050, -1), fact(NL_TOLD_SUCCESS, 1, 0, 1200, 200),
		};
		f[0].delay_us = 1000, f[3].waited_us = 30;
		for (unsigned i = 0; m && i < sizeof f / sizeof *f; i++)
			nl_marks_take(m, &f[i]);
		CHECK(m && nl_marks_each(m, add, &s) == 0);
		CHECK(s.calls == 1 && s.least == 0);
		CHECK(s.part[NL_P_QUEUE] == 30 && s.part[NL_P_FAILED] == 170 && s.part[NL_P_BACKOFF] == 0 && s.part[NL_P_ANSWER] == 0);
		nl_marks_free(m);
	}
}

int main(void)
{
	orders();
	at_once();
	return unit_done();
}
