/* SPDX-License-Identifier: Apache-2.0 */
/* texts.c - see texts.h. */
#include "observe/texts.h"

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

uint32_t nl_texts_add(struct nl_texts *t, const char *text, uint32_t most)
{
	if (t->n == 0)
		(void)add(t, "");
	for (uint32_t i = t->n; i-- > 0; )
		if (!strcmp(t->text[i], text))
			return i;
	return t->n < most ? add(t, text) : 0;
}

void nl_texts_free(struct nl_texts *t)
{
	free(t->text);
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
