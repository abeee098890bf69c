/* SPDX-License-Identifier: Apache-2.0 */
/*
 * died - tells an exit status from a death, which $? cannot.
 *
 * died FILE COMMAND [ARG]...   Runs COMMAND as a process of an empty signal
 * mask and default dispositions (a shell's background job ignores INT), writes
 * its pid to FILE.pid and at the end the seconds that it took to FILE.took and
 * "exit N" or "signal N" to FILE; exits with what a shell would show as $?.
 * Each file appears complete or not at all.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int note(const char *path, const char *ext, const char *word, int n)
{
	char tmp[4096], name[4096];
	FILE *f;

	snprintf(tmp, sizeof tmp, "%s%s.new", path, ext);
	snprintf(name, sizeof name, "%s%s", path, ext);
	f = fopen(tmp, "we");
	bool written = f && fprintf(f, "%s%d\n", word, n) > 0;
	if (f && fclose(f))
		written = false;
	if (written && rename(tmp, name) == 0)
		return 0;
	perror(name);
	return -1;
}

int main(int argc, char **argv)
{
	struct timespec began, ended;
	sigset_t none;
	pid_t pid;
	int st;

	if (argc < 3)
		return 96;
	signal(SIGCHLD, SIG_DFL);
	clock_gettime(CLOCK_MONOTONIC, &began);
	pid = fork();
	if (pid < 0) {
		perror("died: fork");
		return 96;
	}
	if (!pid) {
		for (int s = 1; s < _NSIG; s++)
			signal(s, SIG_DFL);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(96);
	}
	if (note(argv[1], ".pid", "", pid))
		return 96;
	while (waitpid(pid, &st, 0) < 0)
		if (errno != EINTR)
			return 96;
	clock_gettime(CLOCK_MONOTONIC, &ended);
	note(argv[1], ".took", "", (int)(ended.tv_sec - began.tv_sec));
	if (WIFSIGNALED(st)) {
		note(argv[1], "", "signal ", WTERMSIG(st));
		return 128 + WTERMSIG(st);
	}
	note(argv[1], "", "exit ", WEXITSTATUS(st));
	return WEXITSTATUS(st);
}
