/* SPDX-License-Identifier: Apache-2.0 */
/*
 * texthash.h - internal: names as keys: a hash, and whether two are the same.  They
 * are from strangers, so the hash has a key, another one in each process; nothing
 * that is kept or told depends on it.
 */
#ifndef NL_TEXTHASH_H
#define NL_TEXTHASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

static inline uint64_t nl_hash_key(void)
{
	uint64_t key = 0;
	const void *random = (const void *)getauxval(AT_RANDOM);
	if (random)
		memcpy(&key, random, sizeof key);
	return key;
}

static inline uint64_t nl_mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15;
	return h ^ h >> 32;
}

/* Fewer than 8 bytes, each of them in it. */
static inline uint64_t nl_rest(const char *s, size_t n)
{
	uint32_t low, high;
	if (n < 4)
		return n ? (uint64_t)(unsigned char)s[0] << 16 | (uint64_t)(unsigned char)s[n / 2] << 8 | (unsigned char)s[n - 1] : 0;
	memcpy(&low, s, 4);
	memcpy(&high, s + n - 4, 4);
	return (uint64_t)high << 32 | low;
}

/* Names are short: a call of memcmp takes longer. */
static inline bool nl_same_text(const char *a, const char *b, size_t n)
{
	uint64_t x, y;
	if (n < 8)
		return nl_rest(a, n) == nl_rest(b, n);
	for (size_t i = 0; i < n; i += 8) {
		size_t at = i + 8 < n ? i : n - 8;
		memcpy(&x, a + at, 8);
		memcpy(&y, b + at, 8);
		if (x != y)
			return false;
	}
	return true;
}

static inline uint64_t nl_text_hash(const char *s, size_t n, uint64_t key)
{
	uint64_t h = nl_mix(key, n), word;
	for (; n >= 8; s += 8, n -= 8) {
		memcpy(&word, s, 8);
		h = nl_mix(h, word);
	}
	return nl_mix(nl_mix(h, nl_rest(s, n)), 0);
}

#endif
