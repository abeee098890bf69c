/* SPDX-License-Identifier: Apache-2.0 */
/*
 * match.c - a tap that looks for an expression, line by line, in bounded
 * memory.  A NUL ends what is looked at, as for grep without -z it ends a
 * line.
 */
#include "match.h"

#include <stdlib.h>
#include <string.h>

static void examine(struct nl_match_tap *t)
{
	t->line[t->n] = '\0';
	if (t->n > 0 && !t->match->found)
		t->match->found = regexec(&t->match->re, t->line, 0, NULL, 0) == 0;
	t->n = 0;
}

static int match_put(struct nl_tap *tap, struct nl_run *run, const char *buf, size_t n)
{
	struct nl_match_tap *t = (struct nl_match_tap *)tap;
	for (size_t i = 0; i < n && !t->match->found; i++) {
		if (buf[i] == '\n' || buf[i] == '\0')
			examine(t);
		else
			t->line[t->n++] = buf[i];
		if (t->n == NL_LINE)
			examine(t);
	}
	return tap->next->put(tap->next, run, buf, n);
}

struct nl_match *nl_match_new(const char *ere, struct nl_err *err)
{
	struct nl_match *m = calloc(1, sizeof *m);
	if (!m) {
		nl_fail(err, "out of memory");
		return NULL;
	}
	int r = regcomp(&m->re, ere, REG_EXTENDED | REG_NOSUB);
	if (r != 0) {
		char text[80];
		regerror(r, &m->re, text, sizeof text);
		nl_fail(err, "'%.100s': %s", ere, text);
		free(m);
		return NULL;
	}
	for (int i = 0; i < 2; i++)
		m->tap[i].tap.put = match_put, m->tap[i].match = m;
	return m;
}

void nl_match_free(struct nl_match *m)
{
	if (m)
		regfree(&m->re);
	free(m);
}

void nl_match_begin(struct nl_match *m)
{
	m->found = false;
	m->tap[0].n = m->tap[1].n = 0;
}

bool nl_match_found(struct nl_match *m)
{
	examine(&m->tap[0]);
	examine(&m->tap[1]);
	return m->found;
}
