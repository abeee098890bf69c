/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff_test.c - delays: the vectors of the libraries that we agree with, the
 * laws that hold for every input, and the distribution of what jitter draws.
 */
#include "backoff.h"
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEN(a) (sizeof(a) / sizeof *(a))
#define HOUR (3600 * NL_SEC)

static struct nl_err err;

static struct nl_backoff backoff(const char *text)
{
	struct nl_backoff b = { 0 };

	if (nl_parse_backoff(text, &b, &err))
		printf("# %s: %s\n", text, err.msg);
	return b;
}

/* Are the delays before retries 1, 2, 3 … these, in ms? */
static bool delays_are(const char *text, const int *ms, size_t n)
{
	struct nl_backoff b = backoff(text);

	for (size_t i = 0; i < n; i++)
		if (nl_backoff_delay(&b, i + 1) != ms[i] * NL_MS)
			return printf("# retry %zu: %lld\n", i + 1, (long long)nl_backoff_delay(&b, i + 1)), false;
	return n > 0 && nl_backoff_delay(&b, 0) == 0;
}

#define DELAYS(text, ...) CHECK_ROW(delays_are(text, (const int[]){ __VA_ARGS__ }, sizeof((int[]){ __VA_ARGS__ }) / sizeof(int)), text)

static bool near(nl_time t, double seconds)
{
	return fabs((double)t - seconds * 1e9) <= 1;
}

static void parsing(void)
{
	static const struct { const char *text; enum nl_backoff_kind kind; nl_time base, cap; } good[] = {
		{ "exponential:1s..60s", NL_EXPONENTIAL, NL_SEC, 60 * NL_SEC }, { "exp:100ms", NL_EXPONENTIAL, 100 * NL_MS, 60 * NL_SEC },
		{ "e:2m", NL_EXPONENTIAL, 120 * NL_SEC, 120 * NL_SEC }, { "const:1", NL_CONSTANT, NL_SEC, 60 * NL_SEC },
		{ "constant:0", NL_CONSTANT, 0, 60 * NL_SEC }, { "c:5m", NL_CONSTANT, 300 * NL_SEC, 300 * NL_SEC },
		{ "linear:10..25", NL_LINEAR, 10 * NL_SEC, 25 * NL_SEC }, { "fib:.5..1.5", NL_FIBONACCI, 500 * NL_MS, 1500 * NL_MS },
		{ "lin:1...5s1ms", 0, 0, 0 }, { "exp:1s..1s", NL_EXPONENTIAL, NL_SEC, NL_SEC }, { "exp:24h..24h", NL_EXPONENTIAL, 24 * HOUR, 24 * HOUR },
		{ "exp:1m30s..1h15m", NL_EXPONENTIAL, 90 * NL_SEC, 75 * 60 * NL_SEC },
	};
	static const struct { const char *text, *why; } bad[] = {
		{ "exq:1s", "unknown kind (constant, linear, exponential, fibonacci)" }, { "", "unknown kind" }, { ":1s", "unknown kind" },
		{ "1s", "unknown kind" }, { "Exp:1s", "unknown kind" }, { "exponentially:1s", "unknown kind" },
		{ "exponential", "not KIND:BASE[..CAP]" }, { "exp:", "BASE: not a duration" }, { "exp:..5s", "BASE: not a duration" },
		{ "exp:x", "BASE: not a duration" }, { "exp:-1", "BASE: negative" }, { "exp:1w..2w", "BASE: unknown unit" },
		{ "exp:24h1us", "BASE: at most 24 h" }, { "const:inf", "BASE: at most 24 h" }, { "exp:1s..", "CAP: not a duration" },
		{ "exp:1s..25h", "CAP: at most 24 h" }, { "exp:1s..inf", "CAP: at most 24 h" }, { "exp:1s..0", "CAP: must be greater than zero" },
		{ "exp:0..0", "CAP: must be greater than zero" }, { "exp:2s..1s", "CAP: must not be less than BASE" }, { "exp:1s,60s", "BASE: trailing text" },
		{ "exp:1s..2s..3s", "CAP: not a duration" },
		{ "exp:1000000000000000000000000000000000000000000000000000000000000000000000000000000", "BASE: too long" },
	};
	static const enum nl_jitter all[] = {
		NL_JITTER_FULL, NL_JITTER_NONE, NL_JITTER_EQUAL, NL_JITTER_DECORRELATED, NL_JITTER_FINAGLE, NL_JITTER_POLLY,
	};
	enum nl_jitter j;

	TEST("KIND:BASE[..CAP], the kind by any unambiguous beginning")
		for (size_t i = 0; i < LEN(good); i++) {
			struct nl_backoff b = { 0 };
			bool ok = !nl_parse_backoff(good[i].text, &b, &err) && b.kind == good[i].kind && b.base == good[i].base && b.cap == good[i].cap;
			CHECK_ROW(good[i].cap ? ok : !ok, good[i].text);
		}
	TEST("what is wrong is said, and nothing is stored")
		for (size_t i = 0; i < LEN(bad); i++) {
			struct nl_backoff b = { .base = 42 };
			CHECK_ROW(nl_parse_backoff(bad[i].text, &b, &err) == -1 && b.base == 42 && b.cap == 0, bad[i].text);
			CHECK_ROW(!strncmp(err.msg, bad[i].why, strlen(bad[i].why)), bad[i].text);
		}
	TEST("a jitter's name is read, whole or by an unambiguous beginning") {
		for (size_t i = 0; i < LEN(all); i++)
			CHECK_ROW(!nl_parse_jitter(nl_jitter_name(all[i]), &j, &err) && j == all[i], nl_jitter_name(all[i]));
		CHECK(!nl_parse_jitter("decorr", &j, &err) && j == NL_JITTER_DECORRELATED);
		CHECK(nl_parse_jitter("f", &j, &err) && nl_parse_jitter("", &j, &err) && nl_parse_jitter("fuller", &j, &err));
		CHECK(j == NL_JITTER_DECORRELATED && !strcmp(err.msg, "not one of none, full, equal, decorrelated, finagle, polly"));
	}
	TEST("kinds have names") {
		CHECK(!strcmp(nl_backoff_name(NL_CONSTANT), "constant") && !strcmp(nl_backoff_name(NL_LINEAR), "linear"));
		CHECK(!strcmp(nl_backoff_name(NL_EXPONENTIAL), "exponential") && !strcmp(nl_backoff_name(NL_FIBONACCI), "fibonacci"));
	}
}

static void plain(void)
{
	static const enum nl_backoff_kind kinds[] = { NL_CONSTANT, NL_LINEAR, NL_EXPONENTIAL, NL_FIBONACCI };
	static const uint64_t late[] = { 1000000000, UINT64_C(4294967295) + 10000, UINT64_MAX };

	TEST("constant is the same at 1, 2 and 100") {
		struct nl_backoff b = backoff("constant:250ms");
		CHECK(nl_backoff_delay(&b, 1) == 250 * NL_MS && nl_backoff_delay(&b, 2) == 250 * NL_MS && nl_backoff_delay(&b, 100) == 250 * NL_MS);
		CHECK(nl_backoff_delay(&b, 0) == 0);
	}
	TEST("linear 100 ms: 100 200 300 … 1000; 10 s capped at 25 s: 10 20 25 25") {
		DELAYS("linear:100ms", 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000);
		DELAYS("linear:10s..25s", 10000, 20000, 25000, 25000, 25000, 25000, 25000, 25000, 25000, 25000);
	}
	TEST("exponential 100 ms: 100 200 400 800 1600; capped at 1 s it stays there") {
		DELAYS("exponential:100ms", 100, 200, 400, 800, 1600);
		DELAYS("exponential:100ms..1s", 100, 200, 400, 800, 1000, 1000, 1000, 1000, 1000, 1000);
	}
	TEST("AWS: 1 2 4 8; with a cap of 3 s: 1 2 3 3") {
		DELAYS("exponential:1s", 1000, 2000, 4000, 8000);
		DELAYS("exponential:1s..3s", 1000, 2000, 3000, 3000);
	}
	TEST("fibonacci: 1 1 2 3 5 8 13") {
		DELAYS("fibonacci:1s", 1000, 1000, 2000, 3000, 5000, 8000, 13000, 21000, 34000, 55000, 60000, 60000);
		DELAYS("fibonacci:1s..6s", 1000, 1000, 2000, 3000, 5000, 6000, 6000);
	}
	TEST("linear and exponential 30 ms capped at 100 ms never fall and never pass the cap")
		for (size_t k = 0; k < LEN(kinds); k++) {
			struct nl_backoff b = { kinds[k], 30 * NL_MS, 100 * NL_MS };
			for (uint64_t n = 1; n <= 200; n++) {
				nl_time d = nl_backoff_delay(&b, n);
				CHECK(d >= nl_backoff_delay(&b, n - 1) && d <= 100 * NL_MS && d >= 30 * NL_MS);
			}
		}
	TEST("a cap equal to the base is allowed")
		DELAYS("exponential:1s..1s", 1000, 1000, 1000);
	TEST("a base of 0 waits never")
		for (size_t k = 0; k < LEN(kinds); k++) {
			struct nl_backoff b = { kinds[k], 0, 60 * NL_SEC };
			for (uint64_t n = 0; n < 100; n++)
				CHECK(nl_backoff_delay(&b, n) == 0);
			CHECK(nl_backoff_delay(&b, UINT64_MAX) == 0);
		}
	TEST("attempt 10^9, 2^32+9999 and 2^64-1 wait exactly 24 h, whatever the base")
		for (size_t k = 1; k < LEN(kinds); k++)
			for (size_t i = 0; i < LEN(late); i++)
				for (nl_time base = 1; base < NL_NEVER / 2; base *= 2) {
					struct nl_backoff b = { kinds[k], base, NL_NEVER };
					bool reached = kinds[k] != NL_LINEAR || (uint64_t)(NL_BACKOFF_MAX / base) < late[i];
					CHECK_ROW(nl_backoff_delay(&b, late[i]) == (reached ? NL_BACKOFF_MAX : base * (nl_time)late[i]), nl_backoff_name(kinds[k]));
				}
	TEST("a huge base waits exactly 24 h from the first retry on")
		for (size_t k = 0; k < LEN(kinds); k++) {
			struct nl_backoff b = { kinds[k], NL_NEVER / 2, NL_NEVER };
			for (uint64_t n = 1; n < 70; n++)
				CHECK_ROW(nl_backoff_delay(&b, n) == 24 * HOUR, nl_backoff_name(kinds[k]));
		}
	TEST("no doubling from 1 ns on is skipped, repeated or negative") {
		struct nl_backoff b = { NL_EXPONENTIAL, 1, NL_NEVER };
		for (uint64_t n = 1; n <= 100; n++)
			CHECK(nl_backoff_delay(&b, n) == (n <= 47 ? (nl_time)1 << (n - 1) : NL_BACKOFF_MAX));
	}
}

static nl_time draw(enum nl_jitter j, const char *text, uint64_t n, double u)
{
	struct nl_backoff b = backoff(text);
	struct nl_jitter_state s = { 0 };

	return nl_jittered(j, &b, n, &s, u);
}

/* Largest distance between the empirical distribution of x (sorted here) and
 * the uniform one, times sqrt(n): above 1.95 in one of 1000 honest samples. */
static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double kolmogorov(double *x, size_t n)
{
	double worst = 0;

	qsort(x, n, sizeof *x, compare);
	for (size_t i = 0; i < n; i++) {
		worst = fmax(worst, (double)(i + 1) / (double)n - x[i]);
		worst = fmax(worst, x[i] - (double)i / (double)n);
	}
	return worst * sqrt((double)n);
}

static void jitter(void)
{
	static const enum nl_jitter all[] = {
		NL_JITTER_FULL, NL_JITTER_NONE, NL_JITTER_EQUAL, NL_JITTER_DECORRELATED, NL_JITTER_FINAGLE, NL_JITTER_POLLY,
	};
	static const char *const specs[] = {
		"constant:100ms", "linear:1s..10s", "exponential:1ms..1s", "fibonacci:10us", "exponential:1ms..24h", "constant:24h",
	};
	static const double corners[] = { 0, 0x1p-53, 0.5, 1 - 0x1p-53 };
	static double x[10000];
	uint64_t seed = 42;

	TEST("none changes nothing") {
		struct nl_backoff b = backoff("exponential:100ms..1s");
		struct nl_jitter_state s = { 0 };
		for (uint64_t n = 0; n < 20; n++)
			CHECK(nl_jittered(NL_JITTER_NONE, &b, n, &s, nl_unit(&seed)) == nl_backoff_delay(&b, n));
	}
	TEST("full is within [0, d], equal within [d/2, d], over 200 draws") {
		struct nl_backoff b = backoff("exponential:100ms..1h");
		struct nl_jitter_state s = { 0 };
		for (uint64_t i = 0; i < 200; i++) {
			nl_time d = nl_backoff_delay(&b, i % 12 + 1);
			nl_time full = nl_jittered(NL_JITTER_FULL, &b, i % 12 + 1, &s, nl_unit(&seed));
			nl_time equal = nl_jittered(NL_JITTER_EQUAL, &b, i % 12 + 1, &s, nl_unit(&seed));
			CHECK(full >= 0 && full <= d && equal >= d / 2 && equal <= d);
		}
		CHECK(draw(NL_JITTER_FULL, "constant:1s", 1, 0) == 0 && draw(NL_JITTER_FULL, "constant:1s", 1, .25) == 250 * NL_MS);
		CHECK(draw(NL_JITTER_EQUAL, "constant:1s", 1, 0) == 500 * NL_MS && draw(NL_JITTER_EQUAL, "constant:1s", 1, .5) == 750 * NL_MS);
	}
	TEST("decorrelated (AWS): from 100 ms the first is within [100, 300], each min(cap, U(base, 3 prev))") {
		struct nl_backoff b = backoff("exponential:100ms..10s");
		CHECK(draw(NL_JITTER_DECORRELATED, "exponential:100ms..10s", 1, 0) == 100 * NL_MS);
		CHECK(draw(NL_JITTER_DECORRELATED, "exponential:100ms..10s", 1, .5) == 200 * NL_MS);
		CHECK(near(draw(NL_JITTER_DECORRELATED, "exponential:100ms..10s", 1, 1 - 0x1p-53), .3));
		struct nl_jitter_state s = { 0 };
		nl_time prev = b.base, lowest = b.cap, highest = 0;
		bool fell = false;
		for (uint64_t n = 1; n <= 200; n++) {
			double u = nl_unit(&seed);
			nl_time d = nl_jittered(NL_JITTER_DECORRELATED, &b, n, &s, u);
			CHECK(near(d, fmin(10, .1 + u * (3e-9 * (double)prev - .1))));
			fell |= d < prev;
			lowest = n > 20 && d < lowest ? d : lowest;
			highest = d > highest ? d : highest;
			prev = d;
		}
		CHECK(fell && lowest < NL_SEC && highest == 10 * NL_SEC);
	}
	TEST("decorrelated with draws 0, 1/2, 1/2, 1/2 from 1 s: 1, 2, 3.5, 5.75") {
		static const double u[] = { 0, .5, .5, .5 }, want[] = { 1, 2, 3.5, 5.75 };
		struct nl_backoff b = backoff("constant:1s..5.8s");
		struct nl_jitter_state s = { 0 };
		for (uint64_t n = 0; n < 4; n++)
			CHECK(near(nl_jittered(NL_JITTER_DECORRELATED, &b, n + 1, &s, u[n]), want[n]));
		CHECK(nl_jittered(NL_JITTER_DECORRELATED, &b, 5, &s, .9) == 5800 * NL_MS);
	}
	TEST("finagle: within [prev, 3 prev], never falls over 64 x 200 draws, ends at the cap") {
		struct nl_backoff b = backoff("exponential:100ms..10s");
		for (int k = 0; k < 64; k++) {
			struct nl_jitter_state s = { 0 };
			nl_time prev = b.base;
			for (uint64_t n = 1; n <= 200; n++) {
				nl_time d = nl_jittered(NL_JITTER_FINAGLE, &b, n, &s, nl_unit(&seed));
				CHECK(d >= prev && d <= b.cap && d <= 3 * prev);
				CHECK(n > 1 || (d >= 100 * NL_MS && d <= 300 * NL_MS));
				prev = d;
			}
			CHECK(prev == b.cap);
		}
	}
	TEST("Polly, constant 1 s: u = 0 .4 .6 1 give .75 .95 1.05 1.25") {
		CHECK(near(draw(NL_JITTER_POLLY, "constant:1s", 1, 0), .75) && near(draw(NL_JITTER_POLLY, "constant:1s", 1, .4), .95));
		CHECK(near(draw(NL_JITTER_POLLY, "constant:1s", 7, .6), 1.05) && near(draw(NL_JITTER_POLLY, "constant:1s", 7, 1), 1.25));
	}
	TEST("Polly, linear 1 s, third retry: u = 0 .4 .5 .6 1 give 2.25 2.85 3 3.15 3.75") {
		static const double u[] = { 0, .4, .5, .6, 1 }, want[] = { 2.25, 2.85, 3, 3.15, 3.75 };
		for (size_t i = 0; i < LEN(u); i++)
			CHECK(near(draw(NL_JITTER_POLLY, "linear:1s", 3, u[i]), want[i]));
	}
	TEST("Polly, exponential 1 s without jitter: 1 2 4; the cap is applied last") {
		DELAYS("exponential:1s", 1000, 2000, 4000);
		CHECK(near(draw(NL_JITTER_POLLY, "linear:10s..25s", 3, 0), 22.5) && draw(NL_JITTER_POLLY, "linear:10s..25s", 3, .5) == 25 * NL_SEC);
		CHECK(near(draw(NL_JITTER_POLLY, "fibonacci:10s..25s", 4, 0), 22.5) && draw(NL_JITTER_POLLY, "fibonacci:10s..25s", 4, 1) == 25 * NL_SEC);
	}
	TEST("Polly, exponential with jitter: (f(t) - f(before)) / 1.4, f(t) = 2^t tanh(sqrt(4t))") {
		struct nl_backoff b = backoff("exponential:1s..24h");
		struct nl_jitter_state s = { 0 };
		double before = 0;
		for (uint64_t n = 1; n <= 16; n++) {
			double u = nl_unit(&seed), t = (double)(n - 1) + u;
			double f = pow(2, t) * tanh(sqrt(4 * t));
			CHECK(near(nl_jittered(NL_JITTER_POLLY, &b, n, &s, u), (f - before) / 1.4));
			before = f;
		}
		CHECK(draw(NL_JITTER_POLLY, "exponential:1s", 1, 0) == 0);
	}
	TEST("Polly, attempts 1024 and 1025 and all around them stay positive, at the cap") {
		struct nl_backoff b = { NL_EXPONENTIAL, 1, NL_NEVER };
		struct nl_jitter_state s = { 0 };
		for (uint64_t n = 1; n < 2000; n++) {
			nl_time d = nl_jittered(NL_JITTER_POLLY, &b, n, &s, nl_unit(&seed));
			CHECK(n < 60 ? d >= 0 && d <= NL_BACKOFF_MAX : d == NL_BACKOFF_MAX);
		}
		CHECK(nl_jittered(NL_JITTER_POLLY, &b, UINT64_MAX, &s, .5) == NL_BACKOFF_MAX);
	}
	TEST("Polly, exponential: the medians are near .90 1.14 2.02 4.01 8.00 16.0 times the base") {
		static const double medians[] = { .898, 1.141, 2.020, 4.008, 8.003, 16.03 };
		struct nl_backoff b = backoff("exponential:1s..24h");
		for (size_t n = 1; n <= LEN(medians); n++) {
			for (size_t i = 0; i < LEN(x); i++) {
				struct nl_jitter_state s = { 0 };
				nl_time d = 0;
				for (uint64_t k = 1; k <= n; k++)
					d = nl_jittered(NL_JITTER_POLLY, &b, k, &s, nl_unit(&seed));
				x[i] = (double)d / 1e9;
			}
			qsort(x, LEN(x), sizeof *x, compare);
			CHECK(fabs(x[LEN(x) / 2] / medians[n - 1] - 1) < .03);
		}
	}
	TEST("whatever the kind, the jitter and the draw: 0 <= delay <= cap, and a base of 0 stays 0")
		for (size_t j = 0; j < LEN(all); j++)
			for (size_t k = 0; k < LEN(specs); k++)
				for (size_t i = 0; i < LEN(corners); i++) {
					struct nl_backoff b = backoff(specs[k]), zero = { b.kind, 0, b.cap };
					struct nl_jitter_state s = { 0 }, z = { 0 };
					for (uint64_t n = 0; n <= 1100; n++) {
						nl_time d = nl_jittered(all[j], &b, n, &s, corners[i]);
						CHECK_ROW(d >= 0 && d <= b.cap && (n || d == 0), specs[k]);
						CHECK_ROW(nl_jittered(all[j], &zero, n, &z, corners[i]) == 0, specs[k]);
					}
				}
	TEST("a huge base and the latest attempts do not overflow, whatever the jitter")
		for (size_t j = 0; j < LEN(all); j++)
			for (enum nl_backoff_kind kind = NL_EXPONENTIAL; kind <= NL_FIBONACCI; kind++) {
				struct nl_backoff b = { kind, NL_NEVER, NL_NEVER };
				struct nl_jitter_state s = { 0 };
				for (uint64_t n = 1; n < 100; n++) {
					nl_time d = nl_jittered(all[j], &b, n * 0x290000000000000, &s, .999);
					CHECK_ROW(d > 23 * HOUR && d <= 24 * HOUR, nl_jitter_name(all[j]));
				}
			}
	TEST("full jitter is uniform (Kolmogorov-Smirnov, 10000 draws)") {
		struct nl_backoff b = backoff("exponential:1s..60s");
		struct nl_jitter_state s = { 0 };
		for (size_t i = 0; i < LEN(x); i++)
			x[i] = (double)nl_jittered(NL_JITTER_FULL, &b, 4, &s, nl_unit(&seed)) / 8e9;
		CHECK(kolmogorov(x, LEN(x)) < 1.95);
	}
	TEST("200 processes with seeds in a row, or apart by microseconds, spread evenly; no two draw alike")
		for (uint64_t step = 1; step < 1000000; step *= 10) {
			struct nl_backoff b = backoff("constant:1s");
			struct nl_jitter_state s = { 0 };
			for (uint64_t i = 0; i < 200; i++) {
				uint64_t own = 1700000000 * UINT64_C(1000000000) + i * step;
				x[i] = (double)nl_jittered(NL_JITTER_FULL, &b, 1, &s, nl_unit(&own)) / 1e9;
			}
			CHECK(kolmogorov(x, 200) < 1.95);
			for (size_t i = 1; i < 200; i++)
				CHECK(x[i] > x[i - 1]);
		}
	TEST("a seed repeats its draws; they are below 1 and match splitmix64's") {
		uint64_t a = 42, b = 42, c = 43, known = 1234567;
		CHECK(nl_unit(&known) == (double)(UINT64_C(6457827717110365317) >> 11) * 0x1p-53);
		CHECK(nl_unit(&known) == (double)(UINT64_C(3203168211198807973) >> 11) * 0x1p-53);
		for (int i = 0; i < 1000; i++) {
			double u = nl_unit(&a);
			CHECK(u == nl_unit(&b) && u != nl_unit(&c) && u >= 0 && u < 1);
		}
	}
}

int main(void)
{
	parsing();
	plain();
	jitter();
	return unit_done();
}
