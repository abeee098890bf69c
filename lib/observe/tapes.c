/* SPDX-License-Identifier: Apache-2.0 */
/* tapes.c - which breaker a beat is of. */
#include "observe/tape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int new_tape(struct nl_tapes *t, const char *policy, uint32_t number)
{
	if (number >= t->room) {
		uint32_t room = 2 * number + 16;
		struct nl_tape **of = realloc(t->of, room * sizeof(struct nl_tape *));
		if (!of)
			return -1;
		memset(of + t->room, 0, (room - t->room) * sizeof(struct nl_tape *));
		t->of = of, t->room = room;
	}
	struct nl_tape *new = calloc(1, sizeof *new);
	if (!new || !(new->policy = strdup(policy))) {
		free(new);
		return -1;
	}
	*(t->last ? &t->last->next : &t->first) = new;
	t->of[number] = t->last = new;
	return 0;
}

struct nl_tape *nl_tape_of(struct nl_tapes *t, struct nl_quote policy)
{
	char name[NL_FACT_MAX];
	snprintf(name, sizeof name, "%.*s", (int)policy.n, policy.s);
	uint32_t number = nl_texts_add(&t->names, name, UINT32_MAX);
	bool is_new = number >= t->room || !t->of[number];
	if (number == 0 || (is_new && new_tape(t, name, number) < 0)) {
		t->starved = true;
		return NULL;
	}
	return t->of[number];
}

void nl_tape_put(struct nl_tapes *t, struct nl_tape *tape, const struct nl_beat *b)
{
	if (tape->n == tape->room) {
		size_t room = tape->room ? 2 * tape->room : 64;
		struct nl_beat *more = realloc(tape->beat, room * sizeof *more);
		if (!more) {
			t->starved = true;
			return;
		}
		tape->beat = more, tape->room = room;
	}
	tape->beat[tape->n++] = *b;
}

void nl_tapes_free(struct nl_tapes *t)
{
	while (t->first) {
		struct nl_tape *tape = t->first;
		t->first = tape->next;
		free(tape->policy);
		free(tape->beat);
		free(tape);
	}
	free(t->of);
	nl_texts_free(&t->names);
	nl_texts_free(&t->texts);
}
