/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random.c - numbers for jitter and for ids: splitmix64 (Steele, Lea, Flood
 * 2014; constants of Vigna's public-domain version).  Every seed, also 0,
 * gives a full sequence of 2^64.  Not for secrets.
 */
#include "nl.h"

uint64_t nl_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

double nl_unit(uint64_t *state)
{
	return (double)(nl_random(state) >> 11) * 0x1p-53;
}
