/* SPDX-License-Identifier: Apache-2.0 */
/* chance.c - the same seed, the same log. */
#include "eventgen.h"

#include <math.h>

static uint64_t state;

void chance_begin(uint64_t seed)
{
	state = seed;
}

uint64_t rnd(void)                       /* splitmix64 */
{
	uint64_t z = state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

bool happens(int64_t per_million)
{
	return per_million > 0 && (int64_t)(rnd() % 1000000) < per_million;
}

int64_t duration(double typical_us)
{
	double z = 0;
	for (int i = 0; i < 6; i++)
		z += (double)(rnd() >> 11) / 9007199254740992.0 - .5;
	return (int64_t)(typical_us * exp(.9 * z * 1.41421356)) + 1;
}
