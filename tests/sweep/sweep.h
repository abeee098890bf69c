/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sweep.h - what the files of the sweep share: the command lines that are
 * swept, what a fault is, and how one run with a fault is judged.
 */
#ifndef SWEEP_H
#define SWEEP_H

#include <stdbool.h>
#include <stddef.h>

enum fault_class {
	ERROR_ONCE,                     /* the k-th call fails */
	ERROR_ON,                       /* the k-th call and all later ones fail */
	KILLED,                         /* SIGKILL at the k-th call */
	STOPPED,                        /* SIGTERM at the k-th call */
	CHILD,                          /* a call between vfork and exec fails */
	SPAWNING,                       /* SIGKILL to us while the child is at such a call */
	CLASSES
};

/* A command line and what is right without faults. */
struct line {
	const char *env;                /* one assignment, or NULL */
	const char *cmd;                /* words, 'quoted' where needed */
	const char *in;                 /* a line that a pipe feeds; NULL: /dev/null */
	const char *out;                /* stdout; NULL: nothing */
	int status;                     /* $? */
	int also;                       /* another status that a fault may lead to; 0: none */
	bool tree;                      /* has descendants, which outlive us where we cannot kill them */
	bool child;                     /* also for CHILD and SPAWNING */
};

extern const struct line lines[];
extern const size_t nlines;

struct fault {
	enum fault_class class;
	unsigned line;
	unsigned k;
	char call[24];                  /* empty: no fault */
	const char *error;
	bool on;                        /* from the k-th on */
};

#define MAXCALLS 64                     /* different ones */
#define MAXFAULTS 60000

/* How often a line calls what: by the wrapper in all, before it starts
 * anything, and by the child before its exec. */
struct call { char name[24]; unsigned count, start, child; };

/* A line without fault. */
struct base {
	struct call call[MAXCALLS];
	size_t n;
	double cpu;
	char why[120];                  /* what is wrong already; else empty */
};

struct plan {
	bool classes[CLASSES];
	size_t most;                    /* so many faults at most, of those planned */
	size_t n, planned;
	struct fault fault[MAXFAULTS];
};

/* One run, as seen from outside. */
struct seen {
	int status;                     /* $?, or -1 when it had to be killed */
	double cpu;                     /* seconds of the wrapper and what it reaped */
	char out[256], err[16384], left[64];
	size_t nout;
	bool litter, torn;              /* a stray file; an event line that is not whole */
};

/* Adds the calls of a trace.  Its lines begin with a pid when children were
 * followed; then only the first child's calls up to its exec count. */
void read_trace(struct base *, const char *path, bool followed);
void plan_faults(struct plan *, const struct base *);

/* The current directory belongs to the run.  trace: where strace writes. */
void run_fault(const struct fault *, const char *trace, struct seen *);

/* Writes why it is bad, or an empty string.  idle_cpu: of a run without fault. */
void judge(const struct fault *, const struct seen *, double idle_cpu, char *why, size_t size);

/* A shell command that repeats the run. */
void fault_text(const struct fault *, char *buf, size_t size);

#endif
