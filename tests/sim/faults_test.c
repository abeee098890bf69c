/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults_test.c - struct nl_os as a counter: the n-th call of a run fails, for
 * every n, or all calls of one kind from the n-th on.  Nothing may hang, have a
 * wrong status, leave a process or signal one that is reaped.
 *
 * Each run is a forked child with real layers and a real command.  A line is
 * first run without a fault, which counts its calls; then workers take faults
 * from one board.  FAULTS=all tries every errno at every call, else one
 * of them; FAULT=LINE takes that line alone.  What is bad is printed with
 * FAULT=LINE:KIND:N:ERRNO[+], which repeats it.
 */
#include "event.h"
#include "io.h"
#include "run.h"
#include "sink.h"
#include "stack.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LEN(a) (sizeof(a) / sizeof *(a))
#define JOBS 8
#define HANG 4.0                        /* seconds */
#define LINGER 0.3                      /* in which what is left must be gone */
#define MAXFAULTS 20000

static const struct line {
	const char *argv[10], *in, *out;
	int status, also;               /* also: right as well when a call fails */
	bool events, held;              /* held: nothing of its output may be lost; else it must be said */
} lines[] = {
	{ { "nl-timeout", ".05", "sleep", "1" }, .status = 124 },
	{ { "nl-timeout", "-k.05", ".05", "sh", "-c", "trap '' TERM; exec sleep 1" }, .status = 124 },
	{ { "nl-timeout", "-k.05", ".05", "sh", "-c", "(trap '' TERM; exec sleep 1) & wait" }, .status = 124 },
	{ { "nl-timeout", "--idle", ".05", "5", "sh", "-c", "echo some; exec sleep 1" }, .status = 124 },
	{ { "nl-retry", "-n2", "-bc:0", "sh", "-c", "exit 3" }, .status = 3 },
	{ { "nl-retry", "-O", "echo", "held" }, .out = "held\n", .held = true },
	{ { "nl-retry", "-O", "-n2", "-bc:0", "sh", "-c", "echo $NL_ATTEMPT; exit $((2 - NL_ATTEMPT))" }, .out = "2\n", .also = 1, .held = true },
	{ { "nl-retry", "-q", "-n2", "-bc:5ms", "-jnone", "sh", "-c", "echo out; echo err >&2; exit 3" }, .out = "out\n", .status = 3, .held = true },
	{ { "nl-retry", "-n3", "-bc:0", "sh", "-c", "cat; exit $((3 - NL_ATTEMPT))" }, .in = "fed\n", .out = "fed\nfed\nfed\n", .also = 2 },
	{ { "nl-retry", "-n2", "-bc:0", "nl-timeout", "5", "sh", "-c", "exit 3" }, .status = 3, .events = true },
	{ { "nl-timeout", ".12", "nl-retry", "-n3", "-bc:0", "nl-timeout", ".05", "sleep", "1" }, .status = 124, .events = true },
	{ { "nl-timeout", "9", "nl-race", "-dinf", "false", ":::", "echo", "held" }, .out = "held\n", .also = 1, .held = true },
	{ { "nl-timeout", "9", "nl-race", "-k.05", "echo", "held", ":::", "sleep", "1" }, .out = "held\n" },
	{ { "nl-timeout", "9", "nl-race", "--quorum=2", "cat", ":::", "cat" }, .in = "fed\n", .out = "fed\n" },
	{ { "nl-timeout", ".1", "nl-race", "sleep", "1", ":::", "sleep", "1" }, .status = 124, .events = true },
};

#define KINDS(X) \
	X(int, random, (void *b, size_t n), (b, n)) X(pid_t, branch, (int (*b)(void *), void *a, void *s), (b, a, s)) X(pid_t, spawn, (struct nl_spawn *s), (s)) \
	X(pid_t, wait, (pid_t p, int *ws, int o), (p, ws, o)) X(int, peek, (pid_t p), (p)) \
	X(int, sigwait, (uint64_t s, siginfo_t *i, nl_time t), (s, i, t)) X(int, mask, (uint64_t s, uint64_t *o), (s, o)) \
	X(int, action, (int s, int a, int *o), (s, a, o)) X(int, kill, (pid_t p, int s), (p, s)) \
	X(int, prctl, (int o, unsigned long a), (o, a)) X(int, poll, (struct pollfd *p, unsigned n, nl_time t), (p, n, t)) \
	X(int, open, (const char *p, int f, int m), (p, f, m)) X(ssize_t, read, (int f, void *b, size_t n), (f, b, n)) \
	X(ssize_t, write, (int f, const void *b, size_t n), (f, b, n)) X(ssize_t, pread, (int f, void *b, size_t n, off_t at), (f, b, n, at)) \
	X(ssize_t, pwrite, (int f, const void *b, size_t n, off_t at), (f, b, n, at)) X(int, fcntl, (int f, int o, long a), (f, o, a)) \
	X(long, syscall, (long nr, long a, long b, long c, long d, long e, long f), (nr, a, b, c, d, e, f))

#define NAME(ret, name, params, args) KIND_##name,
enum kind { KINDS(NAME) KIND_close, NKINDS, ANY = NKINDS };
#define TEXT(ret, name, params, args) #name,
static const char *const kind_names[] = { KINDS(TEXT) "close", "any" };
static const struct { const char *name; int n; } errors[] = {
	{ "EIO", EIO }, { "ENOMEM", ENOMEM }, { "EINTR", EINTR }, { "EMFILE", EMFILE }, { "EAGAIN", EAGAIN },
};

struct fault { unsigned line, kind, n, error; bool on; };       /* n 0: none; error: a row of errors[] */

/* What workers share. */
static struct board {
	atomic_uint next;
	unsigned n;
	struct fault fault[MAXFAULTS];
	char why[MAXFAULTS][100];
	struct count { unsigned of[NKINDS + 1]; enum kind hit; bool said, late; } count[JOBS];
} *board;

/* In the child: what fails, and what was called. */
static struct fault fault;
static struct count *count;

static int fails(enum kind kind)
{
	count->of[kind]++, count->of[ANY]++;
	unsigned n = count->of[fault.kind];
	bool hit = fault.n > 0 && (fault.kind == ANY || fault.kind == kind) && (n == fault.n || (fault.on && n > fault.n));
	if (hit)
		count->hit = kind;
	return hit ? errors[fault.error].n : 0;
}

#define WRAP(ret, name, params, args) \
	static ret faulty_##name params { int bad = fails(KIND_##name); return bad ? (ret)-bad : nl_os_linux.name args; }
KINDS(WRAP)

static int faulty_close(int fd)
{
	int e = fails(KIND_close), r = nl_os_linux.close(fd);   // The kernel closes in any case.
	return e ? -e : r;
}

/* Whose number may be another process's by now. */
static pid_t command;
static bool reaped;

static pid_t seen_spawn(struct nl_spawn *s)
{
	pid_t pid = faulty_spawn(s);
	if (pid > 0)
		command = pid, reaped = false;
	return pid;
}

static pid_t seen_wait(pid_t pid, int *ws, int options)
{
	pid_t r = faulty_wait(pid, ws, options);
	reaped |= r > 0 && r == command;
	return r;
}

static int seen_kill(pid_t pid, int sig)
{
	count->late |= pid == 0 || pid == -1 || (reaped && (pid == command || pid == -command));
	return faulty_kill(pid, sig);
}

static void say(struct nl_run *run, const char *text, size_t n)
{
	(void)run;
	count->said = true;
	if (write(2, text, n) < 0)
		return;
}

/* What nl_main does, on an nl_os of ours. */
static _Noreturn void supervise(const struct line *line)
{
	struct nl_os os = nl_os_linux;
#define PUT(ret, name, params, args) os.name = faulty_##name;
	KINDS(PUT)
	os.close = faulty_close, os.spawn = seen_spawn, os.wait = seen_wait, os.kill = seen_kill;
	static struct nl_room room;
	const struct nl_layer *at;
	struct nl_err err;
	struct nl_signals signals;
	struct nl_fd_tap std[2];
	char rest[2][NL_REST];
	struct nl_ids ids;
	struct nl_run run;
	char *argv[LEN(line->argv) + 1] = { 0 };
	for (size_t i = 0; i < LEN(line->argv) && line->argv[i]; i++)
		argv[i] = strdup(line->argv[i]);
	const struct nl_layer *first = strcmp(line->argv[0], "nl-retry") ? &nl_timeout : &nl_retry;
	struct nl_svc *stack = nl_stack(first, argv + 1, NL_STACK_FUSED, &room, &at, &err);
	if (!stack)
		_exit(99);
	if (nl_run_open(&run, &signals, &os, environ, "nl-sim") < 0)
		say(&run, "nl-sim: cannot block signals\n", 29), _exit(NL_EX_FAIL);    // As every tool does: what is not set up must not run.
	run.std = std, run.say = say;
	nl_fd_tap_init(&std[0], 1, rest[0]);
	nl_fd_tap_init(&std[1], 2, rest[1]);
	if (line->events) {
		nl_ids_open(&run, &ids);
		run.ids = &ids;
		struct nl_sink *sink = nl_sink_parse("/dev/null@debug|fd:2", NL_EMIT, &err);
		for (struct nl_svc *s = stack; s; s = s->inner)
			s->sink = sink;
	}
	nl_run_started(&run, stack);
	struct nl_outcome o = nl_do(stack, &run, (struct nl_req){ .limit = { .at = NL_NEVER }, .stop = { .grace = NL_NEVER }, .prev = -1 });
	nl_run_ended(&run, stack, o.wstatus, 0);
	_exit(nl_code(o.wstatus));
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Waits for SIGCHLD, which is blocked, at most 20 ms. */
static void doze(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigtimedwait(&set, NULL, &(struct timespec){ .tv_nsec = 20000000 });
}

/* Kills what is still our child after a while.  True: there was something. */
static bool leftover(void)
{
	double until = now() + LINGER;
	bool found = false;
	for (;;) {
		pid_t r = waitpid(-1, NULL, WNOHANG);
		if (r < 0)
			return found;
		if (r == 0 && now() > until) {
			char path[64], list[256] = "";
			snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
			int fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0 || read(fd, list, sizeof list - 1) < 0)
				return true;
			close(fd);
			for (char *p = list, *end; (r = (pid_t)strtol(p, &end, 10)) > 0; p = end)
				kill(r, SIGKILL);
			found = true;
		}
		if (r == 0)
			doze();
	}
}

static pid_t begin(const struct line *l, int out, int err)
{
	int in[2];
	if (pipe2(in, O_CLOEXEC) < 0)
		return -1;
	if (l->in && write(in[1], l->in, strlen(l->in)) < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		sigset_t none;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		setsid();
		dup2(in[0], 0), dup2(out, 1), dup2(err, 2);
		close(in[0]), close(in[1]), close(out), close(err);
		supervise(l);
	}
	close(in[0]), close(in[1]);
	return pid;
}

static void judge(const struct fault *f, int status, const char *out, bool left, char *why)
{
	const struct line *l = &lines[f->line];
	bool ours = f->n > 0 && status >= 125 && status <= 127;
	if (status < 0)
		snprintf(why, 100, "hangs");
	else if (status != l->status && !(f->n > 0 && status != 0 && status == l->also) && !ours)
		snprintf(why, 100, "status %d, not %d", status, l->status);
	else if (ours && status != l->status && !count->said)
		snprintf(why, 100, "status %d without a word", status);
	else if (status == 0 && strcmp(out, l->out ? l->out : "") != 0 && (l->held || !count->said))
		snprintf(why, 100, "status 0, and stdout has %zu bytes of %zu", strlen(out), l->out ? strlen(l->out) : 0);
	else if (left && count->hit != KIND_prctl)      // Without a subreaper orphans escape the walk.
		snprintf(why, 100, "leaves a process");
	else if (count->late)
		snprintf(why, 100, "signals a command that is reaped");
}

static void run(const struct fault *f, char *why)
{
	char text[256] = "";
	int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC), ws = 0;
	fault = *f;
	*count = (struct count){ .hit = ANY };
	pid_t pid = begin(&lines[f->line], out, err), r = 0;
	for (double until = now() + HANG; (r = waitpid(pid, &ws, WNOHANG)) == 0 && now() < until; )
		doze();
	if (r == 0)
		kill(pid, SIGKILL);
	bool left = leftover();
	if (pread(out, text, sizeof text - 1, 0) < 0)
		text[0] = '\0';
	judge(f, r == 0 ? -1 : nl_code(ws), text, left, why);
	close(out), close(err);
	if (why[0] && f->kind == ANY)
		snprintf(why + strlen(why), 100 - strlen(why), " (it was %s)", kind_names[count->hit]);
}

static void work(unsigned worker)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	count = &board->count[worker];
	for (unsigned i; (i = atomic_fetch_add(&board->next, 1)) < board->n; )
		run(&board->fault[i], board->why[i]);
	_exit(0);
}

/* Runs what is on the board. */
static void all(void)
{
	board->next = 0;
	memset(board->why, 0, sizeof board->why);
	fflush(stdout);
	for (unsigned i = 0; i < JOBS; i++)
		if (fork() == 0)
			work(i);
	while (wait(NULL) > 0)
		;
}

static void add(unsigned line, unsigned kind, unsigned n, bool on, bool every)
{
	for (unsigned e = 0; e < LEN(errors); e++)
		if ((every || e == (line + kind + n) % LEN(errors)) && board->n < MAXFAULTS)
			board->fault[board->n++] = (struct fault){ line, kind, n, e, on };
}

/* Calls far from the start repeat those before. */
static void plan(unsigned line, const struct count *c, bool every)
{
	board->n = 0;
	for (unsigned n = 1; n <= c->of[ANY]; n++)
		if (every || n <= 40 || (n + line) % 5 == 0)
			add(line, ANY, n, false, every);
	for (unsigned kind = 0; kind < NKINDS; kind++)
		for (unsigned n = 1; n <= c->of[kind] && (every || n <= 2); n++)
			add(line, kind, n, true, every);
}

static void tell(const struct fault *f, const char *why)
{
	printf("# FAULT=%u:%s:%u:%s%s ", f->line, kind_names[f->kind], f->n, errors[f->error].name, f->on ? "+" : "");
	for (unsigned i = 0; i < LEN(lines[f->line].argv) && lines[f->line].argv[i]; i++)
		printf("%s ", lines[f->line].argv[i]);
	printf(": %s\n", why);
}

/* LINE:KIND:N:ERRNO[+] */
static int repeat(const char *text)
{
	char kind[16], error[16];
	struct fault *f = board->fault;
	if (sscanf(text, "%u:%15[a-z]:%u:%15[A-Z]", &f->line, kind, &f->n, error) != 4 || f->line >= LEN(lines))
		return 2;
	while (f->kind < ANY && strcmp(kind, kind_names[f->kind]))
		f->kind++;
	while (f->error < LEN(errors) - 1 && strcmp(error, errors[f->error].name))
		f->error++;
	f->on = text[strlen(text) - 1] == '+';
	board->n = 1;
	all();
	tell(f, board->why[0][0] ? board->why[0] : "fine");
	return board->why[0][0] != '\0';
}

int main(void)
{
	const char *every = getenv("FAULTS"), *one = getenv("FAULT");
	char name[200];
	unsigned total = 0;
	board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED)
		return 1;
	unsetenv("NL_EVENTS"), unsetenv("NL_DEADLINE"), unsetenv("NL_PARENT");
	if (one && strchr(one, ':'))
		return repeat(one);
	for (unsigned i = one ? (unsigned)atoi(one) : 0; i < (one ? (unsigned)atoi(one) + 1 : LEN(lines)); i++) {
		board->n = 1, board->fault[0] = (struct fault){ .line = i, .kind = ANY };
		for (unsigned j = 0; j < JOBS; j++)
			board->count[j] = (struct count){ .said = false };
		all();
		struct count c = { .said = false };
		for (unsigned j = 0; j < JOBS; j++)
			if (board->count[j].of[ANY])
				c = board->count[j];
		bool sane = !board->why[0][0] && c.of[ANY] > 5;
		if (!sane)
			tell(&board->fault[0], board->why[0]);
		plan(i, &c, every != NULL);
		all();
		total += board->n;
		unsigned bad[2] = { !sane, !sane };
		for (unsigned j = 0; j < board->n; j++)
			if (board->why[j][0] && bad[board->fault[j].on]++ < 10)
				tell(&board->fault[j], board->why[j]);
		for (unsigned on = 0; on < 2; on++) {
			snprintf(name, sizeof name, "faults: line %u (%s): %s fails", i, lines[i].argv[0], on ? "each kind of call, from some call on," : "each call, once,");
			TEST(name)
				CHECK(bad[on] == 0);
		}
	}
	printf("# %u faults\n", total);
	return unit_done();
}
