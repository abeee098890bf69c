/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host - a program that embeds a policy, and looks whether it got itself back.
 *
 *   host [OPTION...] EXPR COMMAND [ARG]...   around a command
 *   host -f [OPTION...] EXPR MS:STATUS...    around a function that takes MS ms, then is STATUS; the last again and again
 *   host -F ...                              the same, forked
 *
 *   -b SECONDS  has a child before, sleep SECONDS; it is killed, and said how, behind the call
 *   -d SECONDS  has a child that leaves a daemon, sleep SECONDS, when the file `go` is there
 *   -e MS:STATUS  has a child that ends then
 *   -c SIGNAL   catches it
 *   -i          ignores SIGCHLD
 *   -T          has another thread, which takes every signal
 *   -s MS       another thread stops the call then
 *   -2          calls twice
 */
#include "nl.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t got[65];
static struct nl_policy *policy;
static char *const *script;

static void on_signal(int sig)
{
	got[sig]++;
}

static void ms(long n)
{
	struct timespec ts = { n / 1000, n % 1000 * 1000000 };
	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

static int function(void *arg, const struct nl_attempt *a)
{
	(void)arg;
	char *status;
	unsigned i = 0;
	while (i + 1 < a->attempt && script[i + 1])
		i++;
	long wait = strtol(script[i], &status, 10);
	printf("attempt %u of %u, before %d, limited %d, stop %d\n", a->attempt, a->max, a->prev, a->deadline != NL_NEVER, *a->stop);
	ms(wait);
	return atoi(status + 1);
}

static void *idle(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static void *stopper(void *arg)
{
	ms(atol(arg));
	nl_policy_stop(policy);
	return NULL;
}

static pid_t child_sleeps(const char *seconds)
{
	pid_t pid = fork();
	if (pid == 0)
		execlp("sleep", "sleep", seconds, (char *)NULL), _exit(1);
	return pid;
}

static void child_leaves_daemon(const char *seconds)
{
	if (fork())
		return;
	while (access("go", F_OK) < 0)
		ms(5);
	if (fork() == 0)
		execlp("sleep", "sleep", seconds, (char *)NULL), _exit(1);
	_exit(0);
}

static void child_ends(const char *when)
{
	char *status;
	long wait = strtol(when, &status, 10);
	if (fork())
		return;
	ms(wait);
	_exit(atoi(status + 1));
}

static void look(char *buf, size_t size)
{
	sigset_t set;
	struct sigaction act;
	int sub = -1, fds = 0;
	size_t n = 0;
	sigprocmask(SIG_BLOCK, NULL, &set);
	prctl(PR_GET_CHILD_SUBREAPER, &sub);
	for (int sig = 1; sig < 32; sig++) {
		sigaction(sig, NULL, &act);
		n += (size_t)snprintf(buf + n, size - n, "%d%c%x ", sigismember(&set, sig),
		                      act.sa_handler == SIG_DFL ? 'd' : act.sa_handler == SIG_IGN ? 'i' : 'h', (unsigned)act.sa_flags);
	}
	DIR *d = opendir("/proc/self/fd");
	while (d && readdir(d))
		fds++;
	if (d)
		closedir(d);
	snprintf(buf + n, size - n, "sub %d fds %d", sub, fds);
}

static void report(int r, const struct nl_result *o)
{
	static const char *const why[] = { "ran", "deadline", "cancelled", "refused", "notrun" };
	if (r < 0)
		printf("error %s\n", errno == EBUSY ? "busy" : errno == EINVAL ? "invalid" : "other");
	else
		printf("status %d signal %d %s attempts %u%s%s\n", o->status, o->signal, why[o->why], o->attempts,
		       o->err.msg[0] ? " " : "", o->err.msg);
}

int main(int argc, char **argv)
{
	char before[1024], after[1024];
	bool fn = false, threaded = false, twice = false;
	enum nl_where where = NL_HERE;
	const char *stop = NULL;
	pid_t job = 0, pid;
	pthread_t thread;
	struct nl_err err;
	int ws;
	for (int c; (c = getopt(argc, argv, "+fFb:d:e:c:iTs:2")) != -1; ) {
		switch (c) {
		case 'f': case 'F': fn = true, where = c == 'F' ? NL_FORKED : NL_HERE; break;
		case 'b': job = child_sleeps(optarg); break;
		case 'd': child_leaves_daemon(optarg); break;
		case 'e': child_ends(optarg); break;
		case 'c': signal(atoi(optarg), on_signal); break;
		case 'i': signal(SIGCHLD, SIG_IGN); break;
		case 'T': threaded = true; break;
		case 's': stop = optarg; break;
		case '2': twice = true; break;
		default: return 125;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	policy = argc - optind < 2 ? NULL : nl_policy_open(argv[optind], &err);
	if (!policy)
		return printf("%s\n", argc - optind < 2 ? "usage" : err.msg), 125;
	script = argv + optind + 1;
	if (threaded && pthread_create(&thread, NULL, idle, NULL))
		return 125;
	if (stop && pthread_create(&thread, NULL, stopper, (void *)stop))
		return 125;
	for (int i = 0, rounds = twice ? 2 : 1; i < rounds; i++) {
		struct nl_result o;
		look(before, sizeof before);
		int r = fn ? nl_policy_call(policy, "function", function, NULL, where, &o) : nl_policy_run(policy, argv + optind + 1, &o);
		look(after, sizeof after);
		report(r, &o);
		if (strcmp(before, after))
			printf("changed: %s\nto:      %s\n", before, after);
	}
	for (int sig = 1; sig < 32; sig++)
		if (got[sig] && sig != SIGCHLD)
			printf("caught %d\n", sig);
	if (got[SIGCHLD])
		puts("caught CHLD");
	while ((pid = waitpid(-1, &ws, WNOHANG)) > 0)
		printf("child exit %d\n", WIFEXITED(ws) ? WEXITSTATUS(ws) : 128 + WTERMSIG(ws));
	if (job) {
		kill(job, SIGKILL);
		if (waitpid(job, &ws, 0) == job)
			printf("job signal %d\n", WIFSIGNALED(ws) ? WTERMSIG(ws) : 0);
	}
	nl_policy_close(policy);
	return 0;
}
