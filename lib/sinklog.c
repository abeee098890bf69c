/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sinklog.c - an event as a line of text: any event, also one that we do not know.
 *
 *	2026-11-24T13:00:00.000Z warn  retry/curl  retry.attempt  cmd=curl attempt=1 ...
 */
#include "sinkrun.h"

#include "event.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { USER = 1 << 3 };  /* syslog's facility */

/* What the line says in another way, or what only programs want. */
static const char *const envelope[] = {
	"nl", "time", "event", "sev", "policy", "kind", "trace_id", "span_id", "parent_id", "run", "seq", "pid", "depth", "mono_us", "gen", NULL,
};

static bool is_envelope(const char *key, size_t n)
{
	for (unsigned i = 0; envelope[i]; i++)
		if (strlen(envelope[i]) == n && !memcmp(envelope[i], key, n))
			return true;
	return false;
}

static void put(struct nl_out *o, struct nl_quote t)
{
	nl_out_bytes(o, t.s, t.n);
}

static bool is_plain(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] == '"' || s[i] == '=' || s[i] == '\\')
			return false;
	return n > 0;
}

/* key=value, each as it stands in the line; quotes where they are needed. */
static void put_attributes(struct nl_delivery *d, struct nl_quote line)
{
	struct nl_out *o = &d->text;
	struct nl_json_tok *tok = d->tok;
	if (nl_json_parse(line.s, line.n, tok, sizeof d->tok / sizeof *d->tok, NULL) <= 0)
		return;
	for (unsigned k = 1; k < tok[0].next; k = tok[k + 1].next) {
		const char *key = line.s + tok[k].start, *value = line.s + tok[k + 1].start;
		size_t keys = tok[k].end - tok[k].start, n = tok[k + 1].end - tok[k + 1].start;
		if (is_envelope(key, keys))
			continue;
		bool quoted = tok[k + 1].type == NL_JSON_STRING && !is_plain(value, n);
		nl_out_bytes(o, " ", 1);
		nl_out_bytes(o, key, keys);
		nl_out_bytes(o, "=", 1);
		nl_out_bytes(o, value - quoted, n + 2 * (size_t)quoted);
	}
}

static const char *severity(int sev, int *priority)
{
	*priority = sev >= NL_ERROR ? 3 : sev >= NL_WARN ? 4 : sev >= NL_INFO ? 6 : 7;
	return sev >= NL_ERROR ? "error" : sev >= NL_WARN ? "warn " : sev >= NL_INFO ? "info " : "debug";
}

/* RFC 3164, with the time of the event, as if its tool had written it. */
static void put_syslog_head(struct nl_out *o, const struct nl_fact *f, int priority)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = (time_t)(f->time_us / 1000000);
	struct tm tm;
	char head[120];
	if (!localtime_r(&t, &tm))
		return;
	int n = snprintf(head, sizeof head, "<%d>%.3s %2d %02d:%02d:%02d nl-%.*s[%lld]: ", USER | priority, months + 3 * tm.tm_mon,
	                 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(f->kind.n < 20 ? f->kind.n : 20), f->kind.s,
	                 (long long)nl_fact_int(f, "pid", 0));
	nl_out_bytes(o, head, (size_t)n);
}

void nl_log_text(struct nl_delivery *d, const struct nl_fact *f, enum nl_log to)
{
	struct nl_out *o = &d->text;
	struct nl_quote event = f->event;
	char time[28];
	int priority;
	const char *sev = severity(f->sev, &priority);
	o->n = 0, o->lost = false;
	if (event.n > 3 && !memcmp(event.s, "nl.", 3))
		event.s += 3, event.n -= 3;
	if (to == NL_LOG_SYSLOG) {
		put_syslog_head(o, f, priority);
	} else {
		nl_out_bytes(o, nl_time_text(f->time_us * NL_US, time), 23);
		nl_out_bytes(o, "Z ", 2);
		nl_out_bytes(o, sev, 5);
		nl_out_bytes(o, " ", 1);
	}
	put(o, f->kind);
	nl_out_bytes(o, "/", 1);
	put(o, f->policy);
	nl_out_bytes(o, " ", 1);
	put(o, event);
	put_attributes(d, f->line);
	if (o->buf)
		nl_defuse(o->buf);
}
