/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkorder.c - rules about what stands around what.
 */
#include "bounds.h"
#include "check.h"
#include "opt.h"

#include <stdio.h>
#include <string.h>

#define SAY(f, ...) ((void)snprintf((f)->why, sizeof (f)->why, __VA_ARGS__))

/* A limit outside, none inside: the outer one ends hangs, and hides whose they were. */
static bool hides_hangs(const struct nl_checked *c, const struct nl_term *t, struct nl_finding *f)
{
	struct nl_around around = nl_term_around(t);
	char label[80];
	if (t->kind != NL_TERM_BREAKER || around.limit == NL_NEVER || nl_term_longest(c, t->inner) < NL_NEVER)
		return false;
	bool timeout = around.by->kind == NL_TERM_TIMEOUT, retried = false;
	bool copied = false, between = true;
	for (const struct nl_term *o = t->outer; o; o = o->outer) {
		between &= o != around.by;
		retried |= between && nl_term_repeats(o);
		copied |= o->kind == NL_TERM_RACE || o->kind == NL_TERM_FALLBACK;
	}
	SAY(f, "A call that hangs is ended by %s, outside. It counts as a failure all the same, where other breakers never hear of it; "
	    "but that limit is for all that it wraps, and one call that hangs takes all of it.", nl_term_label(around.by, label, sizeof label));
	f->scene = (struct nl_scene){ .dur = NL_NEVER };
	if (timeout && !retried && !copied) {
		nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_REMOVE, .at = around.by->e });
		nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_BEHIND, .at = t->e, .layer = around.by->e });
		return true;
	}
	char **words = nl_arena_get(c->mem, 3 * sizeof *words);
	struct nl_expr *e = nl_arena_get(c->mem, sizeof *e);
	if (!words || !e)
		return false;
	nl_time third = around.limit / 3 > NL_MS ? around.limit / 3 : NL_MS;
	words[0] = (char *)nl_checked_text(c, "nl-timeout"), words[1] = (char *)nl_checked_secs(c, third);
	*e = (struct nl_expr){ .op = NL_EXPR_LAYER, .words = words };
	nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_BEHIND, .at = t->e, .layer = e });
	return true;
}

/* Can one of the branches behind the first answer? */
static bool masks(const struct nl_term *t)
{
	if (nl_term_text(t, "stale"))
		return true;
	for (const struct nl_term *i = t->inner->next; i; i = i->next)
		if (i->kind != NL_TERM_FAIL)
			return true;
	return false;
}

static bool is_masked(const struct nl_checked *c, const struct nl_term *t, struct nl_finding *f)
{
	const struct nl_term *i = t->inner;
	char label[80];
	(void)c;
	if (t->kind != NL_TERM_BREAKER && !nl_term_repeats(t))
		return false;
	while (i && i->kind != NL_TERM_FALLBACK && i->kind != NL_TERM_RACE)
		i = i->inner;
	if (!i || i->kind != NL_TERM_FALLBACK || !masks(i))
		return false;
	nl_term_label(i, label, sizeof label);
	if (t->kind == NL_TERM_RETRY) {
		f->severity = NL_NOTE;
		SAY(f, "%s answers for what has failed, so this retries only when all of its branches fail, and then tries all of them again.", label);
	} else {
		SAY(f, "%s answers for what has failed, so this never hears of it and never opens: the service that is down is asked first each time.", label);
	}
	f->scene = (struct nl_scene){ .status = 1, .first_only = true, .calls = t->kind == NL_TERM_BREAKER ? 3 : 1 };
	nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_REMOVE, .at = t->e });
	const struct nl_expr *first = i->e;
	if (first->op != NL_EXPR_ELSE) {
		nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_BEHIND, .at = first, .layer = t->e });
		return true;
	}
	while (first->op == NL_EXPR_ELSE)
		first = first->a;
	nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_BEFORE, .at = first, .layer = t->e });
	return true;
}

/* Does it run the command? */
static bool runs(const struct nl_term *t)
{
	bool found = t->kind == NL_TERM_COMMAND;
	for (const struct nl_term *i = t->inner; i && !found; i = i->next)
		found = runs(i);
	return found;
}

/* Of a chain of branches the first that runs the command stays, with what is left of it. */
static void leave_one(struct nl_finding *f, const struct nl_term *t)
{
	unsigned n = 0;
	const struct nl_term *i = t->inner;
	while (i->next && !runs(i))
		i = i->next;
	for (; i->next; i = i->next)
		n++;
	nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_REMOVE, .at = t->e });
	for (const struct nl_expr *e = t->e; n > 1 && e->b; e = e->a, n--)
		nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_REMOVE, .at = e->a });
}

/* What it runs at once, or in turn: branches that run the command, as often as there is one of each. */
static unsigned copies(const struct nl_term *t)
{
	unsigned n = 0;
	for (const struct nl_term *i = t->inner; i; i = i->next)
		n += runs(i);
	return n * (t->kind == NL_TERM_RACE ? nl_term_num(t, "hedge", 1) : 1);
}

static bool runs_twice(const struct nl_checked *c, const struct nl_term *t, struct nl_finding *f)
{
	bool branches = t->kind == NL_TERM_RACE || t->kind == NL_TERM_FALLBACK;
	if (!c->once || (branches ? copies(t) < 2 : !nl_term_repeats(t)))
		return false;
	if (t->kind == NL_TERM_RACE) {
		f->severity = NL_FAULT;
		SAY(f, "What must not be done twice is begun %u times, and a loser is stopped when it may be half done.", copies(t));
	} else if (branches) {
		SAY(f, "What must not be done twice is begun again when it has failed: a branch that was stopped, or lost its connection, may "
		    "have done it.");
	} else {
		SAY(f, "What must not be done twice is retried: an attempt that was stopped, or lost its connection, may have been done.");
	}
	f->scene = (struct nl_scene){ .status = 1 };
	leave_one(f, t);
	return true;
}

const struct nl_rule_of nl_rules_of_order[] = {
	{ "NL006", NL_NOTE, hides_hangs }, { "NL007", NL_CAUTION, is_masked }, { "NL011", NL_CAUTION, runs_twice }, { .code = NULL },
};
