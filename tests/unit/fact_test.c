/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fact_test.c - lines of event logs: what each is, what is taken from it, and
 * what others wrap around it.
 */
#include "observe/fact.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define LEN(a) (sizeof (a) / sizeof *(a))

static const char whole[] =
	"{\"nl\":1,\"time\":\"2026-11-23T07:15:00.000123Z\",\"event\":\"nl.request.failure\",\"sev\":17,\"policy\":\"curl\",\"kind\":\"retry\","
	"\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span_id\":\"0000000000000021\",\"parent_id\":\"00000000000000ff\","
	"\"run\":\"9f3c0000000000d5\",\"seq\":3,\"pid\":7,\"depth\":1,\"mono_us\":81234567890,\"gen\":4,\"cmd\":\"sh\",\"exit\":7,"
	"\"err\":\"exit_7\",\"dur_s\":1.000002,\"attempts\":2}";
static const char least[] = "{\"nl\":1,\"time\":\"1970-01-01T00:00:00.000000Z\",\"event\":\"nl.a.b\",\"sev\":9,\"policy\":\"p\",\"kind\":\"k\","
	"\"run\":\"0000000000000001\",\"seq\":0,\"depth\":0";

static struct nl_fact fact;
static char room[NL_FACT_MAX];
static char *copy;

/* Reads out of memory of the exact size, which the sanitizers guard. */
static enum nl_line read_n(const char *s, size_t n)
{
	free(copy);
	copy = malloc(n + (n == 0));
	if (!copy)
		abort();
	memcpy(copy, s, n);
	return nl_fact_read(&fact, copy, n, room);
}

static enum nl_line read_s(const char *s)
{
	return read_n(s, strlen(s));
}

/* The smallest event with more in it, in static memory. */
static const char *with(const char *more)
{
	static char line[2 * NL_FACT_MAX];
	snprintf(line, sizeof line, "%s%s}", least, more);
	return line;
}

/* The whole one with one thing changed. */
static const char *but(const char *from, const char *to)
{
	static char line[2 * NL_FACT_MAX];
	const char *at = strstr(whole, from);
	if (!at)
		abort();
	snprintf(line, sizeof line, "%.*s%s%s", (int)(at - whole), whole, to, at + strlen(from));
	return line;
}

static bool is(struct nl_quote t, const char *s)
{
	return t.n == strlen(s) && memcmp(t.s, s, t.n) == 0;
}

static void fields(void)
{
	TEST("all of an event is read") {
		CHECK(read_s(whole) == NL_LINE_OK);
		CHECK(fact.line.s == copy && fact.line.n == sizeof whole - 1);
		CHECK(fact.time_us == INT64_C(1795418100000123) && fact.mono_us == INT64_C(81234567890) && fact.gen == 4);
		CHECK(fact.told == NL_TOLD_FAILURE && is(fact.event, "nl.request.failure") && fact.sev == 17);
		CHECK(is(fact.policy, "curl") && is(fact.kind, "retry"));
		CHECK(fact.trace[0] == 0x4bf92f3577b34da6 && fact.trace[1] == 0xa3ce929d0e0e4736);
		CHECK(fact.span == 0x21 && fact.parent == 0xff && fact.run == 0x9f3c0000000000d5);
		CHECK(fact.seq == 3 && fact.depth == 1 && fact.exit == 7 && fact.attempts == 2 && fact.dur_us == 1000002);
		CHECK(is(fact.err, "exit_7") && is(fact.cmd, "sh") && fact.signal.n == 0);
	}
	TEST("what is absent says so") {
		CHECK(read_s(with("")) == NL_LINE_OK);
		CHECK(fact.time_us == 0 && fact.told == NL_TOLD_OTHER && is(fact.event, "nl.a.b"));
		CHECK(fact.trace[0] == 0 && fact.trace[1] == 0 && fact.span == 0 && fact.parent == 0);
		CHECK(fact.mono_us == -1 && fact.gen == -1 && fact.dur_us == -1 && fact.exit == -1 && fact.attempts == -1);
		CHECK(fact.events == -1 && fact.dropped == -1 && fact.active == -1 && fact.max == -1 && fact.queued == -1);
		CHECK(fact.waited_us == -1 && fact.held_us == -1 && fact.epoch == -1 && fact.delay_us == -1 && fact.slept_us == -1);
		CHECK(fact.signal.n == 0 && fact.err.n == 0 && fact.cmd.n == 0);
	}
	TEST("attributes of all events are read") {
		CHECK(read_s(with(",\"signal\":\"RTMIN+3\",\"events\":9,\"dropped\":1,\"active\":3,\"max\":4,\"queued\":2,\"waited_s\":0.000001,"
		                  "\"held_s\":999999999.999999,\"epoch\":12,\"delay_s\":0.134872,\"slept_s\":3.000000")) == NL_LINE_OK);
		CHECK(is(fact.signal, "RTMIN+3") && fact.events == 9 && fact.dropped == 1 && fact.active == 3 && fact.max == 4 && fact.queued == 2);
		CHECK(fact.waited_us == 1 && fact.held_us == INT64_C(999999999999999) && fact.epoch == 12);
		CHECK(fact.delay_us == 134872 && fact.slept_us == 3000000);
	}
	TEST("every event has its name")
		for (unsigned i = NL_TOLD_OTHER + 1; i < NL_TOLDS; i++) {
			CHECK_ROW(read_s(but("nl.request.failure", nl_told_names[i])) == NL_LINE_OK, nl_told_names[i]);
			CHECK_ROW(fact.told == (enum nl_told)i && is(fact.event, nl_told_names[i]), nl_told_names[i]);
		}
	TEST("every verdict has its name")
		for (unsigned i = 0; i < NL_LINES; i++)
			CHECK(nl_line_names[i]);
}

static void verdicts(void)
{
	static const struct { const char *text; enum nl_line is; } row[] = {
		{ "", NL_LINE_NOT_EVENT }, { "hello", NL_LINE_NOT_EVENT }, { "{\"nl\":", NL_LINE_NOT_EVENT }, { "{\"nl\":x,", NL_LINE_NOT_EVENT },
		{ "{\"nl\" :1,", NL_LINE_NOT_EVENT }, { "{", NL_LINE_NOT_EVENT }, { "{\"a\":1}", NL_LINE_NOT_EVENT }, { "{\"nl\":-1,\"a\":2}", NL_LINE_NOT_EVENT },
		{ "{\"nl\":1", NL_LINE_TORN }, { "{\"nl\":1,", NL_LINE_TORN }, { "{\"nl\":2", NL_LINE_TORN }, { "x{\"nl\":1,\"time\":\"}", NL_LINE_TORN },
		{ "{\"nl\":1,\"a\":{}", NL_LINE_TORN }, { "{\"nl\":1,\"a\":\"\\", NL_LINE_TORN }, { "{\"nl\":1,\"a\":\"\\\"}", NL_LINE_TORN },
		{ "{\"nl\":1,\"a\":[}", NL_LINE_TORN }, { "{\"nl\":0,", NL_LINE_TORN },
		{ "{\"nl\":1}", NL_LINE_BAD_JSON }, { "{\"nl\":1,}", NL_LINE_BAD_JSON }, { "{\"nl\":1,\"a\":2}", NL_LINE_BAD_JSON },
		{ "{\"nl\":1,\"a\":{]}", NL_LINE_BAD_JSON }, { "{\"nl\":1.0,\"a\":2}", NL_LINE_BAD_JSON }, { "{\"nl\":1 ,\"a\":2}", NL_LINE_BAD_JSON },
		{ "{\"nl\":0,\"a\":2}", NL_LINE_BAD_JSON }, { "{\"nl\":01,\"a\":2}", NL_LINE_BAD_JSON },
		{ "{\"nl\":2,", NL_LINE_NEWER }, { "{\"nl\":2}", NL_LINE_NEWER }, { "{\"nl\":10,\"a\":1}", NL_LINE_NEWER }, { "{\"nl\":9999999999999999999999 ", NL_LINE_NEWER },
		{ "{\"nl\":1,\"nl\":1,\"a\":2}", NL_LINE_DUP_KEY }, { "{\"nl\":1,\"a\":1,\"\\u0061\":2}", NL_LINE_DUP_KEY }, { "{\"nl\":1,\"\":1,\"\":2}", NL_LINE_DUP_KEY },
		{ "{\"nl\":1,\"\\ud800\":1,\"\\udc00\":2}", NL_LINE_DUP_KEY },
	};
	char big[4 * NL_FACT_MAX];

	TEST("a line is what the rules say, one after the other")
		for (size_t i = 0; i < LEN(row); i++)
			CHECK_ROW(read_s(row[i].text) == row[i].is, row[i].text);
	TEST("every beginning of an event is torn, from its mark on") {
		for (size_t n = 0; n < sizeof whole - 1; n++)
			CHECK(read_n(whole, n) == (n < 7 ? NL_LINE_NOT_EVENT : NL_LINE_TORN));
	}
	TEST("text before and behind an event belongs to others") {
		snprintf(big, sizeof big, "%s%s%s", "{ \"} torn {\"nl\":1,\"time\":\"20", whole, "} \" and more\r");
		CHECK(read_s(big) == NL_LINE_OK && fact.line.s == copy + 28 && fact.line.n == sizeof whole - 1 && fact.seq == 3);
	}
	TEST("of several events in a line the last counts") {
		snprintf(big, sizeof big, "%s%s", whole, with(""));
		CHECK(read_s(big) == NL_LINE_OK && fact.told == NL_TOLD_OTHER);
		snprintf(big, sizeof big, "%s{\"nl\":1,", whole);
		CHECK(read_s(big) == NL_LINE_TORN);
	}
	TEST("two events that one line was spliced of are a key twice") {
		snprintf(big, sizeof big, "%.*s%s", 200, whole, strstr(whole, ",\"span_id\""));
		CHECK(read_s(big) == NL_LINE_BAD_JSON);
		CHECK(read_s(but(",\"exit\":7", ",\"exit\":7,\"exit\":7")) == NL_LINE_DUP_KEY);
		CHECK(read_s(but(",\"exit\":7", ",\"exit\":7,\"new\":1,\"new\":1")) == NL_LINE_DUP_KEY);
		CHECK(read_s(but(",\"exit\":7", ",\"exit\":7,\"new\":{\"a\":1,\"a\":1}")) == NL_LINE_OK);
	}
	TEST("an event has 4095 bytes at most, whatever is around it") {
		static char pad[2 * NL_FACT_MAX];
		memset(pad, 'x', sizeof pad);
		int room_for = NL_FACT_MAX - 1 - (int)strlen(with(",\"pad\":\"\""));
		for (int more = 0; more < 3; more++) {
			char event[2 * NL_FACT_MAX];
			snprintf(event, sizeof event, "%s,\"pad\":\"%.*s\"}", least, room_for + more, pad);
			enum nl_line want = more ? NL_LINE_TOO_LONG : NL_LINE_OK;
			CHECK(read_s(event) == want);
			snprintf(big, sizeof big, "%.*s%s%.*s", 99, pad, event, 3000, pad);
			CHECK(read_s(big) == want);
		}
		snprintf(big, sizeof big, "{\"nl\":1,\"pad\":\"%.*s", NL_FACT_MAX, pad);
		CHECK(read_n(big, NL_FACT_MAX - 1) == NL_LINE_TORN && read_n(big, NL_FACT_MAX) == NL_LINE_TOO_LONG);
	}
	TEST("deep and wide values are read or refused, but never beyond them") {
		size_t n = (size_t)snprintf(big, sizeof big, "%s,\"d\":", least);
		memset(big + n, '[', 1500), memset(big + n + 1500, ']', 1500), strcpy(big + n + 3000, "}");
		CHECK(read_s(big) == NL_LINE_BAD_JSON);
		memset(big + n, '[', 511), memset(big + n + 511, ']', 511), strcpy(big + n + 1022, "}");
		CHECK(read_s(big) == NL_LINE_OK);
		for (big[n] = '[', n++; n < 4080; n += 2)
			memcpy(big + n, "0,", 2);
		strcpy(big + n, "0]}");
		CHECK(read_s(big) == NL_LINE_OK);
		n = (size_t)snprintf(big, sizeof big, "%s", least);
		for (unsigned i = 0; n < 4080; i++)
			n += (size_t)snprintf(big + n, sizeof big - n, ",\"%x\":0", i);
		strcpy(big + n, "}");
		CHECK(read_s(big) == NL_LINE_OK);
	}
}

static void hostile(void)
{
	static const struct { const char *from, *to; } bad[] = {
		{ "\"seq\":3", "\"seq\":-3" }, { "\"seq\":3", "\"seq\":4294967296" }, { "\"seq\":3", "\"seq\":3.0" }, { "\"seq\":3", "\"seq\":3e0" },
		{ "\"seq\":3", "\"seq\":\"3\"" }, { "\"seq\":3", "\"seq\":null" }, { "\"seq\":3", "\"seq\":-0" }, { "\"seq\":3", "\"seq\":03" },
		{ "\"seq\":3,", "" }, { "\"sev\":17", "\"sev\":25" }, { "\"sev\":17", "\"sev\":[17]" }, { "\"exit\":7", "\"exit\":256" }, { "\"exit\":7", "\"exit\":true" },
		{ "\"dur_s\":1.000002", "\"dur_s\":-1.0" }, { "\"dur_s\":1.000002", "\"dur_s\":-0.0" }, { "\"dur_s\":1.000002", "\"dur_s\":1000000000" },
		{ "\"dur_s\":1.000002", "\"dur_s\":1e400" }, { "\"dur_s\":1.000002", "\"dur_s\":\"1\"" }, { "\"dur_s\":1.000002", "\"dur_s\":1000000000.0" },
		{ "\"dur_s\":1.000002", "\"dur_s\":999999999.9999999" }, { "\"mono_us\":81234567890", "\"mono_us\":1000000000000000000" },
		{ "\"mono_us\":81234567890", "\"mono_us\":99999999999999999999999999999999999" }, { "\"gen\":4", "\"gen\":-1" },
		{ "2026-11-23", "2026-02-29" }, { "2026-11-23", "2026-13-01" }, { "2026-11-23", "2026-00-01" }, { "2026-11-23", "2026-11-00" },
		{ "2026-11-23", "1969-12-31" }, { "2026-11-23", "2026-11-31" }, { "2026-11-23", "2026/11/23" }, { "07:15:00", "24:00:00" }, { "07:15:00", "07:60:00" },
		{ "07:15:00", "07:15:61" }, { "00.000123Z", "00.00012Z" }, { "00.000123Z", "00.0001234Z" }, { "00.000123Z", "00.000123z" }, { "00.000123Z", "00,000123Z" },
		{ "00.000123Z", "00.00012xZ" }, { "\"2026-11-23T07:15:00.000123Z\"", "1795418100" }, { "T07", "\\u005407" },
		{ "\"policy\":\"curl\"", "\"policy\":\"\"" }, { "\"policy\":\"curl\"", "\"policy\":\"a b\"" }, { "\"policy\":\"curl\"", "\"policy\":\"a\\u0007\"" },
		{ "\"policy\":\"curl\"", "\"policy\":\"a\x7f\"" }, { "\"policy\":\"curl\"", "\"policy\":\"a\\u0062\"" }, { "\"policy\":\"curl\"", "\"policy\":\"\xc3\xa9\"" },
		{ "\"policy\":\"curl\"", "\"policy\":7" }, { "curl", "p1234567890123456789012345678901234567890123456789012345678901234" },
		{ "\"kind\":\"retry\"", "\"kind\":\"Retry\"" }, { "\"kind\":\"retry\"", "\"kind\":\"abcdefghijklmnopq\"" }, { "nl.request.failure", "nl." },
		{ "nl.request.failure", "ml.request.failure" }, { "nl.request.failure", "nl.request failure" }, { "9f3c0000000000d5", "9F3c0000000000d5" },
		{ "9f3c0000000000d5", "9f3c0000000000d" }, { "9f3c0000000000d5", "9f3c0000000000d50" }, { "9f3c0000000000d5", "9f3c0000000000g5" },
		{ "4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e473" }, { "4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e47360" },
		{ "\"exit_7\"", "\"exit 7\"" }, { "\"exit_7\"", "7" }, { "\"exit_7\"", "\"abcdefghijklmnopqrstuvwxyzabcdefg\"" }, { "\"sh\"", "[]" },
		{ "\"sh\"", "\"s\x01h\"" }, { "\"sh\"", "\"s\xff\"" }, { "\"sh\"", "\"s\xed\xa0\x80\"" }, { "\"sh\"", "\"\\x\"" }, { "\"sh\"", "sh" },
		{ "\"gen\":4,", "\"gen\":4,," }, { "\"gen\":4,", "\"gen\":4 " }, { "\"gen\":4,", "\"gen\" 4," }, { "\"gen\":4", "\"gen\":4." },
	};
	static const struct { const char *from, *to; } good[] = {
		{ "\"seq\":3", "\"seq\":4294967295" }, { "\"pid\":7", "\"pid\":null" }, { "\"pid\":7,", "" }, { "\"sev\":17", "\"sev\":24" },
		{ "\"attempts\":2", "\"attempts\":2,\"new\":[1e400,{\"nl\":[]}]" }, { "curl", "A.9_:/-" }, { "nl.request.failure", "nl.x" },
		{ "curl", "p123456789012345678901234567890123456789012345678901234567890123" }, { ",\"seq\"", "\t,\r \"seq\"" }, { "\"seq\"", "\"\\u0073eq\"" },
		{ "\"sh\"", "\"\xe2\x82\xac \\\" \\n{}[]\"" }, { "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",", "" }, { "2026-11-23T07:15:00", "2028-02-29T23:59:60" },
		{ "\"sh\"", "\"{\\\"nl\\\":1,\"" },
	};
	TEST("a value that is not what its key says makes no event")
		for (size_t i = 0; i < LEN(bad); i++)
			CHECK_ROW(read_s(but(bad[i].from, bad[i].to)) == NL_LINE_BAD_JSON, bad[i].to);
	TEST("what the rules let pass is an event")
		for (size_t i = 0; i < LEN(good); i++)
			CHECK_ROW(read_s(but(good[i].from, good[i].to)) == NL_LINE_OK, good[i].to);
	TEST("a NUL is foreign text, or in an event no JSON") {
		char line[1024];
		size_t n = sizeof whole - 1;
		memcpy(line, "a\0b", 3), memcpy(line + 3, whole, n), memcpy(line + 3 + n, "\0", 1);
		CHECK(read_n(line, n + 4) == NL_LINE_OK && fact.line.n == n);
		line[3 + 60] = '\0';
		CHECK(read_n(line, n + 4) == NL_LINE_BAD_JSON);
		CHECK(read_n("a\0b", 3) == NL_LINE_NOT_EVENT);
	}
}

static void numbers(void)
{
	static const struct { const char *text; int64_t us; } row[] = {
		{ "0", 0 }, { "1", 1000000 }, { "1.5", 1500000 }, { "0.000001", 1 }, { "1.2e-05", 12 }, { "12E2", 1200000000 }, { "0.0000014", 1 },
		{ "0.0000016", 2 }, { "999999999", INT64_C(999999999000000) }, { "0.3", 300000 }, { "4.35", 4350000 },
	};
	static const struct { const char *text; int64_t us; } time[] = {
		{ "1970-01-01T00:00:00Z", 0 }, { "2000-02-29T12:34:56.7Z", INT64_C(951827696700000) }, { "2100-03-01T00:00:00.000000Z", INT64_C(4107542400000000) },
		{ "2199-12-31T23:59:59.999999999Z", INT64_C(7258118399999999) }, { "2199-12-31T23:59:60.999999Z", NL_TIME_MOST }, { "2200-01-01T00:00:00Z", -1 }, { "9999-12-31T23:59:59.999999Z", -1 }, { "2016-12-31T23:59:60.5Z", INT64_C(1483228800500000) },
		{ "2100-02-29T00:00:00Z", -1 }, { "2000-01-01T00:00:00", -1 }, { "2000-01-01T00:00:00.Z", -1 }, { "2000-01-01 00:00:00Z", -1 },
		{ "2000-01-01T00:00:00+00:00", -1 }, { "", -1 }, { "Z", -1 }, { "2000-01-01T00:00:00.1 Z", -1 },
	};
	char more[64];

	TEST("seconds are exact, and may have been written by others")
		for (size_t i = 0; i < LEN(row); i++) {
			snprintf(more, sizeof more, ",\"dur_s\":%s", row[i].text);
			CHECK_ROW(read_s(with(more)) == NL_LINE_OK && fact.dur_us == row[i].us, row[i].text);
		}
	TEST("a time is one in UTC")
		for (size_t i = 0; i < LEN(time); i++)
			CHECK_ROW(nl_time_read(time[i].text, strlen(time[i].text)) == time[i].us, time[i].text);
}

static void attributes(void)
{
	char buf[8];

	TEST("attributes that few ask for are looked up in the line") {
		CHECK(read_s(with(",\"rate\":0.55,\"n\":-3,\"window_s\":30.000000,\"from\":\"a\\u00e9\\\"z\",\"errs\":{\"exit_2\":4},\"on\":true,\"big\":1e30")) == NL_LINE_OK);
		CHECK(is(nl_fact_attr(&fact, "errs"), "{\"exit_2\":4}") && is(nl_fact_attr(&fact, "from"), "\"a\\u00e9\\\"z\""));
		CHECK(is(nl_fact_attr(&fact, "on"), "true") && nl_fact_attr(&fact, "exit_2").n == 0);
		CHECK(nl_fact_int(&fact, "n", 7) == -3 && nl_fact_int(&fact, "rate", 7) == 7 && nl_fact_int(&fact, "none", 7) == 7);
		CHECK(nl_fact_us(&fact, "window_s", 7) == 30000000 && nl_fact_us(&fact, "n", 7) == 7 && nl_fact_us(&fact, "from", 7) == 7);
		CHECK(nl_fact_us(&fact, "none", 7) == 7 && nl_fact_us(&fact, "big", 7) == 7);
		CHECK(nl_fact_real(&fact, "rate", 7) == 0.55 && nl_fact_real(&fact, "from", 7) == 7 && nl_fact_real(&fact, "none", 7) == 7);
	}
	TEST("wherever and however an attribute stands, it is that of the event itself") {
		static const char *const row[] = {
			",\"reason\":\"full\"", ",\"reason\" : \"full\"", ", \"reason\":\"full\" ", ",\"re\\u0061son\":\"full\"", ",\"reason\":\"f\\u0075ll\"",
			",\"tags\":{\"reason\":\"no\"},\"reason\":\"full\"", ",\"why\":\"reason\",\"reason\":\"full\"",
			",\"why\":\"\\\"reason\\\":\\\"no\\\"\",\"reason\":\"full\"", ",\"arms\":[{\"n\":1}],\"reason\":\"full\",\"x\":1",
		};
		for (size_t i = 0; i < LEN(row); i++)
			CHECK_ROW(read_s(with(row[i])) == NL_LINE_OK && nl_fact_str(&fact, "reason", buf, sizeof buf) == 4 && strcmp(buf, "full") == 0, row[i]);
		CHECK(read_s(with(",\"tags\":{\"reason\":\"no\"}")) == NL_LINE_OK && nl_fact_attr(&fact, "reason").n == 0);
		CHECK(read_s(with(",\"n\": 5 ,\"m\":5 ,\"k\":6")) == NL_LINE_OK && nl_fact_int(&fact, "n", 7) == 5 && nl_fact_int(&fact, "m", 7) == 5
		      && nl_fact_int(&fact, "k", 7) == 6);
	}
	TEST("a text is unescaped and cut at a character") {
		CHECK(read_s(with(",\"n\":-3,\"from\":\"a\\u00e9\\\"z\"")) == NL_LINE_OK);
		CHECK(nl_fact_str(&fact, "from", buf, sizeof buf) == 5 && strcmp(buf, "a\xc3\xa9\"z") == 0);
		CHECK(nl_fact_str(&fact, "from", buf, 3) == 1 && strcmp(buf, "a") == 0);
		CHECK(nl_fact_str(&fact, "from", buf, 4) == 3 && strcmp(buf, "a\xc3\xa9") == 0);
		CHECK(nl_fact_str(&fact, "none", buf, 4) == 0 && !*buf && nl_fact_str(&fact, "n", buf, 4) == 0 && nl_fact_str(&fact, "from", buf, 0) == 0);
	}
}

/* The line as a JSON string's content, between two texts. */
static const char *wrapped(const char *before, const char *line, const char *behind)
{
	static char buf[6 * NL_FACT_MAX];
	size_t n = (size_t)snprintf(buf, sizeof buf, "%s", before);
	for (; *line; line++) {
		if (*line == '"' || *line == '\\')
			buf[n++] = '\\';
		buf[n++] = *line;
	}
	snprintf(buf + n, sizeof buf - n, "%s", behind);
	return buf;
}

static const char *listed(const char *before, const char *line, const char *comma, const char *behind)
{
	static char buf[8 * NL_FACT_MAX];
	size_t n = (size_t)snprintf(buf, sizeof buf, "%s", before);
	for (; *line; line++)
		n += (size_t)snprintf(buf + n, sizeof buf - n, "%u%s", (unsigned char)*line, line[1] ? comma : "");
	snprintf(buf + n, sizeof buf - n, "%s", behind);
	return buf;
}

static void wrappings(void)
{
	static const char docker[] = "{\"log\":\"", docker_end[] = "\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-23T07:15:00.1Z\"}";
	static const char *const before[] = {
		"2026-11-23T07:15:00.123456789Z stderr F ", "2026-11-23T07:15:00.0000000Z ", "2026-11-23T07:15:00.000000Z 00E ", "\x1b[0;33m",
		"Nov 23 07:15:00 box job[77]: ", "curl: (6) Could not resolve ", "\t", "{\"log\":", "[1,",
	};
	char line[2 * NL_FACT_MAX];

	TEST("what logs of containers and of CI put before a line is passed over")
		for (size_t i = 0; i < LEN(before); i++) {
			snprintf(line, sizeof line, "%s%s\r", before[i], whole);
			CHECK_ROW(read_s(line) == NL_LINE_OK && fact.line.n == sizeof whole - 1 && fact.seq == 3, before[i]);
		}
	TEST("an event is found inside of JSON, under whatever key") {
		CHECK(read_s(wrapped(docker, whole, docker_end)) == NL_LINE_OK && fact.seq == 3 && fact.line.s == room && is(fact.line, whole));
		CHECK(read_s(wrapped("{\"__CURSOR\":\"s=1\",\"MESSAGE\" : \"foreign {\\\"nl\\\":1, ", whole, "\",\"_PID\":\"7\"}")) == NL_LINE_OK);
		CHECK(is(fact.line, whole) && is(fact.policy, "curl"));
		CHECK(read_s(wrapped(docker, but("\"sh\"", "\"a\\\\b\\u00e9\""), docker_end)) == NL_LINE_OK && is(fact.cmd, "a\\\\b\\u00e9"));
	}
	TEST("escapes of the log around an event are its characters") {
		CHECK(read_s("{\"log\":\"{\\\"nl\\\":1,\\\"a\\\":\\\"\\u003c\\/\\ud83d\\ude00\\ud800\\ud83d\\ude00\\\"}\"}") == NL_LINE_BAD_JSON);
		CHECK(memcmp(room, "{\"nl\":1,\"a\":\"</\xf0\x9f\x98\x80\xef\xbf\xbd\xf0\x9f\x98\x80\"}", 28) == 0);
		CHECK(read_s(wrapped(docker, "{\"nl\":1,\"a\":1}", "")) == NL_LINE_BAD_JSON);
		CHECK(read_s("{\"log\":\"{\\\"nl\\\":1,\\\"a\\\":\\x\"}") == NL_LINE_BAD_JSON);
		CHECK(read_s("{\"log\":\"{\\\"nl\\\":1,\\\"a\\\":\\u12x4 \"}") == NL_LINE_BAD_JSON);
		CHECK(read_s("{\"log\":\"{\\\"nl\\\":1,\\\"a\\\":\\n2}") == NL_LINE_BAD_JSON);
	}
	TEST("a wrapped event may be torn, too long, newer") {
		CHECK(read_s(wrapped(docker, "{\"nl\":1,\"a\":", docker_end)) == NL_LINE_TORN);
		CHECK(read_s(wrapped(docker, "{\"nl\":2,\"a\":", docker_end)) == NL_LINE_NEWER);
		CHECK(read_s("{\"log\":\"{\\\"nl\\\":1") == NL_LINE_TORN && read_s("{\"log\":\"{\\\"nl\\\":") == NL_LINE_NOT_EVENT);
		for (const char *cut = "\\u12"; *cut; cut++) {
			snprintf(line, sizeof line, "{\"log\":\"{\\\"nl\\\":1,%.*s", (int)strlen(cut), "\\u12");
			CHECK_ROW(read_s(line) == NL_LINE_TORN, line);
		}
		memset(line, 'x', sizeof line);
		memcpy(line, "{\"nl\":1,", 8);
		line[NL_FACT_MAX - 1] = '\0';
		CHECK(read_s(wrapped(docker, line, docker_end)) == NL_LINE_TOO_LONG);
		line[NL_FACT_MAX - 2] = '\0';
		CHECK(read_s(wrapped(docker, line, "\"}")) == NL_LINE_TORN);
	}
	TEST("an event is found in the list of bytes that journald makes") {
		CHECK(read_s(listed("{\"MESSAGE\":[", whole, ",", "],\"_PID\":\"7\"}")) == NL_LINE_OK && is(fact.line, whole) && fact.line.s == room);
		snprintf(line, sizeof line, "\x1b[1m\xff{\"nl\":1,%s\x1b", whole);
		CHECK(read_s(listed("{\"MESSAGE\" : [ ", line, ", ", " ] }")) == NL_LINE_OK && is(fact.line, whole));
		CHECK(read_s(listed("{\"MESSAGE\":[", "no event", ",", "]}")) == NL_LINE_NOT_EVENT);
		CHECK(read_s(listed("{\"MESSAGE\":[", "{\"nl\":1,\"a", ",", "")) == NL_LINE_TORN);
		CHECK(read_s(listed("{\"MESSAGE\":[", "{\"nl\":3,\"a", ",", "]}")) == NL_LINE_NEWER);
		CHECK(read_s("{\"MESSAGE\":[123,34,110,108,34,58,49,444]}") == NL_LINE_TORN && read_s("{\"MESSAGE\":[") == NL_LINE_NOT_EVENT);
		CHECK(read_s("{\"MESSAGE\":") == NL_LINE_NOT_EVENT && read_s("{\"MESSAGE\"") == NL_LINE_NOT_EVENT && read_s("{\"MESSAGE\":[,]}") == NL_LINE_NOT_EVENT);
		memset(line, 'x', sizeof line);
		memcpy(line, "{\"nl\":1,", 8);
		strcpy(line + 4500, whole);
		CHECK(read_s(listed("{\"MESSAGE\":[", line, ",", "]}")) == NL_LINE_OK && is(fact.line, whole));
		line[4500] = '\0';
		CHECK(read_s(listed("{\"MESSAGE\":[", line, ",", "]}")) == NL_LINE_TOO_LONG);
	}
	TEST("a mark that is plain is never taken for a wrapped one")
		CHECK(read_s(wrapped(whole, "{\"nl\":2,", "")) == NL_LINE_OK && fact.seq == 3);
}

int main(void)
{
	fields();
	verdicts();
	hostile();
	numbers();
	attributes();
	wrappings();
	free(copy);
	return unit_done();
}
