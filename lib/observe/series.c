/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series.c - what is known of one policy: an event into its counts, two of them
 * into one, and what queries ask.
 *
 * The latest 256 requests are kept as they are, so as long as they reach back to
 * the window's begin an answer is exact; from the 257th on there is a dense part.
 */
#include "observe/series.h"

#include "observe/durations.h"
#include "observe/hugepage.h"
#include "observe/label.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAILED 1
#define REJECTED 2
#define TIMED_OUT 4
#define MOST_ROOMS (2 * NL_EXACT)

/* OpenTelemetry's, and on: commands run longer than requests. */
const int64_t nl_classic_us[NL_BUCKETS_CLASSIC] = {
	5000, 10000, 25000, 50000, 75000, 100000, 250000, 500000, 750000, 1000000, 2500000, 5000000, 7500000, 10000000,
	30000000, 60000000, 120000000, 300000000, 600000000, 1800000000, 3600000000,
};

#define FIELD(member, join) { #member, offsetof(struct nl_series, member), join }
const struct nl_series_field nl_series_fields[] = {
	FIELD(all.requests, NL_SUM), FIELD(all.failures, NL_SUM), FIELD(all.rejected, NL_SUM), FIELD(all.timeouts, NL_SUM),
	FIELD(rejected, NL_SUM), FIELD(timeouts, NL_SUM), FIELD(attempts, NL_SUM), FIELD(recovered, NL_SUM), FIELD(exhausted, NL_SUM),
	FIELD(retried, NL_SUM), FIELD(hedged, NL_SUM), FIELD(won, NL_SUM), FIELD(lost, NL_SUM), FIELD(fell_back, NL_SUM),
	FIELD(stale, NL_SUM), FIELD(degraded, NL_SUM), FIELD(dur.n, NL_SUM), FIELD(dur.us, NL_SUM), FIELD(dur.most_us, NL_MOST),
	FIELD(slept.n, NL_SUM), FIELD(slept.us, NL_SUM), FIELD(slept.most_us, NL_MOST), FIELD(waited.n, NL_SUM), FIELD(waited.us, NL_SUM),
	FIELD(waited.most_us, NL_MOST), FIELD(held.n, NL_SUM), FIELD(held.us, NL_SUM), FIELD(held.most_us, NL_MOST),
	FIELD(events, NL_SUM), FIELD(least_us, NL_LEAST), FIELD(first_us, NL_LEAST), FIELD(last_us, NL_MOST), FIELD(last_success_us, NL_MOST),
	FIELD(last_failure_us, NL_MOST), FIELD(failed_us, NL_SUM), FIELD(opens, NL_SUM), FIELD(closes, NL_SUM),
	FIELD(half_opens, NL_SUM), FIELD(all_moves, NL_SUM), FIELD(peak, NL_MOST),
	{ 0 }
};
_Static_assert(sizeof(int64_t) == sizeof(uint64_t), "fields are joined as int64_t");

static const char *const kinds[NL_S_KINDS] = {
	[NL_S_OTHER] = "", [NL_S_RETRY] = "retry", [NL_S_TIMEOUT] = "timeout", [NL_S_BREAKER] = "breaker", [NL_S_BULKHEAD] = "bulkhead",
	[NL_S_RACE] = "race", [NL_S_FALLBACK] = "fallback", [NL_S_RUN] = "run", [NL_S_CONTROL] = "control",
};

static struct nl_pool rooms_of_most = { .size = MOST_ROOMS * sizeof(struct nl_last) };

struct series *nl_series_new(struct nl_quote kind, struct nl_quote policy)
{
	struct series *s = calloc(1, sizeof *s + kind.n + policy.n + 2);
	if (!s)
		return NULL;
	if (kind.n > 0)
		memcpy(s->names, kind.s, kind.n);
	if (policy.n > 0)
		memcpy(s->names + kind.n + 1, policy.s, policy.n);
	s->nkind = kind.n, s->npolicy = policy.n;
	s->pub.kind_text = s->names, s->pub.policy = s->names + kind.n + 1;
	for (int i = 1; i < NL_S_KINDS; i++)
		if (strlen(kinds[i]) == kind.n && memcmp(kinds[i], kind.s, kind.n) == 0)
			s->pub.kind = (enum nl_series_kind)i;
	s->pub.least_us = s->pub.first_us = s->pub.last_us = s->pub.last_success_us = s->pub.last_failure_us = -1;
	s->pub.active = s->pub.max = s->pub.queued = s->pub.peak = -1;
	s->failed.time_us = s->told.time_us = s->queued.time_us = -1;
	return s;
}

static void free_room(struct series *s)
{
	if (s->rooms == MOST_ROOMS)
		nl_pool_put(&rooms_of_most, s->room);
	else
		free(s->room);
}

void nl_series_free(struct series *s)
{
	if (!s)
		return;
	nl_moves_free(&s->pub);
	nl_durations_free(&s->pub);
	nl_sketch_free(&s->total);
	nl_dense_free(s->pub.dense);
	free(s->pub.errs);
	free(s->pub.labels);
	free_room(s);
	free(s);
}

static void add(uint64_t *sum, int64_t n)
{
	*sum = nl_sum_of(*sum, (uint64_t)n);
}

static void spend(struct nl_spent *s, int64_t us)
{
	if (us < 0)
		return;
	s->n++;
	add(&s->us, us);
	if ((uint64_t)us > s->most_us)
		s->most_us = (uint64_t)us;
}

static void later(int64_t *at, int64_t us)
{
	if (us > *at)
		*at = us;
}

static void earlier(int64_t *at, int64_t us)
{
	if (us >= 0 && (*at < 0 || us < *at))
		*at = us;
}

int nl_keyed_put(struct nl_keyed **of, unsigned *len, unsigned key, uint64_t n)
{
	struct nl_keyed *t = *of;
	unsigned i = 0;
	while (i < *len && t[i].key < key)
		i++;
	if (i == *len || t[i].key != key) {
		if (*len % 4 == 0) {
			t = realloc(t, (*len + 4) * sizeof *t);
			if (!t)
				return -1;
			*of = t;
		}
		memmove(t + i + 1, t + i, ((*len)++ - i) * sizeof *t);
		t[i] = (struct nl_keyed){ (uint16_t)key, 0 };
	}
	t[i].n = nl_sum_of(t[i].n, n);
	return 0;
}

int nl_series_put_err(struct nl_series *s, unsigned class, uint64_t n)
{
	return nl_keyed_put(&s->errs, &s->nerrs, class, n);
}

static int order_of(const struct nl_last *a, const struct nl_last *b)
{
	if (a->time_us != b->time_us)
		return a->time_us < b->time_us ? -1 : 1;
	if (a->dur_us != b->dur_us)
		return a->dur_us < b->dur_us ? -1 : 1;
	return (a->end > b->end) - (a->end < b->end);
}

/* Room behind the last: it moves to the front of twice as much, so that this is rare. */
static int make_room(struct series *s)
{
	unsigned used = (unsigned)(s->pub.last - s->room) + s->pub.nlast;
	if (s->room && used < s->rooms)
		return 0;
	unsigned rooms = s->rooms ? 2 * s->rooms : 8;
	struct nl_last *room = s->room;
	if (s->rooms < MOST_ROOMS) {
		room = rooms == MOST_ROOMS ? nl_pool_get(&rooms_of_most) : malloc(rooms * sizeof *room);
		if (!room)
			return -1;
	}
	if (s->room)
		memmove(room, s->pub.last, s->pub.nlast * sizeof *room);
	s->pub.last = room;
	if (room != s->room) {
		free_room(s);
		s->room = room, s->rooms = rooms;
	}
	return 0;
}

int nl_series_put_exact(struct series *s, struct nl_last e)
{
	struct nl_series *p = &s->pub;
	bool is_full = p->nlast == NL_EXACT;
	if (is_full && order_of(&e, &p->last[0]) <= 0)
		return 0;
	if (make_room(s) < 0)
		return -1;
	unsigned i = p->nlast;
	while (i > 0 && order_of(&e, &p->last[i - 1]) < 0)
		i--;
	if (i < p->nlast)
		memmove(p->last + i + 1, p->last + i, (p->nlast - i) * sizeof e);
	p->last[i] = e;
	if (is_full)
		p->last++;
	else
		p->nlast++;
	return 0;
}

int nl_series_make_dense(struct nl_series *p)
{
	if (p->dense)
		return 0;
	p->dense = nl_dense_new();
	for (unsigned i = 0; p->dense && i < p->nlast; i++)
		if (nl_dense_add(p->dense, p->last[i]) < 0)
			return -1;
	return p->dense ? 0 : -1;
}

int nl_series_put_last(struct series *s, struct nl_last e)
{
	if (s->pub.nlast == NL_EXACT && (nl_series_make_dense(&s->pub) < 0 || nl_dense_add(s->pub.dense, e) < 0))
		return -1;
	return nl_series_put_exact(s, e);
}

unsigned nl_classic_of(int64_t us)
{
	unsigned above = 0;
	for (unsigned i = 0; i < NL_BUCKETS_CLASSIC; i++)       // Without a branch that nobody can predict.
		above += us > nl_classic_us[i];
	return above;
}

/* Terminated, cut at a character. */
static void put_text(char *buf, size_t size, struct nl_quote t)
{
	size_t n = t.n < size ? t.n : size - 1;
	while (n > 0 && n < t.n && (t.s[n] & 0xc0) == 0x80)
		n--;
	if (n > 0)
		memcpy(buf, t.s, n);
	buf[n] = '\0';
}

void nl_series_put_failure(struct series *s, struct nl_stamp at, struct nl_quote err, struct nl_quote cmd)
{
	if (!nl_stamp_is_later(at, s->failed))
		return;
	s->failed = at;
	put_text(s->pub.last_err, sizeof s->pub.last_err, err);
	put_text(s->pub.last_cmd, sizeof s->pub.last_cmd, cmd);
}

void nl_series_put_usage(struct series *s, struct nl_stamp at, int64_t active, int64_t max, int64_t queued)
{
	later(&s->pub.peak, active);
	if (queued >= 0 && nl_stamp_is_later(at, s->queued))
		s->queued = at, s->pub.queued = queued;
	if (!nl_stamp_is_later(at, s->told))
		return;
	s->told = at;
	s->pub.active = active < 0 ? -1 : active, s->pub.max = max < 0 ? -1 : max;
}

static struct nl_stamp stamp_of(const struct nl_fact *f)
{
	return (struct nl_stamp){ f->time_us, f->run, f->seq };
}

static int take_failure(struct series *s, const struct nl_fact *f, uint8_t *end)
{
	struct nl_series *p = &s->pub;
	unsigned class = nl_err_class(f->err);
	*end = FAILED | (class == NL_ERR_REJECTED ? REJECTED : 0) | (class == NL_ERR_TIMEOUT ? TIMED_OUT : 0);
	p->all.failures++;
	p->all.rejected += class == NL_ERR_REJECTED;
	p->all.timeouts += class == NL_ERR_TIMEOUT;
	later(&p->last_failure_us, f->time_us);
	nl_series_put_failure(s, stamp_of(f), f->err, f->cmd);
	return nl_series_put_err(p, class, 1);
}

static int take_request(struct series *s, const struct nl_fact *f, enum nl_when when)
{
	struct nl_series *p = &s->pub;
	struct nl_last e = { .time_us = f->time_us, .dur_us = f->dur_us };
	int r = 0;
	p->all.requests++;
	if (f->told == NL_TOLD_FAILURE)
		r = take_failure(s, f, &e.end);
	else
		later(&p->last_success_us, f->time_us);
	add(&p->attempts, f->attempts >= 0 ? f->attempts : !(e.end & REJECTED));
	p->recovered += f->told == NL_TOLD_SUCCESS && f->attempts > 1;
	if (f->dur_us >= 0) {
		spend(&p->dur, f->dur_us);
		if (f->told == NL_TOLD_FAILURE)
			add(&p->failed_us, f->dur_us);
		earlier(&p->least_us, f->dur_us);
		unsigned classic = nl_classic_of(f->dur_us);
		p->classic[classic]++;
		p->classic_failed[classic] += e.end & FAILED;
		r |= nl_sketch_add(&s->total, f->dur_us, 1);
	}
	return when == NL_IN_TIME ? r | nl_series_put_last(s, e) : r;
}

void nl_series_ahead(const struct series *s, const struct nl_fact *f)
{
	unsigned bucket = f->dur_us > 0 ? nl_sketch_bucket(f->dur_us) : 0;
	if (bucket >= s->total.first)
		__builtin_prefetch(&s->total.count[bucket - s->total.first], 1);
	if (s->pub.dense)
		nl_dense_ahead(s->pub.dense, f->time_us / 1000000);
	__builtin_prefetch(s->pub.last + s->pub.nlast, 1);
	__builtin_prefetch(&s->pub.first_us, 1);
	__builtin_prefetch(&s->pub.dur, 1);
}

int nl_series_take(struct series *s, const struct nl_fact *f, enum nl_when when)
{
	struct nl_series *p = &s->pub;
	p->events++;
	earlier(&p->first_us, f->time_us);
	later(&p->last_us, f->time_us);
	switch (f->told) {
	case NL_TOLD_SUCCESS:
	case NL_TOLD_FAILURE:
		if ((f->attempts > 1 || f->told == NL_TOLD_FAILURE) && nl_durations_take(p, f) < 0)
			return -1;
		return take_request(s, f, when);
	case NL_TOLD_OPENED:
	case NL_TOLD_HALF_OPEN:
	case NL_TOLD_CLOSED:
	case NL_TOLD_FORCED:
		return nl_moves_take(p, f);
	case NL_TOLD_BULKHEAD_REJECTED:
		p->rejected++;
		// fallthrough
	case NL_TOLD_ACQUIRED:
	case NL_TOLD_RELEASED:
		nl_series_put_usage(s, stamp_of(f), f->active, f->max, f->queued);
		spend(&p->waited, f->waited_us);
		spend(&p->held, f->held_us);
		break;
	case NL_TOLD_ATTEMPT:
		p->retried++;
		spend(&p->slept, f->delay_us);
		break;
	case NL_TOLD_EXHAUSTED: p->exhausted++; break;
	case NL_TOLD_TIMEOUT: p->timeouts++; break;
	case NL_TOLD_BREAKER_REJECTED: p->rejected++; break;
	case NL_TOLD_HEDGED: p->hedged++; break;
	case NL_TOLD_RACE_WON: p->won++; break;
	case NL_TOLD_RACE_LOST: p->lost++; break;
	case NL_TOLD_FALLBACK_USED: p->fell_back++; break;
	case NL_TOLD_FALLBACK_STALE: p->stale++; break;
	case NL_TOLD_DEGRADED: p->degraded++; break;
	default: break;
	}
	return nl_durations_take(p, f) | nl_labels_take(p, f);
}
