/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sketch.c - a distribution as counts in buckets that grow by 2^(1/32).
 *
 * Which bucket is a comparison of integers: thresholds are the greatest whole
 * microseconds of each bucket, made from 2^(f/32) in fixed point.  No logarithm,
 * so two machines never disagree.
 */
#include "observe/sketch.h"

#include "mut.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PER_OCTAVE 32
#define CELLS 64                        /* of an octave of microseconds: narrower than a bucket */
#define OCTAVES 39                      /* 2^18 s are less than 2^39 us */
#define STEP 32u                        /* buckets are got and kept in multiples of this */

__extension__ typedef unsigned __int128 u128;

/* 2^(f/32) with 63 binary places, rounded down. */
static const uint64_t root[PER_OCTAVE] = {
	0x8000000000000000, 0x82cd8698ac2ba1d7, 0x85aac367cc487b14, 0x88980e8092da8527,
	0x8b95c1e3ea8bd6e6, 0x8ea4398b45cd53c0, 0x91c3d373ab11c336, 0x94f4efa8fef70961,
	0x9837f0518db8a96f, 0x9b8d39b9d54e5538, 0x9ef5326091a111ad, 0xa27043030c496818,
	0xa5fed6a9b15138ea, 0xa9a15ab4ea7c0ef8, 0xad583eea42a14ac6, 0xb123f581d2ac258f,
	0xb504f333f9de6484, 0xb8fbaf4762fb9ee9, 0xbd08a39f580c36be, 0xc12c4cca66709456,
	0xc5672a115506dadd, 0xc9b9bd866e2f27a2, 0xce248c151f8480e3, 0xd2a81d91f12ae45a,
	0xd744fccad69d6af4, 0xdbfbb797daf23755, 0xe0ccdeec2a94e111, 0xe5b906e77c8348a8,
	0xeac0c6e7dd24392e, 0xefe4b99bdcdaf5cb, 0xf5257d152486cc2c, 0xfa83b2db722a033a,
};

static uint64_t most[NL_SKETCH_BUCKETS];        /* microseconds in a bucket at most */
static uint16_t guess[OCTAVES * CELLS];         /* bucket of the least duration in a cell; the right one, or one below */

/* j = 32 octave + f, f in 0..31, also below zero. */
static int octave_of(int j)
{
	return j >= 0 ? j / PER_OCTAVE : -((PER_OCTAVE - 1 - j) / PER_OCTAVE);
}

static uint64_t microseconds(int j)     /* floor(10^6 * 2^(j/32)) */
{
	int octave = octave_of(j);
	return (uint64_t)(((u128)1000000 * root[j - PER_OCTAVE * octave]) >> (63 - octave));
}

static unsigned cell_of(uint64_t us)
{
	unsigned bits = 63 - (unsigned)__builtin_clzll(us);
	return bits * CELLS + (unsigned)(bits >= 6 ? us >> (bits - 6) : us << (6 - bits)) % CELLS;
}

static void make_tables(void)
{
	unsigned bucket = 0;
	for (unsigned i = 0; i < NL_SKETCH_BUCKETS; i++)
		most[i] = microseconds(NL_SKETCH_FIRST + (int)i + 1);
	for (unsigned cell = 0; cell < OCTAVES * CELLS; cell++) {
		unsigned bits = cell / CELLS;
		uint64_t least = ((uint64_t)1 << bits) + (bits >= 6 ? (uint64_t)(cell % CELLS) << (bits - 6) : (cell % CELLS) >> (6 - bits));
		while (bucket < NL_SKETCH_BUCKETS - 1 && most[bucket] < least)
			bucket++;
		guess[cell] = (uint16_t)bucket;
	}
}

unsigned nl_sketch_bucket(int64_t us)
{
	if (most[0] == 0)
		make_tables();
	if ((uint64_t)us >> OCTAVES)
		return us > 0 ? NL_SKETCH_BUCKETS - 1 : 0;
	unsigned bucket = guess[cell_of((uint64_t)us | !us)];
	return bucket + ((uint64_t)us > most[bucket] && bucket < NL_SKETCH_BUCKETS - 1);
}

static double bound(int j)              /* 2^(j/32) */
{
	int octave = octave_of(j);
	return ldexp((double)root[j - PER_OCTAVE * octave], octave - 63);
}

double nl_sketch_upper(unsigned bucket)
{
	return bound(NL_SKETCH_FIRST + (int)bucket + 1);
}

/* As far from both ends, in proportion. */
double nl_sketch_value(unsigned bucket)
{
	double lo = bound(NL_SKETCH_FIRST + (int)bucket), hi = nl_sketch_upper(bucket);
	return 2 * lo * hi / (lo + hi);
}

static uint32_t sum_of(uint32_t a, uint32_t b)
{
	return a + b < a ? UINT32_MAX : a + b;
}

/* Makes room for buckets [from, to). */
static int widen(struct nl_sketch *s, unsigned from, unsigned to)
{
	if (s->n > 0 && from >= s->first && to <= (unsigned)s->first + s->n)
		return 0;
	if (s->n > 0) {
		from = from < s->first ? from : s->first;
		to = to > (unsigned)s->first + s->n ? to : (unsigned)s->first + s->n;
	}
	from -= from % STEP;
	to += (STEP - to % STEP) % STEP;
	uint32_t *count = calloc(to - from, sizeof *count);
	if (!count)
		return -1;
	if (s->n > 0)
		memcpy(count + (s->first - from), s->count, s->n * sizeof *count);
	free(s->count);
	s->count = count, s->first = (uint16_t)from, s->n = (uint16_t)(to - from);
	return 0;
}

int nl_sketch_put(struct nl_sketch *s, unsigned bucket, uint32_t times)
{
	if (bucket - s->first >= s->n && widen(s, bucket, bucket + 1) < 0)
		return -1;
	s->count[bucket - s->first] = sum_of(s->count[bucket - s->first], times);
	return 0;
}

int nl_sketch_add(struct nl_sketch *s, int64_t us, uint32_t times)
{
	if (us > 0)
		return nl_sketch_put(s, nl_sketch_bucket(us), times);
	s->zero += times;
	return 0;
}

int nl_sketch_merge(struct nl_sketch *s, const struct nl_sketch *b)
{
	if (b->n > 0 && widen(s, b->first, (unsigned)b->first + b->n) < 0)
		return -1;
	for (unsigned i = 0; i < b->n; i++) {
		uint32_t *count = &s->count[b->first + i - s->first];
		*count = MUTANT(MERGE_BY_MOST) ? (*count > b->count[i] ? *count : b->count[i]) : sum_of(*count, b->count[i]);
	}
	s->zero += b->zero;
	return 0;
}

void nl_sketch_free(struct nl_sketch *s)
{
	free(s->count);
	*s = (struct nl_sketch){ 0 };
}

uint64_t nl_sketch_total(const struct nl_sketch *s)
{
	uint64_t n = s->zero;
	for (unsigned i = 0; i < s->n; i++)
		n += s->count[i];
	return n;
}

/* Products like 0.07 * 100 are a hair above the whole number that is meant. */
uint64_t nl_rank(double q, uint64_t n)
{
	double at = q * (double)n;
	uint64_t rank = (uint64_t)at;
	if (at - (double)rank > 1e-9 * (double)(rank + 1))
		rank++;
	return rank == 0 ? 1 : rank > n ? n : rank;
}

double nl_sketch_quantile(const struct nl_sketch *s, double q)
{
	uint64_t n = nl_sketch_total(s), rank = nl_rank(q, n), seen = s->zero;
	if (n == 0)
		return -1;
	if (rank <= seen)
		return 0;
	unsigned i = 0;
	while ((seen += s->count[i]) < rank)
		i++;
	return nl_sketch_value(s->first + i);
}
