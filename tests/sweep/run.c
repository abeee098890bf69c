/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c - one command line under strace with one fault, and what was seen.
 *
 * strace runs as a detached grandchild (-DD), so that the wrapper stays our
 * child: its wait status and its CPU time are its own.  We are a subreaper:
 * when the wrapper is gone, what is still our child has been left behind.
 */
#include "sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HANG 4.0                        /* seconds until a run is a hang */
#define LINGER 0.5                      /* seconds in which what is left must end */
#define DELAY 0.08                      /* of a call in SPAWNING; we kill at a third of it */
#define MAXWORDS 64

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Waits for SIGCHLD, which is blocked, or for a moment. */
static void doze(double seconds)
{
	struct timespec t = { .tv_nsec = (long)(seconds * 1e9) };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigtimedwait(&set, NULL, &t);
}

/* Splits a command at blanks; quotes are single.  text is overwritten. */
static void words(char *text, char **w)
{
	char *to = text;

	while (*text) {
		bool quoted = false;

		*w++ = to;
		for (; *text && (quoted || *text != ' '); text++) {
			if (*text == '\'')
				quoted = !quoted;
			else
				*to++ = *text;
		}
		if (*text)
			text++;
		*to++ = '\0';
	}
	*w = NULL;
}

static void injection(const struct fault *f, char *buf, size_t size)
{
	const char *on = f->on ? "+" : "";

	switch (f->class) {
	case KILLED:
		snprintf(buf, size, "inject=%s:signal=KILL:when=%u", f->call, f->k);
		break;
	case STOPPED:
		snprintf(buf, size, "inject=%s:signal=TERM:when=%u", f->call, f->k);
		break;
	case SPAWNING:
		snprintf(buf, size, "inject=%s:delay_enter=%d:when=%u", f->call, (int)(DELAY * 1e6), f->k);
		break;
	default:
		snprintf(buf, size, "inject=%s:error=%s:when=%u%s", f->call, f->error, f->k, on);
	}
}

void fault_text(const struct fault *f, char *buf, size_t size)
{
	const struct line *l = &lines[f->line];
	char inject[96] = "";

	if (f->call[0])
		injection(f, inject, sizeof inject);
	snprintf(buf, size, "%s%s%s%s%sstrace -o /dev/null%s%s%s %s%s",
	         l->in ? "echo " : "", l->in ? l->in : "", l->in ? " | " : "",
	         l->env ? l->env : "", l->env ? " " : "",
	         f->class >= CHILD ? " -f" : "", inject[0] ? " -e " : "", inject, l->cmd,
	         l->in ? "" : " </dev/null");
}

/* What the wrapper becomes: strace, then itself.  Does not return. */
static void become(const struct fault *f, const char *trace, int in, int out, int err)
{
	const struct line *l = &lines[f->line];
	char text[512], inject[96] = "", env[64], *argv[MAXWORDS];
	sigset_t none;

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
	if (l->env) {
		size_t n = strcspn(l->env, "=");

		snprintf(env, sizeof env, "%.*s", (int)n, l->env);
		setenv(env, l->env + n + 1, 1);
	}
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (f->call[0])
		injection(f, inject, sizeof inject);
	snprintf(text, sizeof text, "strace -DD -q -o %s%s%s%s %s", trace, f->class >= CHILD ? " -f" : "",
	         inject[0] ? " -e " : "", inject, l->cmd);
	words(text, argv);
	execvp("strace", argv);
	_exit(99);
}

/* First of our children that is not a tracer, with its name; 0: none. */
static pid_t leftover(char *name, size_t size)
{
	char path[64], list[512], comm[64] = "";
	FILE *f;
	char *p = list;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (!fgets(list, sizeof list, f))
		list[0] = '\0';
	fclose(f);
	for (;;) {
		pid_t pid = (pid_t)strtol(p, &p, 10);

		if (pid <= 0)
			return 0;
		snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
		f = fopen(path, "re");
		if (f && fgets(comm, sizeof comm, f))
			comm[strcspn(comm, "\n")] = '\0';
		if (f)
			fclose(f);
		if (strcmp(comm, "strace") != 0) {
			snprintf(name, size, "%s", comm);
			return pid;
		}
	}
}

/* Reaps all that is left for a while; names what stays, and ends it. */
static void sweep_up(char *name, size_t size)
{
	double until = now() + LINGER;
	char more[64] = "";
	bool late = false;

	name[0] = '\0';
	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0 && errno == ECHILD)
			return;
		if (pid > 0)
			continue;
		if (now() > until) {
			pid = leftover(late ? more : name, late ? sizeof more : size);
			late = true;
			if (pid > 0)
				kill(pid, SIGKILL);
			else if (now() > until + 5)
				return;
		}
		doze(0.005);
	}
}

/* True once the wrapper runs and has started something. */
static bool has_child(pid_t pid)
{
	char path[64], text[32] = "";
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(text, sizeof text, f))
		text[0] = '\0';
	fclose(f);
	if (strncmp(text, "nl-", 3) != 0)
		return false;
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(text, sizeof text, f))
		text[0] = '\0';
	fclose(f);
	return text[0] != '\0';
}

static size_t slurp(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	if (n < 0)
		n = 0;
	buf[n] = '\0';
	close(fd);
	return (size_t)n;
}

static void look_at_events(struct seen *s)
{
	char line[8192];
	FILE *f = fopen("ev", "re");

	while (f && fgets(line, sizeof line, f)) {
		size_t n = strlen(line);

		if (strncmp(line, "{\"nl\":1,", 8) != 0 || n < 12 || line[n - 2] != '}' || line[n - 1] != '\n')
			s->torn = true;
	}
	if (f)
		fclose(f);
}

static struct seen *looking;

/* Records, their locks, and what a killed maker of records left for the next. */
static int look_at_state(const char *path, const struct stat *st, int type, struct FTW *at)
{
	const char *name = path + at->base, *dot = name[0] == '.' ? strrchr(name, '.') : NULL;
	bool fine = type != FTW_F || strcmp(path, "ev") == 0 || (dot ? (strcmp(dot, ".lock") == 0 && st->st_size == 0) || strcmp(dot, ".new") == 0
	                                  : st->st_size == 4096);

	if (strcmp(path, "cache/ninelives/k") == 0)
		fine = st->st_size == 5;        // "held\n"
	looking->litter = looking->litter || !fine;
	remove(path);
	return 0;
}

/* The events file may be there, of whole lines, and sound state; nothing else. */
static void look_around(struct seen *s)
{
	DIR *d = opendir(".");
	const struct dirent *e;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.' && (!e->d_name[1] || e->d_name[1] == '.'))
			continue;
		if (strcmp(e->d_name, "ev") == 0)
			look_at_events(s);
		else if (strcmp(e->d_name, "state") != 0 && strcmp(e->d_name, "cache") != 0)
			s->litter = true;
		looking = s;
		nftw(e->d_name, look_at_state, 8, FTW_DEPTH | FTW_PHYS);
	}
	if (d)
		closedir(d);
}

void run_fault(const struct fault *f, const char *trace, struct seen *s)
{
	const char *in = lines[f->line].in;
	int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC);
	int feed[2] = { -1, -1 }, ws = 0;
	double end, kill_at = 0;
	struct rusage ru = { 0 };
	pid_t pid, got;

	memset(s, 0, sizeof *s);
	if (in) {
		if (pipe2(feed, O_CLOEXEC) == 0) {
			dprintf(feed[1], "%s\n", in);
			close(feed[1]);
		}
	} else {
		feed[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	pid = fork();
	if (pid == 0)
		become(f, trace, feed[0], out, err);
	close(feed[0]);
	end = now() + HANG;
	while ((got = wait4(pid, &ws, WNOHANG, &ru)) == 0 && now() < end) {
		if (f->class == SPAWNING && kill_at == 0 && has_child(pid))
			kill_at = now() + DELAY / 3;
		if (kill_at > 0 && now() > kill_at)
			kill(pid, SIGKILL);
		doze(f->class == SPAWNING ? 0.001 : 0.1);
	}
	if (got == 0) {
		kill(pid, SIGKILL);
		wait4(pid, &ws, 0, &ru);
		s->status = -1;
	} else {
		s->status = WIFEXITED(ws) ? WEXITSTATUS(ws) : 128 + WTERMSIG(ws);
	}
	s->cpu = (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) + (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1e-6;
	sweep_up(s->left, sizeof s->left);
	s->nout = slurp(out, s->out, sizeof s->out);
	slurp(err, s->err, sizeof s->err);
	look_around(s);
}
