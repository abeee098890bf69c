/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page.c - what all that renders needs: members of a result, rows, moments of
 * people's own zone, colours.
 */
#include "page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int nl_page_at(const struct nl_page *p, int obj, const char *key)
{
	return nl_json_get(p->text, p->tok, obj, key);
}

/* A member as text: a string, or a number as it is written; "" when absent. */
const char *nl_page_str(const struct nl_page *p, int obj, const char *key, char *buf, size_t size)
{
	int at = nl_page_at(p, obj, key);
	buf[0] = '\0';
	if (at >= 0 && p->tok[at].type == NL_JSON_STRING && nl_json_string(p->text, &p->tok[at], buf, size) < 0)
		snprintf(buf, size, "?");
	else if (at >= 0 && p->tok[at].type == NL_JSON_NUMBER)
		snprintf(buf, size, "%.*s", (int)(p->tok[at].end - p->tok[at].start), p->text + p->tok[at].start);
	nl_defuse(buf);
	return buf;
}

double nl_page_number(const struct nl_page *p, int obj, const char *key, double absent)
{
	double v = absent;
	int at = nl_page_at(p, obj, key);
	if (at >= 0)
		nl_json_number(p->text, &p->tok[at], &v);
	return v;
}

/* Columns of UTF-8 text, as a terminal counts them: near enough. */
size_t nl_page_columns(const char *s)
{
	size_t n = 0;
	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* "9 s", "1.20 s", "5 min", "3 h", "2 d". */
const char *nl_page_span(double s, char buf[32])
{
	if (s < 0)
		s = 0;
	if (s < 10 && s != (double)(long)s)
		snprintf(buf, 32, "%.2f s", s);
	else if (s < 120)
		snprintf(buf, 32, "%.0f s", s);
	else if (s < 7200)
		snprintf(buf, 32, "%.0f min", s / 60);
	else if (s < 172800)
		snprintf(buf, 32, "%.0f h", s / 3600);
	else
		snprintf(buf, 32, "%.0f d", s / 86400);
	return buf;
}

/* RFC 3339 as people read it here: the day too unless it is today. */
static const char *moment(const struct nl_page *p, const char *rfc, enum nl_page_clock detail, char buf[32])
{
	struct tm tm = { .tm_isdst = 0 }, then, today;
	time_t now = (time_t)(p->paper->now / NL_SEC);
	if (sscanf(rfc, "%d-%d-%dT%d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
		return memcpy(buf, "?", 2);
	tm.tm_year -= 1900, tm.tm_mon -= 1;
	time_t at = timegm(&tm);
	localtime_r(&at, &then);
	localtime_r(&now, &today);
	bool same = then.tm_yday == today.tm_yday && then.tm_year == today.tm_year;
	strftime(buf, 32, detail == NL_PAGE_MINUTES ? (same ? "%H:%M" : "%Y-%m-%d %H:%M") : same ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &then);
	return buf;
}

const char *nl_page_time(const struct nl_page *p, int obj, const char *key, enum nl_page_clock detail, char buf[32])
{
	char rfc[32];
	return moment(p, nl_page_str(p, obj, key, rfc, sizeof rfc), detail, buf);
}

const char *nl_page_paint(const struct nl_page *p, enum nl_mood m)
{
	static const char *const codes[] = { [NL_MOOD_PLAIN] = "\033[0m", [NL_MOOD_GOOD] = "\033[32m", [NL_MOOD_BAD] = "\033[1;31m", [NL_MOOD_ODD] = "\033[33m" };
	return p->paper->colour ? codes[m] : "";
}

enum nl_mood nl_page_mood(const char *state)
{
	return !strcmp(state, "closed") ? NL_MOOD_GOOD : !strcmp(state, "open") || !strcmp(state, "forced_open") ? NL_MOOD_BAD : NL_MOOD_ODD;
}

/* HALF-OPEN of half_open. */
const char *nl_page_headline(const char *state, char buf[32])
{
	size_t n = 0;
	for (; state[n] && n < 31; n++)
		buf[n] = state[n] == '_' ? (strncmp(state, "half", 4) ? ' ' : '-') : (char)(state[n] - 32 * (state[n] >= 'a' && state[n] <= 'z'));
	buf[n] = '\0';
	return buf;
}

/* "key         text", further lines below it; a line ends behind a comma or blank. */
void nl_page_row(struct nl_page *p, const char *key, const char *text)
{
	nl_out_put(p->o, "%-*s", p->indent, key);
	while (nl_page_columns(text) > (size_t)(NL_PAGE_WIDTH - p->indent)) {
		size_t n = 0, col = 0, cut = 0;
		for (; text[n] && col <= (size_t)(NL_PAGE_WIDTH - p->indent); n++) {
			if (text[n] == ' ')
				cut = n;
			col += ((unsigned char)text[n + 1] & 0xc0) != 0x80;
		}
		if (!cut)
			break;
		nl_out_put(p->o, "%.*s\n%*s", (int)cut, text, p->indent, "");
		text += cut + 1;
	}
	nl_out_put(p->o, "%s\n", text);
}
