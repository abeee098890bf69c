/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sweep.c - every system call of the wrappers fails, once and from then on, and
 * they are killed at every one: nothing may hang, spin, lie or be left behind.
 *
 * First each command line runs without a fault, which shows its calls; then all
 * faults are planned, and workers take them from one board in shared memory.
 * What is bad is printed as a command that repeats it.
 */
#include "sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAXLINES 64

static const char *const class_names[CLASSES] = {
	[ERROR_ONCE] = "once", [ERROR_ON] = "on", [KILLED] = "killed",
	[STOPPED] = "stopped", [CHILD] = "child", [SPAWNING] = "spawning",
};

struct board {
	atomic_size_t next, again;
	struct base base[MAXLINES];
	struct plan plan;
	char why[MAXFAULTS][80];
};

static struct board *board;
static unsigned jobs = 8;
static bool verbose;
static size_t only = MAXLINES;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* In one write: the workers share stdout. */
static void print_fault(const struct fault *f, const char *why)
{
	char text[400];

	fault_text(f, text, sizeof text);
	dprintf(1, "%s   # %s\n", text, why);
}

/* A line without fault, twice: its calls, its CPU time, and that it is right. */
static void baseline(unsigned line)
{
	struct base *b = &board->base[line];
	struct fault f = { .line = line };
	struct seen s;

	for (int i = 0; i < 2; i++) {
		run_fault(&f, "../trace", &s);
		read_trace(b, "../trace", false);
		if (s.cpu > b->cpu)
			b->cpu = s.cpu;
		judge(&f, &s, b->cpu, b->why, sizeof b->why);
		if (b->why[0]) {
			size_t n = strlen(b->why);

			snprintf(b->why + n, sizeof b->why - n, ": %.*s", (int)strcspn(s.err, "\n"), s.err);
			break;
		}
	}
	if (lines[line].child && !b->why[0]) {
		f.class = CHILD;
		run_fault(&f, "../trace", &s);
		read_trace(b, "../trace", true);
	}
	unlink("../trace");
	if (b->why[0])
		print_fault(&f, b->why);
}

/* Verdicts that depend on time count when they come twice.  When hangs are many
 * they are no accident. */
static void trial(size_t i)
{
	const struct fault *f = &board->plan.fault[i];
	char *why = board->why[i];
	struct seen s;

	for (int again = 0; again < 2; again++) {
		run_fault(f, "/dev/null", &s);
		judge(f, &s, board->base[f->line].cpu, why, sizeof board->why[i]);
		if (!why[0])
			break;
		if (strncmp(why, "status", 6) == 0 || atomic_fetch_add(&board->again, 1) > 50)
			break;
	}
	if (why[0] || verbose)
		print_fault(f, why[0] ? why : "ok");
}

static void work(const char *dir, unsigned id, size_t n, bool planned)
{
	char own[128];
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(own, sizeof own, "%s/%u/in", dir, id);
	if (mkdir(own, 0700) != 0 || chdir(own) != 0)
		_exit(1);
	for (;;) {
		size_t i = atomic_fetch_add(&board->next, 1);

		if (i >= n)
			break;
		if (planned)
			trial(i);
		else if (only == MAXLINES || only == i)
			baseline((unsigned)i);
	}
	if (chdir("/") == 0)
		rmdir(own);
	_exit(0);
}

static bool spread(const char *dir, size_t n, bool planned)
{
	bool fine = true;
	int ws;

	board->next = 0;
	for (unsigned i = 0; i < jobs; i++) {
		char own[128];

		snprintf(own, sizeof own, "%s/%u", dir, i);
		if (mkdir(own, 0700) != 0)
			fine = false;
		if (fork() == 0)
			work(dir, i, n, planned);
	}
	while (wait(&ws) > 0)
		fine = fine && ws == 0;
	for (unsigned i = 0; i < jobs; i++) {
		char own[128];

		snprintf(own, sizeof own, "%s/%u", dir, i);
		rmdir(own);
	}
	return fine;
}

static int report(double seconds)
{
	size_t bad = 0, total[CLASSES] = { 0 }, wrong[CLASSES] = { 0 };

	for (size_t l = 0; l < nlines; l++)
		bad += board->base[l].why[0] != '\0';
	for (size_t i = 0; i < board->plan.n; i++) {
		total[board->plan.fault[i].class]++;
		if (board->why[i][0])
			wrong[board->plan.fault[i].class]++;
		bad += board->why[i][0] != '\0';
	}
	for (size_t c = 0; c < CLASSES; c++)
		if (board->plan.classes[c])
			printf("%-9s %5zu faults, %zu bad\n", class_names[c], total[c], wrong[c]);
	printf("%zu bad of %zu, planned %zu, in %.0f s\n", bad, board->plan.n, board->plan.planned, seconds);
	return bad > 0;
}

/* The calls of a dynamic loader are not ours to defend. */
static bool is_static(const char *tool)
{
	char path[4096], head[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "%s/%s", getenv("NL_BIN"), tool);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, head, sizeof head);
	if (fd >= 0)
		close(fd);
	return n > 0 && !memmem(head, (size_t)n, "/ld-", 4);
}

/* A PATH of its own: a directory that has nothing but nl-timeout as timeout,
 * ours, the system's. */
static bool set_path(const char *dir)
{
	const char *bin = getenv("NL_BIN"), *aid = getenv("NL_AID");
	char *path, *tool, *link;
	bool fine;

	if (!bin || !aid)
		return false;
	if (asprintf(&path, "%s:%s:%s:/usr/bin:/bin", dir, bin, aid) < 0 || asprintf(&tool, "%s/nl-timeout", bin) < 0 ||
	    asprintf(&link, "%s/timeout", dir) < 0)
		return false;
	fine = access(tool, X_OK) == 0 && symlink(tool, link) == 0 && setenv("PATH", path, 1) == 0;
	free(path);
	free(tool);
	free(link);
	return fine;
}

/* False: not understood. */
static bool options(int argc, char **argv, struct plan *p)
{
	bool some = false;
	int c;

	while ((c = getopt(argc, argv, "c:j:l:m:v")) > 0) {
		size_t k = 0;

		switch (c) {
		case 'c':
			while (k < CLASSES && strcmp(optarg, class_names[k]) != 0)
				k++;
			if (k == CLASSES)
				return false;
			p->classes[k] = some = true;
			break;
		case 'j': jobs = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'l': only = (size_t)strtoul(optarg, NULL, 10); break;
		case 'm': p->most = (size_t)strtoul(optarg, NULL, 10); break;
		case 'v': verbose = true; break;
		default: return false;
		}
	}
	for (c = 0; !some && c < CLASSES; c++)
		p->classes[c] = true;
	return optind == argc && jobs > 0;
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/nl-sweep.XXXXXX", link[64];
	double start = now();
	bool fine = true;

	board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED || nlines > MAXLINES) {
		perror("sweep");
		return 2;
	}
	board->plan.most = MAXFAULTS;
	if (!options(argc, argv, &board->plan)) {
		fputs("usage: sweep [-c once|on|killed|stopped|child|spawning]... [-j JOBS] [-l LINE] [-m MOST] [-v]\n"
		      "runs nl-* of $NL_BIN and true0 of $NL_AID\n", stderr);
		return 2;
	}
	if (!getenv("NL_BIN") || !getenv("NL_AID") || !mkdtemp(dir)) {
		fputs("sweep: no $NL_BIN, no $NL_AID, or no place in /tmp\n", stderr);
		return 2;
	}
	if (!is_static("nl-timeout")) {
		puts("sweep: skipped: not a static build (VARIANT=musl is one)");
	} else if (!set_path(dir)) {
		fputs("sweep: no nl-timeout in $NL_BIN\n", stderr);
		fine = false;
	} else {
		printf("PATH=%s:%s:/usr/bin:/bin\n", getenv("NL_BIN"), getenv("NL_AID"));
		fflush(stdout);
		fine = spread(dir, nlines, false);
		for (size_t i = 0; i < nlines; i++)
			if (!strncmp(lines[i].cmd, "nl-pipe ", 8) && !is_static("nl-pipe"))
				board->base[i].n = 0;
		plan_faults(&board->plan, board->base);
		fine = fine && spread(dir, board->plan.n, true);
		fine = report(now() - start) == 0 && fine;
	}
	snprintf(link, sizeof link, "%s/timeout", dir);
	unlink(link);
	if (rmdir(dir) != 0)
		perror(dir);
	return fine ? 0 : 1;
}
