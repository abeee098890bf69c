/* SPDX-License-Identifier: Apache-2.0 */
/* tries.c - attempts of retries: those that failed, and the last ones of calls that made several. */
#include "observe/tries.h"

#include <stdlib.h>

struct nl_durations *nl_tries_open(struct nl_series *s, enum nl_try which)
{
	if (!s->tries)
		s->tries = calloc(1, sizeof *s->tries);
	return s->tries ? &s->tries->of[which] : NULL;
}

static int put(struct nl_series *s, enum nl_try which, int64_t us)
{
	struct nl_durations *d = us < 0 ? NULL : nl_tries_open(s, which);
	if (!d)
		return us < 0 ? 0 : -1;
	d->us = nl_sum_of(d->us, (uint64_t)us);
	d->classic[nl_classic_of(us)]++;
	return nl_sketch_add(&d->sketch, us, 1);
}

int nl_tries_take(struct nl_series *s, const struct nl_fact *f)
{
	if (s->kind != NL_S_RETRY)
		return 0;
	switch (f->told) {
	case NL_TOLD_SUCCESS:
		return put(s, NL_TRY_CALLS, f->dur_us) | put(s, NL_TRY_OK, nl_fact_us(f, "last_s", -1));
	case NL_TOLD_FAILURE:
		return put(s, NL_TRY_CALLS, f->dur_us);
	case NL_TOLD_ATTEMPT:
		return put(s, NL_TRY_FAILED, f->dur_us);
	case NL_TOLD_EXHAUSTED:
		return put(s, NL_TRY_FAILED, nl_fact_us(f, "last_s", -1));
	default:
		return 0;
	}
}

int nl_tries_merge(struct nl_series *a, const struct nl_series *b)
{
	if (a->kind != NL_S_RETRY)              // The overflow, which takes none of them either.
		return 0;
	for (int i = 0; b->tries && i < NL_TRIES; i++) {
		const struct nl_durations *from = &b->tries->of[i];
		struct nl_durations *to = nl_tries_open(a, (enum nl_try)i);
		if (!to || nl_sketch_merge(&to->sketch, &from->sketch) < 0)
			return -1;
		to->us = nl_sum_of(to->us, from->us);
		for (unsigned k = 0; k <= NL_BUCKETS_CLASSIC; k++)
			to->classic[k] += from->classic[k];
	}
	return 0;
}

void nl_tries_free(struct nl_tries *t)
{
	for (int i = 0; t && i < NL_TRIES; i++)
		nl_sketch_free(&t->of[i].sketch);
	free(t);
}
