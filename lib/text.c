/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.c - see text.h.
 */
#include "text.h"

#include <string.h>

void nl_text_bytes(struct nl_text *t, const char *s, size_t n)
{
	if (t->n + 1 < t->size) {
		size_t room = t->size - t->n - 1;
		memcpy(t->buf + t->n, s, n < room ? n : room);
	}
	t->n += n;
}

void nl_text_put(struct nl_text *t, const char *s)
{
	nl_text_bytes(t, s, strlen(s));
}

void nl_text_pad(struct nl_text *t, size_t n)
{
	while (n--)
		nl_text_bytes(t, " ", 1);
}

/* The length of the character that begins with c. */
static size_t length(unsigned char c)
{
	return c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

size_t nl_text_end(struct nl_text *t)
{
	size_t end = t->n;
	if (!t->size)
		return t->n;
	if (end >= t->size) {
		size_t last = end = t->size - 1;
		while (last && ((unsigned char)t->buf[last - 1] & 0xc0) == 0x80)
			last--;
		if (last && end - (last - 1) < length((unsigned char)t->buf[last - 1]))
			end = last - 1;
	}
	t->buf[end] = '\0';
	return t->n;
}
