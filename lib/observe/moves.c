/* SPDX-License-Identifier: Apache-2.0 */
/*
 * moves.c - what states a breaker has had: its last transitions, in order.
 *
 * Processes tell of them in lines that are a little out of order, which epochs
 * put right; but a record that is made anew (after a boot) counts from 1 again.
 * So they are in order of time, and those within a second of each other in that
 * of their epochs.
 */
#include "observe/label.h"

#include "circuit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOSE_US 1000000
#define LINES 8                         /* of the last ones the events are kept */

static struct nl_stamp stamp_of(const struct nl_move *m)
{
	return (struct nl_stamp){ m->time_us, m->run, m->seq };
}

static int by_stamp(const void *a, const void *b)
{
	struct nl_stamp x = stamp_of(a), y = stamp_of(b);
	return nl_stamp_is_later(x, y) ? 1 : nl_stamp_is_later(y, x) ? -1 : 0;
}

static void put_epochs_right(struct nl_move *m, unsigned n)
{
	for (unsigned i = 1; i < n; i++)
		for (unsigned k = i; k > 0 && m[k].epoch < m[k - 1].epoch && llabs(m[k].time_us - m[k - 1].time_us) < CLOSE_US; k--) {
			struct nl_move earlier = m[k];
			m[k] = m[k - 1];
			m[k - 1] = earlier;
		}
}

int nl_moves_add(struct nl_series *s, const struct nl_move *new, const char *line, size_t n)
{
	if (!s->move && !(s->move = calloc(NL_MOVES + 1, sizeof *s->move)))     // One more than are kept: the least leaves.
		return -1;
	char *copy = NULL;
	if (line && asprintf(&copy, "%.*s", (int)n, line) < 0)
		return -1;
	s->move[s->nmoves] = *new;
	s->move[s->nmoves++].line = copy;
	qsort(s->move, s->nmoves, sizeof *s->move, by_stamp);
	if (s->nmoves > NL_MOVES) {
		free(s->move[0].line);
		memmove(s->move, s->move + 1, --s->nmoves * sizeof *s->move);
	}
	for (unsigned i = 0; i + LINES < s->nmoves; i++) {
		free(s->move[i].line);
		s->move[i].line = NULL;
	}
	put_epochs_right(s->move, s->nmoves);
	return 0;
}

static uint8_t state_of(const struct nl_fact *f, const char *key, enum nl_circuit_state absent)
{
	char name[24];
	nl_fact_str(f, key, name, sizeof name);
	for (int i = 0; i < NL_CIRCUIT_STATES; i++)
		if (strcmp(name, nl_circuit_name((enum nl_circuit_state)i)) == 0)
			return (uint8_t)i;
	return (uint8_t)absent;
}

int nl_moves_take(struct nl_series *s, const struct nl_fact *f)
{
	struct nl_move m = { .time_us = f->time_us, .epoch = f->epoch > 0 ? (uint64_t)f->epoch : 0, .run = f->run, .span = f->span, .seq = f->seq };
	m.to = f->told == NL_TOLD_OPENED ? NL_OPEN : f->told == NL_TOLD_HALF_OPEN ? NL_HALF_OPEN : f->told == NL_TOLD_CLOSED ? NL_CLOSED
	       : state_of(f, "state", NL_CLOSED);
	m.from = state_of(f, "from", NL_CLOSED);
	nl_fact_str(f, "reason", m.reason, sizeof m.reason);
	s->all_moves++;
	s->opens += m.to == NL_OPEN;
	s->closes += m.to == NL_CLOSED;
	s->half_opens += m.to == NL_HALF_OPEN;
	return nl_moves_add(s, &m, f->line.s, f->line.n) | nl_labels_move(s, f->told, &m);
}

void nl_moves_free(struct nl_series *s)
{
	for (unsigned i = 0; i < s->nmoves; i++)
		free(s->move[i].line);
	free(s->move);
}
