/* SPDX-License-Identifier: Apache-2.0 */
/* walk.c - the words of walk.h. */
#include "walk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEN(a) (sizeof (a) / sizeof *(a))

void walk_begin(struct walk *w, struct nl_circuit_cfg cfg)
{
	*w = (struct walk){ .cfg = cfg, .epoch = 1, .start = 1000 * NL_SEC, .now = 1000 * NL_SEC, .slow = 5 * NL_SEC };
}

static struct nl_circuit_step step(struct walk *w, enum nl_circuit_event event, struct walk_permit p, nl_time dur)
{
	struct nl_circuit_input in = { .event = event, .now = w->now, .epoch = p.epoch, .age = p.age, .dur = dur, .ws = NL_EXIT(1),
	                               .u = w->u, .span = 1, .cmd = "walk" };
	for (unsigned i = 0; i < w->n; i++)
		in.held += w->kept[i].probe;
	return nl_circuit_step(&w->cfg, &w->c, &w->epoch, &in);
}

static struct walk_permit no_permit(void)
{
	return (struct walk_permit){ 0 };
}

static bool acquire(struct walk *w, struct walk_permit *p)
{
	w->last = step(w, NL_ACQUIRE, no_permit(), 0);
	*p = (struct walk_permit){ w->epoch, w->last.age, w->last.verdict == NL_PROBE };
	return w->last.verdict != NL_REJECT;
}

static bool call(struct walk *w, char what)
{
	struct walk_permit p;
	bool slow = what == 's' || what == 'f';
	if (!acquire(w, &p))
		return false;
	step(w, what == 'I' ? NL_IGNORED : what == 'S' || what == 's' ? NL_SUCCESS : NL_FAILURE, p, slow ? w->slow : 0);
	return true;
}

static bool end(struct walk *w, const char *what)
{
	static const struct { const char *word; enum nl_circuit_event event; } ends[] = {
		{ "ok", NL_SUCCESS }, { "fail", NL_FAILURE }, { "ign", NL_IGNORED },
	};
	bool newest = !strncmp(what, "last.", 5);
	unsigned at = newest ? w->n - 1 : 0;
	if (!w->n)
		return false;
	struct walk_permit p = w->kept[at];
	for (size_t i = 0; i < LEN(ends); i++)
		if (!strcmp(what + 5 * newest, ends[i].word))
			step(w, ends[i].event, p, 0);
	memmove(w->kept + at, w->kept + at + 1, (--w->n - at) * sizeof *w->kept);
	return true;
}

static bool word_of_a_person(struct walk *w, const char *word)
{
	static const struct { const char *word; enum nl_circuit_event event; } words[] = {
		{ "reset", NL_RESET }, { "off", NL_DISABLE }, { "open", NL_FORCE_OPEN }, { "closed", NL_FORCE_CLOSED },
	};
	for (size_t i = 0; i < LEN(words); i++)
		if (!strcmp(word, words[i].word)) {
			w->last = step(w, words[i].event, no_permit(), 0);
			return true;
		}
	return false;
}

static bool is_state(const struct walk *w, const char *name)
{
	static const char *const names[] = { [NL_CLOSED] = "C", [NL_OPEN] = "O", [NL_HALF_OPEN] = "H", [NL_FORCED_OPEN] = "FO",
	                                     [NL_FORCED_CLOSED] = "FC", [NL_DISABLED] = "D" };
	return !strcmp(names[w->c.state], name);
}

static bool look(struct walk *w, char what, const char *text)
{
	struct nl_circuit_counts k = nl_circuit_counts(&w->cfg, &w->c, w->now);
	long n = strtol(text, NULL, 10);
	switch (what) {
	case '=':
		return is_state(w, text);
	case '#':
		return k.n.calls == n;
	case '!':
		return k.n.fails == n;
	case '%':
		return n < 0 ? k.fail_ppm == -1 : fabs((double)k.fail_ppm / 1e4 - strtod(text, NULL)) < 0.01;
	case 'r':
		return w->last.retry_in == (*text == '-' ? NL_NEVER : n * NL_MS);
	case 'n':
		return w->c.rejected == n;
	case 'o':
		return w->c.openings == n;
	default:
		return false;
	}
}

static bool one(struct walk *w, const char *word)
{
	struct walk_permit p;
	if (word[0] == '+' || word[0] == '@') {
		w->now = (word[0] == '+' ? w->now : w->start) + llround(strtod(word + 1, NULL) * (double)NL_MS);
		step(w, NL_LOOK, no_permit(), 0);
		return true;
	}
	if (!word[1] && strchr("SFIsf", word[0]))
		return call(w, word[0]);
	if (!strcmp(word, "X"))
		return !acquire(w, &p);
	if (!strcmp(word, "A")) {
		if (w->n == LEN(w->kept) || !acquire(w, &p))
			return false;
		w->kept[w->n++] = p;
		return true;
	}
	if (word_of_a_person(w, word))
		return true;
	if (!strcmp(word, "ok") || !strcmp(word, "fail") || !strcmp(word, "ign") || !strcmp(word, "rel") || !strncmp(word, "last.", 5))
		return end(w, word);
	return look(w, word[0], word + 1);
}

bool walk(struct walk *w, const char *words)
{
	for (const char *p = words; *p; p += strspn(p, " ")) {
		char word[24];
		size_t n = strcspn(p, " ");
		size_t digits = strspn(p, "0123456789");
		unsigned long times = digits ? strtoul(p, NULL, 10) : 1;
		snprintf(word, sizeof word, "%.*s", (int)(n - digits), p + digits);
		for (unsigned long i = 0; i < times; i++)
			if (!one(w, word)) {
				snprintf(w->why, sizeof w->why, "at column %d, %s: %s, %u of %u calls failed", (int)(p - words), word,
				         nl_circuit_name((enum nl_circuit_state)w->c.state), w->c.n.fails, w->c.n.calls);
				return false;
			}
		p += n;
	}
	return true;
}

bool walk_from(struct walk *w, struct nl_circuit_cfg cfg, const char *words)
{
	walk_begin(w, cfg);
	return walk(w, words);
}
