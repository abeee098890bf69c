/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prom.c - the whole system in the text format of Prometheus.
 *
 * A family stands in one piece, and its series are those of the state by kind
 * and name, so none is there twice.  What a policy of a kind may ever count is
 * there at 0 from the beginning: a first failure is then an increase.  No
 * timestamps: a textfile collector takes none.
 */
#include "observe/export.h"

#include "circuit.h"

#include <stdlib.h>
#include <string.h>

#define KIND(k) (1u << NL_S_##k)
#define ANY ((1u << NL_S_KINDS) - 1)

struct sheet { struct nl_out *o; const struct nl_series **s; unsigned n; };

static void put_text(struct nl_out *o, const char *text)
{
	nl_out_bytes(o, text, strlen(text));
}

/* Names of events have letters that need no escape; those of a snapshot are what
 * its writer wanted, and a control would reach a terminal. */
static void put_label(struct nl_out *o, const char *text)
{
	for (const unsigned char *s = (const unsigned char *)text; *s; s++) {
		bool c1 = s[0] == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0;
		if (*s == '\\' || *s == '"')
			nl_out_bytes(o, (char[]){ '\\', (char)*s }, 2);
		else if (*s < 0x20 || *s == 0x7f || c1)
			nl_out_put(o, "\\\\x%02x", c1 ? *++s : *s);
		else
			nl_out_bytes(o, (const char *)s, 1);
	}
}

static void put_head(struct nl_out *o, const char *name, const char *type, const char *help)
{
	nl_out_put(o, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* NAME{kind="…",policy="…",MORE} and a blank.  more: NULL, or a label as it is written. */
static void put_name(struct nl_out *o, const char *name, const struct nl_series *s, const char *more)
{
	put_text(o, name);
	put_text(o, "{kind=\"");
	put_label(o, s->kind_text);
	put_text(o, "\",policy=\"");
	put_label(o, s->policy);
	put_text(o, more ? "\"," : "\"");
	put_text(o, more ? more : "");
	put_text(o, "} ");
}

static void put_count(struct nl_out *o, uint64_t n)
{
	nl_out_put(o, "%llu\n", (unsigned long long)n);
}

static void put_seconds(struct nl_out *o, uint64_t us)
{
	nl_out_put(o, "%llu.%06llu\n", (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000));
}

/* One number of each series of these kinds.  A row without type goes on with the family of the one before. */
struct metric {
	const char *name, *type, *help, *label;
	unsigned kinds;
	enum { NUMBER, SECONDS } unit;  /* SECONDS: kept in microseconds */
	size_t at;                      /* of an int64_t in struct nl_series; below 0 is none */
	uint64_t (*of)(const struct nl_series *);       /* instead of at */
};

/* A call of a retry makes one attempt and then others. */
static uint64_t originals(const struct nl_series *s)
{
	return s->kind == NL_S_RETRY ? s->all.requests : s->attempts;
}

static uint64_t forced(const struct nl_series *s)
{
	return s->all_moves - s->opens - s->closes - s->half_opens;
}

#define AT(unit, member) unit, offsetof(struct nl_series, member), NULL
static const struct metric metrics[] = {
	{ "nl_attempts_total", "counter", "Attempts that calls have made.", "attempt_type=\"original\"", ANY, NUMBER, 0, originals },
	{ "nl_attempts_total", NULL, NULL, "attempt_type=\"retry\"", KIND(RETRY), AT(NUMBER, retried) },
	{ "nl_attempts_total", NULL, NULL, "attempt_type=\"hedge\"", KIND(RACE), AT(NUMBER, hedged) },
	{ "nl_calls_recovered_total", "counter", "Calls that succeeded after a failed attempt.", NULL, KIND(RETRY), AT(NUMBER, recovered) },
	{ "nl_retries_exhausted_total", "counter", "Calls whose last attempt failed.", NULL, KIND(RETRY), AT(NUMBER, exhausted) },
	{ "nl_retry_delay_seconds", "summary", "Waits before a next attempt.", NULL, 0, NUMBER, 0, NULL },
	{ "nl_retry_delay_seconds_sum", NULL, NULL, NULL, KIND(RETRY), AT(SECONDS, slept.us) },
	{ "nl_retry_delay_seconds_count", NULL, NULL, NULL, KIND(RETRY), AT(NUMBER, slept.n) },
	{ "nl_timeouts_total", "counter", "Limits that were hit.", NULL, KIND(TIMEOUT) | KIND(RETRY), AT(NUMBER, timeouts) },
	{ "nl_circuit_transitions_total", "counter", "Changes of a breaker's state.", "to=\"closed\"", KIND(BREAKER), AT(NUMBER, closes) },
	{ "nl_circuit_transitions_total", NULL, NULL, "to=\"open\"", KIND(BREAKER), AT(NUMBER, opens) },
	{ "nl_circuit_transitions_total", NULL, NULL, "to=\"half_open\"", KIND(BREAKER), AT(NUMBER, half_opens) },
	{ "nl_circuit_transitions_total", NULL, NULL, "to=\"forced\"", KIND(BREAKER), NUMBER, 0, forced },
	{ "nl_circuit_rejections_total", "counter", "Calls that a breaker did not admit.", NULL, KIND(BREAKER), AT(NUMBER, rejected) },
	{ "nl_bulkhead_usage", "gauge", "Slots in use, as the bulkhead last told.", NULL, KIND(BULKHEAD), AT(NUMBER, active) },
	{ "nl_bulkhead_limit", "gauge", "Slots that there are.", NULL, KIND(BULKHEAD), AT(NUMBER, max) },
	{ "nl_bulkhead_rejections_total", "counter", "Calls that got no slot.", NULL, KIND(BULKHEAD), AT(NUMBER, rejected) },
	{ "nl_bulkhead_wait_duration_seconds", "summary", "Waits for a slot.", NULL, 0, NUMBER, 0, NULL },
	{ "nl_bulkhead_wait_duration_seconds_sum", NULL, NULL, NULL, KIND(BULKHEAD), AT(SECONDS, waited.us) },
	{ "nl_bulkhead_wait_duration_seconds_count", NULL, NULL, NULL, KIND(BULKHEAD), AT(NUMBER, waited.n) },
	{ "nl_bulkhead_hold_duration_seconds", "summary", "How long slots were held.", NULL, 0, NUMBER, 0, NULL },
	{ "nl_bulkhead_hold_duration_seconds_sum", NULL, NULL, NULL, KIND(BULKHEAD), AT(SECONDS, held.us) },
	{ "nl_bulkhead_hold_duration_seconds_count", NULL, NULL, NULL, KIND(BULKHEAD), AT(NUMBER, held.n) },
	{ "nl_race_wins_total", "counter", "Races that had their answer.", NULL, KIND(RACE), AT(NUMBER, won) },
	{ "nl_race_losses_total", "counter", "Races in which too few arms succeeded.", NULL, KIND(RACE), AT(NUMBER, lost) },
	{ "nl_fallback_uses_total", "counter", "Branches that failed and were followed by another.", NULL, KIND(FALLBACK), AT(NUMBER, fell_back) },
	{ "nl_fallback_stale_total", "counter", "Earlier output that was the answer.", NULL, KIND(FALLBACK), AT(NUMBER, stale) },
	{ "nl_state_degraded_total", "counter", "Times that a policy went on without something that it needs.", NULL, ANY, AT(NUMBER, degraded) },
	{ "nl_last_success_timestamp_seconds", "gauge", "When a call last succeeded.", NULL, ANY, AT(SECONDS, last_success_us) },
	{ "nl_last_failure_timestamp_seconds", "gauge", "When a call last failed.", NULL, ANY, AT(SECONDS, last_failure_us) },
};

static void put_metric(const struct sheet *t, const struct metric *m)
{
	if (m->type)
		put_head(t->o, m->name, m->type, m->help);
	for (unsigned i = 0; i < t->n; i++) {
		int64_t v;
		memcpy(&v, (const char *)t->s[i] + m->at, sizeof v);
		if (!(m->kinds >> t->s[i]->kind & 1) || (!m->of && v < 0))
			continue;
		put_name(t->o, m->name, t->s[i], m->label);
		(m->unit == SECONDS ? put_seconds : put_count)(t->o, m->of ? m->of(t->s[i]) : (uint64_t)v);
	}
}

enum end { SUCCEEDED, FAILED };

/* Those that succeeded, or failed: the counts of the buckets are exact. */
static void put_durations(struct nl_out *o, const struct nl_series *s, enum end end)
{
	const char *type = end == FAILED ? "error_type=\"failed\"" : "error_type=\"\"";
	uint64_t n = 0;
	for (unsigned i = 0; i <= NL_BUCKETS_CLASSIC; i++) {
		char le[64] = "error_type=\"failed\",le=\"", number[32] = "+Inf";
		if (i < NL_BUCKETS_CLASSIC)
			nl_number_text((double)nl_classic_us[i] / 1e6, number);
		stpcpy(stpcpy(stpcpy(stpcpy(le, type), ",le=\""), number), "\"");
		n += end == FAILED ? s->classic_failed[i] : s->classic[i] - s->classic_failed[i];
		put_name(o, "nl_request_duration_seconds_bucket", s, le);
		put_count(o, n);
	}
	put_name(o, "nl_request_duration_seconds_sum", s, type);
	put_seconds(o, end == FAILED ? s->failed_us : s->dur.us - s->failed_us);
	put_name(o, "nl_request_duration_seconds_count", s, type);
	put_count(o, n);
}

static void put_requests(const struct sheet *t)
{
	put_head(t->o, "nl_request_duration_seconds", "histogram", "How long calls took, of each layer.");
	for (unsigned i = 0; i < t->n; i++) {
		put_durations(t->o, t->s[i], SUCCEEDED);
		put_durations(t->o, t->s[i], FAILED);
	}
	put_head(t->o, "nl_request_failures_total", "counter", "Calls that failed, by what failed.");
	for (unsigned i = 0; i < t->n; i++)
		for (unsigned k = 0; k < t->s[i]->nerrs; k++) {
			char class[24], label[48] = "";
			stpcpy(stpcpy(stpcpy(label, "error_type=\""), nl_err_class_name(t->s[i]->errs[k].class, class)), "\"");
			put_name(t->o, "nl_request_failures_total", t->s[i], label);
			put_count(t->o, t->s[i]->errs[k].n);
		}
}

static void put_circuits(const struct sheet *t)
{
	put_head(t->o, "nl_circuit_state", "gauge", "1 for the state that a breaker is in.");
	for (unsigned i = 0; i < t->n; i++)
		for (int k = 0; k < NL_CIRCUIT_STATES && t->s[i]->kind == NL_S_BREAKER; k++) {
			const char *name = nl_circuit_name((enum nl_circuit_state)k);
			char label[48] = "";
			stpcpy(stpcpy(stpcpy(label, "state=\""), name), "\"");
			put_name(t->o, "nl_circuit_state", t->s[i], label);
			put_count(t->o, !strcmp(nl_series_state(t->s[i]), name));
		}
	put_head(t->o, "nl_circuit_opened_timestamp_seconds", "gauge", "When a breaker last opened.");
	for (unsigned i = 0; i < t->n; i++)
		for (unsigned k = t->s[i]->nmoves; k > 0 && t->s[i]->kind == NL_S_BREAKER; k--)
			if (t->s[i]->move[k - 1].to == NL_OPEN) {
				put_name(t->o, "nl_circuit_opened_timestamp_seconds", t->s[i], NULL);
				put_seconds(t->o, (uint64_t)t->s[i]->move[k - 1].time_us);
				break;
			}
}

static void put_lines(struct nl_out *o, const struct nl_system *system)
{
	const uint64_t *lines = nl_system_lines(system);
	put_head(o, "nl_observe_events_total", "counter", "Events that were counted.");
	for (int i = 0; i < NL_TOLDS; i++)
		nl_out_put(o, "nl_observe_events_total{event=\"%s\"} %llu\n", i ? nl_told_names[i] : "other", (unsigned long long)nl_system_told(system, (enum nl_told)i));
	put_head(o, "nl_observe_lines_total", "counter", "Lines that were read, by what they are.");
	for (int i = 0; i < NL_LINES; i++)
		nl_out_put(o, "nl_observe_lines_total{verdict=\"%s\"} %llu\n", nl_line_names[i], (unsigned long long)lines[i]);
	put_head(o, "nl_observe_lines_rejected_total", "counter", "Lines that are no event although they begin like one.");
	for (int i = NL_LINE_TORN; i <= NL_LINE_NEWER; i++)
		nl_out_put(o, "nl_observe_lines_rejected_total{reason=\"%s\"} %llu\n", nl_line_names[i], (unsigned long long)lines[i]);
}

static void put_one(struct nl_out *o, const char *name, const char *type, const char *help, uint64_t n)
{
	put_head(o, name, type, help);
	put_text(o, name);
	put_text(o, " ");
	put_count(o, n);
}

static void put_self(struct nl_out *o, const struct nl_system *system)
{
	struct nl_runs_sum runs = nl_runs_sum(nl_system_runs(system));
	put_lines(o, system);
	put_one(o, "nl_observe_events_lost_total", "counter", "Events that runs which ended have sent and that were not read.", runs.lost);
	put_one(o, "nl_observe_late_total", "counter", "Events that were too late for windows.", nl_system_lines(system)[NL_LINE_LATE]);
	put_one(o, "nl_observe_runs_total", "counter", "Processes that have told something.", runs.runs);
	put_one(o, "nl_observe_runs_open", "gauge", "Those of them without an end.", runs.open);
	put_one(o, "nl_observe_series", "gauge", "Policies that are known.", nl_system_count(system));
	put_one(o, "nl_observe_overflow_total", "counter", "Events of policies that were too many.", nl_system_overflowed(system));
	put_head(o, "nl_build_info", "gauge", "1; its label is the version of nl-observe.");
	put_text(o, "nl_build_info{version=\"" NL_VERSION "\"} 1\n");
}

int nl_prom_put(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	struct sheet t = { .o = o };
	t.s = nl_ask_sorted(ask, NL_BY_NAME, &t.n);
	if (!t.s)
		return nl_fail(err, "out of memory");
	put_requests(&t);
	for (unsigned i = 0; i < sizeof metrics / sizeof *metrics; i++)
		put_metric(&t, &metrics[i]);
	put_circuits(&t);
	put_self(o, ask->system);
	free(t.s);
	return 0;
}
