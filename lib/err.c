/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err.c - the text of a fault, for people.  Parts of it come from argv, so
 * control characters are defused here: no message can drive a terminal.
 */
#include "nl.h"

#include <stdarg.h>
#include <stdio.h>

/* C0, DEL, and C1 as UTF-8 spells it. */
void nl_defuse(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++) {
		if (*p < ' ' || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
	}
}

int nl_fail(struct nl_err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	// A message that does not fit is cut; one that cannot be formatted is empty.
	if (vsnprintf(err->msg, sizeof err->msg, fmt, ap) < 0)
		err->msg[0] = '\0';
	va_end(ap);
	nl_defuse(err->msg);
	return -1;
}
