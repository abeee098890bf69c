/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_test.c - JSON as RFC 8259 and JSON.parse have it: verdict, place of the
 * fault, tokens, members, strings, numbers; and the corpus of tests/fuzz/json.
 */
#include "json.h"
#include "jsonout.h"
#include "unit.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEN(a) (sizeof (a) / sizeof *(a))

static struct nl_json_tok tok[2048];
static size_t at;

/* Parses out of memory of the exact size, which the sanitizers guard. */
static int parse_n(const char *s, size_t n, unsigned max)
{
	char *copy = malloc(n + (n == 0));
	if (!copy)
		abort();
	memcpy(copy, s, n);
	at = SIZE_MAX;
	int r = nl_json_parse(copy, n, tok, max, &at);
	free(copy);
	return r;
}

static int parse(const char *s)
{
	return parse_n(s, strlen(s), LEN(tok));
}

static void verdicts(void)
{
	static const struct { const char *text; unsigned tokens; } good[] = {
		{ "0", 1 }, { " null ", 1 }, { "\"\"", 1 }, { "[]", 1 }, { "{}", 1 }, { "[1,[2],{\"a\":3}]", 7 },
		{ "{\"a\":{\"b\":[]},\"c\":true}", 7 }, { "\t\r\n -1.5e+07", 1 }, { "[[],[[]]]", 4 },
	};
	static const struct { const char *text; size_t at; } bad[] = {
		{ "", 0 }, { "  ", 2 }, { "[1,]", 3 }, { "[1 2]", 3 }, { "[1", 2 }, { "[1}", 2 }, { "]", 0 }, { "1 2", 2 }, { "01", 1 },
		{ "-", 1 }, { "1.", 2 }, { "1e", 2 }, { ".5", 0 }, { "+1", 0 }, { "truf", 3 }, { "tru", 3 }, { "nulll", 4 }, { "NaN", 0 },
		{ "{\"a\"}", 4 }, { "{\"a\":}", 5 }, { "{\"a\":1,}", 7 }, { "{a:1}", 1 }, { "{\"a\" 1}", 5 }, { "{\"a\":1 \"b\":2}", 7 },
		{ "{", 1 }, { "{,}", 1 }, { "{\"a\":1]", 6 }, { "\"a", 2 }, { "\"\t\"", 1 }, { "\"\\x\"", 2 }, { "\"\\u12G4\"", 5 }, { "\"\\", 2 },
		{ "\"\\ud8\"", 5 }, { "\"\\u123\"", 6 }, { "\"\\v\"", 2 }, { "\"\x1f\"", 1 }, { "\"\xf5\x80\x80\x80\"", 1 }, { "\"a\xff\"", 2 }, { "\"\xc0\x80\"", 1 }, { "\"\xed\xa0\x80\"", 1 }, { "\"\xf4\x90\x80\x80\"", 1 },
		{ "\"\xe2\x82\"", 1 }, { "\xef\xbb\xbf{}", 0 }, { "[1]\xc2\xa0", 3 },
	};

	TEST("a JSON text has as many tokens as values and keys")
		for (size_t i = 0; i < LEN(good); i++)
			CHECK_ROW(parse(good[i].text) == (int)good[i].tokens, good[i].text);
	TEST("what is not JSON is refused where it goes wrong")
		for (size_t i = 0; i < LEN(bad); i++)
			CHECK_ROW(parse(bad[i].text) == -1 && at == bad[i].at, bad[i].text);
	TEST("a NUL is not JSON, wherever it is") {
		CHECK(parse_n("1\0", 2, 9) == -1 && at == 1);
		CHECK(parse_n("[1,\0]", 5, 9) == -1 && at == 3);
		CHECK(parse_n("\"a\0\"", 4, 9) == -1 && at == 2);
		CHECK(parse_n("\"\\\0\"", 4, 9) == -1 && at == 2);
	}
	TEST("too few tokens are -2, and just enough are enough") {
		CHECK(parse_n("[1,\"a\"]", 7, 3) == 3);
		CHECK(parse_n("[1,\"a\"]", 7, 2) == -2 && at == 3);
		CHECK(parse_n("[1,\"a\"]", 7, 0) == -2);
		CHECK(parse_n("7", 1, 0) == -2);
		CHECK(parse_n("[1,}", 4, 0) == -1);
	}
	TEST("512 levels are read and 513 are -3") {
		char deep[1026];
		memset(deep, '[', 513);
		memset(deep + 513, ']', 513);
		CHECK(parse_n(deep, 1026, LEN(tok)) == -3 && at == 512);
		CHECK(parse_n(deep + 1, 1024, LEN(tok)) == 512);
		CHECK(tok[511].start == 511 && tok[511].end == 513 && tok[511].next == 512 && tok[0].next == 512);
	}
}

static void tokens(void)
{
	const char *text = " {\"a\" : [1, \"b\"], \"c\":{}} ";

	TEST("a token says type, place, size and what follows") {
		static const struct nl_json_tok want[] = {
			{ NL_JSON_OBJECT, 1, 25, 2, 7 }, { NL_JSON_STRING, 3, 4, 0, 2 }, { NL_JSON_ARRAY, 8, 16, 2, 5 },
			{ NL_JSON_NUMBER, 9, 10, 0, 4 }, { NL_JSON_STRING, 13, 14, 0, 5 }, { NL_JSON_STRING, 19, 20, 0, 6 },
			{ NL_JSON_OBJECT, 22, 24, 0, 7 },
		};
		CHECK(parse(text) == LEN(want));
		CHECK(memcmp(tok, want, sizeof want) == 0);
	}
	TEST("literals have their types") {
		CHECK(parse("[true,false,null]") == 4);
		CHECK(tok[1].type == NL_JSON_TRUE && tok[2].type == NL_JSON_FALSE && tok[3].type == NL_JSON_NULL);
		CHECK(parse(" false") == 1 && tok[0].type == NL_JSON_FALSE && tok[0].start == 1 && tok[0].end == 6 && tok[0].next == 1);
	}
}

static void members(void)
{
	const char *text = "{\"a\":1,\"b\":{\"x\":{\"a\":2}},\"\\u0061b\":3,\"\\ud83d\\ude00\":4,\"\\ud800\":5,\"z\\u0000\":6,\"\":7}";

	TEST("a member is found by its unescaped key, in its own object") {
		CHECK(parse(text) == 19);
		CHECK(nl_json_get(text, tok, 0, "a") == 2);
		CHECK(nl_json_get(text, tok, 0, "x") == -1);
		CHECK(nl_json_get(text, tok, nl_json_get(text, tok, nl_json_get(text, tok, 0, "b"), "x"), "a") == 8);
		CHECK(nl_json_get(text, tok, 0, "ab") == 10);
		CHECK(nl_json_get(text, tok, 0, "\xf0\x9f\x98\x80") == 12);
		CHECK(nl_json_get(text, tok, 0, "") == 18);
	}
	TEST("a key with a lone surrogate or a NUL is no other key") {
		CHECK(nl_json_get(text, tok, 0, "\xef\xbf\xbd") == -1);
		CHECK(nl_json_get(text, tok, 0, "\xed\xa0\x80") == -1);
		CHECK(nl_json_get(text, tok, 0, "z") == -1);
	}
	TEST("what is absent, or no object, has no members") {
		CHECK(nl_json_get(text, tok, -1, "a") == -1);
		CHECK(nl_json_get(text, tok, 2, "a") == -1);
		CHECK(nl_json_get(text, tok, 0, "A") == -1 && nl_json_get(text, tok, 0, "aa") == -1);
	}
	TEST("of duplicate keys the last one counts") {
		text = "{\"a\":[1],\"b\":2,\"\\u0061\":3}";
		CHECK(parse(text) == 8 && nl_json_get(text, tok, 0, "a") == 7);
	}
}

static void strings(void)
{
	static const struct { const char *text, *is; } row[] = {
		{ "\"\"", "" }, { "\"abc\"", "abc" }, { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" }, { "\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac" },
		{ "\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80" }, { "\"\\uDBFF\\uDFFF\"", "\xf4\x8f\xbf\xbf" }, { "\"\xe2\x82\xac\"", "\xe2\x82\xac" },
		{ "\"\\ud800\"", "\xef\xbf\xbd" }, { "\"\\udc00x\"", "\xef\xbf\xbdx" }, { "\"\\ud800\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80" },
		{ "\"\\ude00\\ud83d\"", "\xef\xbf\xbd\xef\xbf\xbd" }, { "\"\\ud83d\\n\"", "\xef\xbf\xbd\n" }, { "\"\\ud83d\\\\ude00\"", "\xef\xbf\xbd\\ude00" },
		{ "\"\\ud83d\\u0041\"", "\xef\xbf\xbd" "A" }, { "\"\\udc00\\udc00\"", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\"\\u007f\\u0080\\u07ff\\u0800\"", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80" }, { "\"\\ud800\\udc00\\uffff\"", "\xf0\x90\x80\x80\xef\xbf\xbf" },
	};
	char buf[16];

	TEST("a string is unescaped to UTF-8, lone surrogates to U+FFFD")
		for (size_t i = 0; i < LEN(row); i++)
			CHECK_ROW(parse(row[i].text) == 1 && nl_json_string(row[i].text, tok, buf, sizeof buf) == (int)strlen(row[i].is)
			          && strcmp(buf, row[i].is) == 0, row[i].text);
	TEST("a string may hold NUL, and its length says so") {
		CHECK(parse("\"a\\u0000b\"") == 1);
		CHECK(nl_json_string("\"a\\u0000b\"", tok, buf, sizeof buf) == 3 && memcmp(buf, "a\0b", 4) == 0);
	}
	TEST("a string that does not fit with its NUL is -1") {
		CHECK(parse("\"\\u20ac\"") == 1);
		CHECK(nl_json_string("\"\\u20ac\"", tok, buf, 4) == 3);
		CHECK(nl_json_string("\"\\u20ac\"", tok, buf, 3) == -1);
		CHECK(parse("\"\"") == 1 && nl_json_string("\"\"", tok, buf, 0) == -1 && nl_json_string("\"\"", tok, buf, 1) == 0);
	}
	TEST("what is no string has no text") {
		CHECK(parse("12") == 1 && nl_json_string("12", tok, buf, sizeof buf) == -1);
		CHECK(parse("[]") == 1 && nl_json_string("[]", tok, buf, sizeof buf) == -1);
	}
}

static bool same(double a, double b)
{
	return a == b && !signbit(a) == !signbit(b);
}

#define DIGITS 752

static void power_of_5(unsigned n, char digits[DIGITS])
{
	memset(digits, '0', DIGITS);
	for (digits[DIGITS - 1] = '1'; n > 0; n--)
		for (int i = DIGITS - 1, carry = 0; i >= 0; i--, carry /= 10) {
			carry += (digits[i] - '0') * 5;
			digits[i] = (char)('0' + carry % 10);
		}
}

static void numbers(void)
{
	static const struct { const char *text; double is; } row[] = {
		{ "0", 0 }, { "-0", -0.0 }, { "-0.0e9", -0.0 }, { "42", 42 }, { "-1.5", -1.5 }, { "0.000120", 0.00012 }, { "1e3", 1000 }, { "1E+2", 100 },
		{ "25e-1", 2.5 }, { "0.1", 0.1 }, { "1e23", 1e23 }, { "9007199254740993", 9007199254740992 }, { "1.7976931348623157e308", 0x1.fffffffffffffp1023 },
		{ "2.2250738585072011e-308", 0x0.fffffffffffffp-1022 }, { "5e-324", 0x1p-1074 }, { "2e-324", 0 }, { "1e400", INFINITY }, { "-1e400", -INFINITY },
		{ "1e-99999999999999999999", 0 }, { "1e99999999999999999999", INFINITY }, { "0e99999999999999999999", 0 }, { "10000000000e-10", 1 },
	};
	static const struct { const char *text; bool is; int64_t n; } whole[] = {
		{ "0", true, 0 }, { "-0", true, 0 }, { "7", true, 7 }, { "-12", true, -12 }, { "9223372036854775807", true, INT64_MAX },
		{ "-9223372036854775808", true, INT64_MIN }, { "9223372036854775808", false, 0 }, { "-9223372036854775809", false, 0 },
		{ "99999999999999999999", false, 0 }, { "1.0", false, 0 }, { "1e3", false, 0 }, { "\"1\"", false, 0 }, { "true", false, 0 },
	};
	double d;
	int64_t n;

	TEST("a number is the nearest double, as in JSON.parse")
		for (size_t i = 0; i < LEN(row); i++)
			CHECK_ROW(parse(row[i].text) == 1 && nl_json_number(row[i].text, tok, &d) && same(d, row[i].is), row[i].text);
	TEST("a number may have any number of digits, and all of them count") {
		static char s[3000];
		memset(s, '0', sizeof s);
		memcpy(s, "9007199254740993.", 17);
		CHECK(parse_n(s, 2000, 9) == 1 && nl_json_number(s, tok, &d) && same(d, 9007199254740992));
		s[1999] = '1';
		CHECK(parse_n(s, 2000, 9) == 1 && nl_json_number(s, tok, &d) && same(d, 9007199254740994));
		memset(s, '0', sizeof s);
		memcpy(s, "-0.", 3);
		memcpy(s + 2001, "25e1999", 7);
		CHECK(parse_n(s, 2008, 9) == 1 && nl_json_number(s, tok, &d) && same(d, -2.5));
		memset(s, '0', sizeof s);
		s[0] = '3';
		memcpy(s + 1501, "e-1500", 6);
		CHECK(parse_n(s, 1507, 9) == 1 && nl_json_number(s, tok, &d) && same(d, 3));
	}
	TEST("the 752nd digit decides between 0 and the smallest number") {
		/* Half of that is 5^1075 * 10^-1075. */
		char half[DIGITS + 16];
		power_of_5(1075, half);
		memcpy(half + DIGITS, "0e-1076", 8);
		CHECK(parse(half) == 1 && nl_json_number(half, tok, &d) && same(d, 0));
		half[DIGITS] = '1';
		CHECK(parse(half) == 1 && nl_json_number(half, tok, &d) && same(d, 0x1p-1074));
	}
	TEST("an integer has no fraction, no exponent, and fits")
		for (size_t i = 0; i < LEN(whole); i++)
			CHECK_ROW(parse(whole[i].text) == 1 && nl_json_integer(whole[i].text, tok, &n) == whole[i].is
			          && (!whole[i].is || n == whole[i].n), whole[i].text);
	TEST("what is no number has no value") {
		CHECK(parse("\"1\"") == 1 && !nl_json_number("\"1\"", tok, &d));
		CHECK(parse("null") == 1 && !nl_json_number("null", tok, &d));
	}
}

/* Files valid_* are JSON and invalid_* are not. */
static void corpus(void)
{
	const char *root = getenv("NL_ROOT");
	char path[4096], buf[16384];
	unsigned files = 0;

	TEST("the committed corpus is read as its file names say") {
		snprintf(path, sizeof path, "%s/tests/fuzz/json", root ? root : ".");
		DIR *dir = opendir(path);
		CHECK(dir);
		for (const struct dirent *e; dir && (e = readdir(dir)); ) {
			bool valid = strncmp(e->d_name, "valid_", 6) == 0;
			if (!valid && strncmp(e->d_name, "invalid_", 8) != 0)
				continue;
			snprintf(path, sizeof path, "%s/tests/fuzz/json/%s", root ? root : ".", e->d_name);
			FILE *f = fopen(path, "re");
			CHECK_ROW(f, e->d_name);
			if (!f)
				continue;
			int r = parse_n(buf, fread(buf, 1, sizeof buf, f), LEN(tok));
			fclose(f);
			CHECK_ROW(valid ? r > 0 : r == -1 || r == -3, e->d_name);
			files++;
		}
		CHECK(files >= 100);
		if (dir)
			closedir(dir);
	}
}

static void seconds(void)
{
	static const struct { nl_time t; const char *json; } rows[] = {
		{ 0, "0.000000" }, { 1500 * NL_US, "0.001500" }, { -1 * NL_US, "-0.000001" }, { -586996 * NL_US, "-0.586996" },
		{ -NL_SEC - NL_US, "-1.000001" }, { -1, "0.000000" },
	};
	TEST("seconds are a JSON number, also below 0")
		for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
			struct nl_out o;
			nl_out_init(&o, 100);
			nl_out_secs(&o, NULL, rows[i].t);
			CHECK_ROW(o.buf && !strcmp(o.buf, rows[i].json), rows[i].json);
			nl_out_free(&o);
		}
}

int main(void)
{
	seconds();
	verdicts();
	tokens();
	members();
	strings();
	numbers();
	corpus();
	return unit_done();
}
