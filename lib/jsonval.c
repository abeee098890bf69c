/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonval.c - what the tokens of json.c mean: members, strings, numbers.
 *
 * The text was found valid, so nothing is judged here a second time.  Numbers
 * are the nearest double and any number of digits is one, as in JSON.parse.
 */
#include "json.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 800          /* 767 decide between two neighbouring doubles */

static bool is_digit(char ch)
{
	return ch >= '0' && ch <= '9';
}

/* One character of a string's text as UTF-8, or one byte of a raw one. */
struct piece { unsigned len; char byte[4]; bool lone; };

static unsigned hex4(const char *p)
{
	unsigned v = 0;
	for (int k = 0; k < 4; k++)
		v = v * 16 + (unsigned)(is_digit(p[k]) ? p[k] - '0' : (p[k] | 32) - 'a' + 10);
	return v;
}

static struct piece encode(unsigned u)
{
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	struct piece c = {
		.len = u < 0x80 ? 1 : u < 0x800 ? 2 : u < 0x10000 ? 3 : 4,
		.lone = u >= 0xd800 && u < 0xe000,
	};
	for (unsigned k = c.len - 1; k > 0; k--, u >>= 6)
		c.byte[k] = (char)(0x80 | (u & 63));
	c.byte[0] = (char)(lead[c.len] | u);
	return c;
}

/* Takes a piece off [p, end) and returns what is behind it. */
static const char *take(const char *p, const char *end, struct piece *out)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";

	if (*p != '\\') {
		*out = (struct piece){ 1, { *p }, false };
		return p + 1;
	}
	if (p[1] != 'u') {
		const char *s = strchr(from, p[1]);
		*out = (struct piece){ 1, { s ? to[s - from] : p[1] }, false };
		return p + 2;
	}
	unsigned u = hex4(p + 2);
	if (u >= 0xd800 && u < 0xdc00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u') {
		unsigned low = hex4(p + 8);
		if (low >= 0xdc00 && low < 0xe000) {
			*out = encode(0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00));
			return p + 12;
		}
	}
	*out = encode(u);
	return p + 6;
}

static bool is_key(const char *text, const struct nl_json_tok *tok, const char *key)
{
	const char *p = text + tok->start, *end = text + tok->end;
	size_t left = strlen(key);
	struct piece c;

	while (p < end) {
		p = take(p, end, &c);
		if (c.lone || c.len > left || memcmp(c.byte, key, c.len) != 0)
			return false;
		key += c.len;
		left -= c.len;
	}
	return left == 0;
}

int nl_json_get(const char *text, const struct nl_json_tok *tok, int obj, const char *key)
{
	int found = -1;

	if (obj < 0 || tok[obj].type != NL_JSON_OBJECT)
		return -1;
	for (unsigned k = (unsigned)obj + 1; k < tok[obj].next; k = tok[k + 1].next)
		if (is_key(text, &tok[k], key))
			found = (int)k + 1;
	return found;
}

int nl_json_string(const char *text, const struct nl_json_tok *tok, char *buf, size_t size)
{
	const char *p = text + tok->start, *end = text + tok->end;
	size_t n = 0;
	struct piece c;

	if (tok->type != NL_JSON_STRING)
		return -1;
	while (p < end) {
		p = take(p, end, &c);
		if (c.lone)
			c = encode(0xfffd);
		if (n + c.len >= size)
			return -1;
		memcpy(buf + n, c.byte, c.len);
		n += c.len;
	}
	if (n >= size)
		return -1;
	buf[n] = '\0';
	return (int)n;
}

/* [p, end) is an exponent, less its e; saturates. */
static int64_t exponent_of(const char *p, const char *end)
{
	int64_t v = 0;
	bool minus = *p == '-';

	for (p += !is_digit(*p); p < end; p++)
		if (v < INT_MAX)
			v = v * 10 + (*p - '0');
	return minus ? -v : v;
}

/* strtod wants a NUL behind the number and a locale's point within.  So it gets
 * an integer and an exponent, with one digit for all that did not fit. */
bool nl_json_number(const char *text, const struct nl_json_tok *tok, double *out)
{
	char buf[DIGITS_MAX + 16];
	int64_t scale = 0;
	unsigned n = 0, first = 0;
	bool point = false, more = false;
	const char *p = text + tok->start, *end = text + tok->end;

	if (tok->type != NL_JSON_NUMBER)
		return false;
	if (*p == '-')
		buf[n++] = *p++, first = n;
	for (; p < end && *p != 'e' && *p != 'E'; p++) {
		if (*p == '.') {
			point = true;
		} else if (n < DIGITS_MAX) {
			scale -= point;
			if (*p != '0' || n > first)     /* zeros in front take no room */
				buf[n++] = *p;
		} else {
			scale += !point;
			more = more || *p != '0';
		}
	}
	if (p < end)
		scale += exponent_of(p + 1, end);
	buf[n++] = more ? '1' : '0';
	scale--;
	buf[n++] = 'e';
	buf[n++] = scale < 0 ? '-' : '+';
	scale = scale < 0 ? -scale : scale;
	scale = scale > 99999 ? 99999 : scale;
	for (int unit = 10000; unit > 0; unit /= 10)
		buf[n++] = (char)('0' + scale / unit % 10);
	buf[n] = '\0';
	*out = strtod(buf, NULL);
	return true;
}

bool nl_json_integer(const char *text, const struct nl_json_tok *tok, int64_t *out)
{
	const char *p = text + tok->start, *end = text + tok->end;
	int64_t v = 0;          /* negative: there is one more of those */

	if (tok->type != NL_JSON_NUMBER)
		return false;
	bool minus = *p == '-';
	for (p += minus; p < end; p++) {
		if (!is_digit(*p))
			return false;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, *p - '0', &v))
			return false;
	}
	if (!minus && v == INT64_MIN)
		return false;
	*out = minus ? v : -v;
	return true;
}
