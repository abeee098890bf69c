/* SPDX-License-Identifier: Apache-2.0 */
/*
 * texts.h - internal: texts that many events have, each kept once and known by its
 * number; and the boots that events are of.
 */
#ifndef NL_TEXTS_H
#define NL_TEXTS_H

#include "arena.h"

#include <stdbool.h>
#include <stdint.h>

#define NL_TEXTS_MOST (64u << 20)       /* bytes */

/* Zero is an empty one. */
struct nl_texts {
	char **text;                    /* [0] is "" once there is any */
	uint32_t n, room;
	uint32_t *index, slots;         /* number + 1, at its hash or behind */
	struct nl_arena arena;
	bool starved;                   /* no memory for one: it is "" */
};
/* Its number.  A new one beyond `most` of them is 0. */
uint32_t nl_texts_add(struct nl_texts *, const char *, uint32_t most);
void nl_texts_free(struct nl_texts *);

/*
 * Boots by what lies between the two clocks of an event, the wall's and that of
 * the boot: two boots differ by more than a second, and a clock that is set is
 * another boot to us.  off: of all events, in any order; is sorted, and of each boot
 * the least one is left.  Returns how many there are.
 */
size_t nl_boots_sort(int64_t *off, size_t n);
uint32_t nl_boots_find(const int64_t *off, size_t boots, int64_t is);
/* The last of n ascending numbers that is not above v. */
size_t nl_place_in(const int64_t *of, size_t n, int64_t v);

#endif
