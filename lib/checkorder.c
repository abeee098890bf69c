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

static bool repeats(const struct nl_term *t)
{
	return t->kind == NL_TERM_RETRY && nl_term_num(t, "attempts", 3) != 1;
}

/* Retries inside of t that have none inside. */
static unsigned innermost_retries(const struct nl_term *t, struct nl_finding *f, const struct nl_expr *layer)
{
	unsigned n = 0;
	for (const struct nl_term *i = t->inner; i; i = i->next) {
		unsigned inside = innermost_retries(i, f, layer);
		if (repeats(i) && !inside) {
			nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_BEHIND, .at = i->e, .layer = layer });
			inside++;
		}
		n += inside;
	}
	return n;
}

static bool outside_of_retry(const struct nl_checked *c, const struct nl_term *t, struct nl_finding *f)
{
	char label[80];
	(void)c;
	if (t->kind != NL_TERM_BREAKER)
		return false;
	struct nl_edits none = f->edits;
	if (!innermost_retries(t, f, t->e)) {
		f->edits = none;
		return false;
	}
	const struct nl_term *retry = nl_term_find(t, NL_TERM_RETRY);
	unsigned n = nl_term_num(retry, "attempts", 3);
	char times[32];
	snprintf(times, sizeof times, n ? "%u runs" : "any number of runs", n);
	SAY(f, "It sees one failure for %s: %s hides the others. It opens late, and when another process has opened it meanwhile, "
	    "the retry does not stop.", times, nl_term_label(retry, label, sizeof label));
	f->scene = (struct nl_scene){ .status = 1, .calls = 2 };
	nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_REMOVE, .at = t->e });
	return true;
}

/* A breaker of that name (NULL: any) inside of t, t included. */
static const struct nl_term *breaker_in(const struct nl_term *t, const char *name)
{
	const struct nl_term *found = t->kind == NL_TERM_BREAKER && (!name || !strcmp(t->svc->name, name)) ? t : NULL;
	for (const struct nl_term *i = t->inner; i && !found; i = i->next)
		found = breaker_in(i, name);
	return found;
}

static void remove_breakers(const struct nl_term *t, const char *name, struct nl_finding *f)
{
	if (t->kind == NL_TERM_BREAKER && !strcmp(t->svc->name, name))
		nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_REMOVE, .at = t->e });
	for (const struct nl_term *i = t->inner; i; i = i->next)
		remove_breakers(i, name, f);
}

static bool shared_by_arms(const struct nl_checked *c, const struct nl_term *t, struct nl_finding *f)
{
	const struct nl_term *found = NULL;
	char label[80];
	(void)c;
	if (t->kind != NL_TERM_RACE || nl_term_arms(t) < 2)
		return false;
	for (const struct nl_term *a = t->inner; a && !found; a = a->next) {
		const struct nl_term *b = breaker_in(a, NULL);
		bool again = b && nl_term_num(t, "hedge", 1) > 1;
		for (const struct nl_term *other = a->next; other && b && !again; other = other->next)
			again = breaker_in(other, b->svc->name);
		found = again ? b : NULL;
	}
	if (!found)
		return false;
	f->at = found->e;
	SAY(f, "The arms of %s share it: one call counts as several, and when it is half-open one arm is the probe and the others are "
	    "rejected. Around the race one call is one call.", nl_term_label(t, label, sizeof label));
	f->scene = (struct nl_scene){ .status = 1, .calls = 3 };
	nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_BEFORE, .at = t->e, .layer = found->e });
	remove_breakers(t, found->svc->name, f);
	return true;
}

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
		retried |= between && repeats(o);
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
	if (t->kind != NL_TERM_BREAKER && !repeats(t))
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

static bool disguises(const struct nl_checked *c, const struct nl_term *t, struct nl_finding *f)
{
	const struct nl_exit *e = nl_term_is_gate(t) ? nl_opt_field(t->svc, "exit-code", NL_EXITCODE) : NULL;
	const struct nl_term *r = t->outer;
	char label[80];
	(void)c;
	if (!e || !e->given)
		return false;
	while (r && !(repeats(r) && nl_term_class(r, (struct nl_outcome){ NL_EXIT(e->n), NL_RAN }) == NL_CLASS_FAILURE))
		r = r->outer;
	if (!r)
		return false;
	SAY(f, "--exit-code=%u makes a rejection look like a failure of the command, and %s retries it: against a door that is shut.", e->n,
	    nl_term_label(r, label, sizeof label));
	f->scene = (struct nl_scene){ .status = 1, .kept_out = true };
	nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_UNSET, .at = t->e, .key = "exit-code" });
	return true;
}

static const struct nl_term *gate_in(const struct nl_term *t)
{
	const struct nl_term *found = NULL;
	for (const struct nl_term *i = t->inner; i && !found; i = i->next)
		found = nl_term_is_gate(i) ? i : gate_in(i);
	return found;
}

static const char *value_of(const struct nl_term *t, const char *key)
{
	size_t n = strlen(key);
	for (char **word = t->e->words + 1; *word; word++)
		if (!strncmp(*word, "--", 2) && !strncmp(*word + 2, key, n) && (*word)[2 + n] == '=')
			return *word + 3 + n;
	return NULL;
}

static bool retries_rejections(const struct nl_checked *c, const struct nl_term *t, struct nl_finding *f)
{
	const struct nl_term *gate = repeats(t) ? gate_in(t) : NULL;
	char label[80];
	if (!gate || nl_term_class(t, (struct nl_outcome){ NL_EXIT(NL_EX_REJECTED), NL_RAN }) != NL_CLASS_FAILURE)
		return false;
	const char *except = value_of(t, "except");
	SAY(f, "It retries what %s has rejected (75): the gate says not now, and is asked again and again.", nl_term_label(gate, label, sizeof label));
	f->scene = (struct nl_scene){ .status = 1, .kept_out = true };
	nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_SET, .at = t->e, .key = "except",
	                .value = nl_checked_text(c, "%s%s75", except ? except : "", except ? "," : "") });
	return true;
}

static bool runs_twice(const struct nl_checked *c, const struct nl_term *t, struct nl_finding *f)
{
	bool race = t->kind == NL_TERM_RACE && nl_term_arms(t) > 1;
	if (!c->once || (!race && !repeats(t)))
		return false;
	if (race) {
		f->severity = NL_FAULT;
		SAY(f, "What must not be done twice is begun %u times, and a loser is stopped when it may be half done.", nl_term_arms(t));
	} else {
		SAY(f, "What must not be done twice is retried: an attempt that was stopped, or lost its connection, may have been done.");
	}
	f->scene = (struct nl_scene){ .status = 1 };
	nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_REMOVE, .at = t->e });
	for (const struct nl_expr *e = t->e; race && e->op == NL_EXPR_RACE && e->a->op == NL_EXPR_RACE; e = e->a)
		nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_REMOVE, .at = e->a });
	return true;
}

static bool meets_itself(const struct nl_checked *c, const struct nl_term *t, struct nl_finding *f)
{
	const struct nl_term *o = nl_term_is_gate(t) ? t->outer : NULL;
	unsigned depth = 1, max = t->kind == NL_TERM_BULKHEAD ? nl_term_num(t, "max", 1) : 0;
	(void)c;
	const struct nl_term *found = NULL;
	for (; o; o = o->outer)
		if (o->kind == t->kind && !strcmp(o->svc->name, t->svc->name))
			found = o, depth++;
	if (!found)
		return false;
	if (t->kind == NL_TERM_BREAKER)
		SAY(f, "The same breaker twice: each failure counts %u times.", depth);
	else if (max && max < depth)
		SAY(f, "The same bulkhead twice, with room for %u: the call that has the place stands in its own way.", max);
	else
		SAY(f, "The same bulkhead twice: each call takes %u places.", depth);
	f->severity = max && max < depth ? NL_FAULT : NL_CAUTION;
	f->scene = (struct nl_scene){ .status = 1 };
	nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_REMOVE, .at = t->e });
	return true;
}

const struct nl_rule_of nl_rules_of_order[] = {
	{ "NL003", NL_CAUTION, outside_of_retry }, { "NL005", NL_CAUTION, shared_by_arms }, { "NL006", NL_NOTE, hides_hangs },
	{ "NL007", NL_CAUTION, is_masked }, { "NL008", NL_CAUTION, disguises }, { "NL009", NL_CAUTION, retries_rejections },
	{ "NL011", NL_CAUTION, runs_twice }, { "NL015", NL_CAUTION, meets_itself }, { .code = NULL },
};
