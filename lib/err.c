/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err.c - the text of a fault, for people.  Parts of it come from argv, so
 * control characters are defused here: no message can drive a terminal.
 */
#include "nl.h"

#include <stdarg.h>
#include <stdio.h>

int nl_fail(struct nl_err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	// A message that does not fit is cut; one that cannot be formatted is empty.
	if (vsnprintf(err->msg, sizeof err->msg, fmt, ap) < 0)
		err->msg[0] = '\0';
	va_end(ap);
	for (char *p = err->msg; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return -1;
}
