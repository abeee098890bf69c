/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shape_test.c - lines are read the same by shapes, with SSE2 and without, and by
 * nl_fact_read: those of our tools, and what becomes of them when they are cut,
 * spliced, and given other values.
 *
 * SHAPE_CASES=N SHAPE_SEED=N: how many broken lines, and which.  The 500 000 of
 * `make check` are 11 s of CPU under the sanitizers; `make fuzz` goes on from there.
 */
#include "twin.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define LEN(a) (sizeof (a) / sizeof *(a))
#define LINES 256

static char *line[LINES];
static unsigned nlines;
static struct nl_shapes *shapes, *twin;
static struct nl_fact fact;
static uint64_t rnd;
static unsigned long verdicts[NL_LINES];

static unsigned below(unsigned n)
{
	rnd = rnd * 6364136223846793005u + 1442695040888963407u;
	return n ? (unsigned)((rnd >> 33) % n) : 0;
}

/* A line that the fast way takes at once is one that the others take, all of it: with another behind it, or its end not there yet. */
static bool agree_at_once(const char *text, size_t n, enum nl_line is, const char *end)
{
	static char room[1];
	struct nl_fact by[2] = { 0 };
	const char *p = nl_shapes_line(shapes, &by[0], text, end), *q = twin_line(twin, &by[1], text, end);
	const char *newline = memchr(text, '\n', (size_t)(end - text));
	if (!p && !q)
		return true;
	return p == q && p == newline && (newline < text + n || (is == NL_LINE_OK && fact.line.s == text && same_fact(&fact, room, &by[0], room) && same_fact(&fact, room, &by[1], room)));
}

/* All ways agree on the line, whatever is behind it. */
static bool agree(const char *text, size_t n)
{
	static char room[3][NL_FACT_MAX];
	static const char behind[] = "0123456789abcdef\"}\",\"err\":\"aaaaaaaaaaaa\n\"}}}}}}}000000.000000000";
	char *copy = malloc(n + 2 * NL_SHAPE_PAD);
	struct nl_fact by[2];

	if (!copy)
		abort();
	memcpy(copy, text, n);
	for (unsigned i = 0, from = below(NL_SHAPE_PAD); i < 2 * NL_SHAPE_PAD; i++)
		copy[n + i] = behind[(from + i) % (sizeof behind - 1)];
	copy[n] = '\n';
	enum nl_line is = nl_fact_read(&fact, copy, n, room[0]);
	enum nl_line fast = nl_shapes_read(shapes, &by[0], copy, n, room[1]), scalar = twin_read(twin, &by[1], copy, n, room[2]);
	bool same = is == fast && is == scalar
	            && (is != NL_LINE_OK || (same_fact(&fact, room[0], &by[0], room[1]) && same_fact(&fact, room[0], &by[1], room[2])));
	same = same && agree_at_once(copy, n, is, copy + n) && agree_at_once(copy, n, is, copy + n + 1);
	copy[n + NL_SHAPE_PAD] = '\n';
	same = same && agree_at_once(copy, n, is, copy + n + NL_SHAPE_PAD);
	verdicts[is]++;
	free(copy);
	return same;
}

static void load(const char *name)
{
	const char *root = getenv("NL_ROOT");
	char path[512], buf[8192];

	snprintf(path, sizeof path, "%s/tests/events/%s", root ? root : ".", name);
	FILE *f = fopen(path, "r");
	while (f && nlines < LINES && fgets(buf, sizeof buf, f)) {
		buf[strcspn(buf, "\n")] = '\0';
		if (buf[0] == '{')
			line[nlines++] = strdup(buf);
	}
	if (f)
		fclose(f);
}

static size_t put(char *s, size_t n, size_t at, size_t gone, const char *text, size_t len)
{
	if (n - gone + len > 2 * NL_FACT_MAX)
		return n;
	memmove(s + at + len, s + at + gone, n - at - gone);
	memcpy(s + at, text, len);
	return n - gone + len;
}

/* Another value, where there is a colon. */
static size_t revalue(char *s, size_t n)
{
	static const char *const other[] = {
		"0", "1", "00", "01", "-1", "-0", "7", "255", "256", "4294967295", "4294967296", "9999999999999999", "12345678901234567", "999999999999999999",
		"1000000000000000000", "18446744073709551616", "0.5", "1.000000", "00.000000", "1.0000000", "12345678.000001", "123456789.000001", "1234567890.000001",
		"1e400", "1E2", "-1.000000", ".5", "5.", "true", "null", "[]", "{}", "{\"nl\":1,", "[1,{\"a\":\"}\"}]", "\"\"", "\"a\"", "\"A\"", "\"a b\"", "\"\\n\"",
		"\"\\u0041\"", "\"\xc3\xa9\"", "\"\xff\"", "\"\x01\"", "\"\x7f\"", "\"abcdefghijklmnop\"", "\"abcdefghijklmnopq\"", "\"abcdefghijklmnopqrstuvwxyzabcdef\"",
		"\"abcdefghijklmnopqrstuvwxyzabcdefg\"", "\"0123456789012345678901234567890123456789012345678901234567890123\"",
		"\"01234567890123456789012345678901234567890123456789012345678901234\"", "\"0123456789abcdef\"", "\"0123456789abcdeg\"", "\"0123456789ABCDEF\"",
		"\"0123456789abcde\"", "\"0123456789abcdef0\"", "\"0123456789abcdef0123456789abcdef\"", "\"2026-02-28T23:59:60.999999Z\"", "\"2026-02-29T00:00:00.000000Z\"",
		"\"2026-11-23T07:15:60.000000Z\"", "\"2026-11-23T07:15:61.000000Z\"", "\"2026-11-23T07:15:69.000000Z\"", "\"2026-11-23T07:15:5.0000000Z\"", "\"1969-12-31T23:59:59.999999Z\"",
		"\"nl.request.success\"", "\"nl.request.failure\"", "\"nl.later.event_9\"", "\"TERM\"", "\"+-_\"", "\":/.-\"", "\"`\"", "\"{\"", "\"@[\"",
	};
	size_t at[64], k = 0;
	for (size_t i = 0; i < n && k < LEN(at); i++)
		if (s[i] == ':' && i > 0 && s[i - 1] == '"')
			at[k++] = i + 1;
	if (k == 0)
		return n;
	size_t from = at[below((unsigned)k)], to = from;
	for (bool text = false; to < n && (text || (s[to] != ',' && s[to] != '}')); to++)
		text ^= s[to] == '"';
	const char *v = other[below(LEN(other))];
	return put(s, n, from, to - from, v, strlen(v));
}

/* One thing that happens to lines. */
static size_t spoil(char *s, size_t n)
{
	static const char *const bit[] = { "\"", "\\", "{", "}", "[", "]", ",", ":", " ", "\r", "0", "9", "a", "f", "\x80", "\xff", "{\"nl\":1,", "{\"nl\":2,", "\"new\":1,",
	                                   ",\"seq\":1", ",\"gen\":1", ",\"x\":\"y\"", ",\"x\":0.5", ",\"b\":true", "null", "}}" };
	const char *other = line[below(nlines)];
	char piece[40];
	size_t at = below((unsigned)n), len = n - at;
	size_t part = below(len < 40 ? (unsigned)len : 40);

	switch (below(9)) {
	case 0:                 // Cut.
		return at;
	case 1:                 // Begun late.
		return put(s, n, 0, at, "", 0);
	case 2:                 // A piece is missing.
		return put(s, n, at, part, "", 0);
	case 3:                 // A piece is there twice.
		memcpy(piece, s + at, part);
		return put(s, n, at, 0, piece, part);
	case 4:                 // Another line goes on from here, or begins.
		other += below(2) && at < strlen(other) ? at : 0;
		return put(s, n, at, len, other, strlen(other));
	case 5:
		if (n > 0)
			s[at] = (char)below(256);
		return n;
	case 6:
		other = bit[below(LEN(bit))];
		return put(s, n, at, below(2) && len > 0, other, strlen(other));
	default:
		return revalue(s, n);
	}
}

int main(void)
{
	const char *cases = getenv("SHAPE_CASES"), *seed = getenv("SHAPE_SEED");
	unsigned long n = cases ? strtoul(cases, NULL, 10) : 500000, bad = 0;
	char s[4 * NL_FACT_MAX];

	rnd = seed ? strtoull(seed, NULL, 10) : 1;
	printf("# SHAPE_SEED=%llu SHAPE_CASES=%lu\n", (unsigned long long)rnd, n);
	shapes = nl_shapes_new(), twin = twin_new();
	load("good.ndjson");
	unsigned good = nlines;
	load("bad.ndjson");
	if (!shapes || !twin || good < 20 || nlines == good)
		return 1;
	TEST("a line whose shape is known needs no parser") {
		uint64_t missed = 0;
		for (unsigned round = 0; round < 20; round++) {
			missed = nl_shapes_missed(shapes);
			for (unsigned i = 0; i < good; i++)
				CHECK_ROW(agree(line[i], strlen(line[i])), line[i]);
		}
		unsigned nested = 0;
		for (unsigned i = 0; i < good; i++)
			nested += strpbrk(line[i] + 8, "{[\\") != NULL;
		printf("# %u nested of %u, %u missed\n", nested, good, (unsigned)(nl_shapes_missed(shapes) - missed));
		CHECK(nl_shapes_missed(shapes) - missed == nested && twin_missed(twin) == nl_shapes_missed(shapes));
	}
	TEST("text before and behind an event does not hide its shape") {
		uint64_t missed = nl_shapes_missed(shapes);
		snprintf(s, sizeof s, "2026-11-23T07:15:00.1Z stderr F %s\r", line[0]);
		CHECK(agree(s, strlen(s)) && fact.line.n == strlen(line[0]) && nl_shapes_missed(shapes) == missed);
	}
	TEST("of two events in a line the last counts, to shapes too") {
		snprintf(s, sizeof s, "%s%s", line[0], line[1]);
		CHECK(agree(s, strlen(s)) && fact.line.n == strlen(line[1]));
		snprintf(s, sizeof s, "%s{\"nl\":1,", line[0]);
		CHECK(agree(s, strlen(s)));
	}
	TEST("a time of another year is none, to shapes too, whose second is known") {
		memcpy(strcpy(s, line[0]) + 16, "2200-01-01T00:00:00", 19);
		CHECK(agree(s, strlen(s)) && nl_fact_read(&fact, s, strlen(s), s) == NL_LINE_BAD_JSON);
		memcpy(s + 16, "2199-12-31T23:59:60", 19);
		CHECK(agree(s, strlen(s)) && fact.time_us / 1000000 == NL_TIME_MOST / 1000000);
	}
	TEST("broken lines are the same to shapes, with SSE2 and without, and to the reference")
		for (unsigned long i = 0; i < n && bad < 5; i++) {
			const char *from = line[below(below(4) ? good : nlines)];
			size_t len = strlen(from);
			memcpy(s, from, len);
			for (unsigned k = below(4); k < 4; k++)
				len = spoil(s, len);
			if (!agree(s, len)) {
				CHECK_ROW(!"the same", s);
				bad++;
			}
		}
	TEST("a log of ever new shapes makes no difference but in time")
		for (unsigned i = 0; i < 3000; i++) {
			const char *from = line[i % good];
			int len = snprintf(s, sizeof s, "%.*s,\"new%u\":1}", (int)strlen(from) - 1, from, i / 2);
			CHECK(agree(s, (size_t)len));
		}
	printf("#");
	for (unsigned i = 0; i <= NL_LINE_NEWER; i++)
		printf(" %s %lu", nl_line_names[i], verdicts[i]);
	puts("");
	for (unsigned i = 0; i < nlines; i++)
		free(line[i]);
	nl_shapes_free(shapes);
	twin_free(twin);
	return unit_done();
}
