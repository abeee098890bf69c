/* SPDX-License-Identifier: Apache-2.0 */
/* reader.c - words of a line of a snapshot: every number is in its range, or the line is bad. */
#include "observe/reader.h"

#include <stdlib.h>
#include <string.h>

int64_t nl_read_number(struct nl_reader *r, int64_t least, int64_t most)
{
	bool minus = *r->at == '-';
	char *first = r->at + minus;
	uint64_t v = 0;
	for (r->at = first; *r->at >= '0' && *r->at <= '9' && r->at - first < 19; r->at++)
		v = v * 10 + (uint64_t)(*r->at - '0');
	int64_t is = minus ? -(int64_t)v : (int64_t)v;
	r->bad = r->bad || r->at == first || v > INT64_MAX || is < least || is > most || !strchr(" :", *r->at);
	if (*r->at == ' ')
		r->at++;
	return r->bad ? least : is;
}

uint64_t nl_read_whole(struct nl_reader *r)
{
	return (uint64_t)nl_read_number(r, 0, INT64_MAX);
}

uint32_t nl_read_short(struct nl_reader *r)
{
	return (uint32_t)nl_read_number(r, 0, UINT32_MAX);
}

uint64_t nl_read_hex(struct nl_reader *r)
{
	uint64_t v = 0;
	for (int i = 0; i < 16; i++) {
		const char *digits = "0123456789abcdef", *d = r->at[i] ? strchr(digits, r->at[i]) : NULL;
		if (!d) {
			r->bad = true;
			return 0;
		}
		v = v << 4 | (uint64_t)(d - digits);
	}
	r->at += 16;
	r->bad = r->bad || !strchr(" ", *r->at);
	if (*r->at == ' ')
		r->at++;
	return v;
}

static unsigned digit(char c)
{
	return c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

char *nl_read_quoted(struct nl_reader *r)
{
	char *text = r->at + 1, *to = text, *s = text;
	if (*r->at != '"')
		return r->bad = true, r->at;
	for (; *s && *s != '"'; s++) {
		bool escaped = *s == '\\';
		unsigned hi = escaped ? digit(s[1]) : 0, lo = escaped && hi < 16 ? digit(s[2]) : 0;
		if (hi > 15 || lo > 15 || (escaped && hi + lo == 0))
			return r->bad = true, r->at;
		*to++ = escaped ? (char)(hi << 4 | lo) : *s;
		s += escaped ? 2 : 0;
	}
	if (*s != '"')
		return r->bad = true, r->at;
	r->at = s + 1 + (s[1] == ' ');
	r->bad = r->bad || !strchr(" ", s[1]);
	*to = '\0';
	return text;
}

uint32_t nl_read_behind_colon(struct nl_reader *r)
{
	if (*r->at != ':')
		return r->bad = true, 0;
	r->at++;
	return nl_read_short(r);
}

int nl_read_mark(struct nl_reader *r)
{
	struct nl_mark m;
	m.dev = nl_read_hex(r), m.ino = nl_read_hex(r), m.offset = nl_read_whole(r), m.seen = nl_read_hex(r);
	const char *path = nl_read_quoted(r);
	struct nl_mark *all = r->bad ? NULL : realloc(r->mark, (r->marks + 1) * sizeof *all);
	if (!all)
		return r->bad ? 0 : -1;
	r->mark = all;
	m.path = strdup(path);
	if (m.path)
		r->mark[r->marks++] = m;
	return m.path ? 0 : -1;
}
