/* SPDX-License-Identifier: Apache-2.0 */
/*
 * texthash.h - internal: a hash of names.  They are from strangers, so it has a
 * key, another one in each process; nothing that is kept or told depends on it.
 */
#ifndef NL_TEXTHASH_H
#define NL_TEXTHASH_H

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

static inline uint64_t nl_text_hash(const char *s, size_t n, uint64_t key)
{
	uint64_t h = nl_mix(key, n), word;
	for (; n >= 8; s += 8, n -= 8) {
		memcpy(&word, s, 8);
		h = nl_mix(h, word);
	}
	word = 0;
	for (size_t i = 0; i < n; i++)
		word = word << 8 | (unsigned char)s[i];
	return nl_mix(nl_mix(h, word), 0);
}

#endif
