/* SPDX-License-Identifier: Apache-2.0 */
/* durations.c - how long attempts of retries took, and the waits before them; waits for slots, and how long these were held. */
#include "observe/durations.h"

#include <stdlib.h>

struct nl_durations *nl_durations_open(struct nl_series *s, enum nl_took which)
{
	if (!s->took[which])
		s->took[which] = calloc(1, sizeof(struct nl_durations));
	return s->took[which];
}

static int put(struct nl_series *s, enum nl_took which, int64_t us)
{
	struct nl_durations *d = us < 0 ? NULL : nl_durations_open(s, which);
	if (!d)
		return us < 0 ? 0 : -1;
	d->us = nl_sum_of(d->us, (uint64_t)us);
	d->classic[nl_classic_of(us)]++;
	return nl_sketch_add(&d->sketch, us, 1);
}

static int take_retry(struct nl_series *s, const struct nl_fact *f)
{
	switch (f->told) {
	case NL_TOLD_SUCCESS:
		return put(s, NL_TOOK_CALL, f->dur_us) | put(s, NL_TOOK_OK, nl_fact_us(f, "last_s", -1));
	case NL_TOLD_FAILURE:
		return put(s, NL_TOOK_CALL, f->dur_us);
	case NL_TOLD_ATTEMPT:
		return put(s, NL_TOOK_FAILED, f->dur_us) | put(s, NL_TOOK_DELAY, f->delay_us);
	case NL_TOLD_EXHAUSTED:
		return put(s, NL_TOOK_FAILED, nl_fact_us(f, "last_s", -1));
	default:
		return 0;
	}
}

int nl_durations_take(struct nl_series *s, const struct nl_fact *f)
{
	bool slot = f->told == NL_TOLD_ACQUIRED || f->told == NL_TOLD_RELEASED || f->told == NL_TOLD_BULKHEAD_REJECTED;
	if (s->kind == NL_S_RETRY)
		return take_retry(s, f);
	return s->kind == NL_S_BULKHEAD && slot ? put(s, NL_TOOK_WAIT, f->waited_us) | put(s, NL_TOOK_HOLD, f->held_us) : 0;
}

int nl_durations_merge(struct nl_series *a, const struct nl_series *b)
{
	for (int i = 0; i < NL_TOOKS && a->kind == b->kind; i++) {        // What came to _overflow was not counted.
		const struct nl_durations *from = b->took[i];
		struct nl_durations *to = from ? nl_durations_open(a, (enum nl_took)i) : NULL;
		if (from && (!to || nl_sketch_merge(&to->sketch, &from->sketch) < 0))
			return -1;
		if (!from)
			continue;
		to->us = nl_sum_of(to->us, from->us);
		for (unsigned k = 0; k <= NL_BUCKETS_CLASSIC; k++)
			to->classic[k] += from->classic[k];
	}
	return 0;
}

void nl_durations_free(struct nl_series *s)
{
	for (int i = 0; i < NL_TOOKS; i++) {
		if (s->took[i])
			nl_sketch_free(&s->took[i]->sketch);
		free(s->took[i]);
	}
}
