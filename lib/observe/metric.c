/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metric.c - the metrics that there are, one row each, and their points in the
 * order of the series by kind and name.
 *
 * What a policy of a kind may ever count is there at 0 from the beginning: a first
 * failure is then an increase.
 */
#include "observe/metric.h"

#include "circuit.h"
#include "observe/durations.h"

#include <stdlib.h>
#include <string.h>

#define KIND(k) (1u << NL_S_##k)
#define ANY ((1u << NL_S_KINDS) - 1)
#define NONE SIZE_MAX

struct walk { struct nl_meter *meter; const struct nl_series **s; unsigned n; const struct nl_metric *metric; struct nl_point p; };

/* A number of each series of these kinds.  A row without a name goes on with the metric before. */
struct row {
	struct nl_metric metric;
	unsigned kinds;
	size_t at;                      /* of an int64_t in struct nl_series, below 0 is none; NONE; of a distribution its nl_spent */
	uint64_t (*of)(const struct nl_series *);       /* instead */
	struct nl_label label;
	enum nl_family family;          /* or these labels, and what they lack to that number */
	enum nl_took took;
};

/* A call of a retry makes one attempt and then others. */
static uint64_t originals(const struct nl_series *s)
{
	return s->kind == NL_S_RETRY ? s->all.requests : s->attempts;
}

#define AT(member) offsetof(struct nl_series, member), NULL
#define OF(function) NONE, function
#define COUNTER(name, unit, help) { name, unit, help, NL_COUNTER }
#define GAUGE(name, unit, help) { name, unit, help, NL_GAUGE }
#define DURATIONS(name, help) { name, "s", help, NL_DURATIONS }
#define TOOK(took, member) AT(member), NO_LABEL, took
#define MORE { NULL, NULL, NULL, NL_COUNTER }
#define NO_LABEL { NULL, NULL }, NL_FAMILIES
#define LABEL(name, value) { name, value }, NL_FAMILIES, NL_TOOKS
#define BY(family) { NULL, NULL }, family, NL_TOOKS
static const struct row rows[] = {
	{ COUNTER("nl.attempts", "{attempt}", "Attempts that calls have made."), ANY, OF(originals), LABEL("attempt_type", "original") },
	{ MORE, KIND(RETRY), AT(retried), LABEL("attempt_type", "retry") },
	{ MORE, KIND(RACE), AT(hedged), LABEL("attempt_type", "hedge") },
	{ COUNTER("nl.calls.recovered", "{call}", "Calls that succeeded after a failed attempt."), KIND(RETRY), AT(recovered), NO_LABEL, NL_TOOKS },
	{ COUNTER("nl.retries.exhausted", "{call}", "Calls whose last attempt failed."), KIND(RETRY), AT(exhausted), BY(NL_F_EXHAUSTED) },
	{ DURATIONS("nl.retry.delay", "Waits before a next attempt."), KIND(RETRY), TOOK(NL_TOOK_DELAY, slept) },
	{ COUNTER("nl.timeouts", "{timeout}", "Limits that were hit."), KIND(TIMEOUT) | KIND(RETRY), AT(timeouts), BY(NL_F_TIMEOUT) },
	{ COUNTER("nl.circuit.transitions", "{transition}", "Changes of a breaker's state."), KIND(BREAKER), AT(all_moves), BY(NL_F_MOVED) },
	{ COUNTER("nl.circuit.rejections", "{call}", "Calls that a breaker did not admit."), KIND(BREAKER), AT(rejected), NO_LABEL, NL_TOOKS },
	{ GAUGE("nl.bulkhead.usage", "{slot}", "Slots in use, as the bulkhead last told."), KIND(BULKHEAD), AT(active), NO_LABEL, NL_TOOKS },
	{ GAUGE("nl.bulkhead.limit", "{slot}", "Slots that there are."), KIND(BULKHEAD), AT(max), NO_LABEL, NL_TOOKS },
	{ COUNTER("nl.bulkhead.rejections", "{call}", "Calls that got no slot."), KIND(BULKHEAD), AT(rejected), BY(NL_F_FULL) },
	{ DURATIONS("nl.bulkhead.wait.duration", "Waits for a slot."), KIND(BULKHEAD), TOOK(NL_TOOK_WAIT, waited) },
	{ DURATIONS("nl.bulkhead.hold.duration", "How long slots were held."), KIND(BULKHEAD), TOOK(NL_TOOK_HOLD, held) },
	{ COUNTER("nl.race.wins", "{race}", "Races that had their answer, by whose it was."), KIND(RACE), AT(won), BY(NL_F_WON) },
	{ COUNTER("nl.race.losses", "{race}", "Races in which too few arms succeeded."), KIND(RACE), AT(lost), NO_LABEL, NL_TOOKS },
	{ COUNTER("nl.fallback.uses", "{branch}", "Branches that were tried because the one before had failed."), KIND(FALLBACK), AT(fell_back), BY(NL_F_FELL_BACK) },
	{ COUNTER("nl.fallback.stale", "{call}", "Earlier output that was the answer."), KIND(FALLBACK), AT(stale), NO_LABEL, NL_TOOKS },
	{ COUNTER("nl.state.degraded", "{time}", "Times that a policy went on without something that it needs."), ANY, AT(degraded), NO_LABEL, NL_TOOKS },
	{ GAUGE("nl.last_success.timestamp", "s", "When a call last succeeded."), ANY, AT(last_success_us), NO_LABEL, NL_TOOKS },
	{ GAUGE("nl.last_failure.timestamp", "s", "When a call last failed."), ANY, AT(last_failure_us), NO_LABEL, NL_TOOKS },
};

static void begin(struct walk *w, const struct nl_metric *m)
{
	w->metric = m;
	w->meter->metric(w->meter, m);
}

static void tell(struct walk *w, const struct nl_series *s, struct nl_label label, uint64_t n)
{
	struct nl_point p = { .s = s, .labels = { label.name != NULL, { label } }, .n = n };
	w->meter->point(w->meter, w->metric, &p);
}

static void tell_label(const struct nl_labels *l, uint64_t n, void *arg)
{
	struct walk *w = arg;
	w->p.labels = *l, w->p.n = n;
	w->meter->point(w->meter, w->metric, &w->p);
}

/* No durations at all. */
static const struct nl_durations none;

static const struct nl_durations *took(const struct nl_series *s, enum nl_took which)
{
	return s->took[which] ? s->took[which] : &none;
}

static void tell_durations(struct walk *w, const struct nl_series *s, enum nl_took which, struct nl_label label, int64_t most_us)
{
	const struct nl_durations *d = took(s, which);
	struct nl_point p = { .s = s, .labels = { label.name != NULL, { label } }, .us = d->us, .sketch = &d->sketch, .least_us = -1, .most_us = most_us };
	memcpy(p.classic, d->classic, sizeof p.classic);
	w->meter->point(w->meter, w->metric, &p);
}

static void tell_of(struct walk *w, const struct row *row, const struct nl_series *s)
{
	int64_t n = 0;
	if (w->metric->type == NL_DURATIONS) {
		const struct nl_spent *spent = (const struct nl_spent *)((const char *)s + row->at);
		tell_durations(w, s, row->took, (struct nl_label){ NULL, NULL }, spent->n ? (int64_t)spent->most_us : -1);
		return;
	}
	if (!row->of)
		memcpy(&n, (const char *)s + row->at, sizeof n);
	w->p = (struct nl_point){ .s = s };
	if (row->family != NL_FAMILIES)
		nl_labels_each(s, row->family, (uint64_t)n, tell_label, w);
	else if (n >= 0)
		tell(w, s, row->label, row->of ? row->of(s) : (uint64_t)n);
}

static void tell_rows(struct walk *w)
{
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i].metric.name)
			begin(w, &rows[i].metric);
		for (unsigned k = 0; k < w->n; k++)
			if (rows[i].kinds >> w->s[k]->kind & 1)
				tell_of(w, &rows[i], w->s[k]);
	}
}

/* Of all requests. */
static const struct nl_sketch *sketch_of(const struct nl_series *s)
{
	return &((const struct series *)s)->total;
}

/* Those that failed, the others, or in exponential buckets both together. */
static void tell_requests(struct walk *w)
{
	static const struct nl_metric requests = { "nl.request.duration", "s", "How long calls took, of each layer.", NL_DURATIONS };
	begin(w, &requests);
	for (unsigned i = 0; i < w->n; i++) {
		const struct nl_series *s = w->s[i];
		struct nl_point p = { .s = s, .us = s->dur.us, .sketch = sketch_of(s), .least_us = s->least_us, .most_us = s->dur.n ? (int64_t)s->dur.most_us : -1 };
		if (w->meter->buckets == NL_EXPONENTIAL) {
			w->meter->point(w->meter, w->metric, &p);
			continue;
		}
		p.labels = (struct nl_labels){ 1, { { "error_type", "" } } };
		p.us -= s->failed_us;
		for (unsigned k = 0; k <= NL_BUCKETS_CLASSIC; k++)
			p.classic[k] = s->classic[k] - s->classic_failed[k];
		w->meter->point(w->meter, w->metric, &p);
		p.labels.of[0].value = "failed";
		p.us = s->failed_us;
		memcpy(p.classic, s->classic_failed, sizeof p.classic);
		w->meter->point(w->meter, w->metric, &p);
	}
}

static uint64_t without(uint64_t n, uint64_t less)
{
	return n > less ? n - less : 0;         // A snapshot of strangers may have any.
}

static void tell_attempts(struct walk *w)
{
	static const struct nl_metric attempts = { "nl.attempt.duration", "s", "How long attempts of retries took.", NL_DURATIONS };
	begin(w, &attempts);
	for (unsigned i = 0; i < w->n; i++) {
		const struct nl_series *s = w->s[i];
		const struct nl_durations *less = took(s, NL_TOOK_CALL), *more = took(s, NL_TOOK_OK);
		struct nl_point p = { .s = s, .labels = { 1, { { "error_type", "" } } }, .least_us = -1, .most_us = -1 };
		if (s->kind != NL_S_RETRY)
			continue;
		p.us = without(s->dur.us, less->us) + more->us;
		p.sketch = sketch_of(s), p.less = &less->sketch, p.more = &more->sketch;
		for (unsigned k = 0; k <= NL_BUCKETS_CLASSIC; k++)
			p.classic[k] = without(s->classic[k], less->classic[k]) + more->classic[k];
		w->meter->point(w->meter, w->metric, &p);
		tell_durations(w, s, NL_TOOK_FAILED, (struct nl_label){ "error_type", "failed" }, -1);
	}
}

static void tell_failures(struct walk *w)
{
	static const struct nl_metric failures = COUNTER("nl.request.failures", "{call}", "Calls that failed, by what failed.");
	begin(w, &failures);
	for (unsigned i = 0; i < w->n; i++)
		for (unsigned k = 0; k < w->s[i]->nerrs; k++) {
			char class[24];
			tell(w, w->s[i], (struct nl_label){ "error_type", nl_err_class_name(w->s[i]->errs[k].key, class) }, w->s[i]->errs[k].n);
		}
}

static void tell_circuits(struct walk *w)
{
	static const struct nl_metric state = GAUGE("nl.circuit.state", "{state}", "1 for the state that a breaker is in."),
		opened = GAUGE("nl.circuit.opened.timestamp", "s", "When a breaker last opened.");
	begin(w, &state);
	for (unsigned i = 0; i < w->n; i++)
		for (int k = 0; k < NL_CIRCUIT_STATES && w->s[i]->kind == NL_S_BREAKER; k++) {
			const char *name = nl_circuit_name((enum nl_circuit_state)k);
			tell(w, w->s[i], (struct nl_label){ "state", name }, !strcmp(nl_series_state(w->s[i]), name));
		}
	begin(w, &opened);
	for (unsigned i = 0; i < w->n; i++)
		for (unsigned k = w->s[i]->nmoves; k > 0 && w->s[i]->kind == NL_S_BREAKER; k--)
			if (w->s[i]->move[k - 1].to == NL_OPEN) {
				tell(w, w->s[i], (struct nl_label){ NULL, NULL }, (uint64_t)w->s[i]->move[k - 1].time_us);
				break;
			}
}

static void tell_lines(struct walk *w, const struct nl_system *system)
{
	static const struct nl_metric events = COUNTER("nl.observe.events", "{event}", "Events that were counted."),
		lines = COUNTER("nl.observe.lines", "{line}", "Lines that were read, by what they are."),
		rejected = COUNTER("nl.observe.lines.rejected", "{line}", "Lines that are no event although they begin like one.");
	const uint64_t *n = nl_system_lines(system);
	begin(w, &events);
	for (int i = 0; i < NL_TOLDS; i++)
		tell(w, NULL, (struct nl_label){ "event", i ? nl_told_names[i] : "other" }, nl_system_told(system, (enum nl_told)i));
	begin(w, &lines);
	for (int i = 0; i < NL_LINES; i++)
		tell(w, NULL, (struct nl_label){ "verdict", nl_line_names[i] }, n[i]);
	begin(w, &rejected);
	for (int i = NL_LINE_TORN; i <= NL_LINE_NEWER; i++)
		tell(w, NULL, (struct nl_label){ "reason", nl_line_names[i] }, n[i]);
}

static void tell_self(struct walk *w, const struct nl_system *system)
{
	static const struct nl_metric metrics[] = {
		COUNTER("nl.observe.events.lost", "{event}", "Events that runs which ended have sent and that were not read."),
		COUNTER("nl.observe.late", "{event}", "Events that were too late for windows."),
		COUNTER("nl.observe.runs", "{run}", "Processes that have told something."),
		GAUGE("nl.observe.runs.open", "{run}", "Those of them without an end."),
		GAUGE("nl.observe.series", "{policy}", "Policies that are known."),
		COUNTER("nl.observe.overflow", "{event}", "Events of policies that were too many."),
	};
	struct nl_runs_sum runs = nl_runs_sum(nl_system_runs(system));
	const uint64_t n[] = {
		runs.lost, nl_system_lines(system)[NL_LINE_LATE], runs.runs, runs.open, nl_system_count(system), nl_system_overflowed(system),
	};
	tell_lines(w, system);
	for (unsigned i = 0; i < sizeof metrics / sizeof *metrics; i++) {
		begin(w, &metrics[i]);
		tell(w, NULL, (struct nl_label){ NULL, NULL }, n[i]);
	}
}

int nl_metrics_tell(struct nl_ask *ask, struct nl_meter *meter, struct nl_err *err)
{
	struct walk w = { .meter = meter };
	w.s = nl_ask_sorted(ask, NL_BY_NAME, &w.n);
	if (!w.s)
		return nl_fail(err, "out of memory");
	tell_requests(&w);
	tell_failures(&w);
	tell_attempts(&w);
	tell_rows(&w);
	tell_circuits(&w);
	tell_self(&w, ask->system);
	free(w.s);
	return 0;
}
