/* SPDX-License-Identifier: Apache-2.0 */
/*
 * near.c - the distance of two words: letters put in, left out, exchanged, or
 * two that changed places.  Case and _ for - do not count.  A word that is the
 * beginning of a name is near it however long the rest.
 */
#include "near.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { LONGEST = 40, FAR = 100 };

static char fold(char c)
{
	return c == '_' ? '-' : (char)tolower((unsigned char)c);
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned distance(const char *a, size_t n, const char *b, size_t m)
{
	unsigned char row[3][LONGEST + 1];      // The row being made, the one above, and the one above that.
	unsigned char *now = row[0], *up = row[1], *two = row[2], *spare;
	if (n > LONGEST || m > LONGEST)
		return FAR;
	for (size_t k = 0; k <= m; k++)
		now[k] = (unsigned char)k;
	for (size_t i = 1; i <= n; i++) {
		spare = two, two = up, up = now, now = spare;
		now[0] = (unsigned char)i;
		for (size_t k = 1; k <= m; k++) {
			bool same = fold(a[i - 1]) == fold(b[k - 1]);
			unsigned d = least(least(up[k] + 1u, now[k - 1] + 1u), up[k - 1] + (same ? 0u : 1u));
			if (i > 1 && k > 1 && fold(a[i - 1]) == fold(b[k - 2]) && fold(a[i - 2]) == fold(b[k - 1]))
				d = least(d, two[k - 2] + 1u);
			now[k] = (unsigned char)d;
		}
	}
	return now[m];
}

struct nl_near nl_near_to(const char *word, size_t len)
{
	return (struct nl_near){ .word = word, .len = len, .far = 1 + (unsigned)(len < LONGEST ? len : LONGEST) / 3 };
}

void nl_near_try(struct nl_near *n, const char *name, size_t len)
{
	unsigned d = distance(n->word, n->len, name, len);
	if (n->len >= 2 && n->len < len && !strncmp(n->word, name, n->len))
		d = 1;
	if (d < n->len && (n->best ? d < n->far : d <= n->far))
		n->best = name, n->best_len = len, n->far = d;
}

void nl_near_list(struct nl_near *n, const char *list)
{
	for (;;) {
		size_t len = strcspn(list, "|");
		nl_near_try(n, list, len);
		if (!list[len])
			return;
		list += len + 1;
	}
}
