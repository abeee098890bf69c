/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describebreaker.c - a breaker's record: how it is, why, what happens next.
 */
#include "describe.h"

#include "circuit.h"
#include "lease.h"
#include "parse.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* What a caller's line says, by the circuit's fields. */
static const struct row {
	const char *key;
	enum { NUMBER, PPM, SPAN, FACTOR } type;
	size_t at;
	uint64_t given;
} rows[] = {
#define ROW(key, type, field, bit) { key, type, offsetof(struct nl_circuit_cfg, field), bit }
	ROW("failures", NUMBER, failures, NL_GIVEN_FAILURES), ROW("rate", PPM, rate_ppm, NL_GIVEN_RATE),
	ROW("min-calls", NUMBER, min_calls, NL_GIVEN_MIN_CALLS), ROW("slow", SPAN, slow_ns, NL_GIVEN_SLOW),
	ROW("slow-rate", PPM, slow_ppm, NL_GIVEN_SLOW_RATE), ROW("open", SPAN, open_ns, NL_GIVEN_OPEN),
	ROW("open-factor", FACTOR, factor_ppm, NL_GIVEN_OPEN_FACTOR), ROW("open-max", SPAN, open_max_ns, NL_GIVEN_OPEN_MAX),
	ROW("open-jitter", PPM, jitter_ppm, NL_GIVEN_OPEN_JITTER), ROW("probes", NUMBER, probes, NL_GIVEN_PROBES),
	ROW("close-after", NUMBER, close_after, NL_GIVEN_CLOSE_AFTER),
#undef ROW
};

/* Defaults that are of no interest until somebody asks for them. */
static bool is_idle(const struct row *r, const struct nl_circuit_cfg *cfg)
{
	bool windowed = cfg->shape.kind != NL_WINDOW_NONE;
	if (!strcmp(r->key, "min-calls"))
		return !windowed;
	return !strcmp(r->key, "open-factor") || !strcmp(r->key, "open-max") || !strcmp(r->key, "close-after");
}

static bool setting(const struct nl_circuit_cfg *cfg, const char *key, struct nl_setting *s)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		const void *field = (const char *)cfg + r->at;
		if (strcmp(r->key, key))
			continue;
		s->given = cfg->given & r->given;
		if (!s->given && is_idle(r, cfg))
			return false;
		switch (r->type) {
		case NUMBER:
			snprintf(s->text, sizeof s->text, "%u", *(const uint32_t *)field);
			return *(const uint32_t *)field > 0;
		case PPM:
			nl_percent_word(*(const uint32_t *)field, s->text);
			return *(const uint32_t *)field > 0;
		case SPAN:
			nl_span_word(*(const int64_t *)field, s->text);
			return *(const int64_t *)field > 0;
		case FACTOR:
			snprintf(s->text, sizeof s->text, "%.9g", (double)*(const uint64_t *)field / 1e6);
			return *(const uint64_t *)field > 0;
		}
	}
	return false;
}

static bool breaker_setting(const struct nl_record *rec, const char *key, struct nl_setting *s)
{
	const struct nl_circuit *c = (const struct nl_circuit *)rec->body;
	return setting(&c->cfg, key, s);
}

/* "5 consecutive failures (limit 5, from flag): exit 2 ×4, timeout ×1". */
static void put_why(struct nl_out *o, const struct nl_record *rec, const struct nl_circuit *c)
{
	char cause[128], evidence[256], why[480];
	const struct nl_live *live = nl_live_find(rec, "failures");
	char limit[16];
	nl_circuit_cause(c, cause, sizeof cause);
	if (!cause[0])
		return;
	int n = snprintf(why, sizeof why, "%s", cause);
	if (c->state != NL_OPEN && c->state != NL_HALF_OPEN) {
		snprintf(why + n, sizeof why - (size_t)n, ", until somebody %s it", c->state == NL_FORCED_OPEN ? "closes" : "enables");
		nl_out_str(o, "why", why);
		return;
	}
	snprintf(limit, sizeof limit, "%u", c->trip.limit);
	if (c->trip.reason == NL_WHY_CONSECUTIVE)
		n += snprintf(why + n, sizeof why - (size_t)n, " (limit %s, %s)", limit,
		              live && !strcmp(live->value, limit) ? "live" : c->cfg.given & NL_GIVEN_FAILURES ? "from flag" : "the default");
	nl_circuit_evidence(c->trip.errs, evidence, sizeof evidence);
	if (evidence[0])
		snprintf(why + n, sizeof why - (size_t)n, ": %s", evidence);
	nl_out_str(o, "why", why);
}

static void put_last(struct nl_out *o, const struct nl_circuit *c)
{
	char name[16], span[20];
	if (!c->last.at)
		return;
	nl_out_begin(o, "last", '{');
	nl_out_time(o, "time", c->last.real);
	nl_out_strn(o, "cmd", c->last.cmd, sizeof c->last.cmd);
	if (WIFSIGNALED(c->last.ws))
		nl_out_str(o, "signal", nl_signal_name(WTERMSIG(c->last.ws), name));
	else
		nl_out_int(o, "exit", nl_code(c->last.ws));
	if (c->last.span) {
		snprintf(span, sizeof span, "%016llx", (unsigned long long)c->last.span);
		nl_out_str(o, "span", span);
	}
	nl_out_end(o, '}');
}

/* Probes in flight: bytes of the lock file, which is opened for that. */
static int probes_held(struct nl_state *s)
{
	struct nl_record scratch;
	if (s->lock < 0 && nl_state_lock(s, &scratch, NL_GUARD_SPAN) == 0)
		nl_state_unlock(s);
	return s->lock < 0 ? -1 : nl_slots_held(s->run, s->lock, NL_SLOTS);
}

static void put_window(struct nl_out *o, const struct nl_circuit *c, nl_time now)
{
	struct nl_circuit_counts n = nl_circuit_counts(&c->cfg, c, now);
	if (c->cfg.shape.kind == NL_WINDOW_NONE) {
		nl_out_uint(o, "failures_in_a_row", c->streak_fail);
		return;
	}
	nl_out_begin(o, "window", '{');
	if (c->cfg.shape.kind == NL_WINDOW_COUNT)
		nl_out_uint(o, "size_calls", c->cfg.shape.n);
	else
		nl_out_secs(o, "size_s", c->cfg.shape.width_ns * c->cfg.shape.n);
	nl_out_uint(o, "calls", n.n.calls);
	nl_out_uint(o, "failures", n.n.fails);
	nl_out_uint(o, "slow", n.n.slows);
	nl_out_end(o, '}');
}

static void put_breaker(struct nl_out *o, struct nl_state *s, const struct nl_record *rec, enum nl_detail detail)
{
	const struct nl_circuit *c = (const struct nl_circuit *)rec->body;
	nl_time now = nl_boottime(s->run);
	nl_out_str(o, "state", nl_circuit_name((enum nl_circuit_state)c->state));
	if (c->since)
		nl_out_since(o, s->run, c->since);
	if (c->state == NL_OPEN && c->until != NL_NEVER)
		nl_out_secs(o, "probes_in_s", c->until > now ? c->until - now : 0);
	if (c->state == NL_HALF_OPEN) {
		int held = probes_held(s);
		if (held >= 0)
			nl_out_int(o, "probes", held);
		nl_out_uint(o, "max_probes", c->cfg.probes);
	}
	put_why(o, rec, c);
	if (c->state == NL_CLOSED || detail == NL_FULL)
		put_window(o, c, now);
	if (detail == NL_FULL) {
		put_last(o, c);
		nl_out_uint(o, "openings", c->openings);
		nl_out_uint(o, "stale", c->stale);
	}
}

const struct nl_describer nl_describe_breaker = { .kind = &nl_kind_breaker, .put = put_breaker, .setting = breaker_setting };
