/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse.c - text of people into values.  Numbers are read by strtod, which is
 * the same everywhere as long as nobody calls setlocale; we never do.
 */
#include "parse.h"

#include "os.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LEN(a) (sizeof(a) / sizeof *(a))

static const struct unit { char name[4]; double ns; } units[] = {
	{ "d", 86400e9 }, { "h", 3600e9 }, { "m", 60e9 }, { "s", 1e9 }, { "ms", 1e6 }, { "us", 1e3 },
};

static const char signal_names[][8] = {
	[0] = "EXIT",
	[SIGHUP] = "HUP", [SIGINT] = "INT", [SIGQUIT] = "QUIT", [SIGILL] = "ILL",
	[SIGTRAP] = "TRAP", [SIGABRT] = "ABRT", [SIGBUS] = "BUS", [SIGFPE] = "FPE",
	[SIGKILL] = "KILL", [SIGUSR1] = "USR1", [SIGSEGV] = "SEGV", [SIGUSR2] = "USR2",
	[SIGPIPE] = "PIPE", [SIGALRM] = "ALRM", [SIGTERM] = "TERM", [SIGCHLD] = "CHLD",
	[SIGCONT] = "CONT", [SIGSTOP] = "STOP", [SIGTSTP] = "TSTP", [SIGTTIN] = "TTIN",
	[SIGTTOU] = "TTOU", [SIGURG] = "URG", [SIGXCPU] = "XCPU", [SIGXFSZ] = "XFSZ",
	[SIGVTALRM] = "VTALRM", [SIGPROF] = "PROF", [SIGWINCH] = "WINCH", [SIGIO] = "IO",
	[SIGPWR] = "PWR", [SIGSYS] = "SYS",
#ifdef SIGSTKFLT
	[SIGSTKFLT] = "STKFLT",
#endif
};

static const struct { char name[8]; int sig; } signal_aliases[] = {
	{ "IOT", SIGABRT }, { "CLD", SIGCHLD }, { "POLL", SIGIO },
};

/* Reads a number that is not negative.  One too small to be held is not 0:
 * whoever writes it asks for the shortest limit, not for none. */
static int read_number(const char *text, char **end, double *v, struct nl_err *err)
{
	errno = 0;
	*v = strtod(text, end);
	if (*end == text || isnan(*v))
		return nl_fail(err, "not a duration (like 1.5, 2m, 1m30s, 100ms, inf)");
	if (*v < 0 || (signbit(*v) && errno == ERANGE))
		return nl_fail(err, "negative");
	if (*v == 0 && errno == ERANGE)
		*v = DBL_MIN;
	return 0;
}

/* Rounds up, but not for an error in the last places of v * unit: 1.1 s is
 * 1100000000 ns.  From 2^52 ns (52 days) on a double has no more places. */
static nl_time to_ns(double v, double unit)
{
	double ns = v * unit;

	if (ns >= 0x1p63)
		return NL_NEVER;
	nl_time n = (nl_time)ns;
	double rest = ns - (double)n;
	return rest > 0.25 || rest > ns * 0x1p-51 ? n + 1 : n;
}

static size_t find_unit(const char *name, size_t len)
{
	size_t i = 0;

	while (i < LEN(units) && !(strlen(units[i].name) == len && !memcmp(units[i].name, name, len)))
		i++;
	return i;
}

int nl_parse_time(const char *text, nl_time *out, struct nl_err *err)
{
	nl_time sum = 0;
	size_t next = 0;                // units[0..next) can follow no more
	const char *p = text;

	do {
		char *end;
		double v;
		if (p != text && !isdigit((unsigned char)*p) && *p != '.')
			return nl_fail(err, "trailing text");
		if (read_number(p, &end, &v, err))
			return -1;
		if (!*end && p == text) {
			*out = to_ns(v, 1e9);
			return 0;
		}
		if (!*end)
			return nl_fail(err, "the last number needs a unit (us, ms, s, m, h, d)");
		size_t len = strspn(end, "abcdefghijklmnopqrstuvwxyz");
		size_t unit = find_unit(end, len);
		if (unit == LEN(units))
			return nl_fail(err, "unknown unit (us, ms, s, m, h, d)");
		if (unit < next)
			return nl_fail(err, "units must go from large to small");
		next = unit + 1;
		nl_time part = to_ns(v, units[unit].ns);
		sum = part > NL_NEVER - sum ? NL_NEVER : sum + part;
		p = end + len;
	} while (*p);
	*out = sum;
	return 0;
}

int nl_parse_time_gnu(const char *text, nl_time *out, struct nl_err *err)
{
	char *end;
	double v;

	if (read_number(text, &end, &v, err))
		return -1;
	size_t unit = find_unit(*end ? end : "s", 1);
	if (unit == LEN(units) || (*end && end[1]))
		return nl_fail(err, "unknown unit (s, m, h, d)");
	*out = to_ns(v, units[unit].ns);
	return 0;
}

/* Decimal digits up to max; the end of them, or NULL. */
static const char *read_digits(const char *p, uint64_t max, uint64_t *v)
{
	if (!isdigit((unsigned char)*p))
		return NULL;
	for (*v = 0; isdigit((unsigned char)*p); p++) {
		uint64_t digit = (uint64_t)(*p - '0');
		if (*v > (max - digit) / 10)
			return NULL;
		*v = *v * 10 + digit;
	}
	return p;
}

int nl_parse_count(const char *text, unsigned *out, struct nl_err *err)
{
	uint64_t n = 0;

	if (strcasecmp(text, "inf")) {
		size_t len = strspn(text, "0123456789");
		if (!len || text[len])
			return nl_fail(err, "not a whole number (or inf)");
		if (!read_digits(text, UINT32_MAX, &n))
			return nl_fail(err, "at most %u (inf for no limit)", UINT32_MAX);
		if (n == 0)
			return nl_fail(err, "at least 1 (inf for no limit)");
	}
	*out = (unsigned)n;
	return 0;
}

int nl_parse_real(const char *text, double *out, struct nl_err *err)
{
	char *end;
	double v;

	if (read_number(text, &end, &v, err) || *end || !isfinite(v))
		return nl_fail(err, "not a number that is 0 or more");
	*out = v;
	return 0;
}

int nl_parse_percent(const char *text, unsigned *ppm, struct nl_err *err)
{
	char *end;
	double v;

	if (read_number(text, &end, &v, err))
		v = -1;
	else if (*end == '%')
		end++;
	if (*end || !(v >= 0.0001 && v <= 100))
		return nl_fail(err, "not a percentage above 0 and at most 100");
	*ppm = (unsigned)(v * 10000 + 0.5);
	return 0;
}

int nl_parse_exit(const char *text, unsigned char *out, struct nl_err *err)
{
	uint64_t v;
	const char *end = read_digits(text, 255, &v);

	if (!end || *end)
		return nl_fail(err, "not an exit status (0 to 255)");
	*out = (unsigned char)v;
	return 0;
}

int nl_parse_u64(const char *text, uint64_t *out, struct nl_err *err)
{
	uint64_t v;
	const char *end = read_digits(text, UINT64_MAX, &v);

	if (!end || *end)
		return nl_fail(err, "not a whole number below 2^64");
	*out = v;
	return 0;
}

int nl_parse_name(const char *text, const char **out, struct nl_err *err)
{
	size_t n = strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-");

	if (!isalnum((unsigned char)*text) || text[n] || n > 64)
		return nl_fail(err, "not a name (1-64 letters, digits, . _ -, a letter or digit first)");
	*out = text;
	return 0;
}

/* "+3" behind RTMIN, "-3" behind RTMAX, or nothing. */
static int realtime_signal(const char *text, int base, char sign)
{
	uint64_t n;

	if (!*text)
		return base;
	if (*text != sign)
		return -1;
	const char *end = read_digits(text + 1, (uint64_t)(NL_NSIG - NL_RTMIN), &n);
	if (!end || *end)
		return -1;
	return sign == '+' ? base + (int)n : base - (int)n;
}

static int find_signal(const char *text)
{
	uint64_t n;

	if (isdigit((unsigned char)*text)) {
		const char *end = read_digits(text, 64, &n);
		return end && !*end ? (int)n : -1;
	}
	if (!strncasecmp(text, "SIG", 3))
		text += 3;
	if (!strncasecmp(text, "RTMIN", 5))
		return realtime_signal(text + 5, NL_RTMIN, '+');
	if (!strncasecmp(text, "RTMAX", 5))
		return realtime_signal(text + 5, NL_NSIG, '-');
	for (size_t i = 0; i < LEN(signal_names); i++)
		if (*text && !strcasecmp(text, signal_names[i]))
			return (int)i;
	for (size_t i = 0; i < LEN(signal_aliases); i++)
		if (!strcasecmp(text, signal_aliases[i].name))
			return signal_aliases[i].sig;
	return -1;
}

int nl_parse_signal(const char *text, int *out, struct nl_err *err)
{
	int sig = find_signal(text);

	if (sig < 0)
		return nl_fail(err, "unknown signal");
	*out = sig;
	return 0;
}

const char *nl_signal_name(int sig, char buf[16])
{
	if (sig >= 0 && sig < (int)LEN(signal_names) && *signal_names[sig])
		return signal_names[sig];
	if (sig < NL_RTMIN || sig > NL_NSIG)
		(void)snprintf(buf, 16, "%d", sig);
	else if (sig == NL_RTMIN || sig == NL_NSIG)
		(void)snprintf(buf, 16, "%s", sig == NL_RTMIN ? "RTMIN" : "RTMAX");
	else if (sig - NL_RTMIN <= NL_NSIG - sig)
		(void)snprintf(buf, 16, "RTMIN+%d", sig - NL_RTMIN);
	else
		(void)snprintf(buf, 16, "RTMAX-%d", NL_NSIG - sig);
	return buf;
}

/* A number or a range of them; the end of it, or NULL. */
static const char *read_statuses(const char *p, struct nl_codes_half *half)
{
	uint64_t lo, hi;

	p = read_digits(p, 255, &lo);
	if (!p)
		return NULL;
	hi = lo;
	if (*p == '-')
		p = read_digits(p + 1, 255, &hi);
	if (!p || hi < lo)
		return NULL;
	for (; lo <= hi; lo++)
		half->code[lo / 64] |= UINT64_C(1) << lo % 64;
	return p;
}

/* One name of what can happen, `len` long; false: unknown. */
static bool read_event(const char *p, size_t len, struct nl_codes_half *half)
{
	const struct { const char *name; bool *flag; } flags[] = {
		{ "any", &half->any }, { "signal", &half->signal },
		{ "timeout", &half->timeout }, { "rejected", &half->rejected },
	};
	char name[16];

	if (len >= sizeof name)
		return false;
	memcpy(name, p, len);
	name[len] = '\0';
	for (size_t i = 0; i < LEN(flags); i++)
		if (!strcmp(name, flags[i].name))
			return *flags[i].flag = true;
	int sig = find_signal(name);
	if (sig > 0)
		half->sig |= UINT64_C(1) << (sig - 1);
	return sig > 0;
}

int nl_parse_codes(const char *text, struct nl_codes *out, struct nl_err *err)
{
	struct nl_codes set = { .set = true };
	bool wanted = false;
	const char *p = text;

	for (;;) {
		struct nl_codes_half *half = *p == '!' ? &set.out : &set.in;
		p += *p == '!';
		wanted |= half == &set.in;
		size_t len = strcspn(p, ",");
		const char *end = isdigit((unsigned char)*p) ? read_statuses(p, half)
		                  : read_event(p, len, half) ? p + len : NULL;
		if (!len)
			return nl_fail(err, "an empty element");
		if (end != p + len)
			return nl_fail(err, "'%.*s' is none of: a status 0-255, a range of them, any, "
			               "signal, a signal's name, timeout, rejected", len < 40 ? (int)len : 40, p);
		if (!p[len])
			break;
		p += len + 1;
	}
	if (!wanted)
		set.in.any = true;
	*out = set;
	return 0;
}
