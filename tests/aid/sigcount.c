/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sigcount - a victim that writes down every signal it gets.
 *
 * usage: sigcount [-t MS] [-q NUMBER] [-x STATUS] FILE
 *
 * Catches all signals that can be caught and appends to FILE one line for
 * each: "NAME user PID", "NAME kernel 0" (a terminal) or "NAME queue PID";
 * before them "ready PID".  Ends with STATUS (0) after MS milliseconds (60 s),
 * or as soon as signal NUMBER has been written down.  Real-time signals queue,
 * so a signal that is delivered twice is seen twice.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { RTMIN = 34 };

static int log_fd, quit_at, quit_status;

static const char *const names[RTMIN] = {
	[SIGHUP] = "HUP", [SIGINT] = "INT", [SIGQUIT] = "QUIT", [SIGILL] = "ILL",
	[SIGTRAP] = "TRAP", [SIGABRT] = "ABRT", [SIGBUS] = "BUS", [SIGFPE] = "FPE",
	[SIGUSR1] = "USR1", [SIGSEGV] = "SEGV", [SIGUSR2] = "USR2", [SIGPIPE] = "PIPE",
	[SIGALRM] = "ALRM", [SIGTERM] = "TERM", [SIGSTKFLT] = "STKFLT", [SIGCHLD] = "CHLD",
	[SIGCONT] = "CONT", [SIGTSTP] = "TSTP", [SIGTTIN] = "TTIN", [SIGTTOU] = "TTOU",
	[SIGURG] = "URG", [SIGXCPU] = "XCPU", [SIGXFSZ] = "XFSZ", [SIGVTALRM] = "VTALRM",
	[SIGPROF] = "PROF", [SIGWINCH] = "WINCH", [SIGIO] = "IO", [SIGPWR] = "PWR",
	[SIGSYS] = "SYS",
};

static char *put(char *p, const char *s)
{
	size_t n = strlen(s);

	memcpy(p, s, n);
	return p + n;
}

static char *put_number(char *p, unsigned long n)
{
	char digits[24], *d = digits + sizeof digits;

	do {
		*--d = (char)('0' + n % 10);
	} while ((n /= 10) != 0);
	memcpy(p, d, (size_t)(digits + sizeof digits - d));
	return p + (digits + sizeof digits - d);
}

static void on_signal(int sig, siginfo_t *si, void *context)
{
	char line[64], *p = line;
	int saved = errno;

	(void)context;
	if (sig >= RTMIN)
		p = put_number(put(p, "RTMIN+"), (unsigned)sig - RTMIN);
	else
		p = put(p, names[sig] ? names[sig] : "?");
	p = put(p, si->si_code > 0 ? " kernel " : si->si_code == SI_USER ? " user " : " queue ");
	p = put(put_number(p, si->si_code > 0 ? 0 : (unsigned)si->si_pid), "\n");
	if (write(log_fd, line, (size_t)(p - line)) < 0)
		_exit(125);
	if (sig == quit_at)
		_exit(quit_status);
	errno = saved;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	struct timespec end;
	long ms = 60000;
	int c, n;
	char line[32];

	while ((c = getopt(argc, argv, "t:q:x:")) != -1) {
		if (c == 't')
			ms = atol(optarg);
		else if (c == 'q')
			quit_at = atoi(optarg);
		else if (c == 'x')
			quit_status = atoi(optarg);
		else
			return 125;
	}
	if (optind != argc - 1)
		return 125;
	if ((log_fd = open(argv[optind], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) < 0) {
		perror(argv[optind]);
		return 125;
	}
	sigfillset(&sa.sa_mask);
	for (int sig = 1; sig <= 64; sig++)
		sigaction(sig, &sa, NULL);      /* those that cannot be caught are not */
	n = snprintf(line, sizeof line, "ready %d\n", (int)getpid());
	if (write(log_fd, line, (size_t)n) != n)
		return 125;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += ms / 1000;
	if ((end.tv_nsec += ms % 1000 * 1000000) >= 1000000000) {
		end.tv_nsec -= 1000000000;
		end.tv_sec++;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) != 0)
		;
	return quit_status;
}
