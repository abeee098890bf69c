/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describe.h - internal: what a record says, as JSON.
 */
#ifndef NL_DESCRIBE_H
#define NL_DESCRIBE_H

#include "jsonout.h"
#include "state.h"

/* A line's worth, or everything. */
enum nl_detail { NL_BRIEF, NL_FULL };

/* Members of an object that is open: policy, kind, and what the kind has. */
void nl_describe(struct nl_out *, struct nl_state *, struct nl_record *, enum nl_detail);

/* "value":{"key","value","from",...} of a key; false: it has no such key. */
bool nl_describe_key(struct nl_out *, struct nl_state *, const struct nl_record *, const char *key);

/* What a kind has beside its values. */
struct nl_setting { char text[48]; bool given; };
struct nl_describer {
	const struct nl_kind *kind;
	void (*put)(struct nl_out *, struct nl_state *, const struct nl_record *, enum nl_detail);
	/* What the last caller had for a live key, as a command line would say it;
	 * given: by its line.  False: not known, or not in use. */
	bool (*setting)(const struct nl_record *, const char *key, struct nl_setting *);
};
extern const struct nl_describer nl_describe_breaker, nl_describe_bulkhead, nl_describe_budget, nl_describe_race;

/* "10s", "0.25s", "inf" into buf[48]; "12.5%". */
const char *nl_span_word(nl_time, char buf[48]);
const char *nl_percent_word(uint32_t ppm, char buf[48]);
/* The moment of CLOCK_REALTIME that a moment of CLOCK_BOOTTIME was. */
nl_time nl_real_of(struct nl_run *, nl_time boot);
/* "since" as a time and "for_s", of a moment of CLOCK_BOOTTIME. */
void nl_out_since(struct nl_out *, struct nl_run *, nl_time boot);
/* The name of a user, or "uid:7". */
const char *nl_user_name(uint32_t uid, char buf[48]);

#endif
