/* SPDX-License-Identifier: Apache-2.0 */
/* errclass.c - err of events as a number, and back. */
#include "observe/series.h"

#include "parse.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = {
	[0] = "timeout", [NL_ERR_REJECTED - NL_ERR_TIMEOUT] = "rejected",
	[NL_ERR_SPAWN - NL_ERR_TIMEOUT] = "spawn", [NL_ERR_DEADLINE - NL_ERR_TIMEOUT] = "deadline",
	[NL_ERR_OTHER - NL_ERR_TIMEOUT] = "other",
};

static unsigned exit_class(const char *digits, unsigned n)
{
	unsigned status = 0;
	for (unsigned i = 0; i < n; i++) {
		if (digits[i] < '0' || digits[i] > '9' || n > 3)
			return NL_ERR_OTHER;
		status = status * 10 + (unsigned)(digits[i] - '0');
	}
	return n > 0 && status < 256 ? status : NL_ERR_OTHER;
}

static unsigned signal_class(const char *name, unsigned n)
{
	char text[16];
	struct nl_err err;
	int sig;
	if (n >= sizeof text)
		return NL_ERR_OTHER;
	memcpy(text, name, n);
	text[n] = '\0';
	return nl_parse_signal(text, &sig, &err) == 0 && sig > 0 ? 256 + (unsigned)sig : NL_ERR_OTHER;
}

unsigned nl_err_class(struct nl_quote err)
{
	if (err.n > 5 && memcmp(err.s, "exit_", 5) == 0)
		return exit_class(err.s + 5, err.n - 5);
	if (err.n > 7 && memcmp(err.s, "signal_", 7) == 0)
		return signal_class(err.s + 7, err.n - 7);
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (strlen(names[i]) == err.n && memcmp(names[i], err.s, err.n) == 0)
			return NL_ERR_TIMEOUT + i;
	return NL_ERR_OTHER;
}

const char *nl_err_class_name(unsigned class, char buf[24])
{
	char sig[16];
	if (class >= NL_ERR_TIMEOUT)
		return class <= NL_ERR_OTHER ? names[class - NL_ERR_TIMEOUT] : names[NL_ERR_OTHER - NL_ERR_TIMEOUT];
	if (class < 256)
		snprintf(buf, 24, "exit_%u", class);
	else
		snprintf(buf, 24, "signal_%s", nl_signal_name((int)class - 256, sig));
	return buf;
}
