/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace.c - see pace.h.
 */
#include "pace.h"

#include "mut.h"

#include <stdlib.h>
#include <string.h>

#define LONGEST (366 * 24 * 3600 * NL_SEC)

static int compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

unsigned nl_pace_count(const struct nl_pace *p)
{
	return p->measured < NL_PACE_KEPT ? (unsigned)p->measured : NL_PACE_KEPT;
}

nl_time nl_pace_quantile(const struct nl_pace *p, unsigned ppm)
{
	int64_t sorted[NL_PACE_KEPT];
	unsigned n = nl_pace_count(p);
	if (n == 0)
		return 0;
	memcpy(sorted, p->ns, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, compare);
	uint64_t rank = ((uint64_t)ppm * n + 999999) / 1000000;         // Nearest rank, from 1.
	return sorted[rank ? rank - 1 : 0];
}

void nl_pace_add(struct nl_pace *p, nl_time dur)
{
	p->ns[p->next] = dur < 0 ? 0 : dur > LONGEST ? LONGEST : dur;
	p->next = (p->next + 1) % NL_PACE_KEPT;
	p->measured++;
}

bool nl_pace_sane(const struct nl_pace *p)
{
	bool ok = p->ppm <= 1000000 && p->next == p->measured % NL_PACE_KEPT;
	for (unsigned i = 0; i < NL_PACE_KEPT && ok; i++)
		ok = p->ns[i] >= 0 && p->ns[i] <= LONGEST;
	return ok;
}

void nl_pacer_open(struct nl_pacer *r, struct nl_run *run, struct nl_span_of of, const struct nl_svc *svc, unsigned ppm)
{
	struct nl_record rec;
	r->ppm = ppm, r->samples = 0, r->delay = NL_PACE_BLIND;
	r->open = nl_state_open(&r->state, run, svc->state, &nl_kind_race, svc->name, NL_CREATE) == 0
	          && nl_state_read(&r->state, &rec) == 0;
	if (r->open) {
		const struct nl_pace *p = (const struct nl_pace *)rec.body;
		r->samples = nl_pace_count(p);
		if (r->samples >= NL_PACE_LEAST)
			r->delay = nl_pace_quantile(p, ppm);
	}
	r->delay += r->delay == 0;              // 0 would be all at once.
	nl_state_tell(&r->state, of);
}

void nl_pacer_close(struct nl_pacer *r, struct nl_span_of of, nl_time dur, bool hedged, bool rescued)
{
	struct nl_record rec;
	if (r->open && (dur >= 0 || hedged) && nl_state_lock(&r->state, &rec, NL_GUARD_SPAN) == 0) {
		struct nl_pace *p = (struct nl_pace *)rec.body;
		if (dur >= 0)
			nl_pace_add(p, dur);
		p->ppm = r->ppm;
		p->hedged += hedged, p->rescued += rescued;
		(void)nl_state_write(&r->state, &rec);  // What fails is noted, and told below.
		nl_state_unlock(&r->state);
	}
	nl_state_tell(&r->state, of);
	nl_state_close(&r->state);
}

static enum nl_trouble check(void *body, nl_time now)
{
	(void)now;
	return nl_pace_sane(body) ? NL_FINE : NL_CORRUPT;
}

_Static_assert(sizeof(struct nl_pace) <= NL_BODY_MAX, "it fits");
const struct nl_kind nl_kind_race = { .name = "race", .id = 6, .layer = &nl_race, .check = check };
