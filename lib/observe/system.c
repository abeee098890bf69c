/* SPDX-License-Identifier: Apache-2.0 */
/*
 * system.c - all series, and which one an event belongs to.
 *
 * Nothing on the way of an event allocates, but for what is new.
 */
#include "observe/systemin.h"

#include "mut.h"
#include "near.h"
#include "observe/texthash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OVERFLOW "_overflow"
#define OVERFLOW_KIND "other"
#define NAME_MOST 64                    /* of a policy; more is cut: whoever writes that is none of ours */

struct nl_system *nl_system_new(struct nl_system_cfg cfg)
{
	struct nl_system *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	cfg.series = cfg.series == 0 ? NL_SERIES_MAX : cfg.series < NL_SERIES_MOST ? cfg.series : NL_SERIES_MOST;
	s->cfg = cfg;
	s->latest_us = -1;
	s->key = nl_hash_key();
	for (s->slots = 64; s->slots < 2 * cfg.series; s->slots *= 2)
		;
	s->slot = calloc(s->slots, sizeof *s->slot);
	s->series = calloc(cfg.series, sizeof(struct series *));
	s->sorted = calloc(cfg.series + 1, sizeof(struct series *));
	s->ranked = calloc(cfg.series, sizeof(struct series *));
	s->runs = nl_runs_new();
	if (s->slot && s->series && s->sorted && s->ranked && s->runs)
		return s;
	nl_system_free(s);
	return NULL;
}

void nl_system_free(struct nl_system *s)
{
	if (!s)
		return;
	for (unsigned i = 0; s->series && i < s->n; i++)
		nl_series_free(s->series[i]);
	nl_series_free(s->overflow);
	nl_runs_free(s->runs);
	free(s->slot);
	free(s->series);
	free(s->sorted);
	free(s->ranked);
	free(s);
}

void nl_system_late(struct nl_system *s, int64_t late_us)
{
	s->cfg.late_us = late_us;
}

static int by_name(const struct series *a, const struct series *b)
{
	if (a->pub.kind != b->pub.kind)
		return a->pub.kind < b->pub.kind ? -1 : 1;
	int kind = strcmp(a->pub.kind_text, b->pub.kind_text);
	return kind ? kind : strcmp(a->pub.policy, b->pub.policy);
}

static void sort_in(struct nl_system *s, struct series *new)
{
	unsigned n = nl_system_count(s), at = 0, end = n;
	while (at < end) {
		unsigned middle = (at + end) / 2;
		if (by_name(s->sorted[middle], new) < 0)
			at = middle + 1;
		else
			end = middle;
	}
	memmove(s->sorted + at + 1, s->sorted + at, (n - at) * sizeof(struct series *));
	s->sorted[at] = new;
}

struct series *nl_system_open_overflow(struct nl_system *s)
{
	if (!s->overflow) {
		struct series *new = nl_series_new(nl_quoted(OVERFLOW_KIND), nl_quoted(OVERFLOW));
		if (new)
			sort_in(s, new);
		s->overflow = new;
	}
	return s->overflow;
}

static struct nl_quote cut(struct nl_quote t)
{
	if (t.n > NAME_MOST)
		for (t.n = NAME_MOST; t.n > 0 && (t.s[t.n] & 0xc0) == 0x80; t.n--)
			;
	return t;
}

static bool is_of(const struct series *s, struct nl_quote kind, struct nl_quote policy)
{
	return s->npolicy == policy.n && s->nkind == kind.n && nl_same_text(s->names, kind.s, kind.n)
	       && nl_same_text(s->names + kind.n + 1, policy.s, policy.n);
}

static bool text_is(struct nl_quote t, const char *s)
{
	return strlen(s) == t.n && memcmp(s, t.s, t.n) == 0;
}

uint64_t *nl_system_slot(const struct nl_system *s, struct nl_quote kind, struct nl_quote policy, uint64_t *hash)
{
	*hash = nl_text_hash(policy.s, policy.n, nl_text_hash(kind.s, kind.n, s->key)) << 16;
	unsigned at = (unsigned)(*hash >> 32) & (s->slots - 1);
	for (; s->slot[at]; at = (at + 1) & (s->slots - 1))
		if ((s->slot[at] & ~UINT64_C(0xffff)) == *hash && is_of(s->series[(s->slot[at] & 0xffff) - 1], kind, policy))
			break;
	return &s->slot[at];
}

struct series *nl_system_open_series(struct nl_system *s, struct nl_quote kind, struct nl_quote policy)
{
	uint64_t hash, *slot = nl_system_slot(s, kind = cut(kind), policy = cut(policy), &hash);
	if (*slot)
		return s->series[(*slot & 0xffff) - 1];
	if ((text_is(kind, OVERFLOW_KIND) && text_is(policy, OVERFLOW)) || !nl_system_has_room(s, kind, policy))
		return nl_system_open_overflow(s);
	struct series *new = nl_series_new(kind, policy);
	if (!new)
		return NULL;
	sort_in(s, new);
	nl_system_rank(s, new);
	s->series[s->n++] = new;
	slot = nl_system_slot(s, kind, policy, &hash);  // It may be elsewhere now.
	*slot = hash | s->n;
	return new;
}

void nl_system_line(struct nl_system *s, enum nl_line line)
{
	s->lines[line]++;
}

/* Events of the future do not move the clock; those behind it by too much are not in windows. */
static enum nl_line judge(struct nl_system *s, const struct nl_fact *f, int64_t real_us)
{
	if (real_us > 0 && s->cfg.skew_us < INT64_MAX && f->time_us > real_us + s->cfg.skew_us)
		return NL_LINE_SKEWED;
	if (f->time_us > s->latest_us)
		s->latest_us = f->time_us;
	return s->cfg.late_us < s->latest_us - f->time_us && !MUTANT(LATE_BY_ARRIVAL) ? NL_LINE_LATE : NL_LINE_OK;
}

static void count_call(struct nl_counts *n, const struct nl_fact *f)
{
	if (f->depth != 0 || (f->told != NL_TOLD_SUCCESS && f->told != NL_TOLD_FAILURE))
		return;
	n->requests++;
	if (f->told == NL_TOLD_SUCCESS)
		return;
	unsigned class = nl_err_class(f->err);
	n->failures++;
	n->rejected += class == NL_ERR_REJECTED;
	n->timeouts += class == NL_ERR_TIMEOUT;
}

void nl_system_copy_foreign(struct nl_system *a, const struct nl_system *b)
{
	for (unsigned i = NL_LINE_OK + 1; i < NL_LINE_DUP; i++)
		a->lines[i] += b->lines[i];
}

void nl_system_pass(struct nl_system *s, const struct nl_fact *f)
{
	nl_runs_take(s->runs, f, NULL);
}

static bool is_of_run(const struct nl_fact *f)
{
	return f->told == NL_TOLD_RUN_STARTED || f->told == NL_TOLD_RUN_ENDED;
}

struct nl_known nl_system_ahead(const struct nl_system *s, const struct nl_fact *f)
{
	struct nl_known place = { NULL, s->dropped };
	nl_runs_ahead(s->runs, f->run);
	if (is_of_run(f))
		return place;
	uint64_t hash, slot = *nl_system_slot(s, cut(f->kind), cut(f->policy), &hash);
	if (slot) {
		place.series = s->series[(slot & 0xffff) - 1];
		nl_series_ahead(place.series, f);
	}
	return place;
}

enum nl_line nl_system_take_at(struct nl_system *s, const struct nl_fact *f, int64_t real_us, struct nl_known place)
{
	struct series *series = place.dropped == s->dropped || MUTANT(SERIES_GONE) ? place.series : NULL;
	if (!nl_runs_take(s->runs, f, series ? &series->run_name : NULL) && !MUTANT(READS_TWICE)) {
		s->lines[NL_LINE_DUP]++;
		return NL_LINE_DUP;
	}
	enum nl_line line = judge(s, f, real_us);
	s->lines[line]++;
	s->told[f->told]++;
	if (is_of_run(f))
		return line;
	count_call(&s->calls, f);
	if (!series)
		series = nl_system_open_series(s, f->kind, f->policy);
	s->overflowed += series && series == s->overflow;
	if (!series || nl_series_take(series, f, line == NL_LINE_OK && f->time_us >= 0 ? NL_IN_TIME : NL_OUT_OF_TIME) < 0)
		s->starved = true;
	return line;
}

enum nl_line nl_system_take(struct nl_system *s, const struct nl_fact *f, int64_t real_us)
{
	return nl_system_take_at(s, f, real_us, (struct nl_known){ NULL, 0 });
}

static int merge_series(struct nl_system *a, const struct series *b)
{
	struct series *s = nl_system_open_series(a, (struct nl_quote){ b->pub.kind_text, b->nkind }, (struct nl_quote){ b->pub.policy, b->npolicy });
	if (s && s == a->overflow && strcmp(b->pub.policy, OVERFLOW) != 0)
		a->overflowed += b->pub.events;
	return s ? nl_series_merge(s, b) : -1;
}

int nl_system_merge(struct nl_system *a, const struct nl_system *b)
{
	int r = 0;
	if (a->latest_us < b->latest_us)
		a->latest_us = b->latest_us;
	for (unsigned i = 0; i < NL_LINES; i++)
		a->lines[i] += b->lines[i];
	for (unsigned i = 0; i < NL_TOLDS; i++)
		a->told[i] += b->told[i];
	a->overflowed += b->overflowed;
	a->calls.requests += b->calls.requests, a->calls.failures += b->calls.failures;
	a->calls.rejected += b->calls.rejected, a->calls.timeouts += b->calls.timeouts;
	for (unsigned i = 0; r == 0 && i < b->n; i++)
		r = merge_series(a, b->series[i]);
	if (r == 0 && b->overflow)
		r = nl_system_open_overflow(a) ? nl_series_merge(a->overflow, b->overflow) : -1;
	if (r < 0 || nl_runs_merge(a->runs, b->runs) < 0 || b->starved)
		a->starved = true;
	return r;
}

int64_t nl_system_latest(const struct nl_system *s)
{
	return s->latest_us;
}

const uint64_t *nl_system_lines(const struct nl_system *s)
{
	return s->lines;
}

uint64_t nl_system_told(const struct nl_system *s, enum nl_told told)
{
	return s->told[told];
}

struct nl_counts nl_system_calls(const struct nl_system *s)
{
	return s->calls;
}

uint64_t nl_system_overflowed(const struct nl_system *s)
{
	return s->overflowed;
}

const struct nl_runs *nl_system_runs(const struct nl_system *s)
{
	return s->runs;
}

bool nl_system_starved(const struct nl_system *s)
{
	return s->starved;
}

unsigned nl_system_count(const struct nl_system *s)
{
	return s->n + (s->overflow != NULL);
}

const struct nl_series *nl_system_series(const struct nl_system *s, unsigned i)
{
	return i < nl_system_count(s) ? &s->sorted[i]->pub : NULL;
}

static const struct nl_series *unknown(const struct nl_system *s, const char *name, struct nl_err *err)
{
	struct nl_near near = nl_near_to(name, strlen(name));
	char safe[65];
	for (unsigned i = 0; i < nl_system_count(s); i++)
		nl_near_try(&near, s->sorted[i]->pub.policy, s->sorted[i]->npolicy);
	snprintf(safe, sizeof safe, "%s", near.best ? near.best : "");
	nl_defuse(safe);
	nl_fail(err, "%s: no such policy in %llu events%s%s%s", name, (unsigned long long)s->lines[NL_LINE_OK],
	        near.best ? " (did you mean " : "", safe, near.best ? "?)" : "");
	return NULL;
}

const struct nl_series *nl_system_find(const struct nl_system *s, const char *name, struct nl_err *err)
{
	const struct nl_series *found = NULL;
	const char *slash = strchr(name, '/');
	char kinds[120] = "";
	unsigned n = 0;
	for (unsigned i = 0; i < nl_system_count(s); i++) {
		const struct nl_series *p = &s->sorted[i]->pub;
		bool with_kind = slash && strncmp(name, p->kind_text, (size_t)(slash - name)) == 0 && p->kind_text[slash - name] == '\0'
		                 && strcmp(slash + 1, p->policy) == 0;
		if (with_kind)
			return p;
		if (strcmp(name, p->policy) != 0 || (n > 0 && p->kind == NL_S_CONTROL))
			continue;                       // What nl-ctl did to a policy, behind the policy.
		size_t at = strlen(kinds);
		snprintf(kinds + at, sizeof kinds - at, "%s%.10s/%.64s", n++ ? ", " : "", p->kind_text, p->policy);
		found = p;
	}
	nl_defuse(kinds);
	if (n > 1)
		nl_fail(err, "%s: ambiguous: %s", name, kinds);
	return n > 1 ? NULL : n == 1 ? found : unknown(s, name, err);
}
