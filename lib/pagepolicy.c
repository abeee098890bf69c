/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pagepolicy.c - a policy in a few words.
 */
#include "page.h"

#include <stdio.h>
#include <string.h>

/* "", ", probes in 9 s", ", 1 of 1 probes running". */
void nl_page_next(const struct nl_page *p, int obj, const char *state, char *buf, size_t size)
{
	char text[32];
	double in = nl_page_number(p, obj, "probes_in_s", -1), held = nl_page_number(p, obj, "probes", -1);
	buf[0] = '\0';
	if (!strcmp(state, "open") && in > 0)
		snprintf(buf, size, "probes in %s", nl_page_span(in < 10 && in == (double)(long)in ? in : in >= 1 ? (double)(long)(in + 0.999) : in, text));
	else if (!strcmp(state, "open") && in == 0)
		snprintf(buf, size, "the next call is a probe");
	else if (!strcmp(state, "open"))
		snprintf(buf, size, "until somebody closes it");
	else if (!strcmp(state, "half_open") && held >= 0)
		snprintf(buf, size, "%.0f of %.0f probes running", held, nl_page_number(p, obj, "max_probes", 1));
}

/* A closed breaker's window, or failures in a row. */
void nl_page_counts(const struct nl_page *p, int obj, char *buf, size_t size)
{
	char text[32];
	int w = nl_page_at(p, obj, "window");
	double row_of = nl_page_number(p, obj, "failures_in_a_row", -1);
	buf[0] = '\0';
	if (w >= 0) {
		double calls = nl_page_number(p, w, "calls", 0), of = nl_page_number(p, w, "size_calls", 0), slow = nl_page_number(p, w, "slow", 0);
		int n = snprintf(buf, size, "%.0f of %.0f calls failed", nl_page_number(p, w, "failures", 0), calls);
		if (slow > 0)
			n += snprintf(buf + n, size - (size_t)n, ", %.0f slow", slow);
		if (of > 0)
			snprintf(buf + n, size - (size_t)n, " (window of %.0f calls)", of);
		else
			snprintf(buf + n, size - (size_t)n, " (window of %s)", nl_page_span(nl_page_number(p, w, "size_s", 0), text));
	} else if (row_of >= 0) {
		snprintf(buf, size, "%.0f failure%s in a row", row_of, row_of == 1 ? "" : "s");
	}
}

/* The values that were set, of a policy that has nothing else. */
static void set_values(const struct nl_page *p, int obj, char *buf, size_t size)
{
	char key[48], value[64];
	size_t n = 0;
	int list = nl_page_at(p, obj, "values");
	buf[0] = '\0';
	for (unsigned k = (unsigned)list + 1; list >= 0 && k < p->tok[list].next && n < size; k = p->tok[k].next)
		n += (size_t)snprintf(buf + n, size - n, "%s%s=%s", n ? " " : "", nl_page_str(p, (int)k, "key", key, sizeof key),
		                      nl_page_str(p, (int)k, "value", value, sizeof value));
	if (!n)
		snprintf(buf, size, "no values are set");
}

/* All that fits behind the name on one line. */
void nl_page_summary(const struct nl_page *p, int obj, char *buf, size_t size, char *state, size_t state_size)
{
	char kind[24], name[32], next[96], why[400], trouble[32];
	nl_page_str(p, obj, "kind", kind, sizeof kind);
	nl_page_str(p, obj, "state", state, state_size);
	nl_page_str(p, obj, "why", why, sizeof why);
	nl_page_next(p, obj, state, next, sizeof next);
	if (nl_page_at(p, obj, "trouble") >= 0) {
		snprintf(state, state_size, "trouble");
		snprintf(buf, size, "UNUSABLE (%s): %s", nl_page_str(p, obj, "trouble", trouble, sizeof trouble), nl_page_str(p, obj, "detail", why, sizeof why));
	} else if (!strcmp(kind, "breaker")) {
		if (!why[0])
			nl_page_counts(p, obj, why, sizeof why);
		char *limit = strstr(why, " (limit ");
		if (limit && strchr(limit, ')'))
			memmove(limit, strchr(limit, ')') + 1, strlen(strchr(limit, ')')));
		snprintf(buf, size, "%s%s%s%s%s", nl_page_headline(state, name), next[0] ? ", " : "", next, why[0] ? ": " : "", why);
	} else if (!strcmp(kind, "bulkhead")) {
		double active = nl_page_number(p, obj, "active", 0), max = nl_page_number(p, obj, "max", 0), queued = nl_page_number(p, obj, "queued", 0);
		snprintf(state, state_size, active >= max && max > 0 ? "open" : "closed");
		snprintf(buf, size, "%s%.0f of %.0f in use%s", active >= max && max > 0 ? "FULL, " : "", active, max, queued > 0 ? ", " : "");
		if (queued > 0)
			snprintf(buf + strlen(buf), size - strlen(buf), "%.0f waiting", queued);
	} else if (!strcmp(kind, "budget") && nl_page_at(p, obj, "tokens") < 0) {
		snprintf(buf, size, "not used yet");
	} else if (!strcmp(kind, "budget")) {
		int n = snprintf(buf, size, "%s", nl_page_str(p, obj, "tokens", name, sizeof name));
		if (nl_page_at(p, obj, "max") >= 0)
			n += snprintf(buf + n, size - (size_t)n, " of %s", nl_page_str(p, obj, "max", name, sizeof name));
		snprintf(buf + n, size - (size_t)n, " tokens");
	} else if (!strcmp(kind, "race") && nl_page_at(p, obj, "p95_s") >= 0) {
		snprintf(buf, size, "p50 %.3f s, p95 %.3f s, p99 %.3f s", nl_page_number(p, obj, "p50_s", 0),
		         nl_page_number(p, obj, "p95_s", 0), nl_page_number(p, obj, "p99_s", 0));
	} else {
		set_values(p, obj, buf, size);
	}
}
