/* SPDX-License-Identifier: Apache-2.0 */
/* texts.c - see texts.h. */
#include "observe/texts.h"

#include "observe/texthash.h"

#include <stdlib.h>
#include <string.h>

#define BOOT_US 1000000

static uint32_t add(struct nl_texts *t, const char *text)
{
	if (t->n == t->room) {
		uint32_t room = 2 * t->room + 16;
		char **more = realloc(t->text, room * sizeof *more);
		if (!more) {
			t->starved = true;
			return 0;
		}
		t->text = more, t->room = room;
	}
	t->arena.most = NL_TEXTS_MOST;
	char *copy = nl_arena_text(&t->arena, text, strlen(text));
	t->starved |= !copy;
	t->text[t->n] = copy;
	return copy ? t->n++ : 0;
}

/* Where it is in the index, or where it would be. */
static uint32_t *slot_of(const struct nl_texts *t, const char *text)
{
	uint32_t mask = t->slots - 1, at = (uint32_t)nl_text_hash(text, strlen(text), nl_hash_key()) & mask;
	while (t->index[at] && strcmp(t->text[t->index[at] - 1], text) != 0)
		at = (at + 1) & mask;
	return &t->index[at];
}

static int widen(struct nl_texts *t)
{
	struct nl_texts more = { .text = t->text, .slots = t->slots ? 2 * t->slots : 64 };
	more.index = calloc(more.slots, sizeof *more.index);
	if (!more.index)
		return -1;
	for (uint32_t i = 0; i < t->n; i++)
		*slot_of(&more, t->text[i]) = i + 1;
	free(t->index);
	t->index = more.index, t->slots = more.slots;
	return 0;
}

uint32_t nl_texts_add(struct nl_texts *t, const char *text, uint32_t most)
{
	if (t->n == 0)
		(void)add(t, "");
	if (2 * (t->n + 1) > t->slots && widen(t) < 0) {
		t->starved = true;
		return 0;
	}
	uint32_t *slot = slot_of(t, text);
	if (*slot)
		return *slot - 1;
	uint32_t is = t->n < most ? add(t, text) : 0;
	if (is)
		*slot = is + 1;
	return is;
}

void nl_texts_free(struct nl_texts *t)
{
	free(t->text);
	free(t->index);
	nl_arena_free(&t->arena);
	*t = (struct nl_texts){ 0 };
}

static int by_size(const void *x, const void *y)
{
	const int64_t *a = x, *b = y;
	return *a < *b ? -1 : *a > *b;
}

size_t nl_boots_sort(int64_t *off, size_t n)
{
	int64_t before = 0;
	size_t boots = 0;
	qsort(off, n, sizeof *off, by_size);
	for (size_t i = 0; i < n; i++) {
		int64_t is = off[i];
		if (i == 0 || (uint64_t)is - (uint64_t)before > BOOT_US)
			off[boots++] = is;
		before = is;
	}
	return boots;
}

size_t nl_place_in(const int64_t *of, size_t n, int64_t v)
{
	size_t at = 0;
	while (n - at > 1)
		*(of[(at + n) / 2] <= v ? &at : &n) = (at + n) / 2;
	return at;
}

uint32_t nl_boots_find(const int64_t *off, size_t boots, int64_t is)
{
	return (uint32_t)nl_place_in(off, boots, is);
}
