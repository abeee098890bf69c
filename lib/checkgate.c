/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkgate.c - rules about breakers and bulkheads, and what stands around them.
 */
#include "check.h"
#include "circuit.h"
#include "opt.h"

#include <stdio.h>
#include <string.h>

#define SAY(f, ...) ((void)snprintf((f)->why, sizeof (f)->why, __VA_ARGS__))

/* Retries inside of t that have none inside. */
static unsigned innermost_retries(const struct nl_term *t, struct nl_finding *f, const struct nl_expr *layer)
{
	unsigned n = 0;
	for (const struct nl_term *i = t->inner; i; i = i->next) {
		unsigned inside = innermost_retries(i, f, layer);
		if (nl_term_repeats(i) && !inside) {
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

/* Is there a gate of that kind and name inside of t, t included? */
static bool has_gate(const struct nl_term *t, enum nl_term_kind kind, const char *name)
{
	bool found = t->kind == kind && !strcmp(t->svc->name, name);
	for (const struct nl_term *i = t->inner; i && !found; i = i->next)
		found = has_gate(i, kind, name);
	return found;
}

static void remove_gates(const struct nl_term *t, const struct nl_term *gate, struct nl_finding *f)
{
	if (t->kind == gate->kind && !strcmp(t->svc->name, gate->svc->name))
		nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_REMOVE, .at = t->e });
	for (const struct nl_term *i = t->inner; i; i = i->next)
		remove_gates(i, gate, f);
}

/* A gate of that kind in an arm of the race, t or inside of it, that another arm has too. */
static const struct nl_term *shared_in(const struct nl_term *race, const struct nl_term *arm, const struct nl_term *t, enum nl_term_kind kind)
{
	bool shared = t->kind == kind && nl_term_num(race, "hedge", 1) > 1;
	for (const struct nl_term *other = arm->next; other && t->kind == kind && !shared; other = other->next)
		shared = has_gate(other, kind, t->svc->name);
	const struct nl_term *found = shared ? t : NULL;
	for (const struct nl_term *i = t->inner; i && !found; i = i->next)
		found = shared_in(race, arm, i, kind);
	return found;
}

/* Finds one, and moves it around the race. */
static const struct nl_term *shared_gate(const struct nl_term *t, enum nl_term_kind kind, struct nl_finding *f)
{
	const struct nl_term *found = NULL;
	if (t->kind != NL_TERM_RACE || nl_term_arms(t) < 2)
		return NULL;
	for (const struct nl_term *a = t->inner; a && !found; a = a->next)
		found = shared_in(t, a, a, kind);
	if (!found)
		return NULL;
	f->at = found->e;
	nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_BEFORE, .at = t->e, .layer = found->e });
	remove_gates(t, found, f);
	return found;
}

static bool shares_breaker(const struct nl_checked *c, const struct nl_term *t, struct nl_finding *f)
{
	char label[80];
	(void)c;
	if (!shared_gate(t, NL_TERM_BREAKER, f))
		return false;
	SAY(f, "The arms of %s share it: one call counts as several, and when it is half-open one arm is the probe and the others are "
	    "rejected. Around the race one call is one call.", nl_term_label(t, label, sizeof label));
	f->scene = (struct nl_scene){ .status = 1, .calls = 3 };
	return true;
}

/* How many arms of the race have it. */
static unsigned arms_with(const struct nl_term *race, const struct nl_term *gate)
{
	unsigned n = 0;
	for (const struct nl_term *a = race->inner; a; a = a->next)
		n += has_gate(a, gate->kind, gate->svc->name);
	return n * nl_term_num(race, "hedge", 1);
}

static bool shares_bulkhead(const struct nl_checked *c, const struct nl_term *t, struct nl_finding *f)
{
	char label[80];
	const struct nl_term *b = shared_gate(t, NL_TERM_BULKHEAD, f);
	unsigned max = b ? nl_term_num(b, "max", 1) : 0, arms = b ? arms_with(t, b) : 0;
	if (!max)
		return false;                   // None, or one without limit.
	const struct nl_delay *delay = t->svc ? nl_opt_field(t->svc, "delay", NL_DELAY) : NULL;
	f->scene = (struct nl_scene){ .dur = nl_after(NL_SEC, delay ? nl_after(delay->ns, delay->ns) : 0) };
	nl_term_label(t, label, sizeof label);
	if (max < arms) {
		f->severity = NL_FAULT;
		SAY(f, "The arms of %s take each other's places: with room for %u of %u, the others cannot begin while they are needed. "
		    "Around the race one call takes one place.", label, max, arms);
		return true;
	}
	f->severity = NL_NOTE;
	SAY(f, "The arms of %s take each other's places: one call takes %u of %u, and when there are few left it loses the arm that was to "
	    "help. Around the race one call takes one.", label, arms, max);
	nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_SET, .at = b->e, .key = "max", .value = nl_checked_text(c, "%u", max / arms) });
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
	while (r && !(nl_term_repeats(r) && nl_term_class(r, (struct nl_outcome){ NL_EXIT(e->n), NL_RAN }) == NL_CLASS_FAILURE))
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
	const struct nl_term *gate = nl_term_repeats(t) ? gate_in(t) : NULL;
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
	uint32_t failures = t->kind == NL_TERM_BREAKER ? nl_breaker_config(t->svc).failures : 0;
	f->scene = (struct nl_scene){ .status = 1, .calls = failures / depth + 1 };      // Until it is open, too early.
	nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_REMOVE, .at = t->e });
	return true;
}

const struct nl_rule_of nl_rules_of_gates[] = {
	{ "NL003", NL_CAUTION, outside_of_retry }, { "NL005", NL_CAUTION, shares_breaker }, { "NL005", NL_FAULT, shares_bulkhead },
	{ "NL008", NL_CAUTION, disguises }, { "NL009", NL_CAUTION, retries_rejections }, { "NL015", NL_CAUTION, meets_itself },
	{ .code = NULL },
};
