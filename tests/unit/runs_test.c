/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runs_test.c - which lines were read, against a plain set of them.
 */
#include "observe/runs.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define SEQS 300
#define RUNS 40

static uint64_t state = 1;
static uint64_t rnd(uint64_t below)
{
	state = state * 6364136223846793005 + 1442695040888963407;
	return (state >> 33) % below;
}

static struct nl_fact line(uint64_t run, uint32_t seq, enum nl_told told)
{
	return (struct nl_fact){ .run = run, .seq = seq, .told = told, .time_us = 1000000 * (int64_t)seq, .policy = { "db", 2 },
	                         .events = -1, .dropped = -1 };
}

static bool take(struct nl_runs *r, uint64_t run, uint32_t seq)
{
	struct nl_fact f = line(run, seq, NL_TOLD_SUCCESS);
	return nl_runs_take(r, &f, NULL);
}

static bool end(struct nl_runs *r, uint64_t run, uint32_t seq, int64_t events, int64_t dropped)
{
	struct nl_fact f = line(run, seq, NL_TOLD_RUN_ENDED);
	f.events = events, f.dropped = dropped;
	return nl_runs_take(r, &f, NULL);
}

static bool sums_are(const struct nl_runs *r, struct nl_runs_sum is)
{
	struct nl_runs_sum sum = nl_runs_sum(r);
	return memcmp(&sum, &is, sizeof sum) == 0;
}

struct told { unsigned n; uint64_t run[8]; int64_t lost[8]; char what[8][8]; };
static void tell(uint64_t run, const char *what, int64_t first_us, int64_t last_us, int64_t lost, void *arg)
{
	struct told *t = arg;
	CHECK(first_us <= last_us);
	if (t->n < 8) {
		t->run[t->n] = run, t->lost[t->n] = lost;
		snprintf(t->what[t->n], sizeof t->what[0], "%s", what);
	}
	t->n++;
}

static void few(void)
{
	TEST("A line that was read is not new again, in whatever order they come") {
		struct nl_runs *r = nl_runs_new();
		static const uint32_t seqs[] = { 3, 0, 64, 2, 63, 65, 1000, 999, 4000000000, 66, 1 };
		for (unsigned i = 0; i < sizeof seqs / sizeof *seqs; i++) {
			CHECK(take(r, 7, seqs[i]));
			for (unsigned k = 0; k <= i; k++)
				CHECK(!take(r, 7, seqs[k]));
		}
		CHECK(!take(r, 7, UINT32_MAX));
		CHECK(take(r, 8, 3));
		nl_runs_free(r);
	}
	TEST("What a run that ended has lost is what it sent less what was read") {
		struct nl_runs *r = nl_runs_new();
		CHECK(end(r, 1, 9, 5, 2) && take(r, 1, 4) && take(r, 1, 2));
		CHECK(sums_are(r, (struct nl_runs_sum){ .runs = 1, .ended = 1, .ok = 3, .sent = 5, .lost = 2, .dropped = 2 }));
		CHECK(take(r, 1, 5) && take(r, 1, 3));
		CHECK(sums_are(r, (struct nl_runs_sum){ .runs = 1, .ended = 1, .ok = 5, .sent = 5, .dropped = 2 }));
		nl_runs_free(r);
	}
	TEST("Of two copies with other levels the one with more lines says how many there are") {
		struct nl_runs *r = nl_runs_new();
		CHECK(end(r, 1, 9, 3, -1) && !end(r, 1, 9, 10, -1) && take(r, 1, 0));
		CHECK(sums_are(r, (struct nl_runs_sum){ .runs = 1, .ended = 1, .ok = 2, .sent = 10, .lost = 8 }));
		nl_runs_free(r);
	}
	TEST("A run without an end is open, and has gaps only where its first line was read, too") {
		struct nl_runs *r = nl_runs_new();
		struct nl_fact first = line(1, 0, NL_TOLD_RUN_STARTED);
		CHECK(take(r, 1, 1) && take(r, 1, 4) && take(r, 2, 1) && take(r, 2, 3));
		CHECK(sums_are(r, (struct nl_runs_sum){ .runs = 2, .open = 2 }));
		CHECK(nl_runs_take(r, &first, NULL));
		CHECK(sums_are(r, (struct nl_runs_sum){ .runs = 2, .open = 2, .gaps = 2 }));
		nl_runs_free(r);
	}
	TEST("Runs that lost lines or have no end are told by their first times, with the name in their first line") {
		struct nl_runs *r = nl_runs_new();
		struct told t = { 0 };
		struct nl_fact f = line(3, 2, NL_TOLD_SUCCESS);
		CHECK(take(r, 3, 5) && end(r, 1, 6, 3, -1) && take(r, 2, 0) && end(r, 2, 1, 2, -1));
		f.policy = (struct nl_quote){ "api", 3 };
		CHECK(nl_runs_take(r, &f, NULL));
		CHECK(nl_runs_each_trouble(r, tell, &t) == 0);
		CHECK(t.n == 2 && t.run[0] == 3 && t.lost[0] == -1 && strcmp(t.what[0], "api") == 0);
		CHECK(t.run[1] == 1 && t.lost[1] == 2 && strcmp(t.what[1], "db") == 0);
		nl_runs_free(r);
	}
}

/* Lines of runs in a random order, some twice, over several tables that are merged. */
static void many(void)
{
	TEST("Lines in any order, split over tables that are merged, are what one table has read") {
		for (unsigned round = 0; round < 100; round++) {
			static bool sent[RUNS][SEQS], read[RUNS][SEQS];
			struct nl_runs *all = nl_runs_new(), *part[2] = { nl_runs_new(), nl_runs_new() };
			unsigned lines = 0, lost = 0, dup = 0;
			memset(sent, 0, sizeof sent), memset(read, 0, sizeof read);
			for (unsigned i = 0; i < 3000; i++) {
				unsigned run = (unsigned)rnd(RUNS), seq = (unsigned)rnd(rnd(2) ? 20 : SEQS - 1);
				sent[run][seq] = true;
				if (rnd(10) == 0)
					continue;       // It is lost.
				bool new = !read[run][seq];
				CHECK(take(all, run, seq) == new);
				CHECK(take(part[run % 3 == 0], run, seq) == new);
				read[run][seq] = true, dup += !new;
			}
			for (unsigned run = 0; run < RUNS; run++) {
				unsigned n = 1;
				for (unsigned seq = 0; seq < SEQS; seq++)
					n += sent[run][seq], lines += read[run][seq], lost += sent[run][seq] && !read[run][seq];
				CHECK(end(all, run, SEQS, n, -1) && end(part[run % 3 == 0], run, SEQS, n, -1));
			}
			struct nl_runs_sum is = { .runs = RUNS, .ended = RUNS, .ok = lines + RUNS, .sent = lines + lost + RUNS, .lost = lost };
			CHECK(sums_are(all, is));
			CHECK(nl_runs_merge(part[0], part[1]) == 0 && sums_are(part[0], is));
			is.twice = is.ok;
			CHECK(nl_runs_merge(part[0], all) == 0 && sums_are(part[0], is));
			nl_runs_free(all), nl_runs_free(part[0]), nl_runs_free(part[1]);
		}
	}
	TEST("Of more runs than there is room for the first leave, and their sums stay") {
		struct nl_runs *r = nl_runs_new();
		uint64_t more = 1000;
		for (uint64_t i = 0; i < NL_RUNS_MAX + more; i++) {
			uint64_t run = i * 0x9e3779b97f4a7c15;
			CHECK(take(r, run, 1) && take(r, run, 70) && take(r, run, 90) && (i % 2 || end(r, run, 91, 4, -1)));
		}
		uint64_t all = NL_RUNS_MAX + more;
		CHECK(sums_are(r, (struct nl_runs_sum){ .runs = all, .ended = all / 2, .ok = all * 2, .sent = all * 2, .open = all / 2 }));
		CHECK(!take(r, more * 0x9e3779b97f4a7c15, 70) && take(r, 0, 70));
		CHECK(nl_runs_sum(r).runs == all + 1);
		nl_runs_free(r);
	}
	TEST("A run with very many holes keeps the latest, and counts are right") {
		struct nl_runs *r = nl_runs_new();
		for (uint32_t i = 0; i < 5000; i++)
			CHECK(take(r, 1, 2 * i));
		CHECK(!take(r, 1, 9998) && take(r, 1, 9997));
		CHECK(end(r, 1, 10000, 10001, -1));
		CHECK(sums_are(r, (struct nl_runs_sum){ .runs = 1, .ended = 1, .ok = 5002, .sent = 10001, .lost = 4999 }));
		nl_runs_free(r);
	}
}

int main(void)
{
	few();
	many();
	return unit_done();
}
