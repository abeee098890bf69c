/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runs.h - internal: which lines of which process were read, so that none counts
 * twice and what is lost is known exactly.
 *
 * (run, seq) is the identity of a line, and a run that ended says how many lines
 * it sent to this place: lost = that - those read.  A run without an end was
 * killed, or goes on; its gaps are known only where it sends everything (its
 * first line, at debug, was read).  Of the last NL_RUNS_MAX runs all is known;
 * what leaves is summed up.  The last are those that began last, if lines are read
 * about in order of time; of several tables, those of all of them.
 */
#ifndef NL_RUNS_H
#define NL_RUNS_H

#include "observe/fact.h"

#define NL_RUNS_MAX (1u << 18)

struct nl_runs;
struct nl_runs *nl_runs_new(void);      /* NULL: no memory */
void nl_runs_free(struct nl_runs *);

/* This run is asked for soon: its place in the table is on its way to the cache. */
void nl_runs_ahead(const struct nl_runs *, uint64_t run);
/* The number of a policy's name, in a table of runs; {0}: not known yet. */
struct nl_run_name { uint32_t table; uint16_t number; };
/* Notes the line.  False: it was read before, and counts nothing.  name: kept by who
 * takes many of one policy, so that its name is looked up once; or NULL. */
bool nl_runs_take(struct nl_runs *, const struct nl_fact *, struct nl_run_name *name);
/* Adds what b has read.  0, -1: no memory, and nothing was added. */
int nl_runs_merge(struct nl_runs *, const struct nl_runs *b);

struct nl_runs_sum {
	uint64_t runs, ended;           /* seen; of them with their nl.run.ended */
	uint64_t ok;                    /* lines of ended runs that were read */
	uint64_t sent, lost;            /* by ended runs; sent = ok + lost */
	uint64_t dropped;               /* of the lost, those that the run itself knew of */
	uint64_t open, gaps;            /* runs without an end (killed or going on); lines known missing in them */
	uint64_t twice;                 /* lines that both sides of a merge had read, and that were counted twice */
};
struct nl_runs_sum nl_runs_sum(const struct nl_runs *);
/* Of this one alone.  False: it is not known, or not any more. */
bool nl_runs_one(const struct nl_runs *, uint64_t run, struct nl_runs_sum *);

/* Each run that lost lines or has no end, by first time: for findings.  lost -1: it has no end. */
typedef void nl_run_told(uint64_t run, const char *what, int64_t first_us, int64_t last_us, int64_t lost, void *arg);
int nl_runs_each_trouble(const struct nl_runs *r, nl_run_told *told, void *arg);     /* 0, -1: no memory */

/* One run as it is in a snapshot; by first time, so that the oldest leave first again. */
struct nl_run_range { uint32_t from, to; };             /* seqs [from, to) that were read */
struct nl_run_facts {
	uint64_t run;
	int64_t first_us, last_us;
	uint32_t events, dropped;       /* of its nl.run.ended; events 0: it has none */
	bool started;                   /* its nl.run.started was read, so this place gets everything */
	struct nl_quote what;            /* policy of its first line */
	const struct nl_run_range *range;
	unsigned ranges;
	uint32_t closed;                /* of these, seqs that were not read: oldest holes of a run that has too many */
};
typedef int nl_run_facts_told(const struct nl_run_facts *, void *arg);
int nl_runs_each(const struct nl_runs *r, nl_run_facts_told *told, void *arg);       /* 0, -1: no memory, or told said so */
int nl_runs_add(struct nl_runs *, const struct nl_run_facts *);
/* Of those that are no longer in the table. */
const struct nl_runs_sum *nl_runs_gone(const struct nl_runs *);
void nl_runs_add_gone(struct nl_runs *, const struct nl_runs_sum *);

#endif
