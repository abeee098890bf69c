/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pageshow.c - everything about a policy: the state in capitals, then why, then
 * the rest.
 */
#include "page.h"

#include <stdio.h>
#include <string.h>

static void values(struct nl_page *p, int obj)
{
	char key[48], value[64], from[16], by[24], at[32], other[64], line[200];
	int list_at = nl_page_at(p, obj, "values");
	size_t pad = 1;
	for (unsigned pass = 0; list_at >= 0 && pass < 2; pass++) {
		for (unsigned k = (unsigned)list_at + 1; k < p->tok[list_at].next; k = p->tok[k].next) {
			int v = (int)k;
			nl_page_str(p, v, "else", other, sizeof other);
			nl_page_str(p, v, "value", value, sizeof value);
			nl_page_str(p, v, "from", from, sizeof from);
			const char *first = other[0] ? other : value;
			if (pass == 0) {
				pad = strlen(first) > pad ? strlen(first) : pad;
				continue;
			}
			if (!strcmp(from, "live"))
				snprintf(line, sizeof line, "%-*s   live %s%sby %s at %s", (int)pad, first, other[0] ? value : "",
				         other[0] ? " " : "", nl_page_str(p, v, "by", by, sizeof by), nl_page_time(p, v, "at", NL_PAGE_MINUTES, at));
			else
				snprintf(line, sizeof line, "%-*s   %s", (int)pad, first, from);
			nl_page_row(p, nl_page_str(p, v, "key", key, sizeof key), line);
		}
	}
}

static void show_last(struct nl_page *p, int obj)
{
	char cmd[24], what[32], span_id[20], at[32], line[200];
	int last = nl_page_at(p, obj, "last");
	if (last < 0)
		return;
	int n = snprintf(line, sizeof line, "%s %s ", nl_page_time(p, last, "time", NL_PAGE_SECONDS, at), nl_page_str(p, last, "cmd", cmd, sizeof cmd));
	if (nl_page_at(p, last, "signal") >= 0)
		n += snprintf(line + n, sizeof line - (size_t)n, "signal %s", nl_page_str(p, last, "signal", what, sizeof what));
	else if (nl_page_number(p, last, "exit", 0) == NL_EX_TIMEOUT)
		n += snprintf(line + n, sizeof line - (size_t)n, "timeout");
	else
		n += snprintf(line + n, sizeof line - (size_t)n, "exit %s", nl_page_str(p, last, "exit", what, sizeof what));
	if (nl_page_at(p, last, "span") >= 0)
		snprintf(line + n, sizeof line - (size_t)n, ", span %s", nl_page_str(p, last, "span", span_id, sizeof span_id));
	nl_page_row(p, "last", line);
}

/* Holders and waiters of a bulkhead. */
static void people(struct nl_page *p, int obj, const char *key, const char *word)
{
	char pid[24], name[32], user[48], at[32], age[32], waited[32], line[200];
	int list_at = nl_page_at(p, obj, key);
	for (unsigned k = (unsigned)list_at + 1; list_at >= 0 && k < p->tok[list_at].next; k = p->tok[k].next) {
		int v = (int)k;
		double wait = nl_page_number(p, v, "waited_s", 0);
		if (nl_page_at(p, v, "pid") < 0) {
			nl_page_row(p, word, "nobody knows who");
			continue;
		}
		snprintf(line, sizeof line, "pid %s %s by %s since %s (%s)", nl_page_str(p, v, "pid", pid, sizeof pid),
		         nl_page_str(p, v, "name", name, sizeof name), nl_page_str(p, v, "user", user, sizeof user),
		         nl_page_time(p, v, "since", NL_PAGE_SECONDS, at), nl_page_span(nl_page_number(p, v, "for_s", 0), age));
		if (wait > 0)
			snprintf(line + strlen(line), sizeof line - strlen(line), ", waited %s", nl_page_span(wait, waited));
		nl_page_row(p, word, line);
	}
}

static void show_head(struct nl_page *p, int obj)
{
	char policy[NL_NAME_MAX + 20], kind[24], state[32] = "", text[700], since[32], age[32], epoch[24], gen[24], next[96], name[32];
	size_t left;
	nl_page_str(p, obj, "policy", policy, sizeof policy);
	nl_page_str(p, obj, "kind", kind, sizeof kind);
	if (strcmp(kind, "breaker")) {
		nl_page_summary(p, obj, text, sizeof text, state, sizeof state);
		if (!strcmp(kind, "retry") || !strcmp(kind, "timeout"))
			snprintf(text, sizeof text, "live values of a %s", kind);
	} else {
		nl_page_str(p, obj, "state", state, sizeof state);
		nl_page_next(p, obj, state, next, sizeof next);
		int n = snprintf(text, sizeof text, "%s", nl_page_headline(state, name));
		if (nl_page_at(p, obj, "since") >= 0)
			n += snprintf(text + n, sizeof text - (size_t)n, " since %s (%s ago)", nl_page_time(p, obj, "since", NL_PAGE_SECONDS, since),
			              nl_page_span(nl_page_number(p, obj, "for_s", 0), age));
		if (next[0])
			snprintf(text + n, sizeof text - (size_t)n, ", %s", next);
	}
	nl_page_str(p, obj, "epoch", epoch, sizeof epoch);
	nl_page_str(p, obj, "gen", gen, sizeof gen);
	left = nl_page_columns(policy) + 2 + nl_page_columns(text) + 9 + strlen(epoch) + (strcmp(gen, "0") ? 6 + strlen(gen) : 0);
	size_t head = state[0] && !strcmp(kind, "breaker") ? strlen(nl_page_headline(state, name)) : 0;
	if (left > NL_PAGE_WIDTH) {                     // On a line of its own, below the name.
		nl_out_put(p->o, strcmp(gen, "0") ? "%s   epoch %s  gen %s\n" : "%s   epoch %s\n", policy, epoch, gen);
		nl_out_put(p->o, "%*s%s%.*s%s%s\n", p->indent, "", head ? nl_page_paint(p, nl_page_mood(state)) : "", (int)head, text, head ? nl_page_paint(p, NL_MOOD_PLAIN) : "",
		    text + head);
		return;
	}
	nl_out_put(p->o, "%s  %s%.*s%s%s   epoch %s", policy, head ? nl_page_paint(p, nl_page_mood(state)) : "", (int)head, text, head ? nl_page_paint(p, NL_MOOD_PLAIN) : "",
	    text + head, epoch);
	nl_out_put(p->o, strcmp(gen, "0") ? "  gen %s\n" : "\n", gen);
}

/* Room for the longest key. */
static void measure(struct nl_page *p, int obj)
{
	char key[48];
	int list = nl_page_at(p, obj, "values");
	for (unsigned k = (unsigned)list + 1; list >= 0 && k < p->tok[list].next; k = p->tok[k].next) {
		int n = (int)strlen(nl_page_str(p, (int)k, "key", key, sizeof key)) + 2;
		p->indent = n > p->indent ? n : p->indent;
	}
}

void nl_page_show(struct nl_page *p, int obj)
{
	char why[500], kind[24], text[200], state[32];
	nl_page_str(p, obj, "kind", kind, sizeof kind);
	measure(p, obj);
	show_head(p, obj);
	if (nl_page_str(p, obj, "why", why, sizeof why)[0])
		nl_page_row(p, "why", why);
	show_last(p, obj);
	nl_page_counts(p, obj, text, sizeof text);
	if (text[0] && !strcmp(nl_page_str(p, obj, "state", state, sizeof state), "closed"))
		nl_page_row(p, "now", text);
	people(p, obj, "holders", "holder");
	people(p, obj, "waiters", "waiter");
	if (!strcmp(kind, "budget") && nl_page_at(p, obj, "profile") >= 0) {
		char profile[32], spent[24], refused[24];
		snprintf(text, sizeof text, "%s: %s retries granted, %s refused", nl_page_str(p, obj, "profile", profile, sizeof profile),
		         nl_page_str(p, obj, "spent", spent, sizeof spent), nl_page_str(p, obj, "refused", refused, sizeof refused));
		nl_page_row(p, "now", text);
	}
	if (!strcmp(kind, "race") && nl_page_at(p, obj, "samples") >= 0) {
		snprintf(text, sizeof text, "%.0f of the last %.0f calls measured, %.0f hedged, %.0f of these won by a later arm",
		         nl_page_number(p, obj, "samples", 0), nl_page_number(p, obj, "measured", 0),
		         nl_page_number(p, obj, "hedged", 0), nl_page_number(p, obj, "rescued", 0));
		nl_page_row(p, "now", text);
	}
	values(p, obj);
}
