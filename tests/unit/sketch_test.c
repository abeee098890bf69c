/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sketch_test.c - buckets against exact arithmetic, quantiles against sorted
 * samples.
 */
#include "observe/sketch.h"
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES 20000
#define WORDS 24                        /* of 64 bits: 32 * 38 + 32 * 20 bits, and more */

/* Big numbers, least word first: a bucket ends at the last us with us^32 <= 10^(6*32) * 2^j. */
struct big { uint64_t w[2 * WORDS]; };

__extension__ typedef unsigned __int128 u128;

static void times(struct big *b, uint64_t n)
{
	uint64_t carry = 0;
	for (unsigned i = 0; i < 2 * WORDS; i++) {
		u128 v = (u128)b->w[i] * n + carry;
		b->w[i] = (uint64_t)v, carry = (uint64_t)(v >> 64);
	}
}

static void shift(struct big *b, unsigned bits)
{
	for (; bits >= 32; bits -= 32)
		times(b, UINT64_C(1) << 32);
	times(b, UINT64_C(1) << bits);
}

static struct big power(uint64_t base)
{
	struct big b = { { 1 } };
	for (unsigned i = 0; i < 32; i++)
		times(&b, base);
	return b;
}

/* us <= 10^6 * 2^(j/32), exactly. */
static bool is_within(int64_t us, int j)
{
	struct big a = power((uint64_t)us), b = power(1000000);
	shift(j < 0 ? &a : &b, (unsigned)abs(j));
	for (unsigned i = 2 * WORDS; i-- > 0;)
		if (a.w[i] != b.w[i])
			return a.w[i] < b.w[i];
	return true;
}

static bool is_right(int64_t us)
{
	unsigned bucket = nl_sketch_bucket(us);
	int j = NL_SKETCH_FIRST + (int)bucket;
	return !is_within(us, j) && is_within(us, j + 1);
}

static uint64_t rnd(void)
{
	static uint64_t state = 1;
	state = state * 6364136223846793005 + 1442695040888963407;
	return state >> 32 ^ state << 20;
}

static double uniform(void)
{
	return (double)(rnd() % 1000000007) / 1000000007;
}

static void buckets(void)
{
	TEST("A duration is in the bucket that exact arithmetic says, at both ends of each bucket") {
		for (unsigned i = 0; i + 1 < NL_SKETCH_BUCKETS; i++) {
			int64_t most = (int64_t)floor(nl_sketch_upper(i) * 1e6);
			for (int64_t us = most - 1; us <= most + 1; us++)
				CHECK(us < 1 || is_right(us));
		}
	}
	TEST("So are powers of two, in microseconds and in seconds, and their neighbours") {
		for (unsigned bit = 0; bit < 38; bit++)
			for (int64_t us = (INT64_C(1) << bit) - 1; us <= (INT64_C(1) << bit) + 1; us++)
				CHECK(us < 1 || is_right(us));
		for (int64_t second = 1; second <= 1 << 18; second *= 2)
			for (int64_t us = second * 1000000 - 1; us <= second * 1000000 + 1; us++)
				CHECK(is_right(us));
	}
	TEST("A second is the greatest of its bucket, as OpenTelemetry and Prometheus have it") {
		CHECK(nl_sketch_bucket(1000000) == -1 - NL_SKETCH_FIRST);
		CHECK(nl_sketch_bucket(1000001) == -NL_SKETCH_FIRST);
		CHECK(nl_sketch_upper(nl_sketch_bucket(1000000)) == 1);
		CHECK(nl_sketch_upper(nl_sketch_bucket(2000000)) == 2);
		CHECK(nl_sketch_bucket(1) == 0);
	}
	TEST("What is longer than all buckets is in the last") {
		CHECK(nl_sketch_bucket(INT64_MAX) == NL_SKETCH_BUCKETS - 1);
		CHECK(nl_sketch_bucket(INT64_C(1) << 39) == NL_SKETCH_BUCKETS - 1);
		CHECK(nl_sketch_bucket((INT64_C(1) << 39) - 1) == NL_SKETCH_BUCKETS - 1);
	}
	TEST("What a bucket says of its samples is wrong by 1.083 % at most") {
		for (unsigned i = 0; i < NL_SKETCH_BUCKETS; i++) {
			double hi = nl_sketch_upper(i), lo = i > 0 ? nl_sketch_upper(i - 1) : hi / exp2(1 / 32.), says = nl_sketch_value(i);
			CHECK(1 - says / hi < .010831 && says / lo - 1 < .010831 && lo < says && says < hi);
		}
	}
}

static int by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static int64_t log_normal(void)
{
	double z = sqrt(-2 * log(uniform() + 1e-12)) * cos(6.283185307 * uniform());
	return (int64_t)(80000 * exp(2 * z)) + 1;
}

static int64_t even(void) { return 1 + (int64_t)(rnd() % 10000000); }
static int64_t constant(void) { return 123457; }
static int64_t power_of_2(void) { return (INT64_C(2) << rnd() % 36) + (int64_t)(rnd() % 3) - 1; }
static int64_t pareto(void) { return (int64_t)(1000 / pow(1 - uniform(), 1 / 1.1)); }
static int64_t two_peaks(void) { return rnd() % 100 < 3 ? 2000000 : 15000 + (int64_t)(rnd() % 9000); }

static struct kind { const char *name; int64_t (*one)(void); } kinds[] = {
	{ "log-normal", log_normal }, { "even", even }, { "constant", constant }, { "powers of 2", power_of_2 },
	{ "Pareto", pareto }, { "two peaks", two_peaks },
};

static void quantiles(void)
{
	static int64_t us[SAMPLES];
	TEST("Every quantile is within 1.083 % of the exact one of nearest rank") {
		for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++) {
			struct nl_sketch s = { 0 };
			for (unsigned i = 0; i < SAMPLES; i++) {
				us[i] = kinds[k].one();
				CHECK(nl_sketch_add(&s, us[i], 1) == 0);
			}
			qsort(us, SAMPLES, sizeof *us, by_size);
			for (unsigned i = 1; i <= 2000; i++) {
				double exact = (double)us[i * 10 - 1] / 1e6, says = nl_sketch_quantile(&s, i / 2000.);
				CHECK_ROW(fabs(says / exact - 1) < .010831, kinds[k].name);
			}
			nl_sketch_free(&s);
		}
	}
	TEST("A quantile is that of nearest rank, also where the product is a hair above a whole number") {
		CHECK(nl_rank(.07, 100) == 7 && nl_rank(.14, 50) == 7 && nl_rank(.55, 100) == 55 && nl_rank(.29, 100) == 29);
		CHECK(nl_rank(.5, 1) == 1 && nl_rank(0, 5) == 1 && nl_rank(1, 5) == 5 && nl_rank(.5, 4) == 2 && nl_rank(.51, 4) == 3);
		CHECK(nl_rank(.999, 1000000) == 999000 && nl_rank(.9999999, 1000000) == 1000000);
	}
	TEST("Without samples there is no quantile; calls that took no time are 0") {
		struct nl_sketch s = { 0 };
		CHECK(nl_sketch_quantile(&s, .5) == -1);
		CHECK(nl_sketch_add(&s, 0, 3) == 0 && nl_sketch_add(&s, 1000000, 2) == 0);
		CHECK(nl_sketch_quantile(&s, .6) == 0 && nl_sketch_quantile(&s, .61) > .98 && nl_sketch_total(&s) == 5);
		nl_sketch_free(&s);
	}
}

static bool same(const struct nl_sketch *a, const struct nl_sketch *b)
{
	for (unsigned i = 0; i < NL_SKETCH_BUCKETS; i++) {
		uint32_t x = i - a->first < a->n ? a->count[i - a->first] : 0, y = i - b->first < b->n ? b->count[i - b->first] : 0;
		if (x != y)
			return false;
	}
	return a->zero == b->zero;
}

static void merges(void)
{
	TEST("Two merged are what one of all samples is, whatever went where") {
		for (unsigned round = 0; round < 200; round++) {
			struct nl_sketch all = { 0 }, part[2] = { { 0 } };
			const struct kind *k = &kinds[round % (sizeof kinds / sizeof *kinds)];
			for (unsigned i = 0; i < 200; i++) {
				int64_t us = rnd() % 50 == 0 ? 0 : k->one();
				CHECK(nl_sketch_add(&all, us, 1) == 0 && nl_sketch_add(&part[rnd() % 2], us, 1) == 0);
			}
			CHECK(nl_sketch_merge(&part[0], &part[1]) == 0);
			CHECK(same(&part[0], &all));
			nl_sketch_free(&all), nl_sketch_free(&part[0]), nl_sketch_free(&part[1]);
		}
	}
	TEST("A bucket that is full stays full") {
		struct nl_sketch s = { 0 };
		CHECK(nl_sketch_add(&s, 1000000, UINT32_MAX - 1) == 0 && nl_sketch_add(&s, 1000000, 7) == 0);
		CHECK(nl_sketch_total(&s) == UINT32_MAX);
		nl_sketch_free(&s);
	}
}

int main(void)
{
	buckets();
	quantiles();
	merges();
	return unit_done();
}
