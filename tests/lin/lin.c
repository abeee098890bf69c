/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lin - is a breaker that several processes use at once explained by some order
 * of their operations?
 *
 * lin [-n OPERATIONS] [-p PROCESSES] [-k KILLS] [-s SEED] [-d DIR] [-m]
 *   1000000, 8, 1000, the time, /dev/shm or /tmp.  -m lets go the guard between
 *   a read and the write that follows it: the history must then have no such
 *   order, or the checker is worth nothing.
 *
 * Each process calls lib/breaker.c again and again with a command that is a
 * function, and notes when it asked, when it was answered, how the command
 * ended, and when that was settled.  Some are killed meanwhile; a person resets
 * the breaker, or forces it open for a while.
 */
#include "lin.h"

#include "circuit.h"
#include "nl.h"
#include "os.h"
#include "run.h"
#include "stack.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct worker { uint32_t n, most; struct lin_op *op; };

static struct shared { volatile uint32_t troubles; uint32_t zero; struct worker worker[LIN_PROCS]; } *shared;
static struct worker *w;                /* our own */
static uint8_t self;
static uint64_t rnd;
static bool loose, ran;                  /* ran: the command of this call did */
static char dir[200];
static struct nl_os os;

static int64_t now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NL_SEC + ts.tv_nsec;
}

/* Slow, so that the guard is waited for as long as it takes: that a busy machine
 * makes somebody give up is another test's. */
static nl_time slow_clock(int id)
{
	return id == CLOCK_MONOTONIC ? now() / 1000 : nl_os_linux.clock(id);
}

/* Check, then act: the guard is held for each read and each write, not from one to the other. */
static int guard = -1;

static int loose_fcntl(int fd, int op, long arg)
{
	const struct flock *lk = (const struct flock *)arg;
	if (op != F_OFD_SETLK || lk->l_start != 0)
		return nl_os_linux.fcntl(fd, op, arg);
	guard = lk->l_type == F_UNLCK ? -1 : fd;
	return 0;
}

static void hold(short type)
{
	struct flock lk = { .l_type = type, .l_whence = SEEK_SET, .l_len = 1 };
	if (guard >= 0)
		(void)fcntl(guard, type == F_UNLCK ? F_OFD_SETLK : F_OFD_SETLKW, &lk);
}

static ssize_t loose_pread(int fd, void *buf, size_t n, off_t at)
{
	hold(F_WRLCK);
	ssize_t r = nl_os_linux.pread(fd, buf, n, at);
	hold(F_UNLCK);
	if (guard >= 0)
		sched_yield();
	return r;
}

static ssize_t loose_pwrite(int fd, const void *buf, size_t n, off_t at)
{
	hold(F_WRLCK);
	ssize_t r = nl_os_linux.pwrite(fd, buf, n, at);
	hold(F_UNLCK);
	return r;
}

static void called(enum lin_what what, uint8_t ret)
{
	struct lin_op *op = &w->op[w->n];
	*op = (struct lin_op){ .what = (uint8_t)what, .ret = ret, .proc = self };
	atomic_signal_fence(memory_order_seq_cst);
	op->t0 = now();
	atomic_signal_fence(memory_order_seq_cst);
}

static void returned(uint8_t ret)
{
	struct lin_op *op = &w->op[w->n];
	atomic_signal_fence(memory_order_seq_cst);
	op->ret = ret ? ret : op->ret;
	op->t1 = now();
	atomic_signal_fence(memory_order_seq_cst);
	w->n++;
}

static struct nl_outcome command(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	(void)svc, (void)run, (void)q;
	unsigned luck = (unsigned)(nl_random(&rnd) % 100);
	ran = true;
	returned(LIN_YES);
	if (nl_random(&rnd) % 4 == 0)
		sched_yield();
	for (int64_t until = now() + (int64_t)(nl_random(&rnd) % 30000); now() < until; )
		;
	uint8_t ends = luck < 60 ? LIN_GOOD : luck < 92 ? LIN_BAD : LIN_NOTHING;
	called(LIN_RESULT, ends);
	return ends == LIN_GOOD ? (struct nl_outcome){ 0, NL_RAN } : ends == LIN_BAD ? (struct nl_outcome){ NL_EXIT(1), NL_RAN }
	       : (struct nl_outcome){ SIGTERM, NL_CANCELLED };
}

static void trouble(const char *what)
{
	fprintf(stderr, "lin: %s\n", what);
	shared->troubles++;
}

static void person(struct nl_run *run, enum lin_what what)
{
	struct nl_state s;
	struct nl_record rec;
	called(what, LIN_YES);
	if (nl_state_open(&s, run, NULL, &nl_kind_breaker, "lin", NL_CREATE) == 0 && nl_state_lock(&s, &rec, NL_SEC) == 0) {
		struct nl_circuit_input in = { .event = what == LIN_RESET ? NL_RESET : NL_FORCE_OPEN, .now = nl_boottime(run) };
		(void)nl_circuit_step(NULL, (struct nl_circuit *)rec.body, &rec.head.epoch, &in);
		if (nl_state_write(&s, &rec) < 0)
			trouble(s.err.msg);
	} else {
		trouble(s.err.msg);
	}
	nl_state_close(&s);
	returned(0);
}

static void work(uint64_t seed)
{
	static struct nl_room room;
	static char text[3][16];
	static const struct nl_layer leaf = { .name = "leaf", .call = command };
	static struct nl_svc last = { .layer = &leaf, .cmd = "leaf", .id = "leaf" };
	char state[220], *env[] = { state, NULL };
	char *argv[] = { (char *)"-f", text[0], (char *)"-p", text[1], (char *)"--close-after", text[2], (char *)"-o",
	                 (char *)"300us", (char *)"--on-state-error=fail", (char *)"lin", (char *)"true", NULL };
	struct nl_signals signals = { .fd = -1 };
	struct nl_run run = { .os = &os, .environ = env, .signals = &signals, .pid = getpid(), .horizon = NL_NEVER, .tool = "lin" };
	const struct nl_layer *at;
	struct nl_err err;
	rnd = seed;
	snprintf(state, sizeof state, "NL_STATE=%s", dir);
	snprintf(text[0], sizeof text[0], "%d", LIN_FAILURES);
	snprintf(text[1], sizeof text[1], "%d", LIN_PROBES);
	snprintf(text[2], sizeof text[2], "%d", LIN_CLOSE_AFTER);
	struct nl_svc *breaker = nl_stack(&nl_breaker, argv, NL_STACK_FUSED, &room, &at, &err);
	if (!breaker) {
		trouble(err.msg);
		_exit(1);
	}
	breaker->inner = &last;
	if (loose)
		os.fcntl = loose_fcntl, os.pread = loose_pread, os.pwrite = loose_pwrite;
	while (w->n + 2 < w->most && !shared->troubles) {
		unsigned dice = (unsigned)(nl_random(&rnd) % 400);
		if (dice < 2) {
			person(&run, dice ? LIN_RESET : LIN_FORCE_OPEN);
			continue;
		}
		ran = false;
		called(LIN_ACQUIRE, LIN_UNKNOWN);
		struct nl_outcome o = nl_do(breaker, &run, (struct nl_req){ .limit = { .at = NL_NEVER }, .prev = -1 });
		if (o.why == NL_NOTRUN && !loose)       // Else: somebody else took the probe that was counted as free.
			trouble("the state cannot be used");
		returned(ran ? LIN_UNKNOWN : LIN_NO);
		if (!ran && nl_random(&rnd) % 4 == 0)
			sched_yield();
	}
	_exit(0);
}

/* The record is there before anybody needs it. */
static bool make_record(void)
{
	struct nl_run r;
	struct nl_signals signals = { .fd = -1 };
	struct nl_state s;
	char state[220], *env[] = { state, NULL };
	snprintf(state, sizeof state, "NL_STATE=%s", dir);
	r = (struct nl_run){ .os = &os, .environ = env, .signals = &signals, .pid = getpid(), .horizon = NL_NEVER, .tool = "lin" };
	bool made = nl_state_open(&s, &r, NULL, &nl_kind_breaker, "lin", NL_CREATE) == 0;
	nl_state_close(&s);
	return made;
}

static pid_t start(unsigned i)
{
	uint64_t seed = nl_random(&rnd);
	pid_t pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	self = (uint8_t)i, w = &shared->worker[i];
	work(seed);
	return 0;
}

/* Runs all; kills go to log.  How many there were. */
static uint32_t run(unsigned procs, uint32_t kills, struct lin_op *log)
{
	pid_t pid[LIN_PROCS];
	uint32_t done = 0, each, total;
	unsigned left = procs;
	for (unsigned i = 0; i < procs; i++)
		pid[i] = start(i);
	for (each = 0; each < procs; each++)
		if (pid[each] < 0)
			return 0;
	while (left) {
		int ws;
		pid_t gone;
		while ((gone = waitpid(-1, &ws, WNOHANG)) > 0)
			for (unsigned i = 0; i < procs; i++)
				if (pid[i] == gone)
					pid[i] = 0, left--;
		total = 0, each = 0;
		for (unsigned i = 0; i < procs; i++)
			total += shared->worker[i].n, each += shared->worker[i].most;
		unsigned i = (unsigned)(nl_random(&rnd) % procs);
		struct worker *him = &shared->worker[i];
		if (pid[i] && done < kills && (uint64_t)total * kills > (uint64_t)done * each) {
			log[done] = (struct lin_op){ .what = LIN_KILL, .proc = (uint8_t)i, .t0 = now() };
			kill(pid[i], SIGKILL);
			waitpid(pid[i], &ws, 0);
			log[done++].t1 = now();
			if (him->op[him->n].t0)
				him->n++;
			pid[i] = start(i);
		} else {
			nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
		}
	}
	return done;
}

static int judge(unsigned procs, struct lin_op *all, uint32_t kills, double secs)
{
	uint32_t n = kills, bad = 0;
	for (unsigned i = 0; i < procs; i++) {
		const struct worker *x = &shared->worker[i];
		memcpy(all + n, x->op, x->n * sizeof *all);
		n += x->n;
	}
	int64_t t = now();
	int r = lin_check(all, n, &bad);
	printf("%u operations of %u processes in %.1f s, %u of them killed: %s (%llu states looked at in %.1f s)\n", n - kills, procs,
	       secs, kills, r < 0 ? "NOT linearizable" : "linearizable", (unsigned long long)lin_seen, (double)(now() - t) / 1e9);
	if (r < 0 && !loose) {
		static const char *const what[] = { "acquire", "result", "reset", "force open", "SIGKILL" };
		static const char *const ret[] = { "?", "yes", "no", "good", "bad", "nothing" };
		printf("No order explains process %u: %s %s, nor what came before:\n", all[bad].proc, what[all[bad].what], ret[all[bad].ret]);
		for (uint32_t i = 0; i < n; i++)
			if (all[i].t0 < all[bad].t1 && (!all[i].t1 || all[i].t1 > all[bad].t0 - 300000))
				printf("  %9lld..%9lld  %u %s %s\n", (long long)(all[i].t0 - all[bad].t0), (long long)(all[i].t1 - all[bad].t0),
				       all[i].proc, what[all[i].what], ret[all[i].ret]);
	}
	return (r < 0) == loose && !shared->troubles ? 0 : 1;
}

static void clean(void)
{
	static const char *const names[] = { "/breaker/lin", "/breaker/.lin.lock", "/breaker/.lin.new", "/breaker", "" };
	char path[260];
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s%s", dir, names[i]);
		(void)remove(path);             // What is not there need not go.
	}
}

int main(int argc, char **argv)
{
	uint32_t most = 1000000, kills = 1000;
	unsigned procs = LIN_PROCS;
	int opt;
	rnd = (uint64_t)time(NULL);
	snprintf(dir, sizeof dir, "%s", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	while ((opt = getopt(argc, argv, "n:p:k:s:d:m")) != -1)
		switch (opt) {
		case 'n': most = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'p': procs = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'k': kills = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 's': rnd = strtoull(optarg, NULL, 10); break;
		case 'd': snprintf(dir, sizeof dir, "%s", optarg); break;
		case 'm': loose = true; break;
		default: return 2;
		}
	if (procs < 1 || procs > LIN_PROCS)
		return 2;
	strncat(dir, "/nl-lin-XXXXXX", sizeof dir - strlen(dir) - 1);
	uint32_t each = most / procs + 4;
	size_t size = sizeof *shared + (size_t)procs * each * sizeof(struct lin_op);
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct lin_op *all = calloc((size_t)procs * each + kills, sizeof *all);
	os = nl_os_linux;
	os.clock = slow_clock;
	if (shared == MAP_FAILED || !all || !mkdtemp(dir) || !make_record()) {
		perror("lin");
		return 2;
	}
	for (unsigned i = 0; i < procs; i++)
		shared->worker[i] = (struct worker){ .most = each, .op = (struct lin_op *)(shared + 1) + (size_t)i * each };
	int64_t t = now();
	kills = run(procs, kills, all);
	int r = judge(procs, all, kills, (double)(now() - t) / 1e9);
	clean();
	return r;
}
