/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pty - a terminal and somebody who types at it, for tests.
 *
 * usage: pty [-t SECONDS] COMMAND [ARG]... < SCRIPT
 *
 * COMMAND leads a session on a new terminal.  SCRIPT, one step a line:
 *
 *	expect TEXT   wait until TEXT comes, after what was expected before
 *	seen TEXT     TEXT has come, anywhere
 *	never TEXT    TEXT has not come
 *	send TEXT     type TEXT
 *	save          remember the terminal's modes and foreground group
 *	same          both are what was remembered
 *	front yes|no  wait until the foreground group is, or is not, the session leader's
 *	do COMMAND    sh -c COMMAND, outside the terminal, must succeed
 *	until COMMAND the same, tried again until it succeeds
 *	exit N        wait for the leader to exit with status N
 *	signal N      wait for the leader to die of signal N
 *	hangup        close the terminal; then only exit, signal, do, until make sense
 *
 * TEXT knows \n \r \t \e \\ \xHH, and ^C and the like for control characters.
 * do and until get the leader's pid as $leader.  Each step may take SECONDS
 * (5).  At the end all that came is printed, carriage returns left out; exits
 * 1 when a step failed, saying which, 0 otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { OUTPUT_MAX = 1 << 18 };

static char output[OUTPUT_MAX + 1];
static size_t came, matched;
static int master = -1, ws;
static pid_t leader;
static bool ended;
static double limit = 5;
static struct termios saved_modes;
static pid_t saved_front;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Takes in what the terminal has, waiting up to ms for it, and the leader's end. */
static void look(int ms)
{
	struct pollfd p = { .fd = master, .events = POLLIN };
	char buf[4096];
	ssize_t n;

	if (!ended && waitpid(leader, &ws, WNOHANG) == leader)
		ended = true;
	if (poll(&p, 1, ms) != 1)
		return;
	n = read(master, buf, sizeof buf);
	if (n <= 0) {                           /* EIO: nobody has it open any more */
		struct timespec ts = { .tv_nsec = ms * 1000000L };

		nanosleep(&ts, NULL);
		return;
	}
	for (ssize_t i = 0; i < n; i++)
		if (buf[i] != '\r' && buf[i] != '\0' && came < OUTPUT_MAX)
			output[came++] = buf[i];
	output[came] = '\0';
}

/* Undoes the escapes in place. */
static size_t unescape(char *s)
{
	char *to = s, *start = s;

	while (*s) {
		if (*s == '^' && s[1]) {
			*to++ = (char)(s[1] & 0x1f);
			s += 2;
		} else if (*s == '\\' && s[1]) {
			char hex[3] = "";

			switch (s[1]) {
			case 'n': *to++ = '\n'; break;
			case 'r': *to++ = '\r'; break;
			case 't': *to++ = '\t'; break;
			case 'e': *to++ = '\033'; break;
			case 'x':
				memcpy(hex, s + 2, strnlen(s + 2, 2));
				*to++ = (char)strtol(hex, NULL, 16);
				s += strlen(hex);
				break;
			default: *to++ = s[1];
			}
			s += 2;
		} else
			*to++ = *s++;
	}
	*to = '\0';
	return (size_t)(to - start);
}

static const char *expect(const char *text)
{
	double end = now() + limit;

	for (;;) {
		const char *at = strstr(output + matched, text);

		if (at) {
			matched = (size_t)(at - output) + strlen(text);
			return NULL;
		}
		if (now() > end)
			return "did not come";
		look(10);
	}
}

static const char *send_keys(const char *keys, size_t n)
{
	while (n > 0) {
		ssize_t w = write(master, keys, n);

		if (w < 0)
			return strerror(errno);
		keys += w;
		n -= (size_t)w;
	}
	return NULL;
}

static const char *wait_end(bool by_signal, int number)
{
	static char why[64];
	double end = now() + limit;

	while (!ended && now() < end)
		look(10);
	look(0);
	if (!ended)
		return "the leader still runs";
	if (by_signal && WIFSIGNALED(ws) && WTERMSIG(ws) == number)
		return NULL;
	if (!by_signal && WIFEXITED(ws) && WEXITSTATUS(ws) == number)
		return NULL;
	snprintf(why, sizeof why, "it was %s %d", WIFEXITED(ws) ? "exit" : "signal",
	         WIFEXITED(ws) ? WEXITSTATUS(ws) : WTERMSIG(ws));
	return why;
}

static const char *outside(const char *command, bool again)
{
	double end = now() + limit;

	while (system(command) != 0) {          /* NOLINT: a test's own script */
		if (!again || now() > end)
			return "failed";
		look(20);
	}
	return NULL;
}

static const char *compare_terminal(void)
{
	struct termios t;

	memset(&t, 0, sizeof t);
	if (tcgetattr(master, &t) != 0)
		return strerror(errno);
	if (t.c_iflag != saved_modes.c_iflag || t.c_oflag != saved_modes.c_oflag ||
	    t.c_cflag != saved_modes.c_cflag || t.c_lflag != saved_modes.c_lflag ||
	    memcmp(t.c_cc, saved_modes.c_cc, sizeof t.c_cc) != 0)
		return "the modes differ";
	if (tcgetpgrp(master) != saved_front)
		return "another foreground group";
	return NULL;
}

static const char *front(bool leads)
{
	double end = now() + limit;

	while ((tcgetpgrp(master) == leader) != leads) {
		if (now() > end)
			return "it is not so";
		look(10);
	}
	return NULL;
}

/* Returns NULL, or why the step failed. */
static const char *step(char *line)
{
	char *text = strchr(line, ' ');
	size_t n;

	if (text)
		*text++ = '\0';
	else
		text = line + strlen(line);
	if (strcmp(line, "do") == 0 || strcmp(line, "until") == 0)
		return outside(text, *line == 'u');
	n = unescape(text);
	if (strcmp(line, "expect") == 0)
		return expect(text);
	if (strcmp(line, "send") == 0)
		return send_keys(text, n);
	look(0);
	if (strcmp(line, "seen") == 0)
		return strstr(output, text) ? NULL : "it has not come";
	if (strcmp(line, "never") == 0)
		return strstr(output, text) ? "it has come" : NULL;
	if (strcmp(line, "exit") == 0 || strcmp(line, "signal") == 0)
		return wait_end(*line == 's', atoi(text));
	if (strcmp(line, "save") == 0) {
		saved_front = tcgetpgrp(master);
		return tcgetattr(master, &saved_modes) == 0 ? NULL : strerror(errno);
	}
	if (strcmp(line, "same") == 0)
		return compare_terminal();
	if (strcmp(line, "front") == 0)
		return front(*text == 'y');
	if (strcmp(line, "hangup") == 0) {
		close(master);
		master = -1;
		return NULL;
	}
	return "unknown step";
}

static void start(char **argv)
{
	const char *name;
	int slave, go[2];
	char byte;

	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 || !(name = ptsname(master)) ||
	    pipe2(go, O_CLOEXEC) != 0) {
		perror("pty");
		exit(125);
	}
	leader = fork();
	if (leader < 0) {
		perror("pty");
		exit(125);
	}
	if (leader > 0) {                       /* exec closes the pipe: the terminal is ready */
		close(go[1]);
		while (read(go[0], &byte, 1) < 0)
			;
		close(go[0]);
		return;
	}
	setsid();
	slave = open(name, O_RDWR);
	if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) != 0)
		_exit(125);
	for (int fd = 0; fd < 3; fd++)
		dup2(slave, fd);
	for (int fd = 3; fd < 64; fd++)
		if (fd != go[1])
			close(fd);
	for (int sig = 1; sig < 32; sig++)
		signal(sig, SIG_DFL);
	execvp(argv[0], argv);
	perror(argv[0]);
	_exit(127);
}

int main(int argc, char **argv)
{
	char line[4096], copy[4096], pid[16];
	const char *why = NULL;
	int c, number = 0;

	while ((c = getopt(argc, argv, "+t:")) != -1) {
		if (c != 't')
			return 125;
		limit = atof(optarg);
	}
	if (optind == argc)
		return 125;
	signal(SIGPIPE, SIG_IGN);
	start(argv + optind);
	snprintf(pid, sizeof pid, "%d", (int)leader);
	setenv("leader", pid, 1);
	while (!why && fgets(line, sizeof line, stdin)) {
		number++;
		line[strcspn(line, "\n")] = '\0';
		strcpy(copy, line);
		if (*line && *line != '#')
			why = step(line);
	}
	if (master >= 0) {
		for (int i = 0; i < 5; i++)
			look(0);
		close(master);
	}
	if (!ended) {
		kill(leader, SIGKILL);
		waitpid(leader, &ws, 0);
	}
	fwrite(output, 1, came, stdout);
	if (why) {
		printf("\npty: step %d: %s: %s\n", number, copy, why);
		return 1;
	}
	return 0;
}
