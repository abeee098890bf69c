/* SPDX-License-Identifier: Apache-2.0 */
/*
 * asked.h - internal: options that are part of a question, whoever is asked: they
 * go over a socket as arguments of their names.  One table for nl-observe and
 * nl-ctl.
 */
#ifndef NL_ASKED_H
#define NL_ASKED_H

#include "opt.h"

struct nl_asked {
	struct nl_span window;
	const char *by, *from, *to;
	/* nl-observe's alone */
	bool md;
	const char *sort, *filter, *assert_that;
	struct nl_list set;
	struct nl_word as;
};

/* In the table of a T whose m is a struct nl_asked; of: before each text of help. */
#define NL_ASKED_OPTS(T, m, of) \
	NL_OPT(0, "window", T, m.window, "DURATION", of "only what ended in this time before now", "since the beginning"), \
	NL_OPT(0, "by", T, m.by, "KEY", of "blame: group by KEY", "policy"), \
	NL_OPT(0, "from", T, m.from, "TIME", of "leave out events before TIME", NULL), \
	NL_OPT(0, "to", T, m.to, "TIME", of "leave out events after TIME, which is now", NULL)

bool nl_asked_window_fits(const struct nl_asked *);     /* from 1s to 15m, or there is none */

#endif
