/* SPDX-License-Identifier: Apache-2.0 */
/*
 * laws - cases of tests/sim/cases.c as real processes, fused and not.
 *
 * laws <CASES      Each line is a case: END, RUNS, OUT, EXPRESSION and SCRIPT, with tabs between.  Runs
 *                  `nl-run EXPRESSION laws leaf SCRIPT`, once with NL_FUSE=1 and once with 0, a few
 *                  at a time, and says what is not as it should be: how it ends ("3", "s15" for
 *                  a signal), how often commands ran (outside races, as NL_ARM 1, as NL_ARM 2), what
 *                  is on stdout; "-" is anything.  The last line is "N cases, N commands, N good".
 * laws leaf SCRIPT A command that knows which of its runs it is by what all runs of a case count in
 *                  descriptor 9, apart by NL_ARM.  "0,3;h;s15,w1" are lists for no NL_ARM, 1 and 2: exit
 *                  with N, die of sN, hang, or succeed when the other side of a race has begun
 *                  its N-th run.  "+N": always N.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNTS 9                        /* descriptor */
#define SLOTS 4
#define PATIENCE 20000                  /* ms for another process to begin */

struct counts { _Atomic unsigned ran[3]; };

static struct counts *counts_of(int fd)
{
	void *at = mmap(NULL, sizeof(struct counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		perror("laws: counts");
		exit(99);
	}
	return at;
}

/* The n-th of what is separated by c. */
static const char *nth(const char *text, char c, unsigned n)
{
	for (; n && text; n--) {
		text = strchr(text, c);
		text += text != NULL;
	}
	return text;
}

static int act(const char *how, const _Atomic unsigned *other)
{
	unsigned n = (unsigned)strtoul(how + (*how > '9'), NULL, 10);
	if (*how == 'h') {
		alarm(60);
		for (;;)
			pause();
	}
	if (*how == 's') {
		signal((int)n, SIG_DFL);
		raise((int)n);
	}
	if (*how != 'w')
		return (int)n;
	for (int ms = 0; *other < n; ms++) {
		if (ms == PATIENCE)
			return 98;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	return 0;
}

static int leaf(const char *script)
{
	const char *said = getenv("NL_ARM");
	unsigned arm = said ? (unsigned)strtoul(said, NULL, 10) : 0;
	struct counts *c = counts_of(COUNTS);
	if (*script == '+') {
		c->ran[0]++;
		return act(script + 1, NULL);
	}
	if (arm > 2)
		return 97;
	unsigned run = c->ran[arm]++;
	const char *list = nth(script, ';', arm), *how = list ? nth(list, ',', run) : NULL, *end = list ? strchr(list, ';') : NULL;
	if (!how || *how == ';' || !*how || (end && how > end))
		return 97;                      // It should not have been run.
	if (dprintf(1, "%u.%u ", arm, run) < 0)
		return 99;
	return act(how, &c->ran[arm == 1 ? 2 : 1]);
}

/* What a case is, and one of its two forms while it runs. */
enum { END, RUNS, OUT, EXPR, SCRIPT, FIELDS };
static struct slot { pid_t pid; char *line, *field[FIELDS]; const char *fuse; int out; struct counts *counts; } slots[SLOTS];
static char self[4096];
static unsigned cases, commands, good, wrong;

static void start(struct slot *s, const char *line, const char *fuse)
{
	static char tool[] = "nl-run", word[] = "leaf";
	char *rest = s->line = strdup(line);
	for (unsigned i = 0; i < FIELDS; i++)
		s->field[i] = strsep(&rest, "\t");
	int counts = memfd_create("counts", MFD_CLOEXEC), e = EINVAL;
	posix_spawn_file_actions_t fds;
	s->out = memfd_create("out", MFD_CLOEXEC);
	s->fuse = fuse;
	if (s->field[SCRIPT] && counts >= 0 && s->out >= 0 && !ftruncate(counts, sizeof(struct counts)) && !setenv("NL_FUSE", fuse, 1) &&
	    !posix_spawn_file_actions_init(&fds)) {
		s->counts = counts_of(counts);
		char *argv[] = { tool, s->field[EXPR], self, word, s->field[SCRIPT], NULL };
		(void)posix_spawn_file_actions_addopen(&fds, 0, "/dev/null", O_RDONLY, 0);
		(void)posix_spawn_file_actions_adddup2(&fds, s->out, 1);
		(void)posix_spawn_file_actions_adddup2(&fds, counts, COUNTS);
		e = posix_spawnp(&s->pid, tool, &fds, NULL, argv, environ);
		(void)posix_spawn_file_actions_destroy(&fds);
		close(counts);
	}
	if (e) {
		printf("Bail out! %s: %s\n", strerror(e), line);
		exit(1);
	}
}

static void differs(const struct slot *s, const char *what, const char *is)
{
	const char *const *f = (const char *const *)s->field;
	wrong++;
	printf("%s is %s with NL_FUSE=%s: end %s runs %s out '%s': nl-run '%s' laws leaf '%s'\n", what, is, s->fuse, f[END], f[RUNS], f[OUT],
	       f[EXPR], f[SCRIPT]);
}

static void judge(struct slot *s, int ws)
{
	char end[16], runs[48], out[8192];
	unsigned ran[3];
	for (int i = 0; i < 3; i++)
		commands += ran[i] = s->counts->ran[i];
	(void)snprintf(end, sizeof end, WIFSIGNALED(ws) ? "s%d" : "%d", WIFSIGNALED(ws) ? WTERMSIG(ws) : WEXITSTATUS(ws));
	(void)snprintf(runs, sizeof runs, "%u,%u,%u", ran[0], ran[1], ran[2]);
	ssize_t n = pread(s->out, out, sizeof out - 1, 0);
	out[n > 0 ? n : 0] = '\0';
	if (strcmp(end, s->field[END]) != 0)
		differs(s, "end", end);
	if (strcmp(s->field[RUNS], "-") != 0 && strcmp(runs, s->field[RUNS]) != 0)
		differs(s, "runs", runs);
	if (strcmp(s->field[OUT], "-") != 0 && strcmp(out, s->field[OUT]) != 0)
		differs(s, "out", out);
	good += ws == 0;
	munmap(s->counts, sizeof *s->counts);
	close(s->out);
	free(s->line);
	s->pid = 0;
}

/* Waits for one; false: none runs. */
static bool collect(void)
{
	int ws;
	pid_t pid = wait(&ws);
	for (struct slot *s = slots; pid > 0 && s < slots + SLOTS; s++)
		if (s->pid == pid)
			judge(s, ws);
	return pid > 0 || errno == EINTR;
}

static struct slot *free_slot(void)
{
	for (;;) {
		for (struct slot *s = slots; s < slots + SLOTS; s++)
			if (!s->pid)
				return s;
		if (!collect())
			exit(99);
	}
}

int main(int argc, char **argv)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	if (argc == 3 && !strcmp(argv[1], "leaf"))
		return leaf(argv[2]);
	if (argc != 1 || readlink("/proc/self/exe", self, sizeof self - 1) < 0 || setenv("NL_EVENTS", "off", 1) || unsetenv("NL_ARM"))
		return 2;
	signal(SIGCHLD, SIG_DFL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((n = getline(&line, &size, stdin)) > 0) {
		line[n - 1] = '\0';
		start(free_slot(), line, "1");
		start(free_slot(), line, "0");
		cases++;
	}
	while (collect())
		;
	free(line);
	printf("%u cases, %u commands, %u good\n", cases, commands, good);
	return wrong != 0;
}
