/* SPDX-License-Identifier: Apache-2.0 */
/*
 * factkey.c - the keys of a fact and what their values may be.
 *
 * Names are of the letters that nl-events(5) gives them, and short: they become
 * keys of tables, labels of metrics and text on terminals.
 */
#include "observe/factkey.h"

#include "json.h"

#include <assert.h>
#include <string.h>

#define KEY(member, form, must, most) { #member, offsetof(struct nl_fact, member), sizeof #member - 1, form, must, most }
#define KEY_AS(key, member, form, must) { key, offsetof(struct nl_fact, member), sizeof (key) - 1, form, must, 0 }
#define BIG INT64_C(999999999999999999)

const struct nl_fact_key nl_fact_keys[] = {
	KEY_AS("time", time_us, NL_V_TIME, true),
	KEY(event, NL_V_EVENT, true, 0),
	KEY(sev, NL_V_WHOLE32, true, 24),               // As far as OpenTelemetry's go.
	KEY(policy, NL_V_POLICY, true, 0),
	KEY(kind, NL_V_KIND, true, 0),
	KEY_AS("trace_id", trace, NL_V_TRACE, false),
	KEY_AS("span_id", span, NL_V_ID, false),
	KEY_AS("parent_id", parent, NL_V_ID, false),
	KEY(run, NL_V_ID, true, 0),
	KEY(seq, NL_V_WHOLE32, true, UINT32_MAX),
	KEY(depth, NL_V_WHOLE32, true, UINT32_MAX),
	KEY(mono_us, NL_V_WHOLE, false, BIG),
	KEY(gen, NL_V_WHOLE, false, BIG),
	KEY_AS("dur_s", dur_us, NL_V_SECONDS, false),
	KEY(exit, NL_V_WHOLE, false, 255),
	KEY(attempts, NL_V_WHOLE, false, UINT32_MAX),
	KEY(signal, NL_V_WORD, false, 0),
	KEY(err, NL_V_WORD, false, 0),
	KEY(cmd, NL_V_TEXT, false, 0),
	KEY(events, NL_V_WHOLE, false, UINT32_MAX),
	KEY(dropped, NL_V_WHOLE, false, UINT32_MAX),
	KEY(active, NL_V_WHOLE, false, UINT32_MAX),
	KEY(max, NL_V_WHOLE, false, UINT32_MAX),
	KEY(queued, NL_V_WHOLE, false, UINT32_MAX),
	KEY_AS("waited_s", waited_us, NL_V_SECONDS, false),
	KEY_AS("held_s", held_us, NL_V_SECONDS, false),
	KEY(epoch, NL_V_WHOLE, false, BIG),
	KEY_AS("delay_s", delay_us, NL_V_SECONDS, false),
	KEY_AS("slept_s", slept_us, NL_V_SECONDS, false),
};
static_assert(sizeof nl_fact_keys == NL_FACT_KEYS * sizeof *nl_fact_keys, "every key is counted");

const struct nl_fact nl_no_fact = {
	.mono_us = -1, .gen = -1, .dur_us = -1, .exit = -1, .attempts = -1, .events = -1, .dropped = -1, .active = -1, .max = -1,
	.queued = -1, .waited_us = -1, .held_us = -1, .epoch = -1, .delay_us = -1, .slept_us = -1,
};

const char *const nl_told_names[NL_TOLDS] = {
	[NL_TOLD_OTHER] = "", [NL_TOLD_RUN_STARTED] = "nl.run.started", [NL_TOLD_RUN_ENDED] = "nl.run.ended",
	[NL_TOLD_SUCCESS] = "nl.request.success", [NL_TOLD_FAILURE] = "nl.request.failure",
	[NL_TOLD_ATTEMPT] = "nl.retry.attempt", [NL_TOLD_EXHAUSTED] = "nl.retry.exhausted",
	[NL_TOLD_TIMEOUT] = "nl.timeout.occurred", [NL_TOLD_OPENED] = "nl.circuit.opened",
	[NL_TOLD_HALF_OPEN] = "nl.circuit.half_open", [NL_TOLD_CLOSED] = "nl.circuit.closed",
	[NL_TOLD_FORCED] = "nl.circuit.forced", [NL_TOLD_BREAKER_REJECTED] = "nl.circuit.rejected",
	[NL_TOLD_STALE_RESULT] = "nl.circuit.stale", [NL_TOLD_ACQUIRED] = "nl.bulkhead.acquired",
	[NL_TOLD_RELEASED] = "nl.bulkhead.released", [NL_TOLD_BULKHEAD_REJECTED] = "nl.bulkhead.rejected",
	[NL_TOLD_HEDGED] = "nl.race.hedged", [NL_TOLD_RACE_WON] = "nl.race.won", [NL_TOLD_RACE_LOST] = "nl.race.lost",
	[NL_TOLD_FALLBACK_USED] = "nl.fallback.used", [NL_TOLD_FALLBACK_FAILED] = "nl.fallback.failed",
	[NL_TOLD_FALLBACK_STALE] = "nl.fallback.stale", [NL_TOLD_DEGRADED] = "nl.state.degraded",
	[NL_TOLD_CONFLICT] = "nl.policy.conflict", [NL_TOLD_COMMAND] = "nl.control.command",
	[NL_TOLD_DENIED] = "nl.control.denied",
};

/* Letters of names, a bit for each form that takes them. */
enum { EVENT = 1, POLICY = 2, KIND = 4, WORD = 8, ID = 16 };

static unsigned letter(char ch)
{
	if (ch >= 'a' && ch <= 'z')
		return EVENT | POLICY | KIND | WORD | (ch <= 'f' ? ID : 0);
	if (ch >= '0' && ch <= '9')
		return EVENT | POLICY | WORD | ID;
	if (ch >= 'A' && ch <= 'Z')
		return POLICY | WORD;
	switch (ch) {
	case '.': return EVENT | POLICY;
	case '_': return EVENT | POLICY | WORD;
	case '-': return POLICY | WORD;
	case ':': case '/': return POLICY;
	case '+': return WORD;
	default: return 0;
	}
}

static bool name(struct nl_quote *to, const char *s, size_t n, size_t max, unsigned letters)
{
	if (n == 0 || n > max)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!(letter(s[i]) & letters))
			return false;
	*to = (struct nl_quote){ s, (unsigned)n };
	return true;
}

static bool event(struct nl_fact *f, const char *s, size_t n)
{
	if (n < 4 || memcmp(s, "nl.", 3) != 0 || !name(&f->event, s, n, 64, EVENT))
		return false;
	for (unsigned i = NL_TOLD_OTHER + 1; i < NL_TOLDS; i++)
		if (strlen(nl_told_names[i]) == n && memcmp(nl_told_names[i], s, n) == 0)
			f->told = (enum nl_told)i;
	return true;
}

static bool hex(uint64_t *to, const char *s)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < 16; i++) {
		if (!(letter(s[i]) & ID))
			return false;
		v = v << 4 | (unsigned)(s[i] <= '9' ? s[i] - '0' : s[i] - 'a' + 10);
	}
	*to = v;
	return true;
}

/* Digits alone, at most 18, no zero in front; -1: not these. */
static int64_t whole(const char *s, size_t n)
{
	int64_t v = 0;
	if (n == 0 || n > 18 || (n > 1 && *s == '0'))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (s[i] - '0');
	}
	return v;
}

/* Like 1.284511, exactly; what others may have made of it (1.2e-05), to the nearest microsecond. */
int64_t nl_seconds_read(const char *s, size_t n)
{
	const char *dot = memchr(s, '.', n);
	int64_t secs = whole(s, dot ? (size_t)(dot - s) : n), us = 0, unit = 100000;
	double v;

	if (!memchr(s, 'e', n) && !memchr(s, 'E', n) && dot && n - (size_t)(dot - s) <= 7) {
		for (const char *p = dot + 1; p < s + n; p++, unit /= 10)
			us += unit * (*p - '0');
		return secs < 0 || secs >= 1000000000 ? -1 : secs * 1000000 + us;
	}
	if (*s == '-' || !nl_json_number(s, &(struct nl_json_tok){ NL_JSON_NUMBER, 0, (unsigned)n, 0, 1 }, &v))
		return -1;
	return v < 1e9 - 1e-6 ? (int64_t)(v * 1e6 + 0.5) : -1;
}

bool nl_fact_put(struct nl_fact *f, const struct nl_fact_key *key, const char *s, size_t n)
{
	void *at = (char *)f + key->at;
	uint64_t *id = at;
	int64_t v;

	switch ((enum nl_form)key->form) {
	case NL_V_TIME:
		return n == 27 && (f->time_us = nl_time_read(s, n)) >= 0;
	case NL_V_EVENT:
		return event(f, s, n);
	case NL_V_POLICY:
		return name(at, s, n, 64, POLICY);
	case NL_V_KIND:
		return name(at, s, n, 16, KIND);
	case NL_V_WORD:
		return name(at, s, n, 32, WORD);
	case NL_V_TEXT:
		*(struct nl_quote *)at = (struct nl_quote){ s, (unsigned)n };
		return true;
	case NL_V_TRACE:
		return n == 32 && hex(id, s) && hex(id + 1, s + 16);
	case NL_V_ID:
		return n == 16 && hex(id, s);
	case NL_V_WHOLE:
		return (*(int64_t *)at = whole(s, n)) >= 0 && *(int64_t *)at <= key->most;
	case NL_V_WHOLE32:
		v = whole(s, n);
		*(uint32_t *)at = (uint32_t)v;
		return v >= 0 && v <= key->most;
	case NL_V_SECONDS:
		return (*(int64_t *)at = nl_seconds_read(s, n)) >= 0;
	}
	return false;
}

/* Two digits, -1: they are none. */
static int two(const char *s)
{
	return s[0] >= '0' && s[0] <= '9' && s[1] >= '0' && s[1] <= '9' ? (s[0] - '0') * 10 + (s[1] - '0') : -1;
}

int64_t nl_time_read(const char *s, size_t n)
{
	static const signed char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	static const char form[] = "0000-00-00T00:00:00";
	int64_t us = 0, unit = 100000;
	size_t i;

	if (n < sizeof form || s[n - 1] != 'Z')
		return -1;
	for (i = 0; i < sizeof form - 1; i++)
		if (form[i] == '0' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
			return -1;
	if (i < n - 1 && (s[i] != '.' || ++i == n - 1))
		return -1;
	for (; i < n - 1; i++, unit /= 10) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		us += unit * (s[i] - '0');
	}
	int year = two(s) * 100 + two(s + 2), month = two(s + 5), day = two(s + 8), hour = two(s + 11), min = two(s + 14), sec = two(s + 17);
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	if (year < 1970 || year > NL_YEAR_MOST || month < 1 || month > 12 || day < 1 || day > days[month - 1] + (month == 2 && leap) || hour > 23 || min > 59 || sec > 60)
		return -1;
	/* Civil days, as the inverse of nl_time_text. */
	int y = year - (month <= 2), doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t civil = INT64_C(146097) * (y / 400) + y % 400 * 365 + y % 400 / 4 - y % 400 / 100 + doy - 719468;
	return ((civil * 86400) + hour * 3600 + min * 60 + sec) * 1000000 + us;
}
