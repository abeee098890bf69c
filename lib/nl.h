/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nl.h - Nine Lives in a program of yours.  ninelives(3) is the manual.
 *
 * Times are nanoseconds in int64_t.  A moment is CLOCK_MONOTONIC; NL_NEVER is
 * later than every moment and longer than every span.
 */
#ifndef NL_H
#define NL_H

#include <signal.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NL_VERSION "0.1.0"

typedef int64_t nl_time;
#define NL_NEVER INT64_MAX
#define NL_US  INT64_C(1000)
#define NL_MS  INT64_C(1000000)
#define NL_SEC INT64_C(1000000000)

/* Exit statuses of our own (ninelives(7) has the table).  Everything
 * else that a tool returns is the wrapped command's. */
enum nl_status {
	NL_EX_REJECTED = 75,            /* not admitted: EX_TEMPFAIL, as lockf(1) */
	NL_EX_TIMEOUT = 124,            /* our limit was hit */
	NL_EX_FAIL = 125,               /* we failed: usage, unknown wait status */
	NL_EX_NOEXEC = 126,             /* found, not executable */
	NL_EX_NOTFOUND = 127,           /* not found */
};

/* Text for people, written by whoever detected the fault; the caller owns it. */
struct nl_err { char msg[240]; };

/* Why a call ended. */
enum nl_why {
	NL_RAN,                         /* the command ended by itself */
	NL_DEADLINE,                    /* stopped because a limit passed; its owner makes it 124 */
	NL_CANCELLED,                   /* stopped because we were told to stop */
	NL_REFUSED,                     /* a layer did not admit the call */
	NL_NOTRUN,                      /* could not be started; the status is 125..127 */
};

/*
 * A policy is an expression of the algebra.  What it wraps is a command, or a
 * function of the program.  One call at a time in a process, from any thread.
 * Nothing here ends the process or writes to its descriptors 1 and 2.
 */
struct nl_policy;

/* NULL: err (if not NULL) says why.  "retry(3) + timeout(2s)", "@NAME". */
struct nl_policy *nl_policy_open(const char *expr, struct nl_err *err);
void nl_policy_close(struct nl_policy *);       /* NULL is fine */

/* How a call ended. */
struct nl_result {
	int status;                     /* what $? of a shell would be, 0..255: a command's or a function's own, or enum nl_status */
	int signal;                     /* the one that ended the command: status is 128 + it; else 0 */
	enum nl_why why;
	unsigned attempts;              /* how often it was started; branches of a race are not counted */
	nl_time duration;
	struct nl_err err;              /* the last message that a tool would have written to stderr, or "" */
};

/* Runs a command as `nl-run EXPR COMMAND` would.  0: the result is there,
 * whatever it is; -1 with errno: EBUSY, another call is in progress; ENOMEM,
 * EINVAL (the expression is wrong by now; result->err). */
int nl_policy_run(struct nl_policy *, char *const argv[], struct nl_result *);

/* What a function is told when it is called. */
struct nl_attempt {
	unsigned attempt, max;          /* of the innermost retry, from 1; 0, 0: there is none; max 0: no end */
	int prev;                       /* status of the previous attempt, -1: there was none */
	nl_time deadline;               /* CLOCK_MONOTONIC; NL_NEVER */
	const volatile int *stop;       /* not 0: nl_policy_stop was called */
};
typedef int nl_fn(void *arg, const struct nl_attempt *);   /* 0 is success; 1..255 as exit statuses */

/* NL_HERE: in this process; nothing interrupts it, but one that returns behind
 * its deadline has timed out.  NL_FORKED: in a child, like a command. */
enum nl_where { NL_HERE, NL_FORKED };

/* Calls a function; name is what events call it.  0 and -1 as nl_policy_run. */
int nl_policy_call(struct nl_policy *, const char *name, nl_fn *, void *arg, enum nl_where, struct nl_result *);

/* Ends the call in progress as SIGTERM would end a tool.  For signal handlers,
 * functions under the policy, and other threads. */
void nl_policy_stop(struct nl_policy *);

#ifdef __cplusplus
}
#endif

#ifdef NL_INSIDE
#include "layer.h"                      /* what our own sources see, too; no interface, and not installed */
#endif

#endif
