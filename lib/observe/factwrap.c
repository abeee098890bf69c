/* SPDX-License-Identifier: Apache-2.0 */
/*
 * factwrap.c - events inside the JSON of other logs.
 *
 * In a string, under whatever key (docker's "log", journald's "MESSAGE"), the
 * mark reads {\"nl\":1, and cannot be anything else.  journald writes a message
 * that is no UTF-8 or has control bytes as a list of its bytes: "MESSAGE":[27,…].
 * What begins lines (CRI, GitHub, GitLab, syslog) is text, and no wrapping.
 */
#include "observe/factkey.h"

#include "json.h"

#include <string.h>

static bool is_digit(char ch)
{
	return ch >= '0' && ch <= '9';
}

static bool is_hex(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_digit(s[i]) && !((s[i] | 32) >= 'a' && (s[i] | 32) <= 'f'))
			return false;
	return true;
}

/* The last escaped mark. */
static const char *escaped_mark(const char *text, size_t n)
{
	static const char mark[] = "{\\\"nl\\\":";
	const size_t len = sizeof mark - 1;
	const char *end = text + n;
	for (const char *p; (p = memrchr(text, '{', n)) != NULL; n = (size_t)(p - text))
		if ((size_t)(end - p) > len && memcmp(p, mark, len) == 0 && is_digit(p[len]))
			return p;
	return NULL;
}

/* Of the escape at p, with that of the other half of a character where there is one; 0: it is none. */
static unsigned escape_len(const char *p, const char *end)
{
	if (end - p < 2 || !memchr("\"\\/bfnrtu", p[1], 9))
		return 0;
	if (p[1] != 'u')
		return 2;
	if (end - p < 6 || !is_hex(p + 2, 4))
		return 0;
	bool high = (p[2] | 32) == 'd' && strchr("89abAB", p[3]);
	return high && end - p >= 12 && p[6] == '\\' && p[7] == 'u' && is_hex(p + 8, 4) && (p[8] | 32) == 'd' && strchr("cdefCDEF", p[9]) ? 12 : 6;
}

/* The line ends inside the escape. */
static bool cut(const char *p, const char *end)
{
	return end - p < 2 || (p[1] == 'u' && end - p < 6 && is_hex(p + 2, (size_t)(end - p) - 2));
}

static int unescape(const char *p, const char *end, char room[NL_FACT_MAX])
{
	size_t n = 0;
	while (p < end && *p != '"' && n < NL_FACT_MAX) {
		char piece[8] = { *p };
		unsigned len = *p == '\\' ? escape_len(p, end) : 1, is = 1;
		if (len == 0)
			return cut(p, end) ? (int)n : -1;
		if (len > 1)
			is = (unsigned)nl_json_string(p, &(struct nl_json_tok){ NL_JSON_STRING, 0, len, 0, 1 }, piece, sizeof piece);
		is = is < NL_FACT_MAX - n ? is : (unsigned)(NL_FACT_MAX - n);
		memcpy(room + n, piece, is);
		n += is;
		p += len;
	}
	return (int)n;
}

static const char *space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p;
}

/* p is behind the bracket.  From the last mark on, as in a line of text. */
static int unlist(const char *p, const char *end, char room[NL_FACT_MAX])
{
	char last[7] = { 0 };                   // As long as a mark with its digit.
	size_t n = 0;

	for (;; p++) {
		unsigned v = 0;
		const char *digits = p = space(p, end);
		for (; p < end && p - digits < 3 && is_digit(*p); p++)
			v = v * 10 + (unsigned)(*p - '0');
		if (p == digits || v > 255)
			break;
		memmove(last, last + 1, sizeof last - 1);
		last[sizeof last - 1] = (char)v;
		if (nl_mark_last(last, sizeof last))
			memcpy(room, last, n = sizeof last);
		else if (n > 0 && n < NL_FACT_MAX)
			room[n++] = (char)v;
		p = space(p, end);
		if (p == end || *p != ',')
			break;
	}
	return (int)n;
}

int nl_unwrap(const char *text, size_t n, char room[NL_FACT_MAX])
{
	static const char key[] = "\"MESSAGE\"";
	const char *end = text + n, *p = escaped_mark(text, n);

	if (p)
		return unescape(p, end, room);
	p = memmem(text, n, key, sizeof key - 1);
	p = p ? space(p + sizeof key - 1, end) : end;
	p = p < end && *p == ':' ? space(p + 1, end) : end;
	return p < end && *p == '[' ? unlist(p + 1, end, room) : 0;
}
