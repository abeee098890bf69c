/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adversary.c - see adversary.h.
 *
 * He begins with what is likely: all hang, all fail at once, the first few do.
 * Then he turns one screw after the other, a run's length or a draw, by steps
 * that become smaller, and keeps what brings him further; the last screws
 * first, for what happens early decides whether there is a late.  Where that
 * ends he tries changes at random, and then begins somewhere else.
 */
#include "adversary.h"

#include "turns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEAVES = 16, TURNS = 24, PROCS = 16, DRAWS = 4, SCREWS = 256, STARTS = 80 };
#define HANGS (1000 * NL_SEC)           /* longer than any limit */

static const double best_luck = 1 - 0x1p-53;

/* All that he chooses: a run is deaf to signals, unless it fails at once. */
struct plot { nl_time run[LEAVES][TURNS]; double draw[LEAVES + PROCS][TURNS * DRAWS]; };

/* What he may turn: a run of a command, or a draw behind one. */
struct screw { bool luck; unsigned of, k; };

static struct mind {
	const struct sim_target *t;
	uint64_t *rnd;
	unsigned left;                  /* runs */
	struct plot plot;               /* that is played */
	struct screw screw[SCREWS];     /* that mattered in the last run, in order */
	unsigned screws;
	struct screw next[PROCS];       /* the next draw of each process */
	struct plot best;
	int64_t far, farthest;          /* the best's; of all */
} m;
static struct sim_log slog;
static uint64_t attacks;

uint64_t sim_attacks(void)
{
	return attacks;
}

static unsigned pick(unsigned n)
{
	return (unsigned)(nl_random(m.rnd) >> 33) % n;
}

static void matters(bool luck, unsigned of, unsigned k)
{
	if (m.screws < SCREWS)
		m.screw[m.screws++] = (struct screw){ luck, of, k };
}

/* Draws belong to the run before them, so that one more shifts no others;
 * before the first run they are the process's. */
static struct screw *next_draw(void)
{
	return &m.next[(unsigned)(sim_pid() - SIM_PID) % PROCS];
}

static struct sim_cmd script(const struct sim_plan *p, unsigned leaf, unsigned run)
{
	(void)p;
	leaf %= LEAVES, run %= TURNS;
	nl_time dur = m.t->dead ? 0 : m.plot.run[leaf][run];
	if (!m.t->dead)
		matters(false, leaf, run);
	*next_draw() = (struct screw){ true, leaf, run * DRAWS };
	return (struct sim_cmd){ .dur = dur, .ws = NL_EXIT(1), .way = dur ? SIM_DEAF : SIM_OBEYS };
}

static double unit(const struct sim_plan *p, unsigned draw)
{
	struct screw *s = next_draw();
	unsigned k = s->k++ % (TURNS * DRAWS);
	(void)p, (void)draw;
	matters(true, s->of, k);
	return m.plot.draw[s->of][k];
}

static int64_t play(void)
{
	static char *line[512];         // Brackets are cut out of it.
	struct sim_plan p = { .seed = m.t->seed, .stop_at = NL_NEVER, .horizon = NL_NEVER, .script = script, .unit = unit, .leaf = true, .line = line };
	if (m.t->words >= sizeof line / sizeof *line)
		abort();
	memcpy(line, m.t->line, (m.t->words + 1) * sizeof *line);
	for (unsigned i = 0; i < PROCS; i++)
		m.next[i] = (struct screw){ true, LEAVES + i, 0 };
	m.screws = 0, attacks++;
	m.left -= m.left > 0;
	return m.t->score(sim_world(&p, &slog), &slog);
}

/* Is it as good as the best?  Then it is the best. */
static bool keep(int64_t far)
{
	if (far < m.far)
		return false;
	m.best = m.plot, m.far = far;
	m.farthest = far > m.farthest ? far : m.farthest;
	return true;
}

static bool goes_on(void)
{
	return m.left && m.farthest < m.t->enough;
}

static void begin(nl_time dur, double luck)
{
	for (unsigned i = 0; i < LEAVES; i++)
		for (unsigned k = 0; k < TURNS; k++)
			m.plot.run[i][k] = dur;
	for (unsigned i = 0; i < LEAVES + PROCS; i++)
		for (unsigned k = 0; k < TURNS * DRAWS; k++)
			m.plot.draw[i][k] = luck;
}

/* The first runs of each command, and all runs of the first commands, fail at once. */
static void fail_first(unsigned turns, unsigned leaves)
{
	for (unsigned i = 0; i < LEAVES; i++)
		for (unsigned k = 0; k < TURNS; k++)
			if (i < leaves || k < turns)
				m.plot.run[i][k] = 0;
}

static void begin_likely(void)
{
	for (unsigned i = 0; i < STARTS && goes_on(); i++) {
		begin((i & 1) == m.t->hang ? 0 : HANGS, i & 2 ? 0 : best_luck);
		if (i >= 4 && !(i & 1))
			fail_first(i / 4 % 5, i / 20);
		keep(play());
	}
}

static void begin_anywhere(void)
{
	begin(pick(2) ? HANGS : 0, pick(2) ? best_luck : 0);
	fail_first(pick(4), pick(4));
	for (unsigned n = pick(2) * 40; n; n--)
		m.plot.run[pick(LEAVES / 2)][pick(TURNS / 4)] = pick(2) ? (nl_time)pick(80) * 100 * NL_MS : 0;
	bool fair = pick(3) == 0;
	for (unsigned i = 0; i < LEAVES + PROCS && fair; i++)
		for (unsigned k = 0; k < TURNS * DRAWS; k++)
			m.plot.draw[i][k] = nl_unit(m.rnd);
	m.far = -1;
	keep(play());
}

/* Turns one screw as far as it brings him further. */
static bool turn(struct screw s, bool back)
{
	int64_t before = m.far;
	nl_time *dur = &m.plot.run[s.of % LEAVES][s.k % TURNS];
	double *luck = &m.plot.draw[s.of][s.k];
	for (int i = -1; i < 25 && goes_on(); i++) {
		m.plot = m.best;
		if (s.luck)
			*luck = i < 0 ? (back ? 0 : best_luck) : *luck + ldexp(back ? -0.5 : 0.5, -i);
		else
			*dur = i < 0 ? (back ? 0 : HANGS) : *dur + (back ? -1 : 1) * ((nl_time)1 << (33 - i));
		if (*luck < 0 || *luck > best_luck || *dur < 0 || *dur > HANGS)
			continue;
		int64_t far = play();
		if (far > m.far)
			keep(far);
	}
	return m.far > before;
}

static void turn_all(void)
{
	struct screw all[SCREWS];
	bool further = true, back = false;
	unsigned idle = 0;
	for (unsigned round = 0; idle < 2 && round < 8 && goes_on(); round++) {
		m.plot = m.best;
		play();
		unsigned n = m.screws;
		memcpy(all, m.screw, n * sizeof *all);
		further = false;
		for (unsigned i = 0; i < n && goes_on(); i++)
			further |= turn(all[round % 2 ? i : n - 1 - i], back);
		idle = further ? 0 : idle + 1;
		back ^= !further;
	}
}

/* Another idea about a screw or two. */
static void change(void)
{
	nl_time missing = m.t->time ? m.t->enough - m.far : NL_SEC;
	m.plot = m.best;
	for (unsigned n = 1 + pick(2); n && m.screws; n--) {
		struct screw s = m.screw[pick(m.screws)];
		nl_time *dur = &m.plot.run[s.of % LEAVES][s.k % TURNS], was = *dur < HANGS ? *dur : 0;
		double *luck = &m.plot.draw[s.of][s.k];
		if (s.luck) {
			double step = ldexp(nl_unit(m.rnd) - 0.5, -(int)pick(12));
			*luck = pick(4) ? *luck + step : pick(2) ? nl_unit(m.rnd) : pick(2) ? best_luck : 0;
			*luck = fmin(fmax(*luck, 0), best_luck);
			continue;
		}
		switch (pick(6)) {
		case 0: *dur = 0; break;
		case 1: case 2: *dur = HANGS; break;
		case 3: *dur = was + missing - pick(2); break;
		case 4: *dur = (nl_time)pick(100) * 100 * NL_MS; break;
		default: *dur = (nl_time)pick(10000) * NL_MS; break;
		}
		for (unsigned k = pick(4) ? TURNS : 0; k < TURNS; k++)
			m.plot.run[s.of % LEAVES][k] = *dur;            // Whenever that command runs.
	}
}

int64_t sim_attack(const struct sim_target *t, uint64_t *rnd, unsigned runs)
{
	m = (struct mind){ .t = t, .rnd = rnd, .left = runs, .far = -1, .farthest = -1 };
	for (begin_likely(); goes_on(); begin_anywhere()) {
		turn_all();
		for (unsigned i = 0; i < 200 && goes_on(); i++) {
			change();
			if (!keep(play()) && i % 8 == 7)
				m.plot = m.best, play();        // Its screws, not those of another.
		}
		turn_all();
	}
	return m.farthest;
}

int64_t sim_stroll(const struct sim_target *t, uint64_t *rnd)
{
	m = (struct mind){ .t = t, .rnd = rnd, .left = 3, .far = -1, .farthest = -1 };
	begin(HANGS, pick(2) ? best_luck : 0);
	keep(play());
	while (m.left)
		begin_anywhere();
	return m.farthest;
}
