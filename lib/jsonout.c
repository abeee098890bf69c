/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonout.c - JSON into a buffer.  Whether a comma is due is seen from the last
 * byte: it is due behind everything but an opening bracket and a colon.
 */
#include "jsonout.h"

#include "event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void nl_out_init(struct nl_out *o, size_t max)
{
	*o = (struct nl_out){ .max = max };
}

void nl_out_free(struct nl_out *o)
{
	free(o->buf);
	*o = (struct nl_out){ .max = o->max };
}

/* One byte more than asked for, so that the text ends in a NUL. */
static bool has_room(struct nl_out *o, size_t n)
{
	if (o->lost || n >= o->max - o->n)
		return !(o->lost = true);
	if (o->n + n < o->room)
		return true;
	size_t room = o->room ? o->room : 512;
	while (room <= o->n + n)
		room *= 2;
	char *buf = realloc(o->buf, room);
	if (!buf)
		return !(o->lost = true);
	o->buf = buf, o->room = room;
	return true;
}

void nl_out_bytes(struct nl_out *o, const char *text, size_t n)
{
	if (!has_room(o, n))
		return;
	memcpy(o->buf + o->n, text, n);
	o->n += n;
	o->buf[o->n] = '\0';
}

void nl_out_vput(struct nl_out *o, const char *fmt, va_list ap)
{
	char buf[1024];
	int n = vsnprintf(buf, sizeof buf, fmt, ap);
	if (n > 0)
		nl_out_bytes(o, buf, (size_t)n < sizeof buf ? (size_t)n : sizeof buf - 1);
}

void nl_out_put(struct nl_out *o, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	nl_out_vput(o, fmt, ap);
	va_end(ap);
}

static void put_quoted(struct nl_out *o, const char *text, size_t max)
{
	const unsigned char *s = (const unsigned char *)text;
	char esc[8];
	nl_out_bytes(o, "\"", 1);
	for (size_t i = 0; i < max && s[i]; i++) {
		size_t n = s[i] < 0x80 ? 1 : nl_utf8(s + i);
		bool c1 = s[i] == 0xc2 && n == 2 && s[i + 1] < 0xa0;
		if (n > max - i)
			n = 0;
		if (s[i] < 0x20 || s[i] == 0x7f || c1)
			nl_out_bytes(o, esc, (size_t)snprintf(esc, sizeof esc, "\\u%04x", c1 ? s[i + 1] : s[i]));
		else if (s[i] == '"' || s[i] == '\\')
			nl_out_bytes(o, (char[]){ '\\', text[i] }, 2);
		else if (n == 0)
			nl_out_bytes(o, "\xef\xbf\xbd", 3);
		else
			nl_out_bytes(o, text + i, n);
		i += n > 1 ? n - 1 : 0;
	}
	nl_out_bytes(o, "\"", 1);
}

static void put_key(struct nl_out *o, const char *key)
{
	if (o->n > 0 && !memchr("{[:\n", o->buf[o->n - 1], 4))
		nl_out_bytes(o, ",", 1);
	if (!key)
		return;
	put_quoted(o, key, strlen(key));
	nl_out_bytes(o, ":", 1);
}

void nl_out_begin(struct nl_out *o, const char *key, char bracket)
{
	put_key(o, key);
	nl_out_bytes(o, &bracket, 1);
}

void nl_out_end(struct nl_out *o, char bracket)
{
	nl_out_bytes(o, &bracket, 1);
}

void nl_out_strn(struct nl_out *o, const char *key, const char *text, size_t n)
{
	put_key(o, key);
	put_quoted(o, text, n);
}

void nl_out_str(struct nl_out *o, const char *key, const char *text)
{
	nl_out_strn(o, key, text, strlen(text));
}

static void __attribute__((format(printf, 3, 4))) put_number(struct nl_out *o, const char *key, const char *fmt, ...)
{
	char text[48];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	put_key(o, key);
	nl_out_bytes(o, text, (size_t)n);
}

void nl_out_int(struct nl_out *o, const char *key, int64_t v)
{
	put_number(o, key, "%lld", (long long)v);
}

void nl_out_uint(struct nl_out *o, const char *key, uint64_t v)
{
	put_number(o, key, "%llu", (unsigned long long)v);
}

void nl_out_secs(struct nl_out *o, const char *key, nl_time t)
{
	int64_t us = t / NL_US;
	uint64_t size = us < 0 ? -(uint64_t)us : (uint64_t)us;
	put_number(o, key, "%s%llu.%06llu", us < 0 ? "-" : "", (unsigned long long)(size / 1000000), (unsigned long long)(size % 1000000));
}

void nl_out_bool(struct nl_out *o, const char *key, bool v)
{
	nl_out_raw(o, key, v ? "true" : "false", v ? 4 : 5);
}

void nl_out_time(struct nl_out *o, const char *key, nl_time real)
{
	char text[28];
	nl_out_str(o, key, nl_time_text(real, text));
}

void nl_out_raw(struct nl_out *o, const char *key, const char *json, size_t n)
{
	put_key(o, key);
	nl_out_bytes(o, json, n);
}
