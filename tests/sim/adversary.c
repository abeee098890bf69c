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

enum { PROCS = 64, TURNS = 24, DRAWS = 3, SCREWS = 256, STARTS = 80 };
#define HANGS (1000 * NL_SEC)           /* longer than any limit */

static const double best_luck = 1 - 0x1p-53;

/* All that he chooses, for each process apart, so that in which order things
 * happen changes nothing: how long its runs take, and its draws, which belong to
 * the run before them.  A run is deaf to signals, unless it fails at once; what
 * is not said is as it begins. */
struct plot {
	nl_time dur, run[PROCS][TURNS]; /* UNSAID: dur, or 0 for those below */
	unsigned turns, leaves;         /* the first runs of each command, all runs of the first commands */
	double draw[PROCS][TURNS * DRAWS];
};
#define UNSAID (-1)

/* What he may turn: a run of a process, or a draw. */
struct screw { bool luck; unsigned of, k; };

static struct mind {
	const struct sim_target *t;
	uint64_t *rnd;
	unsigned left;                  /* runs */
	uint64_t path[PROCS];           /* of the processes so far */
	unsigned known;
	struct plot plot;               /* that is played */
	struct screw screw[SCREWS];     /* that mattered in the last run, in order */
	unsigned screws;
	unsigned ran[PROCS], drawn[PROCS];
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

static unsigned process(void)
{
	unsigned i = 0;
	uint64_t path = sim_me()->path;
	while (i < m.known && m.path[i] != path)
		i++;
	if (i == PROCS)
		return PROCS - 1;
	m.path[i] = path;
	m.known = i == m.known ? i + 1 : m.known;
	return i;
}

static struct sim_cmd script(const struct sim_plan *p, unsigned leaf, unsigned run)
{
	unsigned of = process(), k = m.ran[of]++ % TURNS;
	nl_time *dur = &m.plot.run[of][k];
	(void)p;
	if (*dur == UNSAID)
		*dur = leaf < m.plot.leaves || run < m.plot.turns ? 0 : m.plot.dur;
	m.drawn[of] = k * DRAWS;
	if (m.t->dead)
		*dur = 0;
	else
		matters(false, of, k);
	return (struct sim_cmd){ .dur = *dur, .ws = NL_EXIT(1), .way = *dur ? SIM_DEAF : SIM_OBEYS };
}

static double unit(const struct sim_plan *p, unsigned draw)
{
	unsigned of = process(), k = m.drawn[of]++ % (TURNS * DRAWS);
	(void)p, (void)draw;
	matters(true, of, k);
	return m.plot.draw[of][k];
}

static int64_t play(void)
{
	static char *line[512];         // Brackets are cut out of it.
	struct sim_plan p = { .seed = m.t->seed, .stop_at = NL_NEVER, .horizon = NL_NEVER, .script = script, .unit = unit, .leaf = true, .line = line };
	if (m.t->words >= sizeof line / sizeof *line)
		abort();
	memcpy(line, m.t->line, (m.t->words + 1) * sizeof *line);
	memset(m.ran, 0, sizeof m.ran);
	memset(m.drawn, 0, sizeof m.drawn);
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

static void begin(nl_time dur, unsigned turns, unsigned leaves, double luck)
{
	m.plot.dur = dur, m.plot.turns = turns, m.plot.leaves = leaves;
	for (unsigned i = 0; i < PROCS; i++)
		for (unsigned k = 0; k < TURNS; k++)
			m.plot.run[i][k] = UNSAID;
	for (unsigned i = 0; i < PROCS; i++)
		for (unsigned k = 0; k < TURNS * DRAWS; k++)
			m.plot.draw[i][k] = luck;
}

static void begin_likely(void)
{
	for (unsigned i = 0; i < STARTS && goes_on(); i++) {
		begin((i & 1) == m.t->hang ? 0 : HANGS, i & 1 ? 0 : i / 4 % 5, i & 1 ? 0 : i / 20, i & 2 ? 0 : best_luck);
		keep(play());
	}
}

static void begin_anywhere(void)
{
	bool fair = pick(3) == 0;
	begin(pick(2) ? HANGS : 0, pick(4), pick(4), pick(2) ? best_luck : 0);
	for (unsigned n = pick(2) * 40; n; n--)
		m.plot.run[pick(m.known)][pick(TURNS / 4)] = pick(2) ? (nl_time)pick(80) * 100 * NL_MS : 0;
	for (unsigned i = 0; i < PROCS && fair; i++)
		for (unsigned k = 0; k < TURNS * DRAWS; k++)
			m.plot.draw[i][k] = nl_unit(m.rnd);
	m.far = -1;
	keep(play());
}

/* Turns one screw as far as it brings him further. */
static bool turn(struct screw s, bool back)
{
	int64_t before = m.far;
	nl_time *dur = &m.plot.run[s.of][s.k % TURNS];
	double *luck = &m.plot.draw[s.of][s.k];
	for (int i = -1; i < 25 && goes_on(); i++) {
		m.plot = m.best;
		if (s.luck)
			*luck = i < 0 ? (back ? 0 : best_luck) : *luck + ldexp(back ? -0.5 : 0.5, -i);
		else
			*dur = i < 0 ? (back ? 0 : HANGS) : *dur + (back ? -1 : 1) * ((nl_time)1 << (33 - i));
		if (*luck < 0 || *luck > best_luck || (!s.luck && (*dur < 0 || *dur > HANGS)))
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
		nl_time *dur = &m.plot.run[s.of][s.k % TURNS], was = *dur < HANGS ? *dur : 0;
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
			m.plot.run[s.of][k] = *dur;     // Whenever it runs one.
	}
}

int64_t sim_attack(const struct sim_target *t, uint64_t *rnd, unsigned runs)
{
	m = (struct mind){ .t = t, .rnd = rnd, .left = runs, .known = 1, .far = -1, .farthest = -1 };
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
	m = (struct mind){ .t = t, .rnd = rnd, .left = 3, .known = 1, .far = -1, .farthest = -1 };
	begin(HANGS, 0, 0, pick(2) ? best_luck : 0);
	keep(play());
	while (m.left)
		begin_anywhere();
	return m.farthest;
}
