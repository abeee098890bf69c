/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prom.c - the whole system in the text format of Prometheus.
 *
 * A family stands in one piece, and its series are those of the state by kind
 * and name, so none is there twice.  Names are those of OpenTelemetry by its rules
 * for Prometheus.  No timestamps: a textfile collector takes none.
 */
#include "observe/export.h"

#include "observe/metric.h"

#include <string.h>

struct sheet { struct nl_meter base; struct nl_out *o; char name[64]; };
static const char *const types[] = { [NL_COUNTER] = "counter", [NL_GAUGE] = "gauge", [NL_DURATIONS] = "histogram" };

static void put_text(struct nl_out *o, const char *text)
{
	nl_out_bytes(o, text, strlen(text));
}

/* Names of events have letters that need no escape; those of a snapshot are what
 * its writer wanted, and a control would reach a terminal. */
static void put_value(struct nl_out *o, const char *text)
{
	const unsigned char *s = (const unsigned char *)text, *from = s;
	for (; *s; s++) {
		bool c1 = s[0] == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0, quoted = *s == '\\' || *s == '"';
		if (!quoted && *s >= 0x20 && *s != 0x7f && !c1)
			continue;
		nl_out_bytes(o, (const char *)from, (size_t)(s - from));
		if (quoted)
			nl_out_bytes(o, (char[]){ '\\', (char)*s }, 2);
		else
			nl_out_put(o, "\\\\x%02x", c1 ? *++s : *s);
		from = s + 1;
	}
	nl_out_bytes(o, (const char *)from, (size_t)(s - from));
}

/* NAME="VALUE", the first behind a bracket. */
static void put_label(struct nl_out *o, const char *name, const char *value, bool *first)
{
	put_text(o, *first ? "{" : ",");
	put_text(o, name);
	put_text(o, "=\"");
	put_value(o, value);
	put_text(o, "\"");
	*first = false;
}

/* NAME_PART{kind="…",policy="…",…} and a blank. */
static void put_name(const struct sheet *t, const char *part, const struct nl_point *p, const char *le)
{
	bool first = true;
	put_text(t->o, t->name);
	put_text(t->o, part);
	if (p->s) {
		put_label(t->o, "kind", p->s->kind_text, &first);
		put_label(t->o, "policy", p->s->policy, &first);
	}
	for (unsigned i = 0; i < p->labels.n; i++)
		put_label(t->o, p->labels.of[i].name, p->labels.of[i].value, &first);
	if (le)
		put_label(t->o, "le", le, &first);
	put_text(t->o, first ? " " : "} ");
}

static void put_count(struct nl_out *o, uint64_t n)
{
	nl_out_put(o, "%llu\n", (unsigned long long)n);
}

static void put_seconds(struct nl_out *o, uint64_t us)
{
	nl_out_put(o, "%llu.%06llu\n", (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000));
}

static bool is_seconds(const struct nl_metric *m)
{
	return strcmp(m->unit, "s") == 0;
}

static void put_metric(struct nl_meter *meter, const struct nl_metric *m)
{
	struct sheet *t = (struct sheet *)meter;
	stpcpy(stpcpy(stpcpy(t->name, m->name), is_seconds(m) ? "_seconds" : ""), m->type == NL_COUNTER ? "_total" : "");
	for (char *dot = t->name; (dot = strchr(dot, '.')) != NULL; )
		*dot = '_';
	nl_out_put(t->o, "# HELP %s %s\n# TYPE %s %s\n", t->name, m->help, t->name, types[m->type]);
}

/* The counts of the buckets are exact. */
static void put_durations(const struct sheet *t, const struct nl_point *p)
{
	uint64_t n = 0;
	for (unsigned i = 0; i <= NL_BUCKETS_CLASSIC; i++) {
		char le[32] = "+Inf";
		if (i < NL_BUCKETS_CLASSIC)
			nl_number_text((double)nl_classic_us[i] / 1e6, le);
		put_name(t, "_bucket", p, le);
		put_count(t->o, n += p->classic[i]);
	}
	put_name(t, "_sum", p, NULL);
	put_seconds(t->o, p->us);
	put_name(t, "_count", p, NULL);
	put_count(t->o, n);
}

static void put_point(struct nl_meter *meter, const struct nl_metric *m, const struct nl_point *p)
{
	const struct sheet *t = (const struct sheet *)meter;
	switch (m->type) {
	case NL_COUNTER: case NL_GAUGE:
		put_name(t, "", p, NULL);
		(is_seconds(m) ? put_seconds : put_count)(t->o, p->n);
		return;
	case NL_DURATIONS:
		put_durations(t, p);
		return;
	}
}

int nl_prom_put(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	struct sheet t = { .base = { NL_CLASSIC, put_metric, put_point }, .o = o };
	if (nl_metrics_tell(ask, &t.base, err) < 0)
		return -1;
	put_text(o, "# HELP nl_build_info 1; its label is the version of nl-observe.\n# TYPE nl_build_info gauge\n"
	         "nl_build_info{version=\"" NL_VERSION "\"} 1\n");
	return 0;
}
