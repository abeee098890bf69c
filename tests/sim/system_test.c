/* SPDX-License-Identifier: Apache-2.0 */
/*
 * system_test.c - the real bulkhead and breaker, by several processes that are
 * killed anywhere, on the simulated kernel of kernel.c.
 *
 *   system_test                    20 seeds of each, as tests
 *   SIM_STEPS=n system_test        seeds one after another until n steps are done
 *   SIM_SEED=n [SIM_STEPS=m]       begins with that seed
 *
 * The oracles sit where something becomes true: a slot's byte is locked, a
 * record is written, a process dies.  They know nothing of lib's own counting.
 */
#include "circuit.h"
#include "kernel.h"
#include "opt.h"
#include "queue.h"
#include "run.h"
#include "stack.h"
#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum scenario { BULKHEAD, BREAKER };

static enum scenario scenario;
static unsigned flag_max, probes_most;
static bool healthy;
static nl_time rest, work;              /* at most: between calls, of a command */
static bool beat;                       /* both in quarters of that: much happens at once */
static nl_time calm_at;                 /* from here on all is well: no kills, all calls succeed */

static struct actor {
	bool live_change;               /* an operator, not a caller */
	/* Of the bulkhead. */
	bool admitted;                  /* has a slot, or its command runs on without it */
	bool queued; uint64_t ticket;   /* a number was given to it */
	/* Of the breaker. */
	bool calling, probing;
	uint64_t epoch;                 /* of the record when it was admitted */
	bool over, cancelled;           /* its command has ended; by us */
	unsigned told;                  /* stop signals sent */
} actors[SIM_PROCS];

static nl_time some(nl_time most)
{
	return beat ? (nl_time)(sim_rand() % 4) * (most / 4) : (nl_time)(sim_rand() % (uint64_t)most);
}

static bool counts_as_caller(int p)
{
	return p >= 0 && !actors[p].live_change;
}

static const struct nl_record *record(uint64_t ino)
{
	return sim_bytes(ino);
}

/* The limit that holds: what the record says at this moment, else the flag. */
static unsigned limit_now(void)
{
	uint64_t ino = sim_ino("b");
	const struct nl_live *live = ino ? nl_live_find(record(ino), "max") : NULL;
	return live ? (unsigned)atoi(live->value) : flag_max;
}

static void slot_taken(int p)
{
	unsigned n = 0, limit = limit_now();
	for (int i = 0; i < SIM_PROCS; i++)
		n += actors[i].admitted;
	if (n + 1 > limit)
		sim_wrong("process %d is admitted as number %u of %u", p, n + 1, limit);
	for (int i = 0; i < SIM_PROCS; i++) {
		if (i == p || !sim_alive(i) || !actors[i].queued)
			continue;
		if (!actors[p].queued)
			sim_wrong("process %d, which did not queue, is admitted before ticket %llu", p, (unsigned long long)actors[i].ticket);
		else if (actors[i].ticket < actors[p].ticket)
			sim_wrong("ticket %llu is admitted before %llu", (unsigned long long)actors[p].ticket, (unsigned long long)actors[i].ticket);
	}
	actors[p].admitted = true;
}

static void probe_taken(int p)
{
	uint64_t epoch = record(sim_ino("c"))->head.epoch;      // Before the write of a transition that goes with it.
	unsigned n = 1;
	for (int i = 0; i < SIM_PROCS; i++)
		n += i != p && sim_alive(i) && actors[i].probing && actors[i].epoch >= epoch;
	if (n > probes_most)
		sim_wrong("%u probes at once, %u are allowed", n, probes_most);
	actors[p].probing = true, actors[p].epoch = epoch;
}

static void locked(int p, uint64_t ino, int64_t byte, bool held)
{
	bool slot = byte >= NL_BYTE_SLOT && byte < NL_BYTE_SLOT + NL_SLOTS;
	if (!counts_as_caller(p))
		return;
	if (ino == sim_ino(".b.lock") && slot && held)
		slot_taken(p);
	else if (ino == sim_ino(".b.lock") && slot)
		actors[p].admitted = false;
	else if (ino == sim_ino(".b.lock") && byte >= NL_BYTE_TICKET && !held)
		actors[p].queued = false;
	else if (ino == sim_ino(".c.lock") && slot && held)
		probe_taken(p);
	else if (ino == sim_ino(".c.lock") && slot)
		actors[p].probing = false;      // Given back: nobody's result is awaited.
}

static void bulkhead_written(int p, const struct nl_record *before, const struct nl_record *after)
{
	const struct nl_bulkhead *was = (const struct nl_bulkhead *)before->body, *is = (const struct nl_bulkhead *)after->body;
	if (counts_as_caller(p) && is->next > was->next && was->flags) {
		if (is->next != was->next + 1)
			sim_wrong("tickets jump from %llu to %llu", (unsigned long long)was->next, (unsigned long long)is->next);
		actors[p].queued = true, actors[p].ticket = is->next - 1;
	} else if (was->flags && is->next < was->next) {
		sim_wrong("ticket numbers fall from %llu to %llu", (unsigned long long)was->next, (unsigned long long)is->next);
	} else if (counts_as_caller(p) && is->next == 1 && !was->flags) {
		actors[p].queued = true, actors[p].ticket = 0;
	}
}

static void breaker_written(int p, const struct nl_record *before, const struct nl_record *after)
{
	const struct nl_circuit *was = (const struct nl_circuit *)before->body, *is = (const struct nl_circuit *)after->body;
	bool moved = was->state != is->state;
	if (after->head.epoch < before->head.epoch)
		sim_wrong("the epoch falls from %llu to %llu", (unsigned long long)before->head.epoch, (unsigned long long)after->head.epoch);
	if (moved && after->head.epoch == before->head.epoch)
		sim_wrong("%u becomes %u in epoch %llu", was->state, is->state, (unsigned long long)after->head.epoch);
	if (was->state == NL_OPEN && is->state == NL_HALF_OPEN && sim_kernel_now() < was->until)
		sim_wrong("half-open %lld ns early", (long long)(was->until - sim_kernel_now()));
	if (!counts_as_caller(p))
		return;
	if (actors[p].probing && !actors[p].over)
		actors[p].epoch = after->head.epoch;
	if (!actors[p].over)
		return;
	bool effect = moved || was->streak_fail != is->streak_fail || was->streak_ok != is->streak_ok;
	if (effect && before->head.epoch != actors[p].epoch)
		sim_wrong("a result of epoch %llu counts in epoch %llu", (unsigned long long)actors[p].epoch, (unsigned long long)before->head.epoch);
	if (effect && actors[p].cancelled)
		sim_wrong("a cancelled call counts");
	actors[p].probing = false;
}

static void written(int p, uint64_t ino, const void *before, const void *after)
{
	const struct nl_record *was = before;
	if (memcmp(was->head.magic, "9LST", 4))
		return;                         // The first write.
	if (ino == sim_ino("b"))
		bulkhead_written(p, was, after);
	else if (ino == sim_ino("c"))
		breaker_written(p, was, after);
}

static void died(int p, bool with_command)
{
	if (!with_command)
		actors[p].admitted = false;
	actors[p].queued = actors[p].probing = false;
	actors[p].calling = actors[p].over = false;
}

static void command_ended(int p)
{
	actors[p].admitted = false;
}

/* Nobody runs before next: has somebody been forgotten? */
static void idle(nl_time next)
{
	unsigned held = 0, waiting = 0;
	if (scenario != BULKHEAD || next < sim_kernel_now() + 100 * NL_MS)
		return;
	for (int i = 0; i < SIM_PROCS; i++) {
		held += actors[i].admitted;
		waiting += sim_alive(i) && actors[i].queued && sim_waits(i);
	}
	if (waiting && held < limit_now())
		sim_wrong("%u wait although %u of %u slots are held", waiting, held, limit_now());
}

/* The command. */
static struct nl_outcome leaf_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	int self = sim_self();
	struct actor *a = &actors[self];
	(void)svc, (void)q;
	uint64_t lock = sim_ino(scenario == BULKHEAD ? ".b.lock" : ".c.lock");
	bool kept = false;
	for (int i = 0; i < 8; i++)
		kept |= sim_inherits(self, lock, NL_BYTE_SLOT + i);
	if (kept != (scenario == BULKHEAD))
		sim_wrong(kept ? "a command inherits a probe" : "a command does not inherit its slot");
	if (scenario == BREAKER && !a->probing)
		a->epoch = record(sim_ino("c"))->head.epoch;
	int sig = sim_command(some(work));
	a->over = true;
	if (sig) {
		nl_told(run, sig, nl_now(run));
		a->cancelled = true;
		return (struct nl_outcome){ SIGTERM, NL_CANCELLED };
	}
	bool fails = sim_kernel_now() < calm_at && (healthy ? sim_chance() < 0.05 : sim_chance() < 0.9);
	return (struct nl_outcome){ fails ? NL_EXIT(1) : 0, NL_RAN };
}

static const struct nl_layer leaf = { .name = "leaf", .call = leaf_call };

/* One call, as a process makes it. */
static struct nl_outcome call(struct nl_run *run, const struct nl_layer *layer, char **argv)
{
	static struct nl_room rooms[SIM_PROCS];
	struct nl_room *room = &rooms[sim_self()];
	struct nl_svc last = { .layer = &leaf, .cmd = "leaf", .id = "leaf" };
	const struct nl_layer *at;
	struct nl_err err;
	room->used = 0;
	struct nl_svc *stack = nl_stack(layer, argv, NL_STACK_FUSED, room, &at, &err);
	if (!stack) {
		sim_wrong("%s", err.msg);
		return (struct nl_outcome){ 0, NL_NOTRUN };
	}
	stack->inner = &last;
	return nl_do(stack, run, (struct nl_req){ .limit = { .at = NL_NEVER }, .stop = { .grace = NL_NEVER }, .prev = -1 });
}

static void open_run(struct nl_run *run, struct nl_signals *signals)
{
	static char *env[] = { (char *)"NL_STATE=/state", NULL };
	*signals = (struct nl_signals){ .fd = -1, .wanted = ~UINT64_C(0) };
	*run = (struct nl_run){ .os = &sim_kernel_os, .environ = env, .signals = signals, .tool = "sim", .pid = sim_kernel_os.pid(),
	                        .horizon = NL_NEVER, .grace = NL_NEVER };
}

/* Sends TERM to somebody who waits or works. */
static void disturb(void)
{
	int p = (int)(sim_rand() % SIM_PROCS);
	if (p != sim_self() && sim_alive(p) && !actors[p].live_change && sim_kernel_now() < calm_at)
		sim_signal(p, SIGTERM);
}

/* nl-ctl set KEY=VALUE, as any process can. */
static void change(const struct nl_kind *kind, const char *name, const char *key, unsigned most)
{
	struct nl_run run;
	struct nl_signals signals;
	struct nl_state s;
	struct nl_record rec;
	struct nl_err err;
	char value[16];
	open_run(&run, &signals);
	snprintf(value, sizeof value, "%u", 1 + (unsigned)(sim_rand() % most));
	if (nl_state_open(&s, &run, NULL, kind, name, NL_CREATE) == 0 && nl_state_lock(&s, &rec, NL_SEC) == 0) {
		if (nl_live_set(&rec, kind, key, value, 0, 1, &err) < 0)
			sim_wrong("%s", err.msg);
		rec.head.cfg++;
		nl_state_write(&s, &rec);
	}
	nl_state_close(&s);
}

static void bulkhead_body(int self)
{
	struct actor *a = &actors[self];
	struct nl_run run;
	struct nl_signals signals;
	char max[16], wait[16];
	memset(a, 0, sizeof *a);
	a->live_change = self == 0 && sim_chance() < 0.3;
	sim_pause(some(rest));
	if (sim_chance() < 0.05)
		disturb();
	if (a->live_change) {
		change(&nl_kind_bulkhead, "b", "max", flag_max + 1);
		return;
	}
	open_run(&run, &signals);
	snprintf(max, sizeof max, "%u", flag_max);
	snprintf(wait, sizeof wait, sim_chance() < 0.7 ? "inf" : "%uus", (unsigned)(sim_rand() % 8000));
	char *queued[] = { (char *)"-m", max, (char *)"-w", wait, (char *)"b", (char *)"true0", NULL };
	char *at_once[] = { (char *)"-m", max, (char *)"b", (char *)"true0", NULL };
	struct nl_outcome o = call(&run, &nl_bulkhead, sim_chance() < 0.8 ? queued : at_once);
	if (o.why == NL_NOTRUN)
		sim_wrong("process %d: its state cannot be used", self);
	if (a->admitted || a->queued)
		sim_wrong("process %d has a %s after its call", self, a->admitted ? "slot" : "ticket");
	if (sim_chance() < 0.1)
		sim_pause((nl_time)(sim_rand() % (uint64_t)(2 * NL_SEC)));      // It lives on, as one with other layers would.
}

static void breaker_body(int self)
{
	struct actor *a = &actors[self];
	struct nl_run run;
	struct nl_signals signals;
	char probes[16];
	memset(a, 0, sizeof *a);
	a->live_change = self == 0 && sim_chance() < 0.05;
	sim_pause(some(rest));
	if (sim_chance() < 0.01)
		healthy = !healthy;
	if (sim_chance() < 0.02)
		disturb();
	if (a->live_change) {
		change(&nl_kind_breaker, "c", "failures", 4);
		return;
	}
	open_run(&run, &signals);
	snprintf(probes, sizeof probes, "%u", probes_most);
	char *argv[] = { (char *)"-f", (char *)"3", (char *)"-o", (char *)"5ms", (char *)"-p", probes, (char *)"--close-after",
	                 (char *)"2", (char *)"c", (char *)"true0", NULL };
	call(&run, &nl_breaker, argv);
	if (sim_fds(self) > 0 && !run.spent)
		sim_wrong("process %d keeps %u descriptors after its call", self, sim_fds(self));
}

/* After the trouble: whoever calls a healthy service finds it closed soon. */
static void after(uint64_t seed)
{
	if (scenario == BREAKER && !sim_wrong_text() && sim_ino("c")) {
		const struct nl_circuit *c = (const struct nl_circuit *)record(sim_ino("c"))->body;
		nl_time from = calm_at > c->since ? calm_at : c->since;
		if (c->state != NL_CLOSED && sim_kernel_now() - from > 200 * NL_MS)     // Probes take their time.
			sim_wrong("seed %llu: %s, long after all is well", (unsigned long long)seed, nl_circuit_name((enum nl_circuit_state)c->state));
	}
}

static bool play(enum scenario what, uint64_t seed, uint64_t steps, uint64_t *done, uint64_t *kills)
{
	uint64_t rnd = seed;
	scenario = what;
	memset(actors, 0, sizeof actors);
	flag_max = 1 + (unsigned)(nl_random(&rnd) % 3);
	probes_most = 1 + (unsigned)(nl_random(&rnd) % 3);
	healthy = true;
	bool slow = what == BULKHEAD && nl_unit(&rnd) < 0.5;
	beat = nl_unit(&rnd) < 0.5;
	rest = slow ? 800 * NL_MS : nl_unit(&rnd) < 0.5 ? 2 * NL_MS : 80 * NL_US;
	work = slow ? 800 * NL_MS : what == BULKHEAD ? 3 * NL_MS : 12 * NL_MS;
	calm_at = what == BREAKER ? 1000 * NL_SEC + (nl_time)steps * NL_US / 2 : NL_NEVER;
	struct sim_kernel_cfg cfg = {
		.seed = seed, .procs = 3 + (unsigned)(nl_random(&rnd) % (SIM_PROCS - 2)),
		.kill = nl_unit(&rnd) < 0.3 ? 0 : 0.004 * nl_unit(&rnd), .yield = 0.1 + 0.8 * nl_unit(&rnd),
		.body = what == BULKHEAD ? bulkhead_body : breaker_body,
		.locked = locked, .written = written, .died = died, .command_ended = command_ended, .idle = idle,
	};
	sim_kernel_run(&cfg, steps);
	after(seed);
	*done += sim_kernel_steps(), *kills += sim_kernel_kills();
	if (sim_wrong_text())
		printf("# SIM_SEED=%llu: %s, at step %llu: %s\n", (unsigned long long)seed, what == BULKHEAD ? "bulkhead" : "breaker",
		       (unsigned long long)sim_kernel_steps(), sim_wrong_text());
	return !sim_wrong_text();
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

int main(void)
{
	enum { EACH = 30000 };
	uint64_t seed = number("SIM_SEED", 1), most = number("SIM_STEPS", 0), done = 0, kills = 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	TEST("Processes killed anywhere leave a bulkhead fair, never over its limit and never stuck")
		for (uint64_t i = 0; unit_faults == 0 && (most ? done < most / 2 : i < 20); i++)
			CHECK(play(BULKHEAD, seed + i, EACH, &done, &kills));
	uint64_t half = done;
	TEST("Processes killed anywhere leave a breaker with its probes, its epochs and a way back")
		for (uint64_t i = 0; unit_faults == 0 && (most ? done < half + most / 2 : i < 20); i++)
			CHECK(play(BREAKER, seed + i, EACH, &done, &kills));
	printf("# %llu steps, %llu kills\n", (unsigned long long)done, (unsigned long long)kills);
	return unit_done();
}
