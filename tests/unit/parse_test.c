/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse_test.c - what people write and what it means: durations, counts,
 * signals, sets of outcomes, Retry-After.
 */
#include "parse.h"
#include "unit.h"

#include <signal.h>
#include <string.h>

#define LEN(a) (sizeof(a) / sizeof *(a))
#define MIN (60 * NL_SEC)
#define HOUR (60 * MIN)
#define DAY (24 * HOUR)

static struct nl_err err;

static void durations(void)
{
	static const struct { const char *text; nl_time ns; } both[] = {
		{ "0", 0 }, { "0s", 0 }, { "-0", 0 }, { "0.0", 0 }, { "1", NL_SEC }, { "1s", NL_SEC }, { "2m", 2 * MIN },
		{ "3h", 3 * HOUR }, { "1d", DAY }, { "1.5", 1500 * NL_MS }, { ".5", 500 * NL_MS }, { "5.", 5 * NL_SEC },
		{ "1e3", 1000 * NL_SEC }, { "1e-3", NL_MS }, { "2.5E+1m", 1500 * NL_SEC }, { "1e-3d", 86400 * NL_MS },
		{ " 1", NL_SEC }, { "\t +1.5m", 90 * NL_SEC }, { "+2", 2 * NL_SEC },
		{ "0x10", 16 * NL_SEC }, { "0x1d", 29 * NL_SEC }, { "0x1.8p1d", 3 * DAY }, { "0X.8P0", 500 * NL_MS },
		{ "inf", NL_NEVER }, { "INF", NL_NEVER }, { "infinity", NL_NEVER }, { "Infinityd", NL_NEVER }, { "+infs", NL_NEVER },
		{ "1e400", NL_NEVER }, { "1e18d", NL_NEVER }, { "9223372036.854775807", NL_NEVER }, { "99999999999999999999", NL_NEVER },
		{ "1e-10000", 1 }, { "1e-10000d", 1 }, { "1e-400", 1 }, { "1e-320", 1 }, { "4e-324", 1 }, { "0x1p-2000", 1 },
		{ "0e-10000", 0 }, { "1e-9", 1 }, { "1.1e-9", 2 }, { "0.0000000001", 1 }, { "1.0000000001", NL_SEC + 1 },
		{ "0.1", 100 * NL_MS }, { "0.3", 300 * NL_MS }, { "1.1", 1100 * NL_MS }, { "2.2", 2200 * NL_MS },
		{ "10.34", 10340 * NL_MS }, { "9.999999999", 9999999999 }, { "0.7m", 42 * NL_SEC }, { "1.1h", 3960 * NL_SEC },
		{ "4.35", 4350 * NL_MS }, { "44.73d", 3864672 * NL_SEC }, { "513.99727h", 1850390172 * NL_MS }, { "100000000", 100000000 * NL_SEC }, { "1000000.000000001", 1000000 * NL_SEC + 1 },
	}, ours[] = {
		{ "1us", NL_US }, { "1.5us", 1500 }, { "0.0001us", 1 }, { "250ms", 250 * NL_MS }, { "1e3ms", NL_SEC }, { "infms", NL_NEVER },
		{ "1m30s", 90 * NL_SEC }, { "1h15m30.5s", HOUR + 15 * MIN + 30500 * NL_MS }, { "1m.5s", MIN + 500 * NL_MS },
		{ "1d2h3m4s5ms6us", DAY + 2 * HOUR + 3 * MIN + 4 * NL_SEC + 5 * NL_MS + 6 * NL_US }, { "1m500ms", MIN + 500 * NL_MS },
		{ "1d1us", DAY + NL_US }, { "0m0s", 0 }, { "1.5h30m", 2 * HOUR }, { "1d1e300s", NL_NEVER }, { "106751d85636s", 9223372036 * NL_SEC },
		{ "106751d1e6s", NL_NEVER }, { "1m1e-10000s", MIN + 1 },
	};
	static const struct { const char *text, *why; } bad[] = {
		{ "", "not a duration" }, { " ", "not a duration" }, { "invalid", "not a duration" }, { "s", "not a duration" },
		{ "nan", "not a duration" }, { "NAN", "not a duration" }, { "-nan", "not a duration" }, { "nan(1)", "not a duration" },
		{ ".", "not a duration" }, { "+", "not a duration" }, { "+-1", "not a duration" }, { "- 1", "not a duration" },
		{ "-1", "negative" }, { " -0.1", "negative" }, { " -1e-10000", "negative" }, { "-inf", "negative" },
		{ "42D", "unknown unit" }, { "1w", "unknown unit" }, { "1sec", "unknown unit" }, { "1 s", "unknown unit" },
		{ "1 ", "unknown unit" }, { "1ns", "unknown unit" }, { "1e", "unknown unit" }, { "infx", "unknown unit" },
		{ "1S", "unknown unit" }, { "1,5", "unknown unit" }, { "inf1m", "unknown unit" }, { "1msx", "unknown unit" }, { "1min", "unknown unit" },
		{ "1m30", "the last number needs a unit" }, { "1s1m", "units must go" }, { "1m1m", "units must go" },
		{ "1m ", "trailing text" }, { "1m 30s", "trailing text" }, { "1m+30s", "trailing text" }, { "1m-30s", "trailing text" },
		{ "1s,", "trailing text" }, { "5s\n", "trailing text" }, { "1m.s", "not a duration" },
	};
	nl_time t;

	TEST("a duration by GNU's grammar is read alike by both parsers") {
		for (size_t i = 0; i < LEN(both); i++) {
			CHECK_ROW(nl_parse_time(both[i].text, &t, &err) == 0 && t == both[i].ns, both[i].text);
			CHECK_ROW(nl_parse_time_gnu(both[i].text, &t, &err) == 0 && t == both[i].ns, both[i].text);
		}
	}
	TEST("us, ms and compounds are ours alone") {
		for (size_t i = 0; i < LEN(ours); i++) {
			CHECK_ROW(nl_parse_time(ours[i].text, &t, &err) == 0 && t == ours[i].ns, ours[i].text);
			CHECK_ROW(nl_parse_time_gnu(ours[i].text, &t, &err) == -1 && strstr(err.msg, "unknown unit (s, m, h, d)"), ours[i].text);
		}
	}
	TEST("anything else is refused with a reason, and nothing is stored") {
		for (size_t i = 0; i < LEN(bad); i++) {
			t = -1;
			CHECK_ROW(nl_parse_time(bad[i].text, &t, &err) == -1 && t == -1, bad[i].text);
			CHECK_ROW(!strncmp(err.msg, bad[i].why, strlen(bad[i].why)), bad[i].text);
			CHECK_ROW(nl_parse_time_gnu(bad[i].text, &t, &err) == -1 && t == -1, bad[i].text);
		}
	}
}

static void counts(void)
{
	static const struct { const char *text; unsigned n; } good[] = {
		{ "1", 1 }, { "3", 3 }, { "007", 7 }, { "4294967295", 4294967295 }, { "inf", 0 }, { "INF", 0 },
	};
	static const struct { const char *text, *why; } bad[] = {
		{ "0", "at least 1 (inf for no limit)" }, { "000", "at least 1 (inf for no limit)" },
		{ "4294967296", "at most 4294967295 (inf for no limit)" }, { "99999999999999999999999", "at most 4294967295 (inf for no limit)" },
		{ "", "not a whole number (or inf)" }, { "-1", "not a whole number (or inf)" }, { "+1", "not a whole number (or inf)" },
		{ " 1", "not a whole number (or inf)" }, { "1.5", "not a whole number (or inf)" }, { "3x", "not a whole number (or inf)" },
		{ "infinity", "not a whole number (or inf)" },
	};
	unsigned n;
	uint64_t u = 5;

	TEST("a count is at least 1, or inf")
		for (size_t i = 0; i < LEN(good); i++)
			CHECK_ROW(nl_parse_count(good[i].text, &n, &err) == 0 && n == good[i].n, good[i].text);
	TEST("0 attempts, signs, fractions and 2^32 are no counts") {
		n = 42;
		for (size_t i = 0; i < LEN(bad); i++)
			CHECK_ROW(nl_parse_count(bad[i].text, &n, &err) == -1 && n == 42 && !strcmp(err.msg, bad[i].why), bad[i].text);
	}
	TEST("a seed is any whole number of 64 bits") {
		CHECK(!nl_parse_u64("18446744073709551615", &u, &err) && u == UINT64_MAX);
		CHECK(!nl_parse_u64("0", &u, &err) && u == 0);
		CHECK(nl_parse_u64("18446744073709551616", &u, &err) && nl_parse_u64("", &u, &err) && nl_parse_u64("-1", &u, &err));
		CHECK(nl_parse_u64("1x", &u, &err) && u == 0);
		CHECK(!strcmp(err.msg, "not a whole number below 2^64"));
	}
}

static void names(void)
{
	static const char *const good[] = { "a", "0", "db-main_2.eu", "A23456789012345678901234567890123456789012345678901234567890.-_x" };
	static const char *const bad[] = {
		"", ".", "..", ".x", "-x", "_x", "a/b", "a b", "a\n", "\xc3\xa9",
		"A23456789012345678901234567890123456789012345678901234567890.-_xy",
	};
	const char *out = NULL;

	TEST("a policy's name is 1 to 64 safe characters")
		for (size_t i = 0; i < LEN(good); i++)
			CHECK_ROW(!nl_parse_name(good[i], &out, &err) && out == good[i], good[i]);
	TEST("a name cannot leave its directory, look like an option or be hidden") {
		out = NULL;
		for (size_t i = 0; i < LEN(bad); i++)
			CHECK_ROW(nl_parse_name(bad[i], &out, &err) && !out && !strncmp(err.msg, "not a name", 10), bad[i]);
	}
}

static void signals(void)
{
	static const struct { const char *text; int sig; } good[] = {
		{ "TERM", SIGTERM }, { "SIGTERM", SIGTERM }, { "term", SIGTERM }, { "sigKill", SIGKILL }, { "9", 9 }, { "0", 0 }, { "EXIT", 0 },
		{ "64", 64 }, { "HUP", SIGHUP }, { "USR1", SIGUSR1 }, { "IOT", SIGABRT }, { "CLD", SIGCHLD }, { "POLL", SIGIO },
	};
	static const char *const bad[] = {
		"", "SIG", "invalid", "SIGSIGTERM", "TER", "TERMX", "65", "-9", "9x", "1.5", " TERM", "TERM ", "99999999999999999999",
		"RTMIN-1", "RTMIN+", "RTMIN+31", "RTMIN+1x", "RTMAX+1", "RTMAX-99", "RTMINX", "SIG9", "SIGINTR",
	};
	char buf[16], text[20];
	int sig;

	TEST("a signal has a name in any case, with or without SIG, or a number")
		for (size_t i = 0; i < LEN(good); i++)
			CHECK_ROW(!nl_parse_signal(good[i].text, &sig, &err) && sig == good[i].sig, good[i].text);
	TEST("anything else is no signal")
		for (size_t i = 0; i < LEN(bad); i++)
			CHECK_ROW((sig = -2, nl_parse_signal(bad[i], &sig, &err)) && sig == -2 && !strcmp(err.msg, "unknown signal"), bad[i]);
	TEST("real-time signals count from both ends") {
		CHECK(!nl_parse_signal("RTMIN", &sig, &err) && sig == SIGRTMIN);
		CHECK(!nl_parse_signal("SIGRTMIN+3", &sig, &err) && sig == SIGRTMIN + 3);
		CHECK(!nl_parse_signal("rtmax-2", &sig, &err) && sig == SIGRTMAX - 2);
		CHECK(!nl_parse_signal("RTMAX", &sig, &err) && sig == SIGRTMAX);
		CHECK(!strcmp(nl_signal_name(SIGRTMIN, buf), "RTMIN") && !strcmp(nl_signal_name(SIGRTMIN + 3, buf), "RTMIN+3"));
		CHECK(!strcmp(nl_signal_name(SIGRTMAX, buf), "RTMAX") && !strcmp(nl_signal_name(SIGRTMAX - 3, buf), "RTMAX-3"));
	}
	TEST("every signal's name is read as that signal") {
		for (int i = 0; i <= 64; i++) {
			const char *name = nl_signal_name(i, buf);
			CHECK_ROW(!nl_parse_signal(name, &sig, &err) && sig == i && strncmp(name, "SIG", 3), name);
			(void)snprintf(text, sizeof text, "SIG%s", name);
			CHECK_ROW(name[0] <= '9' || (!nl_parse_signal(text, &sig, &err) && sig == i), name);
		}
	}
	TEST("a number that is no signal keeps its number") {
		CHECK(!strcmp(nl_signal_name(65, buf), "65") && !strcmp(nl_signal_name(-2147483647 - 1, buf), "-2147483648"));
		CHECK(!strcmp(nl_signal_name(SIGRTMIN - 1, buf), SIGRTMIN == 34 ? "33" : "34"));
	}
}

enum { SIGNALLED = 1000 };      // in `codes`: killed by n - SIGNALLED

static struct nl_outcome outcome(int n)
{
	return (struct nl_outcome){ n >= SIGNALLED ? n - SIGNALLED : NL_EXIT(n), NL_RAN };
}

/* Does the SET match exactly these of all statuses and signals? */
static bool matches_exactly(const char *text, const int *want, size_t n)
{
	struct nl_codes set = { .in.any = true };

	if (nl_parse_codes(text, &set, &err) || !set.set)
		return false;
	for (int i = 0; i <= SIGNALLED + 64; i = i == 255 ? SIGNALLED + 1 : i + 1) {
		bool wanted = false;
		for (size_t k = 0; k < n; k++)
			wanted |= want[k] == i;
		if (nl_codes_match(&set, outcome(i)) != wanted)
			return printf("# %d\n", i), false;
	}
	return true;
}

#define MATCHES(text, ...) CHECK_ROW(matches_exactly(text, (const int[]){ __VA_ARGS__ }, sizeof((int[]){ __VA_ARGS__ }) / sizeof(int)), text)

static bool matches(const char *text, struct nl_outcome o)
{
	struct nl_codes set;

	return nl_parse_codes(text, &set, &err) == 0 && nl_codes_match(&set, o);
}

static void codes(void)
{
	static const struct { const char *text, *at; } bad[] = {
		{ "", "an empty element" }, { ",", "an empty element" }, { "1,", "an empty element" }, { ",1", "an empty element" },
		{ "1,,2", "an empty element" }, { "!", "an empty element" }, { "1,!,2", "an empty element" },
		{ "256", "'256' is" }, { "1,300", "'300' is" }, { "99999999999999999999", "'9999" }, { "1-256", "'1-256'" }, { "5-", "'5-'" },
		{ "20-10", "'20-10'" }, { "-5", "'-5'" }, { "1-2-3", "'1-2-3'" }, { "1x", "'1x'" }, { "0x1", "'0x1'" }, { "1, 2", "' 2'" }, { "1 ", "'1 '" },
		{ "s", "'s'" }, { "anyx", "'anyx'" }, { "ANY", "'ANY'" }, { "tim", "'tim'" }, { "EXIT", "'EXIT'" }, { "SIG", "'SIG'" },
		{ "SIGNAL", "'SIGNAL'" }, { "!!1", "'!1'" }, { "1;2", "'1;2'" }, { "signal,foo,1", "'foo'" },
		{ "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", "'abcdefghijklmnopqrstuvwxyzabcdefghijklmn'" },
	};
	char buf[24];

	TEST("numbers and ranges match $?, all of the list, not its first item") {
		MATCHES("1,2,10-20", 1, 2, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20);
		MATCHES("0", 0);
		MATCHES("7-7,255", 7, 255);
		MATCHES("137", 137, SIGNALLED + 9);
		MATCHES("63,64,127,128", 63, 64, 127, 128);
	}
	TEST("names match what happened") {
		MATCHES("SIGKILL", SIGNALLED + 9);
		MATCHES("KILL,term", SIGNALLED + 9, SIGNALLED + 15);
		MATCHES("timeout", 124);
		MATCHES("rejected", 75);
		MATCHES("timeout,rejected,3", 3, 75, 124);
		MATCHES("signal,!64,!HUP,!130-190", SIGNALLED + 63, SIGNALLED + 64);
		CHECK(matches("signal", outcome(SIGNALLED + 64)) && !matches("signal", outcome(137)));
	}
	TEST("timeout also matches a limit of the tool itself, whatever the command then said") {
		CHECK(matches("timeout", (struct nl_outcome){ SIGTERM, NL_DEADLINE }) && matches("timeout", (struct nl_outcome){ 0, NL_DEADLINE }));
		CHECK(!matches("any,!timeout", (struct nl_outcome){ SIGTERM, NL_DEADLINE }));
		CHECK(!matches("timeout", (struct nl_outcome){ SIGTERM, NL_CANCELLED }));
	}
	TEST("any is everything but 0; !x takes away wherever it stands; only !x starts from any") {
		for (int i = 0; i <= SIGNALLED + 64; i = i == 255 ? SIGNALLED + 1 : i + 1) {
			CHECK(matches("any", outcome(i)) == (i != 0));
			CHECK(matches("!75", outcome(i)) == (i != 0 && i != 75));
			CHECK(matches("!2,!4-6,!timeout,!KILL", outcome(i)) == (i && i != 2 && (i < 4 || i > 6) && i != 124 && i != SIGNALLED + 9));
			CHECK(matches("!3,1-5", outcome(i)) == (i >= 1 && i <= 5 && i != 3) && matches("1-5,!3", outcome(i)) == matches("!3,1-5", outcome(i)));
			CHECK(matches("0,any", outcome(i)) && !matches("!any", outcome(i)) && !matches("1,!signal,!any", outcome(i)));
			CHECK(matches("any,!signal", outcome(i)) == (i > 0 && i < SIGNALLED));
		}
	}
	TEST("a SET that is empty, beyond 255 or misspelt is refused, the culprit named") {
		for (size_t i = 0; i < LEN(bad); i++) {
			struct nl_codes set = { .in.any = true };
			CHECK_ROW(nl_parse_codes(bad[i].text, &set, &err) == -1 && set.in.any && !set.set, bad[i].text);
			CHECK_ROW(!strncmp(err.msg, bad[i].at, strlen(bad[i].at)), bad[i].text);
		}
	}
	TEST("by default 0, 75, 125, 126, 127 and death by SIGPIPE are no failures, all else is") {
		for (int i = 0; i <= SIGNALLED + 64; i = i == 255 ? SIGNALLED + 1 : i + 1)
			CHECK(nl_codes_default_failure(outcome(i)) == !(i == 0 || i == 75 || (i >= 125 && i <= 127) || i == SIGNALLED + SIGPIPE));
		CHECK(nl_codes_default_failure(outcome(141)));
	}
	TEST("$? is the status, 128 + signal, or 125 for what is neither") {
		CHECK(nl_code(NL_EXIT(0)) == 0 && nl_code(NL_EXIT(255)) == 255 && nl_code(SIGKILL) == 137 && nl_code(SIGSEGV | 0x80) == 139);
		CHECK(nl_code(0x7f | SIGSTOP << 8) == 125 && nl_code(0xffff) == 125);
	}
	TEST("events name an outcome") {
		CHECK(!nl_err_name(outcome(0), buf));
		CHECK(!strcmp(nl_err_name(outcome(7), buf), "exit_7") && !strcmp(nl_err_name(outcome(255), buf), "exit_255"));
		CHECK(!strcmp(nl_err_name(outcome(SIGNALLED + 15), buf), "signal_TERM") && !strcmp(nl_err_name(outcome(SIGNALLED + 62), buf), "signal_RTMAX-2"));
		CHECK(!strcmp(nl_err_name(outcome(124), buf), "timeout") && !strcmp(nl_err_name(outcome(75), buf), "rejected"));
		CHECK(!strcmp(nl_err_name((struct nl_outcome){ NL_EXIT(127), NL_NOTRUN }, buf), "spawn") && !strcmp(nl_err_name(outcome(127), buf), "exit_127"));
		CHECK(!strcmp(nl_err_name((struct nl_outcome){ SIGTERM, NL_DEADLINE }, buf), "deadline"));
		CHECK(!strcmp(nl_err_name((struct nl_outcome){ NL_EXIT(124), NL_DEADLINE }, buf), "timeout"));
	}
}

static const nl_time now = INT64_C(784111777) * NL_SEC;        // Sun, 06 Nov 1994 08:49:37 GMT

static int ask(const char *text, nl_time real, nl_time *t)
{
	*t = -1;
	return nl_parse_retry_after(text, strlen(text), real, t, &err);
}

static void retry_after(void)
{
	static const struct { const char *text; nl_time ns; } good[] = {
		{ "120", 120 * NL_SEC }, { "0", 0 }, { " 5 \n", 5 * NL_SEC }, { "5\r\n\r\n", 5 * NL_SEC }, { "1.5", 1500 * NL_MS }, { "2m", 2 * MIN },
		{ "1m30s\n", 90 * NL_SEC }, { "250ms", 250 * NL_MS }, { "inf", NL_NEVER }, { "99999999999999999999", NL_NEVER },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 0 }, { "Sun, 06 Nov 1994 08:50:37 GMT", MIN }, { "Sunday, 06-Nov-94 08:50:37 GMT", MIN },
		{ "Sun Nov  6 08:50:37 1994", MIN }, { "Sun Nov 6 08:50:37 1994\n", MIN }, { "\r\n Mon, 07 Nov 1994 08:49:37 GMT\r\n", DAY },
		{ "sun, 6 nov 1994 08:49:38 utc", NL_SEC }, { "Sun, 06 Nov 1994 08:49:60 GMT", 23 * NL_SEC }, { "Sun, 06 Nov 1994 08:50:37", MIN },
		{ "Wed, 31 Dec 1969 23:59:59 GMT", 0 }, { "Mon, 01 Jan 0001 00:00:00 GMT", 0 }, { "Fri, 31 Dec 9999 23:59:59 GMT", NL_NEVER },
		{ "Sunday, 06-Nov-44 08:49:37 GMT", 18263 * DAY }, { "Monday, 07-Nov-44 08:49:37 GMT", 0 }, { "Thursday, 01-Jan-70 00:00:00 GMT", 0 },
		{ "Tue, 29 Feb 2000 00:00:00 GMT", (INT64_C(951782400) - 784111777) * NL_SEC },
		{ "Thu, 31 Dec 2099 23:59:59 GMT", (INT64_C(4102444799) - 784111777) * NL_SEC },
		{ "HTTP/1.1 503 Service Unavailable\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", 7 * NL_SEC },
		{ "HTTP/2 429 \r\nretry-after: 8\r\n\r\n", 8 * NL_SEC }, { "HTTP/1.0 503 x\nRETRY-AFTER:9\n", 9 * NL_SEC },
		{ "Retry-After: Sun, 06 Nov 1994 08:50:37 GMT", MIN }, { "X-Other: 1\nRetry-After:\t 1.5s \t\r\n", 1500 * NL_MS },
		{ "HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 301 Moved\r\nRetry-After: 1000\r\nLocation: /x\r\n\r\n"
		  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\nX: y\r\nretry-AFTER: 3\r\n\r\n", 3 * NL_SEC },
		{ "HTTP/1.1 503 x\r\nRetry-After: 3\r\nRetry-After: 4\r\n\r\n", 4 * NL_SEC },
		{ "HTTP/1.1 503 x\r\nRetry-After: 3\r\n\r\nRetry-After: 99 in the body\r\n", 3 * NL_SEC },
	};
	static const char *const none[] = {
		"", " \r\n\t", "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\n\r\n", "Retry-After:\r\n", "Retry-After: \n",
		"HTTP/1.1 301 Moved\r\nRetry-After: 1000\r\n\r\nHTTP/1.1 500 Oops\r\nX: y\r\n\r\n", "Retry-After-Not: 5\n", "XRetry-After: 5\n", "Retry-Often: 5\n",
		"HTTP/1.1 500 x\r\nRetry-After : 5\r\n\r\n", "HTTP/1.1 500 x\r\nRetry-After\r\nnonsense\r\n: 5\r\n", "error: no idea\n", "HTTP/",
	};
	static const char *const bad[] = {
		"soon", "-5", "nan", "5 minutes", "120\n60", "Retry-After: tomorrow\n", "HTTP/1.1 503 x\r\nretry-after: -1\r\n\r\n",
		"Sun, 06 Nov 1994", "Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 29 Feb 1900 08:49:37 GMT",
		"Sun, 32 Dec 1994 08:49:37 GMT", "Sun, 06 Nov 0000 08:49:37 GMT", "Sun, 06 Nox 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 06 Nov 1994 08:00:61 GMT", "Sun, 06 Nov 1994 08:49:37 PST",
		"Sun, 06 Nov 1994 08:49:37 GMT x", "Sun, 06 Nov 1994 08:49:", "Sun, 06 Nov 1994 08: 49:37", "Sun, 06 Nov 1994 :49:37", "Sun, 06 No:",
		"06 Nov 1994 08:49:37 GMT", "Sun,06 Nov 1994 08:49:37 GMT", ", 06 Nov 1994 08:49:37 GMT", "Sun, Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov1994 08:49:37 GMT", "Sun, 06 Nov 199408:49:37 GMT", "Sun, 06 Nov 1994 08.49:37 GMT", "Sunday, 06.Nov-94 08:49:37 GMT",
		"Sunday, 06-Nov-1994 08:49:37 GMT", "Sunday, 31-Nov-94 08:49:37 GMT", "Sunday, 06-Nox-94 08:49:37 GMT", "Sunday, 06-Nov 94 08:49:37 GMT",
		"Sunday, 06-Nov-9 08:49:37 GMT", "Sunday, 06-Nov-94 25:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 CET", "Sunday, 06-Nov-9408:49:37 GMT",
		"Sun Nov  6 08:49:37 94", "Sun Nov 31 08:49:37 1994", "Sun Nov  6 08:49:37", "Sun Nov  6 08:49 1994", "Sun Nox  6 08:49:37 1994",
		"Sun Nov x 08:49:37 1994", "Sun Nov 6,08:49:37 1994", "Sun Nov6 08:49:37 1994", "Sun Nov 6 08:49:37 1994 PDT", "Sun 06 Nov 1994 08:49:37 GMT",
		"* Trying 127.0.0.1...\n* connect to 127.0.0.1 port 9 failed: Connection refused",
	};
	nl_time t;

	TEST("what a command left: seconds, a duration, a date in three forms, or a dump of header fields")
		for (size_t i = 0; i < LEN(good); i++)
			CHECK_ROW(ask(good[i].text, now, &t) == 1 && t == good[i].ns, good[i].text);
	TEST("an empty file and a response without the field ask for nothing")
		for (size_t i = 0; i < LEN(none); i++)
			CHECK_ROW(ask(none[i], now, &t) == 0 && t == -1, none[i]);
	TEST("a value that cannot be read is an error, never a guess")
		for (size_t i = 0; i < LEN(bad); i++)
			CHECK_ROW(ask(bad[i], now, &t) == -1 && t == -1 && *err.msg, bad[i]);
	TEST("a date is met to the nanosecond, never early") {
		CHECK(ask("Sun, 06 Nov 1994 08:49:38 GMT", now + 1, &t) == 1 && t == NL_SEC - 1);
		CHECK(ask("Sun, 06 Nov 1994 08:49:38 GMT", now + NL_SEC + 1, &t) == 1 && t == 0);
	}
	TEST("two digits of a year mean the one at most 50 years ahead") {
		nl_time in_2069 = INT64_C(3124224000) * NL_SEC;         // 2069-01-01
		CHECK(ask("Saturday, 01-Jan-00 00:00:00 GMT", in_2069, &t) == 1 && t == (INT64_C(4102444800) - 3124224000) * NL_SEC);
		CHECK(ask("Saturday, 01-Jan-18 00:00:00 GMT", in_2069, &t) == 1 && t == (INT64_C(4670438400) - 3124224000) * NL_SEC);
		CHECK(ask("Saturday, 01-Jan-20 00:00:00 GMT", in_2069, &t) == 1 && t == 0);
		CHECK(ask("Tuesday, 01-Jan-69 00:00:01 GMT", in_2069, &t) == 1 && t == NL_SEC);
	}
	TEST("NUL bytes, long lines and text without an end do no harm") {
		static const char nul[] = "12\0" "0", dump[] = "A: \0\nRetry-After: 5\0\n", noend[] = { '1', '2', '3' };
		char big[4096];
		memset(big, 'x', sizeof big);
		CHECK(nl_parse_retry_after(nul, sizeof nul - 1, now, &t, &err) == -1);
		CHECK(nl_parse_retry_after(dump, sizeof dump - 1, now, &t, &err) == -1);
		CHECK(nl_parse_retry_after("\0\0", 2, now, &t, &err) == -1);
		CHECK(nl_parse_retry_after(noend, 2, now, &t, &err) == 1 && t == 12 * NL_SEC);
		CHECK(nl_parse_retry_after(big, sizeof big, now, &t, &err) == -1);
		memcpy(big, "HTTP/1.1 503 Retry-After: 5\nRetry-After: 6\nX: ", 46);
		CHECK(nl_parse_retry_after(big, sizeof big, now, &t, &err) == 1 && t == 6 * NL_SEC);
	}
	TEST("every day to 2261 is one day behind the last") {
		static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
		nl_time day = 0;
		for (int y = 1970; y < 2262; y++)
			for (int m = 0; m < 12; m++)
				for (int d = 1; d <= 31; d++) {
					char text[64];
					(void)snprintf(text, sizeof text, "Day, %02d %.3s %04d 00:00:00 GMT", d, months + 3 * m, y);
					bool leap = y % 4 == 0 && (y % 100 || y % 400 == 0);
					bool real = m == 1 ? d <= 28 + leap : d <= 31 - (m > 6 ? (m - 7) % 2 : m % 2);
					CHECK_ROW((ask(text, 0, &t) == 1) == real, text);
					CHECK_ROW(!real || t == day, text);
					day += real ? DAY : 0;
				}
	}
}

static void texts(void)
{
	TEST("a message is cut to its buffer, and control characters are defused") {
		char big[500];
		memset(big, 'a', sizeof big - 1);
		big[sizeof big - 1] = '\0';
		CHECK(nl_fail(&err, "%s", big) == -1 && strlen(err.msg) == sizeof err.msg - 1);
		CHECK(nl_fail(&err, "a\n\033[2J\x7f\xc3\xa9 %d", 7) == -1 && !strcmp(err.msg, "a??[2J?\xc3\xa9 7"));
	}
}

int main(void)
{
	durations();
	counts();
	names();
	signals();
	codes();
	retry_after();
	texts();
	return unit_done();
}
