/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event.c - formats events.
 *
 * The order of the envelope is fixed and the first key is {"nl":1, - bytes
 * that cannot occur inside a JSON string, so a reader finds an event behind
 * any text that shares its line.
 */
#include "event.h"

#include "mut.h"
#include "parse.h"
#include "proc.h"
#include "run.h"
#include "sink.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define ROOM 128                        /* kept for the end of the line and a sink's tally */

static void put(struct nl_event *e, const char *text, size_t n)
{
	if (e->n + n + ROOM <= sizeof e->buf) {
		memcpy(e->buf + e->n, text, n);
		e->n += n;
	}
}

static void put_str(struct nl_event *e, const char *text)
{
	put(e, text, strlen(text));
}

static void put_uint(struct nl_event *e, uint64_t v)
{
	char digits[20];
	size_t n = sizeof digits;
	do
		digits[--n] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	put(e, digits + n, sizeof digits - n);
}

static void put_hex(struct nl_event *e, uint64_t v)
{
	char digits[16];
	for (int i = 15; i >= 0; i--, v >>= 4)
		digits[i] = "0123456789abcdef"[v & 15];
	put(e, digits, sizeof digits);
}

static void put_padded(char *to, unsigned v, int width)
{
	while (width-- > 0)
		to[width] = (char)('0' + v % 10), v /= 10;
}

/* RFC 3339 in UTC; civil date from days as in Howard Hinnant's chrono algorithms. */
const char *nl_time_text(nl_time real, char t[28])
{
	memcpy(t, "0000-00-00T00:00:00.000000Z", 28);
	int64_t s = real / NL_SEC, day = s / 86400;
	unsigned of_day = (unsigned)(s % 86400);
	int64_t z = day + 719468, era = z / 146097;
	unsigned doe = (unsigned)(z - era * 146097), yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	unsigned month = mp < 10 ? mp + 3 : mp - 9;
	put_padded(t, (unsigned)(yoe + era * 400 + (month <= 2)), 4);
	put_padded(t + 5, month, 2);
	put_padded(t + 8, doy - (153 * mp + 2) / 5 + 1, 2);
	put_padded(t + 11, of_day / 3600, 2);
	put_padded(t + 14, of_day / 60 % 60, 2);
	put_padded(t + 17, of_day % 60, 2);
	put_padded(t + 20, (unsigned)(real % NL_SEC / NL_US), 6);
	return t;
}

static void put_key(struct nl_event *e, const char *key)
{
	put(e, ",\"", 2);
	put_str(e, key);
	put(e, "\":", 2);
}

size_t nl_utf8(const unsigned char *s)
{
	size_t n = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90)
	    || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

void nl_event_str(struct nl_event *e, const char *key, const char *text, size_t max)
{
	const unsigned char *s = (const unsigned char *)text;
	put_key(e, key);
	put(e, "\"", 1);
	for (size_t i = 0; s[i] && i < max; i++) {
		char esc[6] = { '\\', 'u', '0', '0', "0123456789abcdef"[s[i] >> 4], "0123456789abcdef"[s[i] & 15] };
		size_t n = s[i] < 0x80 ? 1 : nl_utf8(s + i);
		bool c1 = s[i] == 0xc2 && s[i + 1] >= 0x80 && s[i + 1] < 0xa0;
		if (c1)                         // A terminal may take these for controls too.
			i++, esc[4] = "0123456789abcdef"[s[i] >> 4], esc[5] = "0123456789abcdef"[s[i] & 15];
		if ((s[i] < 0x20 || s[i] == 0x7f || c1) && !MUTANT(RAW_TEXT))
			put(e, esc, sizeof esc);
		else if (s[i] == '"' || s[i] == '\\')
			put(e, (char[]){ '\\', text[i] }, 2);
		else if (n == 0)
			put(e, "\xef\xbf\xbd", 3);
		else if (i + n <= max)
			put(e, text + i, n), i += n - 1;
	}
	put(e, "\"", 1);
}

void nl_event_int(struct nl_event *e, const char *key, int64_t v)
{
	put_key(e, key);
	if (v < 0)
		put(e, "-", 1);
	put_uint(e, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void nl_event_secs(struct nl_event *e, const char *key, nl_time t)
{
	char frac[7] = ".000000";
	put_key(e, key);
	put_uint(e, (uint64_t)(t / NL_SEC));
	put_padded(frac + 1, (unsigned)(t % NL_SEC / NL_US), 6);
	put(e, frac, sizeof frac);
}

void nl_event_ppm(struct nl_event *e, const char *key, uint64_t ppm)
{
	nl_event_secs(e, key, (nl_time)ppm * NL_US);
}

void nl_event_bool(struct nl_event *e, const char *key, bool v)
{
	put_key(e, key);
	put_str(e, v ? "true" : "false");
}

void nl_event_end_of(struct nl_event *e, int ws)
{
	char name[16];
	if (WIFSIGNALED(ws))
		nl_event_str(e, "signal", nl_signal_name(WTERMSIG(ws), name), 16);
	else
		nl_event_int(e, "exit", nl_code(ws));
}

void nl_event_open_list(struct nl_event *e, const char *key)
{
	put_key(e, key);
	put(e, "[", 1);
}

void nl_event_ids(struct nl_event *e, const char *key, const uint64_t *ids, unsigned n)
{
	bool first = true;
	put_key(e, key);
	put(e, "[", 1);
	for (unsigned i = 0; i < n; i++) {
		if (!ids[i])
			continue;
		put_str(e, first ? "\"" : ",\"");
		put_hex(e, ids[i]);
		put(e, "\"", 1);
		first = false;
	}
	put(e, "]", 1);
}

size_t nl_event_open_object(struct nl_event *e, const char *key)
{
	put_key(e, key);
	return e->n;
}

void nl_event_close_object(struct nl_event *e, size_t at)
{
	if (e->n == at)
		put(e, "{", 1);                 // Nothing was added.
	put(e, "}", 1);
	e->buf[at] = '{';
}

/* ,"a":1,"b":2 becomes {"a":1,"b":2} behind a comma, unless it is the first. */
void nl_event_close_item(struct nl_event *e, size_t at, bool first)
{
	put(e, first ? "}" : "}.", first ? 1 : 2);
	if (!first) {
		memmove(e->buf + at + 1, e->buf + at, e->n - at - 1);
		e->buf[at++] = ',';
	}
	e->buf[at] = '{';
}

void nl_event_close_list(struct nl_event *e)
{
	put(e, "]", 1);
}

/* The policy's name: its own, or the command's with what may not be in one replaced. */
static void put_policy(struct nl_event *e, const struct nl_svc *svc)
{
	const char *s = svc->id && *svc->id ? svc->id : "-";
	char name[64];
	size_t n = 0;
	for (; s[n] && n < sizeof name; n++) {
		bool ok = (s[n] >= 'a' && s[n] <= 'z') || (s[n] >= 'A' && s[n] <= 'Z') || (s[n] >= '0' && s[n] <= '9')
		          || memchr("._:/-", s[n], 5);
		name[n] = ok ? s[n] : '_';
	}
	put(e, name, n);
}

bool nl_event_open(struct nl_event *e, struct nl_run *run, struct nl_span_of of, const char *name, int sev)
{
	struct nl_ids *ids = run->ids;
	char time[28];
	if (!ids || !of.svc || !of.svc->sink || sev < nl_sink_level(of.svc->sink))
		return false;
	e->run = run, e->sink = of.svc->sink, e->sev = sev, e->n = 0;
	e->real = run->os->clock(CLOCK_REALTIME);
	e->tally = false, e->human[0] = '\0';
	put_str(e, "{\"nl\":1,\"time\":\"");
	put_str(e, nl_time_text(e->real, time));
	put_str(e, "\",\"event\":\"");
	put_str(e, name);
	put_str(e, "\",\"sev\":");
	put_uint(e, (uint64_t)sev);
	put_str(e, ",\"policy\":\"");
	put_policy(e, of.svc);
	put_str(e, "\",\"kind\":\"");
	put_str(e, of.svc->layer->kind ? of.svc->layer->kind : of.svc->layer->name);
	put_str(e, "\",\"trace_id\":\"");
	put_hex(e, ids->trace[0]);
	put_hex(e, ids->trace[1]);
	put_str(e, "\",\"span_id\":\"");
	put_hex(e, of.span);
	if (of.parent) {
		put_str(e, "\",\"parent_id\":\"");
		put_hex(e, of.parent);
	}
	put_str(e, "\",\"run\":\"");
	put_hex(e, ids->run);
	put_str(e, "\",\"seq\":");
	put_uint(e, ids->seq++);
	put_str(e, ",\"pid\":");
	put_uint(e, (uint64_t)run->pid);
	put_str(e, ",\"depth\":");
	put_uint(e, of.depth);
	put_str(e, ",\"mono_us\":");
	put_uint(e, (uint64_t)(run->os->clock(CLOCK_BOOTTIME) / NL_US));
	if (of.gen) {
		put_str(e, ",\"gen\":");
		put_uint(e, of.gen);
	}
	return true;
}

void nl_event_human(struct nl_event *e, const char *fmt, ...)
{
	if (!nl_sink_has_human(e->sink))
		return;
	va_list ap;
	int n = snprintf(e->human, sizeof e->human, "nl-");
	va_start(ap, fmt);
	vsnprintf(e->human + n, sizeof e->human - (size_t)n - 1, fmt, ap);
	va_end(ap);
	nl_defuse(e->human);
	size_t len = strlen(e->human);
	e->human[len] = '\n', e->human[len + 1] = '\0';
}

void nl_event_emit(struct nl_event *e)
{
	e->buf[e->n++] = '}';
	e->buf[e->n++] = '\n';
	nl_sink_put((struct nl_sink *)e->sink, e);
}

void nl_degraded(struct nl_run *run, struct nl_span_of of, const char *reason, const char *detail)
{
	struct nl_event e;
	if (!nl_event_open(&e, run, of, "nl.state.degraded", NL_WARN))
		return;
	nl_event_str(&e, "reason", reason, 64);
	nl_event_str(&e, "detail", detail, 200);
	nl_event_human(&e, "%s: degraded: %s: %s", of.svc->layer->name, reason, detail);
	nl_event_emit(&e);
}

/* trace-span-depth of an enclosing nl-*, or a W3C traceparent, or our own. */
void nl_ids_open(struct nl_run *run, struct nl_ids *ids)
{
	unsigned long long t0, t1, span;
	unsigned depth = 0, flags = 0;
	const char *in = nl_getenv(run, "NL_PARENT"), *w3c = nl_getenv(run, "TRACEPARENT");
	*ids = (struct nl_ids){ .rnd = nl_seed(run) };
	ids->run = nl_random(&ids->rnd);
	ids->trace[0] = nl_random(&ids->rnd), ids->trace[1] = nl_random(&ids->rnd);
	if (w3c && strlen(w3c) == 55 && sscanf(w3c, "00-%16llx%16llx-%16llx-%2x", &t0, &t1, &span, &flags) == 4 && (t0 | t1) && span) {
		ids->trace[0] = t0, ids->trace[1] = t1, ids->parent = span;
		memcpy(ids->traceparent, w3c + 53, 2);
	}
	if (in && sscanf(in, "%16llx%16llx-%16llx-%5u", &t0, &t1, &span, &depth) == 4 && (t0 | t1) && span)
		ids->trace[0] = t0, ids->trace[1] = t1, ids->parent = span, ids->depth = depth;
}

struct nl_span_of nl_span_open(struct nl_svc *svc, struct nl_run *run, struct nl_req *q)
{
	struct nl_span_of of = { .svc = svc, .parent = q->span, .depth = q->depth };
	if (run->ids)
		of.span = nl_random(&run->ids->rnd);
	if (run->ids && !of.parent)
		of.parent = run->ids->parent;
	q->outer = svc, q->span = of.span, q->parent = of.parent;
	q->depth++;
	return of;
}
