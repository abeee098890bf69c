/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse.h - text of people into values: durations, counts, signals, sets of
 * outcomes, Retry-After.  Pure: no clock, no allocation, no locale.
 *
 * Functions return 0, or -1 with a reason in err that reads well after
 * "nl-x: --option: 'text': ".
 */
#ifndef NL_PARSE_H
#define NL_PARSE_H

#include "nl.h"

/* GNU's duration grammar (a C floating point number, decimal, hexadecimal or
 * inf, with s m h d) plus us, ms and compounds (1m30s).  Rounds up to a
 * nanosecond, saturates at NL_NEVER; nan, negative and trailing text fail.
 * 0 stays 0: its meaning is the option's. */
int nl_parse_time(const char *text, nl_time *out, struct nl_err *err);

/* GNU's alone, for tools called as timeout: one number, one of s m h d. */
int nl_parse_time_gnu(const char *text, nl_time *out, struct nl_err *err);

/* A decimal count >= 1; "inf" is 0, the value that means without limit. */
int nl_parse_count(const char *text, unsigned *out, struct nl_err *err);

/* A decimal number >= 0, finite; a percentage above 0 and at most 100, with or
 * without %, in millionths of the whole; an exit status. */
int nl_parse_real(const char *text, double *out, struct nl_err *err);
int nl_parse_percent(const char *text, unsigned *ppm, struct nl_err *err);
int nl_parse_exit(const char *text, unsigned char *out, struct nl_err *err);

/* Any whole number of 64 bits, decimal. */
int nl_parse_u64(const char *text, uint64_t *out, struct nl_err *err);

/* The name of a policy: [A-Za-z0-9][A-Za-z0-9._-]{0,63}.  *out is text itself. */
int nl_parse_name(const char *text, const char **out, struct nl_err *err);

/* Name with or without SIG in any case, number 0..64, RTMIN+n, RTMAX-n; EXIT is 0. */
int nl_parse_signal(const char *text, int *out, struct nl_err *err);

/* "TERM", "RTMIN+3" (never "SIG…"); buf holds 16 bytes; unknown: the number; 0: "EXIT". */
const char *nl_signal_name(int sig, char buf[16]);

/* A SET of outcomes: 1,2,10-20,!75,timeout,signal,SIGKILL,rejected,any.
 * Numbers match what a shell shows as $?; names match what happened.  A SET of
 * !x alone starts from any, which is everything but 0.  Matching looks at the
 * wait status alone, as an outer process would; only `timeout` also matches
 * NL_DEADLINE, so whoever owns a limit hands out NL_EXIT(124) as NL_RAN. */
struct nl_codes {
	bool set;                       /* the option was given */
	struct nl_codes_half {
		uint64_t code[4];       /* bit n of 256 */
		uint64_t sig;           /* bit n-1: died of signal n */
		bool any, signal, timeout, rejected;
	} in, out;                      /* wanted; wanted not (!) */
};
int nl_parse_codes(const char *text, struct nl_codes *out, struct nl_err *err);
bool nl_codes_match(const struct nl_codes *, struct nl_outcome);

/* Without a SET: anything but 0, 75, 125, 126, 127 and death by SIGPIPE. */
bool nl_codes_default_failure(struct nl_outcome);

/* What an outcome is to a layer with --on, --except and --ok (the instance's,
 * each may be unset): --ok decides first, then --except.  NEITHER is no success
 * and no failure of the service: it is not retried and counts as nothing. */
enum nl_class { NL_CLASS_SUCCESS, NL_CLASS_FAILURE, NL_CLASS_NEITHER };
enum nl_class nl_classify(const struct nl_codes *on, const struct nl_codes *except, const struct nl_codes *ok, struct nl_outcome);

/* Of several calls that failed, the first of the least rank speaks for all: 0 it
 * ran, 1 it could not (125-127), 2 it was not admitted (75). */
unsigned nl_outcome_rank(struct nl_outcome);

/* `err` of events: exit_7, signal_TERM, timeout (124), rejected (75, or any status
 * of a call that was not admitted), spawn (not run), deadline (an enclosing
 * limit cut it); NULL for a success. */
const char *nl_err_name(struct nl_outcome, char buf[24]);

/*
 * Reads what a command left about when to come back: seconds or a duration, an
 * HTTP date (RFC 9110 §5.6.7, the three forms), or a header dump whose last
 * response has a Retry-After field with one of them.  `real` is CLOCK_REALTIME
 * in ns.  Rounds up; a date in the past is 0.  Returns 1 found, 0 nothing
 * there, -1 with err for a value that cannot be read.
 */
int nl_parse_retry_after(const char *text, size_t n, nl_time real, nl_time *out, struct nl_err *err);

#endif
