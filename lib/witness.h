/* SPDX-License-Identifier: Apache-2.0 */
/*
 * witness.h - internal: a run of an expression on a virtual clock, told line by
 * line.  The layers are the real ones; the command, shared state and the arms of
 * a race are played.
 */
#ifndef NL_WITNESS_H
#define NL_WITNESS_H

#include "term.h"

/* What all commands do, and how the world is. */
struct nl_scene {
	nl_time dur;                    /* each lasts so long; NL_NEVER: it hangs */
	int status;                     /* and exits with that */
	bool deaf;                      /* told to stop it goes on until KILL */
	unsigned calls;                 /* of the expression, one behind the other; 0: one */
	bool kept_out;                  /* breakers are open and bulkheads full, and stay so */
	bool first_only;                /* only the first command of the line does that, others succeed */
	nl_time pause;                  /* between calls */
	bool lucky;                     /* back-offs are as long as they can be; else as short */
};

#define NL_WITNESS_LINES 9

/* What happened, the middle of a long story left out. */
struct nl_witness { char line[NL_WITNESS_LINES][100]; unsigned lines; unsigned runs; };

/* -1 with err. */
int nl_witness_of(const struct nl_term *, const struct nl_scene *, struct nl_witness *, struct nl_err *);

/* "timeout@col 12", in a policy "timeout@FILE:2:9". */
const char *nl_term_label(const struct nl_term *, char *buf, size_t size);

#endif
