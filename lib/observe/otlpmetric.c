/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlpmetric.c - the whole system as a line of OTLP/JSON metrics, as the file
 * exporter of OpenTelemetry writes them and as its collectors take them.
 *
 * All is cumulative, from the first event of the policy to the last that was read.
 * The sketch is an exponential histogram as it is: same base, same numbers.
 * Whole numbers of 64 bits are texts, as in all JSON of protobuf.
 */
#include "observe/export.h"

#include "observe/metric.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUMULATIVE 2                    /* AGGREGATION_TEMPORALITY_CUMULATIVE */

struct sheet {
	struct nl_meter base;
	struct nl_out *o;
	int64_t first_us, now_us;       /* -1: there was nothing */
	const struct nl_metric *open;   /* whose list of points is open; NULL: none */
	uint64_t *cell;                 /* a distribution that is being made */
};

/* As OpenTelemetry's own clients mark what has no place of its own. */
static const char overflow[] = "{\"key\":\"otel.metric.overflow\",\"value\":{\"boolValue\":true}}";

static void put_long(struct nl_out *o, const char *key, uint64_t n)
{
	char text[24];
	nl_out_strn(o, key, text, (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)n));
}

static void put_seconds(struct nl_out *o, const char *key, uint64_t us)
{
	char text[40];
	nl_out_raw(o, key, text, (size_t)snprintf(text, sizeof text, "%llu.%06llu", (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000)));
}

static void put_time(struct nl_out *o, const char *key, int64_t us)
{
	put_long(o, key, us < 0 ? 0 : (uint64_t)us * NL_US);
}

static void put_attribute(struct nl_out *o, const char *before, const char *key, const char *value)
{
	char name[32] = "";
	stpcpy(stpcpy(name, before), key);
	nl_out_begin(o, NULL, '{');
	nl_out_str(o, "key", name);
	nl_out_begin(o, "value", '{');
	nl_out_str(o, "stringValue", value);
	nl_out_put(o, "}}");
}

/* As otlp.c names those of events. */
static void put_attributes(struct nl_out *o, const struct nl_point *p)
{
	if (!p->s && p->labels.n == 0)
		return;
	nl_out_begin(o, "attributes", '[');
	if (p->s) {
		put_attribute(o, "", "nl.policy.name", p->s->policy);
		put_attribute(o, "", "nl.policy.kind", p->s->kind_text);
		if (p->s->kind == NL_S_OTHER && !strcmp(p->s->policy, "_overflow"))
			nl_out_raw(o, NULL, overflow, strlen(overflow));
	}
	for (unsigned i = 0; i < p->labels.n; i++) {
		const struct nl_label *l = &p->labels.of[i];
		bool is_error = !strcmp(l->name, "error_type");
		if (*l->value)                  // No error has no type.
			put_attribute(o, is_error ? "" : "nl.", is_error ? "error.type" : l->name, l->value);
	}
	nl_out_end(o, ']');
}

static void close_metric(struct sheet *t)
{
	static const char *const kept[] = { [NL_COUNTER] = ",\"isMonotonic\":true", [NL_GAUGE] = NULL, [NL_DURATIONS] = "" };
	if (!t->open)
		return;
	nl_out_end(t->o, ']');
	if (kept[t->open->type])
		nl_out_put(t->o, ",\"aggregationTemporality\":%d%s", CUMULATIVE, kept[t->open->type]);
	nl_out_put(t->o, "}}");
	t->open = NULL;
}

static void begin_metric(struct nl_meter *meter, const struct nl_metric *m)
{
	(void)m;                                // It is there when it has a point.
	close_metric((struct sheet *)meter);
}

static void open_metric(struct sheet *t, const struct nl_metric *m)
{
	static const char *const words[] = {
		[NL_COUNTER] = "sum", [NL_GAUGE] = "gauge", [NL_DURATIONS] = "exponentialHistogram",
	};
	t->open = m;
	nl_out_begin(t->o, NULL, '{');
	nl_out_str(t->o, "name", m->name);
	nl_out_str(t->o, "description", m->help);
	nl_out_str(t->o, "unit", m->unit);
	nl_out_begin(t->o, words[m->type], '{');
	nl_out_begin(t->o, "dataPoints", '[');
}

/* The buckets of a point, each of which none is below 0, and how many samples there are. */
static uint64_t make_cells(uint64_t *cell, const struct nl_point *p, uint64_t *zero)
{
	const struct nl_sketch *add[] = { p->sketch, p->more };
	uint64_t n = 0;
	memset(cell, 0, NL_SKETCH_BUCKETS * sizeof *cell);
	*zero = 0;
	for (unsigned k = 0; k < 2; k++) {
		for (unsigned i = 0; add[k] && i < add[k]->n; i++)
			cell[add[k]->first + i] += add[k]->count[i];
		*zero += add[k] ? add[k]->zero : 0;
		for (unsigned i = 0; k == 0 && p->less && i < p->less->n; i++)
			cell[p->less->first + i] -= cell[p->less->first + i] < p->less->count[i] ? cell[p->less->first + i] : p->less->count[i];
		if (k == 0 && p->less)
			*zero -= *zero < p->less->zero ? *zero : p->less->zero;
	}
	for (unsigned i = 0; i < NL_SKETCH_BUCKETS; i++)
		n += cell[i];
	return n + *zero;
}

static void put_buckets(struct nl_out *o, const uint64_t *cell)
{
	unsigned first = 0, end = NL_SKETCH_BUCKETS;
	while (first < end && cell[first] == 0)
		first++;
	while (end > first && cell[end - 1] == 0)
		end--;
	if (first == end)
		return;
	nl_out_begin(o, "positive", '{');
	nl_out_int(o, "offset", NL_SKETCH_FIRST + (int)first);
	nl_out_begin(o, "bucketCounts", '[');
	for (unsigned i = first; i < end; i++)
		put_long(o, NULL, cell[i]);
	nl_out_put(o, "]}");
}

static void put_durations(const struct sheet *t, const struct nl_point *p)
{
	uint64_t zero, n = make_cells(t->cell, p, &zero);
	put_long(t->o, "count", n);
	put_seconds(t->o, "sum", p->us);
	nl_out_int(t->o, "scale", NL_SKETCH_SCALE);
	put_long(t->o, "zeroCount", zero);
	put_buckets(t->o, t->cell);
	if (p->least_us >= 0)
		put_seconds(t->o, "min", (uint64_t)p->least_us);
	if (p->most_us >= 0)
		put_seconds(t->o, "max", (uint64_t)p->most_us);
}

static void put_point(struct nl_meter *meter, const struct nl_metric *m, const struct nl_point *p)
{
	struct sheet *t = (struct sheet *)meter;
	if (t->open != m)
		open_metric(t, m);
	nl_out_begin(t->o, NULL, '{');
	put_attributes(t->o, p);
	if (m->type != NL_GAUGE)
		put_time(t->o, "startTimeUnixNano", p->s ? p->s->first_us : t->first_us);
	put_time(t->o, "timeUnixNano", t->now_us);
	if (m->type == NL_DURATIONS)
		put_durations(t, p);
	else if (!strcmp(m->unit, "s"))
		put_seconds(t->o, "asDouble", p->n);
	else
		put_long(t->o, "asInt", p->n);
	nl_out_end(t->o, '}');
}

/* Of all series. */
static int64_t first_of(const struct nl_system *system)
{
	int64_t first = -1;
	const struct nl_series *s;
	for (unsigned i = 0; (s = nl_system_series(system, i)) != NULL; i++)
		if (first < 0 || s->first_us < first)
			first = s->first_us;
	return first;
}

int nl_otlp_metrics_put(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	struct sheet t = { .base = { NL_EXPONENTIAL, begin_metric, put_point }, .o = o, .first_us = first_of(ask->system), .now_us = ask->now_us };
	t.cell = malloc(NL_SKETCH_BUCKETS * sizeof *t.cell);
	if (!t.cell)
		return nl_fail(err, "out of memory");
	nl_out_put(o, "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"ninelives\"}}]},"
	           "\"scopeMetrics\":[{\"scope\":{\"name\":\"ninelives\",\"version\":\"" NL_VERSION "\"},\"metrics\":[");
	int r = nl_metrics_tell(ask, &t.base, err);
	close_metric(&t);
	nl_out_put(o, "]}]}]}\n");
	free(t.cell);
	return r;
}
