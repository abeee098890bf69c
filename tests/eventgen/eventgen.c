/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eventgen.c - writes a log as nl-retry, nl-timeout, nl-breaker and nl-bulkhead
 * would have written it together, and says what is in it.
 *
 *	eventgen [-KEY VALUE]...
 *	  -n 1000000  lines                     -o 0  lines are out of order, by about so many
 *	  -s 1        seed                      -d 0  per million: lines that are there twice
 *	  -p 200      policies, a kind each     -l 0  lines that are lost
 *	  -t 3600     seconds                   -x 0  runs that are killed
 *	  -e 100000   per million: failures     -f 0  lines of others, and beginnings of lines
 *	  -v 9        least severity (5: all)   -k 15 kinds: 1 retry, 2 timeout, 4 breaker, 8 bulkhead
 *	  -a FILE     the truth as "key value" lines
 *
 * Runs overlap: what happens next, in any of them, is the first in a heap.
 */
#include "eventgen.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 65536                              /* runs at a time, most */

const char *const kinds[KINDS] = { "retry", "timeout", "breaker", "bulkhead" };
struct cfg cfg = {
	.lines = 1000000, .seed = 1, .policies = 200, .span = 3600, .failing = 100000, .level = 9, .kinds = 15,
};
struct truth truth;

static struct policy *policies;
static struct run *heap[MANY];
static unsigned runs;

static void sift_down(unsigned i)
{
	struct run *r = heap[i];
	for (unsigned k; (k = 2 * i + 1) < runs; i = k) {
		k += k + 1 < runs && heap[k + 1]->at < heap[k]->at;
		if (heap[k]->at >= r->at)
			break;
		heap[i] = heap[k];
	}
	heap[i] = r;
}

static void start(struct run *r, int64_t at)
{
	struct policy *p = &policies[rnd() % (uint64_t)cfg.policies];
	*r = (struct run){ .at = at, .begun = at, .tried_at = at, .trace = { rnd(), rnd() }, .id = rnd(), .span = rnd(), .pid = (int)(1000 + rnd() % 4000000), .p = p };
	r->ok = !happens(cfg.failing);
	r->slow = p->kind == TIMEOUT && !r->ok && rnd() % 4 > 0;
	r->attempts = r->ok ? happens(2 * cfg.failing) : 2;
	truth.runs++;
	unsigned i = runs++;
	for (; i > 0 && heap[(i - 1) / 2]->at > at; i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = r;
}

static void make_policies(void)
{
	enum kind kind = RETRY;
	policies = calloc((size_t)cfg.policies, sizeof *policies);
	for (int64_t i = 0; policies && i < cfg.policies; i++, kind = (kind + 1) % KINDS) {
		while (!(cfg.kinds >> kind & 1))
			kind = (kind + 1) % KINDS;
		policies[i] = (struct policy){ .kind = kind, .epoch = 1, .typical_us = 2000 * exp((double)(i % 7)) };
		snprintf(policies[i].name, sizeof policies[i].name, "api-%03d", (int)i);
	}
}

static void write_truth(const char *path)
{
	FILE *f = path ? fopen(path, "w") : NULL;
	if (f)
		fprintf(f, "lines %" PRIu64 "\nevents %" PRIu64 "\ndup %" PRIu64 "\nnot_event %" PRIu64 "\nruns %" PRIu64 "\nended %" PRIu64
		        "\nkilled %" PRIu64 "\nsent %" PRIu64 "\nok %" PRIu64 "\nlost %" PRIu64 "\nrequests %" PRIu64 "\nfailures %" PRIu64 "\n",
		        truth.lines, truth.events, truth.dup, truth.not_event, truth.runs, truth.ended, truth.killed, truth.sent, truth.ok,
		        truth.lost, truth.requests, truth.failures);
	if (path && (!f || fclose(f)))
		exit(1);
}

/* Runs begin evenly over the span, about 3 lines each; when there are enough lines no more begin. */
int main(int argc, char **argv)
{
	static const char keys[] = "nsptevkodlxf";
	static int64_t *const value[] = { &cfg.lines, &cfg.seed, &cfg.policies, &cfg.span, &cfg.failing, &cfg.level, &cfg.kinds, &cfg.order,
	                                  &cfg.twice, &cfg.lost, &cfg.killed, &cfg.foreign };
	const char *answers = NULL;
	for (int i = 1; i + 1 < argc; i += 2) {
		const char *key = strchr(keys, argv[i][1]);
		if (argv[i][0] == '-' && argv[i][1] == 'a')
			answers = argv[i + 1];
		else if (argv[i][0] == '-' && key && *key)
			*value[key - keys] = strtoll(argv[i + 1], NULL, 10);
		else
			return fprintf(stderr, "eventgen: %s: what?\n", argv[i]), 2;
	}
	chance_begin((uint64_t)cfg.seed);
	make_policies();
	struct run *all = calloc(MANY, sizeof *all), **unused = calloc(MANY, sizeof(struct run *));
	if (!policies || !all || !unused || !out_begin())
		return 1;
	for (unsigned i = 0; i < MANY; i++)
		unused[i] = &all[i];
	double per_run = cfg.level <= 5 ? 3.6 : 2.4;
	int64_t next = BEGIN_US, gap = (int64_t)((double)cfg.span * 1e6 * per_run / (double)(cfg.lines + 1)) + 1;
	while (runs > 0 || (int64_t)truth.events < cfg.lines) {
		bool begins = (int64_t)truth.events < cfg.lines && runs < MANY && (runs == 0 || next <= heap[0]->at);
		if (begins) {
			start(unused[runs], next);
			next += 1 + (int64_t)(rnd() % (uint64_t)(2 * gap));
			continue;
		}
		if (step(heap[0])) {
			sift_down(0);
			continue;
		}
		struct run *gone = heap[0];
		heap[0] = heap[--runs];
		unused[runs] = gone;
		if (runs > 0)
			sift_down(0);
	}
	out_end();
	write_truth(answers);
	return 0;
}
