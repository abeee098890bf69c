/* SPDX-License-Identifier: Apache-2.0 */
/*
 * circuit_test.c - the machine of circuit.h: each edge and each that is none;
 * windows against a list of calls; ends of all numbers; bodies that nobody
 * could have written.
 */
#include "circuit.h"
#include "nl.h"
#include "unit.h"
#include "walk.h"

#include <string.h>

#define LEN(a) (sizeof (a) / sizeof *(a))
#define PCT(x) ((uint32_t)((x) * 10000))
#define CALLS(n) { NL_WINDOW_COUNT, (n), 0 }
#define SECS(n) { NL_WINDOW_TIME, (n), NL_SEC }

static const struct nl_circuit_cfg simple = { .failures = 2, .open_ns = NL_SEC };

static bool same(const struct nl_circuit *a, const struct nl_circuit *b)
{
	const void *x = a, *y = b;
	return !memcmp(x, y, sizeof *a);
}

/* ---- edges ---- */

enum state { C, O, H, FO, FC, D };

/* To each state from the start, and what each event makes of it there. */
static const char *const way[] = { [C] = "S", [O] = "2F =O", [H] = "2F +1000 A =H rel", [FO] = "open", [FC] = "closed", [D] = "off" };

static const struct { const char *words; uint8_t to[6]; } edges[] = {
	{ "",              { C, O, H, FO, FC, D } },
	{ "+999",          { C, O, H, FO, FC, D } },
	{ "+99999999",     { C, O, H, FO, FC, D } },
	{ "reset",         { C, C, C, C, C, C } },
	{ "open",          { FO, FO, FO, FO, FO, FO } },
	{ "closed",        { FC, FC, FC, FC, FC, FC } },
	{ "off",           { D, D, D, D, D, D } },
};

/* Calls: "" where nobody is admitted. */
static const struct { uint8_t from; const char *words; uint8_t to; } calls[] = {
	{ C, "A", C }, { C, "S", C }, { C, "9S", C }, { C, "I", C }, { C, "F", C }, { C, "F I F", O }, { C, "2F", O }, { C, "F S F", C }, { C, "s", C },
	{ O, "X", O }, { O, "+999 X", O }, { O, "+1000 A", H }, { O, "+1000 A X", H }, { O, "+1000 S", C }, { O, "+1000 F", O }, { O, "+1000 I", H },
	{ H, "A", H }, { H, "A X", H }, { H, "S", C }, { H, "F", O }, { H, "I", H }, { H, "9I", H }, { H, "A +99999999 X", H }, { H, "A rel A", H },
	{ FO, "X +99999999 X r-", FO },
	{ FC, "9F", FC }, { FC, "9S", FC }, { FC, "A", FC }, { D, "9F", D }, { D, "9S", D }, { D, "A", D },
};

static void check_edges(void)
{
	struct walk w;
	TEST("a person's word leads to its state from every state, and time alone to none")
		for (size_t i = 0; i < LEN(edges); i++)
			for (unsigned from = C; from <= D; from++) {
				CHECK_ROW(walk_from(&w, simple, way[from]), way[from]);
				uint64_t epoch = w.epoch;
				nl_time since = w.c.since;
				CHECK_ROW(walk(&w, edges[i].words), edges[i].words);
				CHECK_ROW(w.c.state == edges[i].to[from], edges[i].words);
				bool word = i >= 3;
				CHECK_ROW(w.epoch == epoch + word, edges[i].words);
				CHECK_ROW(!word || (w.last.moved && w.last.changed && w.last.from == from && w.last.was_for == w.now - since), edges[i].words);
			}
	TEST("calls move it along the edges of the drawing alone")
		for (size_t i = 0; i < LEN(calls); i++) {
			CHECK_ROW(walk_from(&w, simple, way[calls[i].from]), way[calls[i].from]);
			CHECK_ROW(walk(&w, calls[i].words), calls[i].words);
			CHECK_ROW(w.c.state == calls[i].to, calls[i].words);
		}
	TEST("a result of another epoch changes nothing but the counts of such and of steps")
		for (unsigned from = C; from <= D; from++) {
			static const enum nl_circuit_event ends[] = { NL_SUCCESS, NL_FAILURE, NL_IGNORED };
			for (size_t i = 0; i < LEN(ends); i++) {
				CHECK_ROW(walk_from(&w, simple, way[from]), way[from]);
				struct nl_circuit was = w.c;
				uint64_t epoch = w.epoch;
				struct nl_circuit_input in = { .event = ends[i], .now = w.now, .epoch = epoch - 1 };
				struct nl_circuit_step r = nl_circuit_step(&w.cfg, &w.c, &w.epoch, &in);
				CHECK_ROW(r.stale && r.changed && !r.moved && w.epoch == epoch, way[from]);
				CHECK_ROW(w.c.stale == was.stale + 1 && w.c.steps == was.steps + 1, way[from]);
				w.c.stale = was.stale, w.c.steps = was.steps, w.c.cfg = was.cfg;
				CHECK_ROW(same(&w.c, &was), way[from]);
			}
		}
	TEST("what need not be stored has changed nothing but the count of rejections") {
		static const struct { const char *way; enum nl_circuit_event event; enum nl_verdict verdict; } still[] = {
			{ "S", NL_ACQUIRE, NL_ADMIT }, { "S", NL_SUCCESS, NL_NO_VERDICT }, { "F", NL_IGNORED, NL_NO_VERDICT },
			{ "F", NL_LOOK, NL_NO_VERDICT }, { "2F", NL_ACQUIRE, NL_REJECT }, { "2F +1000 A", NL_ACQUIRE, NL_REJECT },
			{ "2F +1000 A", NL_IGNORED, NL_NO_VERDICT }, { "open", NL_ACQUIRE, NL_REJECT }, { "closed", NL_ACQUIRE, NL_ADMIT },
			{ "closed", NL_SUCCESS, NL_NO_VERDICT }, { "off", NL_ACQUIRE, NL_ADMIT }, { "off", NL_FAILURE, NL_NO_VERDICT },
		};
		for (size_t i = 0; i < LEN(still); i++) {
			CHECK_ROW(walk_from(&w, simple, still[i].way), still[i].way);
			struct nl_circuit was = w.c;
			struct nl_circuit_input in = { .event = still[i].event, .now = w.now, .epoch = w.epoch, .held = w.n };
			struct nl_circuit_step r = nl_circuit_step(&w.cfg, &w.c, &w.epoch, &in);
			CHECK_ROW(!r.changed && !r.moved && r.verdict == still[i].verdict, still[i].way);
			was.rejected += r.verdict == NL_REJECT;
			CHECK_ROW(same(&w.c, &was), still[i].way);
		}
	}
	TEST("more probes than asked for are never in flight, and close_after of them close it") {
		struct nl_circuit_cfg cfg = { .failures = 1, .open_ns = NL_SEC, .probes = 3, .close_after = 2 };
		CHECK(walk_from(&w, cfg, "F +1000 3A X r0 ok =H A X ok =C"));
		CHECK(walk_from(&w, cfg, "F +1000 3A ok fail =O +1000 A =H"));
		CHECK(walk_from(&w, cfg, "F +1000 3A fail =O ok fail =O o2 +1000 3A X"));
		cfg.probes = 1;                         // A probe of an earlier time that lives on.
		CHECK(walk_from(&w, cfg, "F +1000 A") && (w.cfg.probes = 2, walk(&w, "A fail =O")));
		w.cfg.probes = 1;
		CHECK(walk(&w, "+1000 X r0 =O rel A =H"));
	}
	TEST("probes made fewer while it is half-open do not leave it there for ever") {
		struct nl_circuit_cfg cfg = { .semantics = NL_SEM_RESILIENCE4J, .shape = CALLS(9), .min_calls = 9, .rate_ppm = PCT(50),
		                              .open_ns = 1, .probes = 4 };
		CHECK(walk_from(&w, cfg, "9F +1000 2A 2ok =H"));
		w.cfg.probes = 1;
		CHECK(walk(&w, "A X ok =H A ok =C"));
		struct nl_circuit_cfg go = { .semantics = NL_SEM_GOBREAKER, .failures = 1, .open_ns = 1, .probes = 3 };
		CHECK(walk_from(&w, go, "F +1000 2A 2ok =H"));
		w.cfg.probes = 1;
		CHECK(walk(&w, "A X ok =C"));
	}
	TEST("a slow probe is a failed one where slow calls open it, and there alone") {
		struct nl_circuit_cfg cfg = { .shape = CALLS(4), .slow_ppm = PCT(50), .slow_ns = NL_SEC, .min_calls = 2, .open_ns = NL_SEC };
		CHECK(walk_from(&w, cfg, "s =C s =O +1000 s =O +1000 S =C"));
		cfg.slow_ppm = 0, cfg.failures = 1;
		CHECK(walk_from(&w, cfg, "9s =C F =O +1000 s =C"));
	}
	TEST("a success opens nothing, however bad the window is") {
		struct nl_circuit_cfg cfg = { .shape = CALLS(10), .rate_ppm = PCT(50), .slow_ppm = PCT(50), .slow_ns = NL_SEC, .min_calls = 4 };
		CHECK(walk_from(&w, cfg, "F F F S =C 9S =C"));
		CHECK(walk_from(&w, cfg, "s s s S =C"));
		CHECK(walk_from(&w, cfg, "F F F s =C"));  // A slow success is judged by the slow rule alone.
		CHECK(walk_from(&w, cfg, "s s s F =O"));
	}
	TEST("a call that lasts just as long as the limit is not slow") {
		struct nl_circuit_cfg cfg = { .shape = CALLS(1), .slow_ppm = PCT(100), .slow_ns = NL_SEC, .min_calls = 1 };
		walk_begin(&w, cfg);
		w.slow = NL_SEC;
		CHECK(walk(&w, "s =C"));
		w.slow = NL_SEC + 1;
		CHECK(walk(&w, "s =O"));
	}
}

/* ---- windows ---- */

struct call { nl_time at; bool failed, slow; int ws; };

/* What a list of all calls says is in the window. */
static struct nl_tally recount(const struct call *list, size_t n, const struct nl_shape *s, nl_time now)
{
	struct nl_tally t = { 0 };
	for (size_t i = 0; i < n; i++) {
		bool in = s->kind == NL_WINDOW_COUNT ? n - i <= s->n : now / s->width_ns - list[i].at / s->width_ns < s->n;
		t.calls += in;
		t.fails += in && list[i].failed;
		t.oks += in && !list[i].failed;
		t.slows += in && list[i].slow;
	}
	return t;
}

/* The evidence adds up to the failures, and names what it can name. */
static bool evidence_is_right(const struct nl_circuit *c, const struct call *list, size_t n, const struct nl_shape *s, nl_time now)
{
	uint32_t sum = 0;
	for (unsigned i = 0; i < NL_CIRCUIT_ERRS; i++) {
		uint32_t same = 0;
		sum += c->errs[i].count;
		for (size_t k = 0; k < n; k++) {
			bool in = s->kind == NL_WINDOW_COUNT ? n - k <= s->n : now / s->width_ns - list[k].at / s->width_ns < s->n;
			same += in && list[k].failed && list[k].ws == c->errs[i].ws;
		}
		if (i < NL_CIRCUIT_ERRS - 1 && c->errs[i].count > same)
			return false;
	}
	return sum == c->n.fails;
}

static bool equal(struct nl_tally a, struct nl_tally b)
{
	return a.calls == b.calls && a.fails == b.fails && a.slows == b.slows && a.oks == b.oks && a.excluded == b.excluded;
}

static void check_windows(void)
{
	static const struct nl_shape shapes[] = { CALLS(1), CALLS(2), CALLS(7), CALLS(100), CALLS(NL_WINDOW_CALLS), SECS(1), SECS(5), SECS(60),
	                                          { NL_WINDOW_TIME, 10, 7 * NL_MS }, { NL_WINDOW_TIME, 60, 1440 * NL_SEC } };
	static struct call list[2500];
	TEST("a window has what a list of all calls has, and its evidence adds up")
		for (size_t i = 0; i < LEN(shapes); i++) {
			struct nl_circuit_cfg cfg = { .shape = shapes[i], .min_calls = 1, .slow_ns = NL_SEC };
			struct nl_circuit c = { 0 };
			uint64_t epoch = 1, rnd = i;
			nl_time now = 1234567 * NL_SEC;
			unsigned wrong = 0;
			for (size_t n = 0; n < LEN(list); n++) {
				double jump = nl_unit(&rnd);
				now += (nl_time)(nl_unit(&rnd) * (double)(shapes[i].width_ns ? shapes[i].width_ns : NL_SEC) * (jump < .9 ? 1 : jump < .99 ? 20 : 99));
				struct call *l = &list[n];
				*l = (struct call){ now, nl_unit(&rnd) < .4, nl_unit(&rnd) < .3, NL_EXIT((int)(nl_unit(&rnd) * 12) + 1) };
				struct nl_circuit_input in = { .event = l->failed ? NL_FAILURE : NL_SUCCESS, .now = now, .epoch = epoch,
				                               .dur = l->slow ? 2 * NL_SEC : NL_SEC, .ws = l->ws };
				wrong += !nl_circuit_step(&cfg, &c, &epoch, &in).changed;
				wrong += !equal(nl_circuit_counts(&cfg, &c, now).n, recount(list, n + 1, &shapes[i], now));
				wrong += !evidence_is_right(&c, list, n + 1, &shapes[i], now);
				wrong += nl_circuit_sane(&c, now) != 0;
			}
			CHECK(wrong == 0);
			now += 3 * 86400 * NL_SEC;
			CHECK(equal(nl_circuit_counts(&cfg, &c, now).n, recount(list, LEN(list), &shapes[i], now)));
		}
	TEST("a caller whose clock was read earlier counts in the newest bucket") {
		struct walk w;
		struct nl_circuit_cfg cfg = { .shape = SECS(5), .min_calls = 99 };
		CHECK(walk_from(&w, cfg, "@3000 S @1000 S @7999 #2 @8000 #0"));
	}
	TEST("a result of a bucket that cannot be counts nowhere") {
		static const int64_t ages[] = { -1, 2, INT64_MAX, INT64_MIN };
		struct walk w;
		struct nl_circuit_cfg cfg = { .semantics = NL_SEM_GOBREAKER, .shape = SECS(5), .failures = 9, .probes = 1 };
		for (size_t i = 0; i < LEN(ages); i++) {
			CHECK(walk_from(&w, cfg, "+1500 A"));
			struct nl_circuit_input in = { .event = NL_FAILURE, .now = w.now, .epoch = w.epoch, .age = ages[i] };
			nl_circuit_step(&w.cfg, &w.c, &w.epoch, &in);
			CHECK(w.c.n.fails == 0 && walk(&w, "fail !1"));
		}
	}
	TEST("a span of time is seconds up to 60 of them, then 60 buckets; ten below a second") {
		static const struct { nl_time span; uint32_t n; int64_t width; } spans[] = {
			{ 1, 10, 1 }, { 99, 10, 10 }, { 500 * NL_MS, 10, 50 * NL_MS }, { NL_SEC, 1, NL_SEC }, { NL_SEC + 1, 2, NL_SEC },
			{ 30 * NL_SEC, 30, NL_SEC }, { 60 * NL_SEC, 60, NL_SEC }, { 61 * NL_SEC, 60, 1016666667 }, { 86400 * NL_SEC, 60, 1440 * NL_SEC },
			{ NL_NEVER, 60, NL_NEVER / 60 + 1 },
		};
		for (size_t i = 0; i < LEN(spans); i++) {
			struct nl_shape s = nl_shape_of_span(spans[i].span);
			CHECK(s.kind == NL_WINDOW_TIME && s.n == spans[i].n && s.width_ns == spans[i].width);
		}
	}
	TEST("the shape and the rules are the record's, not a later caller's") {
		struct walk w;
		struct nl_circuit_cfg cfg = { .shape = CALLS(4), .rate_ppm = PCT(50), .min_calls = 9 };
		CHECK(walk_from(&w, cfg, "3S"));
		w.cfg.shape = (struct nl_shape)SECS(5), w.cfg.semantics = NL_SEM_GOBREAKER;
		CHECK(walk(&w, "9S #4") && w.c.cfg.shape.kind == NL_WINDOW_COUNT && w.c.cfg.semantics == NL_SEM_NINELIVES);
		CHECK(walk_from(&w, simple, "F"));      // Without a window anybody may bring one.
		w.cfg = cfg;
		CHECK(walk(&w, "3S #3") && w.c.cfg.shape.n == 4);
		struct nl_circuit_cfg go = { .semantics = NL_SEM_GOBREAKER, .shape = CALLS(4), .failures = 9 };
		CHECK(walk_from(&w, go, "9S #9") && w.c.cfg.shape.kind == NL_WINDOW_NONE);      // It has no such windows.
	}
	TEST("counts of calls and the rate are as of now, not of the last write") {
		struct walk w;
		struct nl_circuit_cfg cfg = { .shape = SECS(2), .rate_ppm = PCT(90), .min_calls = 2 };
		CHECK(walk_from(&w, cfg, "F %-1 S %50"));
		struct nl_circuit was = w.c;
		CHECK(nl_circuit_counts(&cfg, &w.c, w.now + 2 * NL_SEC).n.calls == 0 && same(&w.c, &was));
		CHECK(nl_circuit_counts(NULL, &w.c, w.now).fail_ppm == 500000);
		CHECK(nl_circuit_counts(&cfg, &(struct nl_circuit){ .streak_fail = 3 }, 1).n.fails == 3);
	}
	TEST("more calls than a window holds are never asked for") {
		struct walk w;
		struct nl_circuit_cfg cfg = { .shape = CALLS(3), .rate_ppm = PCT(100), .min_calls = 10, .open_ns = NL_SEC };
		CHECK(walk_from(&w, cfg, "2F %-1 =C F =O"));
		cfg.min_calls = 0;
		CHECK(walk_from(&w, cfg, "F =O"));
	}
}

/* ---- numbers ---- */

static void check_numbers(void)
{
	struct walk w;
	TEST("open times grow by the factor with each opening, to the most and no further") {
		static const struct { nl_time open, most; uint64_t factor; uint32_t openings; double u; uint32_t jitter; nl_time is; } times[] = {
			{ NL_SEC, 0, 0, 9, 0, 0, NL_SEC }, { NL_SEC, 0, 1000000, UINT32_MAX, 0, 0, NL_SEC }, { NL_SEC, 0, 2000000, 0, 0, 0, NL_SEC },
			{ NL_SEC, 0, 2000000, 1, 0, 0, 2 * NL_SEC }, { NL_SEC, 0, 1500000, 3, 0, 0, 3375 * NL_MS },
			{ NL_SEC, 5 * NL_SEC, 2000000, 2, 0, 0, 4 * NL_SEC }, { NL_SEC, 5 * NL_SEC, 2000000, 3, 0, 0, 5 * NL_SEC },
			{ NL_SEC, 0, 2000000, UINT32_MAX, 0, 0, 86400 * NL_SEC }, { 0, 0, 2000000, 5, 0, 0, 0 },
			{ 7 * NL_SEC, 5 * NL_SEC, 2000000, 3, 0, 0, 7 * NL_SEC },    // The first is as asked for.
			{ 48 * 3600 * NL_SEC, 0, 2000000, 3, 0, 0, 48 * 3600 * NL_SEC }, { NL_SEC, 0, UINT64_MAX, 3, 0, 0, 86400 * NL_SEC },
			{ NL_SEC, 0, 500000, 1, 0, 0, NL_SEC / 2 },
			{ 100, 0, 0, 0, 0, 500000, 100 }, { 100, 0, 0, 0, .25, 500000, 112 }, { 100, 0, 0, 0, .5, 500000, 125 }, { 100, 0, 0, 0, .75, 500000, 137 },
			{ NL_NEVER, 0, 0, 0, 0, 0, NL_NEVER }, { NL_NEVER, 0, 0, 0, .9, 1000000, NL_NEVER }, { NL_NEVER, 0, 2000000, 3, 0, 0, NL_NEVER },
		};
		for (size_t i = 0; i < LEN(times); i++) {
			struct nl_circuit_cfg cfg = { .failures = 1, .open_ns = times[i].open, .open_max_ns = times[i].most,
			                              .factor_ppm = times[i].factor, .jitter_ppm = times[i].jitter };
			walk_begin(&w, cfg);
			w.u = times[i].u, w.c.openings = times[i].openings;
			CHECK(walk(&w, "F =O") && w.c.open_for == times[i].is && w.c.until == nl_after(w.now, times[i].is));
			CHECK(walk(&w, times[i].is == NL_NEVER ? "X r-" : "=O"));
		}
	}
	TEST("counts stop at their ends instead of beginning anew") {
		walk_begin(&w, (struct nl_circuit_cfg){ .failures = UINT32_MAX });
		CHECK(walk(&w, "F"));
		w.c.streak_fail = w.c.errs[0].count = w.c.stale = UINT32_MAX - 1;
		CHECK(walk(&w, "F =O") && w.c.trip.streak == UINT32_MAX && w.c.trip.errs[0].count == UINT32_MAX);
		w.c.rejected = w.c.stale = w.c.openings = UINT32_MAX;
		w.c.until = NL_NEVER;
		CHECK(walk(&w, "X") && w.c.rejected == UINT32_MAX);
		nl_circuit_step(&w.cfg, &w.c, &w.epoch, &(struct nl_circuit_input){ .event = NL_FAILURE, .now = w.now });
		CHECK(w.c.stale == UINT32_MAX);
		walk_begin(&w, (struct nl_circuit_cfg){ .semantics = NL_SEM_GOBREAKER, .failures = 1, .shape = { NL_WINDOW_TIME, 3, 1 } });
		CHECK(walk(&w, "S"));
		w.c.n.calls = w.c.n.oks = w.c.streak_ok = UINT32_MAX;
		CHECK(walk(&w, "S") && w.c.n.calls == UINT32_MAX && w.c.n.oks == UINT32_MAX && w.c.streak_ok == UINT32_MAX);
	}
	TEST("a bucket that lost count of its kinds leaves no count below zero") {
		walk_begin(&w, (struct nl_circuit_cfg){ .shape = SECS(2), .rate_ppm = PCT(100), .min_calls = UINT32_MAX });
		CHECK(walk(&w, "70000F +1000 F +1000 F +5000 #0"));
		CHECK(w.c.errs[0].count == 0 && w.c.n.fails == 0);
	}
	TEST("a clock that stands or was read earlier makes no negative time") {
		CHECK(walk_from(&w, simple, "2F =O"));
		nl_circuit_step(&w.cfg, &w.c, &w.epoch, &(struct nl_circuit_input){ .event = NL_RESET, .now = w.now - NL_SEC, .uid = 7 });
		CHECK(w.c.state == NL_CLOSED && w.c.forced_uid == 7 && w.c.reason == NL_WHY_RESET);
	}
	TEST("a step without a caller's cfg has the record's") {
		CHECK(walk_from(&w, simple, "F"));
		struct nl_circuit_input in = { .event = NL_FAILURE, .now = w.now, .epoch = w.epoch };
		CHECK(nl_circuit_step(NULL, &w.c, &w.epoch, &in).moved && w.c.state == NL_OPEN && w.c.open_for == NL_SEC);
	}
}

/* ---- words ---- */

static bool says(const struct nl_circuit *c, const char *text)
{
	char buf[200];
	nl_circuit_why(c, buf, sizeof buf);
	if (strcmp(buf, text))
		printf("# %s\n", buf);
	return !strcmp(buf, text);
}

static void fail_with(struct walk *w, int ws)
{
	struct nl_circuit_input in = { .event = NL_FAILURE, .now = w->now, .epoch = w->epoch, .ws = ws, .span = (uint64_t)ws,
	                               .cmd = "a-name-that-is-far-too-long", .real = 5 };
	nl_circuit_step(&w->cfg, &w->c, &w->epoch, &in);
}

static void check_words(void)
{
	struct walk w;
	TEST("why it opened is a line that a person understands") {
		walk_begin(&w, (struct nl_circuit_cfg){ .failures = 5, .open_ns = NL_SEC });
		CHECK(says(&w.c, ""));
		for (int i = 0; i < 4; i++)
			fail_with(&w, NL_EXIT(2));
		fail_with(&w, NL_EXIT(124));
		CHECK(says(&w.c, "5 consecutive failures (exit 2 ×4, timeout ×1)"));
		CHECK(w.c.spans[0] == NL_EXIT(124) && w.c.spans[1] == NL_EXIT(2) && w.c.last.at == w.now && w.c.last.ws == NL_EXIT(124));
		CHECK(!strcmp(w.c.last.cmd, "a-name-that-is-far-"));
		CHECK(walk(&w, "+1000 A =H") && says(&w.c, "5 consecutive failures (exit 2 ×4, timeout ×1)"));
		CHECK(walk(&w, "rel"));
		fail_with(&w, 9);
		CHECK(says(&w.c, "a probe failed (signal KILL ×1)") && walk(&w, "+1000 S =C") && says(&w.c, ""));
		CHECK(walk(&w, "open") && says(&w.c, "forced by uid 0") && walk(&w, "closed") && says(&w.c, "forced by uid 0"));
		CHECK(walk(&w, "off") && says(&w.c, "disabled by uid 0"));
		CHECK(walk_from(&w, (struct nl_circuit_cfg){ .failures = 1 }, "F") && says(&w.c, "1 failure (exit 1 ×1)"));
		struct nl_circuit_cfg rates = { .shape = CALLS(20), .rate_ppm = 333000, .slow_ppm = PCT(50), .slow_ns = 1, .min_calls = 3, .open_ns = 1 };
		CHECK(walk_from(&w, rates, "2S F") && says(&w.c, "1 of 3 calls failed, limit 33.3 % (exit 1 ×1)"));
		CHECK(walk_from(&w, rates, "S 2s") && says(&w.c, "2 of 3 calls were slow, limit 50 %"));
		CHECK(walk(&w, "+1 s =O") && says(&w.c, "a probe was slow"));
	}
	TEST("evidence names seven kinds of failures, and counts all others together") {
		walk_begin(&w, (struct nl_circuit_cfg){ .failures = 11, .open_ns = NL_SEC });
		for (int i = 1; i <= 10; i++)
			fail_with(&w, NL_EXIT(i));
		fail_with(&w, NL_EXIT(1));
		uint32_t sum = 0;
		for (unsigned i = 0; i < NL_CIRCUIT_ERRS; i++)
			sum += w.c.trip.errs[i].count;
		CHECK(sum == 11 && w.c.trip.errs[7].count == 3 && w.c.trip.errs[7].ws == -1);
		char buf[200];
		nl_circuit_why(&w.c, buf, sizeof buf);
		CHECK(strstr(buf, "exit 1 ×2") && strstr(buf, ", others ×3)"));
	}
	TEST("the most frequent kind of failure is named first") {
		const struct nl_circuit_err errs[NL_CIRCUIT_ERRS] = { { NL_EXIT(1), 1 }, { NL_EXIT(2), 0 }, { NL_EXIT(3), 2 }, [7] = { -1, 5 } };
		char buf[200];
		nl_circuit_evidence(errs, buf, sizeof buf);
		CHECK(!strcmp(buf, "exit 3 ×2, exit 1 ×1, others ×5"));
		CHECK(walk_from(&w, (struct nl_circuit_cfg){ .failures = 3 }, "3F"));
		nl_circuit_cause(&w.c, buf, sizeof buf);
		CHECK(!strcmp(buf, "3 consecutive failures"));
		w.c.trip.reason = NL_WHY_NONE;          // Never said by us.
		nl_circuit_cause(&w.c, buf, sizeof buf);
		CHECK(!*buf);
	}
	TEST("text is cut at a character, and an empty buffer is left alone") {
		char buf[64], one[1] = { 'x' };
		CHECK(walk_from(&w, (struct nl_circuit_cfg){ .failures = 1 }, "F"));
		for (size_t size = 1; size < sizeof buf; size++) {
			memset(buf, 'x', sizeof buf);
			nl_circuit_why(&w.c, buf, size);
			size_t n = strlen(buf);
			CHECK(n < size && !strncmp(buf, "1 failure (exit 1 ×1)", n) && (n == 0 || (unsigned char)buf[n - 1] != 0xc3));
		}
		nl_circuit_why(&w.c, one, 0);
		nl_circuit_evidence(w.c.trip.errs, one, 0);
		CHECK(*one == 'x');
	}
	TEST("states and reasons have names") {
		CHECK(!strcmp(nl_circuit_name(NL_HALF_OPEN), "half_open") && !strcmp(nl_circuit_name(NL_DISABLED), "disabled"));
		CHECK(!strcmp(nl_circuit_reason_name(NL_WHY_SLOW), "slow_rate") && !strcmp(nl_circuit_reason_name(NL_WHY_TIME), "timer"));
	}
	TEST("a streak is broken by a success, and its evidence with it; a window keeps what is in it") {
		struct nl_circuit_cfg windowed = { .failures = 2, .shape = CALLS(3), .min_calls = 3, .rate_ppm = PCT(100) };
		CHECK(walk_from(&w, simple, "F S") && w.c.errs[0].count == 0);
		CHECK(walk_from(&w, windowed, "F S") && w.c.errs[0].count == 1);
		CHECK(walk(&w, "3S") && w.c.errs[0].count == 0);
	}
}

/* ---- bodies ---- */

/* Uses a body as callers do; the sanitizers look on. */
static void use(struct nl_circuit *c, nl_time now)
{
	static const enum nl_circuit_event all[] = { NL_ACQUIRE, NL_FAILURE, NL_SUCCESS, NL_IGNORED, NL_LOOK };
	char buf[300];
	uint64_t epoch = 3;
	for (unsigned i = 0; i < 20; i++) {
		struct nl_circuit_input in = { .event = all[i % LEN(all)], .now = now + i * NL_SEC / 3, .epoch = epoch, .age = c->bucket, .ws = NL_EXIT(1) };
		nl_circuit_step(i % 7 ? &simple : NULL, c, &epoch, &in);
	}
	nl_circuit_counts(&simple, c, now);
	nl_circuit_why(c, buf, sizeof buf);
}

static void check_bodies(void)
{
	static const struct nl_circuit_cfg cfgs[] = {
		{ .failures = 3, .open_ns = NL_SEC },
		{ .shape = CALLS(9), .rate_ppm = PCT(70), .min_calls = 4, .open_ns = NL_SEC },
		{ .shape = SECS(5), .rate_ppm = PCT(70), .min_calls = 4, .open_ns = NL_SEC },
		{ .semantics = NL_SEM_RESILIENCE4J, .shape = SECS(5), .rate_ppm = PCT(70), .min_calls = 4, .open_ns = NL_SEC, .probes = 3 },
		{ .semantics = NL_SEM_GOBREAKER, .shape = { NL_WINDOW_TIME, 4, NL_SEC }, .failures = 3, .open_ns = NL_SEC, .probes = 2 },
		{ .semantics = NL_SEM_GOBREAKER, .shape = { NL_WINDOW_TIME, 1, NL_SEC }, .failures = 3, .open_ns = NL_SEC, .probes = 2 },
	};
	static const char *const ways[] = { "", "S F S S +900 F S S", "6F +500", "6F +1100 A", "6F +1100 S", "open", "closed 2F S", "off" };
	struct walk w;
	TEST("a body that the machine left is sane, and none with a bit flipped does harm")
		for (size_t i = 0; i < LEN(cfgs); i++)
			for (size_t k = 0; k < LEN(ways); k++) {
				walk_begin(&w, cfgs[i]);
				walk(&w, ways[k]);
				CHECK_ROW(nl_circuit_sane(&w.c, w.now) == 0, ways[k]);
				for (size_t bit = 0; bit < 8 * sizeof w.c; bit += bit < 4096 ? 1 : 13) {
					struct nl_circuit c = w.c;
					((unsigned char *)&c)[bit / 8] ^= (unsigned char)(1 << bit % 8);
					int r = nl_circuit_sane(&c, w.now);
					if (r < 0)
						continue;
					CHECK_ROW(nl_circuit_sane(&c, w.now) == 0, ways[k]);    // Put right for good.
					use(&c, w.now);
				}
			}
	TEST("a body of noise is refused, or does no harm") {
		uint64_t rnd = 42;
		for (unsigned i = 0; i < 20000; i++) {
			struct nl_circuit c;
			walk_from(&w, cfgs[i % LEN(cfgs)], "F S");
			c = w.c;
			for (unsigned k = 0; k < 1 + i % 9; k++) {
				uint64_t word = nl_random(&rnd) >> nl_random(&rnd) % 64;
				size_t at = nl_random(&rnd) % (k % 2 ? sizeof c : 512) / 4 * 4;
				memcpy((unsigned char *)&c + at, &word, 4);
			}
			if (nl_circuit_sane(&c, w.now) >= 0)
				use(&c, w.now);
		}
	}
	TEST("what cannot be is refused field by field") {
#define WRONG(field, value) do { CHECK(walk_from(&w, cfgs[1], "2S F")); w.c.field = (value); CHECK(nl_circuit_sane(&w.c, w.now) == -1); } while (0)
		WRONG(state, NL_CIRCUIT_STATES);
		WRONG(reason, NL_CIRCUIT_REASONS);
		WRONG(trip.reason, NL_CIRCUIT_REASONS);
		WRONG(since, -1);
		WRONG(until, -1);
		WRONG(open_for, -1);
		WRONG(last.at, -1);
		WRONG(bucket, -1);
		WRONG(head, 9);
		WRONG(n.calls, 10);
		WRONG(n.fails, 2);
		WRONG(n.slows, 1);
		WRONG(n.oks, 1);
		WRONG(n.excluded, 1);
		WRONG(w.cell[2], 0xff);
		WRONG(half_window, NL_WINDOW_CALLS + 1);
		WRONG(cfg.shape.kind, 3);
		WRONG(cfg.shape.n, 0);
		WRONG(cfg.shape.n, NL_WINDOW_CALLS + 1);
		WRONG(cfg.semantics, 3);
		WRONG(cfg.rate_ppm, 1000001);
		WRONG(cfg.slow_ppm, 1000001);
		WRONG(cfg.jitter_ppm, 1000001);
		WRONG(cfg.slow_ns, -1);
		WRONG(cfg.open_ns, -1);
		WRONG(cfg.open_max_ns, -1);
		CHECK(walk_from(&w, cfgs[1], "F") && (memset(w.c.last.cmd, 'x', sizeof w.c.last.cmd), nl_circuit_sane(&w.c, w.now) == -1));
		CHECK(walk_from(&w, cfgs[2], "F") && (w.c.cfg.shape.n = NL_WINDOW_BUCKETS + 1, nl_circuit_sane(&w.c, w.now) == -1));
		CHECK(walk_from(&w, cfgs[2], "F") && (w.c.cfg.shape.n = 0, nl_circuit_sane(&w.c, w.now) == -1));
		CHECK(walk_from(&w, cfgs[2], "F") && (w.c.cfg.shape.width_ns = 0, nl_circuit_sane(&w.c, w.now) == -1));
		CHECK(walk_from(&w, cfgs[2], "F") && (w.c.w.buckets[0].n.calls++, nl_circuit_sane(&w.c, w.now) == -1));
		CHECK(walk_from(&w, cfgs[2], "F") && (w.c.w.buckets[0].n.calls = w.c.w.buckets[1].n.calls = UINT32_MAX, nl_circuit_sane(&w.c, w.now) == -1));
	}
	TEST("times that have not come yet are put right") {
		CHECK(walk_from(&w, simple, "2F") && nl_circuit_sane(&w.c, w.now - 5) == 1 && w.c.since == w.now - 5 && w.c.last.at == w.now - 5);
		CHECK(w.c.until == w.now - 5 + NL_SEC && nl_circuit_sane(&w.c, w.now - 5) == 0);
		CHECK(walk_from(&w, simple, "2F") && (w.c.until = NL_NEVER, nl_circuit_sane(&w.c, w.now) == 1) && walk(&w, "+1000 A"));
		CHECK(walk_from(&w, cfgs[2], "2F") && (w.c.bucket += 9, nl_circuit_sane(&w.c, w.now) == 1) && walk(&w, "#0 F #1"));
	}
}

int main(void)
{
	check_edges();
	check_windows();
	check_numbers();
	check_words();
	check_bodies();
	return unit_done();
}
