/* SPDX-License-Identifier: Apache-2.0 */
/*
 * label.c - how often something happened for which reason, from and to where.
 *
 * The words are those of nl-events(5) and no others, so there are never more
 * counts than these.  An event with another word is in the sum of its kind alone,
 * and the difference is "other".  A count is there from its first event on.
 *
 * Snapshots have the numbers of labels: words are added at the end of their list.
 */
#include "observe/label.h"

#include "circuit.h"

#include <stdlib.h>
#include <string.h>

#define PER_FAMILY 512
#define WHYS 12                         /* room for so many reasons of a move */

static const char *const ends[] = { "max_attempts", "deadline", "not_retryable", "stdin", "spool", "output", "stopped", "budget", NULL };
static const char *const yes_no[] = { "false", "true", NULL };
static const char *const full[] = { "saturated", "queue_full", "timeout", "stopped", NULL };
static const char *const places[] = { "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", NULL };
static const char *const whys[] = { "other", "consecutive", "failure_rate", "slow_rate", "probe_failed", "success", "elapsed", "forced", "reset", NULL };
enum { OTHER, CONSECUTIVE, FAILURE_RATE, SLOW_RATE, PROBE_FAILED, SUCCESS, ELAPSED, FORCED };

/* usual: the number of those at 0 from the beginning, behind the first words that never are. */
static const struct family { const char *key, *label; const char *const *words; unsigned first, usual; } families[NL_FAMILIES] = {
	[NL_F_EXHAUSTED] = { "reason", "reason", ends, 0, 8 },
	[NL_F_TIMEOUT] = { "killed", "killed", yes_no, 0, 2 },
	[NL_F_FULL] = { "reason", "reason", full, 0, 4 },
	[NL_F_WON] = { "winner", "arm", places, 0, 2 },
	[NL_F_FELL_BACK] = { "index", "to", places, 1, 1 },
	[NL_F_MOVED] = { NULL, NULL, whys, 0, 6 },
};

/* Moves of a breaker that no person made. */
static const struct { uint8_t from, to, why; } moves[] = {
	{ NL_CLOSED, NL_OPEN, CONSECUTIVE }, { NL_CLOSED, NL_OPEN, FAILURE_RATE }, { NL_CLOSED, NL_OPEN, SLOW_RATE },
	{ NL_OPEN, NL_HALF_OPEN, ELAPSED }, { NL_HALF_OPEN, NL_OPEN, PROBE_FAILED }, { NL_HALF_OPEN, NL_CLOSED, SUCCESS },
};
_Static_assert(NL_CIRCUIT_STATES * NL_CIRCUIT_STATES * WHYS <= PER_FAMILY, "a number for each move");
_Static_assert(NL_FAMILIES * PER_FAMILY == NL_LABELS, "a number for each label");

static unsigned moved(unsigned from, unsigned to, unsigned why)
{
	return (from * NL_CIRCUIT_STATES + to) * WHYS + why;
}

/* Which of the words it is; behind the last: none. */
static unsigned word_of(const char *const *words, struct nl_quote t)
{
	unsigned i = 0;
	while (words[i] && (strlen(words[i]) != t.n || memcmp(words[i], t.s, t.n) != 0))
		i++;
	return i;
}

int nl_labels_put(struct nl_series *s, unsigned label, uint64_t n)
{
	return nl_keyed_put(&s->labels, &s->nlabels, label, n);
}

static int take(struct nl_series *s, const struct nl_fact *f, enum nl_family family)
{
	const struct family *of = &families[family];
	struct nl_quote is = nl_fact_attr(f, of->key);
	if (is.n > 1 && *is.s == '"')
		is.s++, is.n -= 2;
	unsigned i = word_of(of->words, is);
	return of->words[i] ? nl_labels_put(s, (unsigned)family * PER_FAMILY + i, 1) : 0;
}

int nl_labels_take(struct nl_series *s, const struct nl_fact *f)
{
	switch (f->told) {
	case NL_TOLD_EXHAUSTED: return take(s, f, NL_F_EXHAUSTED);
	case NL_TOLD_TIMEOUT: return take(s, f, NL_F_TIMEOUT);
	case NL_TOLD_BULKHEAD_REJECTED: return take(s, f, NL_F_FULL);
	case NL_TOLD_RACE_WON: return take(s, f, NL_F_WON);
	case NL_TOLD_FALLBACK_USED: return take(s, f, NL_F_FELL_BACK);
	default: return 0;
	}
}

/* The events of half-open and of force give no reason: they have one only. */
int nl_labels_move(struct nl_series *s, enum nl_told told, const struct nl_move *m)
{
	unsigned why = told == NL_TOLD_HALF_OPEN ? ELAPSED : told == NL_TOLD_FORCED ? FORCED
	               : word_of(whys, (struct nl_quote){ m->reason, (unsigned)strlen(m->reason) });
	return nl_labels_put(s, NL_F_MOVED * PER_FAMILY + moved(m->from, m->to, whys[why] ? why : OTHER), 1);
}

static uint64_t count_of(const struct nl_series *s, unsigned label)
{
	for (unsigned i = 0; i < s->nlabels; i++)
		if (s->labels[i].key == label)
			return s->labels[i].n;
	return 0;
}

static struct nl_labels text_of(enum nl_family family, unsigned i)
{
	if (family != NL_F_MOVED)
		return (struct nl_labels){ 1, { { families[family].label, families[family].words[i] } } };
	unsigned from = i / WHYS / NL_CIRCUIT_STATES, to = i / WHYS % NL_CIRCUIT_STATES;
	return (struct nl_labels){ 3, { { "from", nl_circuit_name((enum nl_circuit_state)from) }, { "to", nl_circuit_name((enum nl_circuit_state)to) },
	                                { "reason", whys[i % WHYS] } } };
}

/* The one of usual number k. */
static unsigned usual(enum nl_family family, unsigned k)
{
	return family == NL_F_MOVED ? moved(moves[k].from, moves[k].to, moves[k].why) : families[family].first + k;
}

static bool is_usual(enum nl_family family, unsigned i)
{
	for (unsigned k = 0; k < families[family].usual; k++)
		if (usual(family, k) == i)
			return true;
	return false;
}

bool nl_label_is(unsigned label)
{
	unsigned i = label % PER_FAMILY, n = 0;
	if (label >= NL_LABELS)
		return false;
	const struct family *of = &families[label / PER_FAMILY];
	while (of->words[n])
		n++;
	return label / PER_FAMILY == NL_F_MOVED ? i < NL_CIRCUIT_STATES * NL_CIRCUIT_STATES * WHYS && i % WHYS < n : i < n;
}

void nl_labels_each(const struct nl_series *s, enum nl_family family, uint64_t all, nl_label_tell *tell, void *arg)
{
	const unsigned base = (unsigned)family * PER_FAMILY;
	uint64_t told = 0, n;
	for (unsigned k = 0; k < families[family].usual; k++, told += n) {
		struct nl_labels l = text_of(family, usual(family, k));
		tell(&l, n = count_of(s, base + usual(family, k)), arg);
	}
	for (unsigned i = 0; i < s->nlabels; i++) {
		unsigned label = s->labels[i].key;
		if (label < base || label >= base + PER_FAMILY || is_usual(family, label - base))
			continue;
		struct nl_labels l = text_of(family, label - base);
		tell(&l, s->labels[i].n, arg);
		told += s->labels[i].n;
	}
	if (all <= told)
		return;
	struct nl_labels other = text_of(family, usual(family, 0));
	for (unsigned i = 0; i < other.n; i++)
		other.of[i].value = "other";
	tell(&other, all - told, arg);
}
