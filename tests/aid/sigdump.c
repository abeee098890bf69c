/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sigdump - prints what a program inherits, one fact a line.
 *
 * usage: sigdump [FILE]
 *
 * SigBlk SigIgn SigCgt ShdPnd as in proc(5); each open descriptor with its
 * target and flags; umask, cwd, session, nice,
 * oom_score_adj, dumpable, subreaper, no_new_privs, limits.  Run bare and
 * below a wrapper, the same output means that the wrapper is not there.  FILE
 * (made anew) is opened only after the descriptors have been looked at.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char text[65536];
static size_t used;

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text + used, sizeof text - used, fmt, ap);
	va_end(ap);
	if (n > 0 && used + (size_t)n < sizeof text)
		used += (size_t)n;
}

/* Before anything of ours is open: fcntl needs no descriptor of its own. */
static void descriptors(void)
{
	char path[64], target[512];

	for (int fd = 0; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFL);
		ssize_t n;

		if (flags < 0)
			continue;
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof target - 1);
		target[n < 0 ? 0 : n] = '\0';
		say("fd %d %s flags 0%o cloexec %d\n", fd, target, flags, fcntl(fd, F_GETFD));
	}
}

static void status_lines(void)
{
	static const char *const keys[] = { "SigBlk:", "SigIgn:", "SigCgt:", "ShdPnd:", "NoNewPrivs:" };
	FILE *f = fopen("/proc/self/status", "r");
	char line[512];

	while (f && fgets(line, sizeof line, f))
		for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
			if (strncmp(line, keys[i], strlen(keys[i])) == 0)
				say("%s", line);
	if (f)
		fclose(f);
}

static void limits(void)
{
	for (int r = 0; r < RLIMIT_NLIMITS; r++) {
		struct rlimit rl;

		if (getrlimit(r, &rl) == 0)
			say("limit %d %llu %llu\n", r, (unsigned long long)rl.rlim_cur,
			    (unsigned long long)rl.rlim_max);
	}
}

int main(int argc, char **argv)
{
	char path[4096], score[32] = "";
	int sub = -1, fd = STDOUT_FILENO;
	mode_t mask;
	FILE *f;

	descriptors();
	status_lines();
	mask = umask(0);
	umask(mask);
	say("umask 0%o\n", (unsigned)mask);
	say("cwd %s\n", getcwd(path, sizeof path) ? path : "?");
	say("session %d\n", (int)getsid(0));
	say("nice %d\n", getpriority(PRIO_PROCESS, 0));
	f = fopen("/proc/self/oom_score_adj", "r");
	if (f && fgets(score, sizeof score, f))
		say("oom_score_adj %s", score);
	if (f)
		fclose(f);
	prctl(PR_GET_CHILD_SUBREAPER, (unsigned long)&sub, 0, 0, 0);
	say("dumpable %d subreaper %d\n", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), sub);
	limits();
	if (argc > 1 && (fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
		return 125;
	return write(fd, text, used) == (ssize_t)used ? 0 : 125;
}
