/* SPDX-License-Identifier: Apache-2.0 */
/*
 * screen.c - see screen.h.
 *
 * Signals that we take leave by the loop and then by nl_screen_close.  Those of a
 * fault of ours have a handler, the only one in these tools: it gives the terminal
 * back and lets the signal do what it does.
 */
#include "observe/screen.h"

#include "mut.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

enum { SCREEN_MAX = 1 << 18 };

static const char enter[] = "\033[?1049h\033[?25l\033[2J", leave[] = "\033[0m\033[?25h\033[?1049l";
static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };

/* What a handler must know: there is one terminal. */
static struct { volatile sig_atomic_t fd; struct termios modes; } given = { .fd = -1 };

static void give_back(void)
{
	if (given.fd < 0)
		return;
	ssize_t r = write(given.fd, leave, sizeof leave - 1);
	(void)r;                                // Nobody can be told, and the modes are to follow.
	if (!MUTANT(LEAVES_RAW))
		(void)tcsetattr(given.fd, TCSADRAIN, &given.modes);
	given.fd = -1;
}

static void fault(int sig)
{
	give_back();
	raise(sig);                             // SA_RESETHAND: what it does by default, when we return.
}

static void watch_faults(struct nl_run *run, bool on)
{
	struct sigaction act = { .sa_handler = on ? fault : SIG_DFL, .sa_flags = (int)SA_RESETHAND };
	uint64_t open = 0;
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		if (!MUTANT(CRASHES_RAW))
			sigaction(faults[i], &act, NULL);
		open |= NL_SIGBIT(faults[i]);
	}
	run->os->mask(on ? ~open : ~UINT64_C(0), NULL);
}

static int show(struct nl_screen *s)
{
	struct termios raw;
	if (tcgetattr(s->fd, &raw) < 0)
		return -errno;
	given.modes = raw;
	given.fd = s->fd;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1, raw.c_cc[VTIME] = 0;
	watch_faults(s->run, true);
	if (tcsetattr(s->fd, TCSADRAIN, &raw) < 0)
		return -errno;
	ssize_t r = s->run->os->write(s->fd, enter, sizeof enter - 1);
	s->shown = s->all = true;
	nl_screen_resized(s);
	return r < 0 ? (int)r : 0;
}

static void hide(struct nl_screen *s)
{
	give_back();
	watch_faults(s->run, false);
	s->shown = false;
}

int nl_screen_open(struct nl_screen *s, struct nl_run *run, struct nl_err *err)
{
	const char *term = nl_getenv(run, "TERM");
	*s = (struct nl_screen){ .run = run, .fd = -1 };
	if (!isatty(1) || !term || !strcmp(term, "dumb"))
		return nl_fail(err, "top: standard output is no terminal that can do it (--once prints one screen)");
	s->fd = run->os->open("/dev/tty", O_RDWR | O_NONBLOCK | O_NOCTTY, 0);
	int r = s->fd < 0 ? s->fd : show(s);
	if (r == 0)
		return 0;
	nl_screen_close(s);
	return nl_fail(err, "top: cannot use the terminal: %s", strerror(-r));
}

void nl_screen_close(struct nl_screen *s)
{
	if (s->shown || given.fd >= 0)
		hide(s);
	if (s->fd >= 0)
		s->run->os->close(s->fd);
	s->fd = -1;
	free(s->drawn);
	s->drawn = NULL, s->n = 0;
}

void nl_screen_resized(struct nl_screen *s)
{
	struct winsize size = { 0 };
	if (s->run->os->syscall(SYS_ioctl, s->fd, TIOCGWINSZ, (long)&size, 0, 0, 0) < 0 || !size.ws_row || !size.ws_col)
		size.ws_row = 24, size.ws_col = 80;
	s->rows = size.ws_row, s->cols = size.ws_col;
	s->all = true;
}

void nl_screen_pause(struct nl_screen *s, int sig)
{
	hide(s);
	nl_pause(s->run, sig);
	if (show(s) < 0)
		s->shown = false;               // The terminal is gone: the keys will tell.
}

int nl_screen_keys(struct nl_screen *s, char *keys, size_t size)
{
	ssize_t n = s->run->os->read(s->fd, keys, size);
	return n > 0 ? (int)n : n == -EAGAIN || n == -EINTR ? 0 : -1;
}

static const char *line_end(const char *at, const char *end)
{
	const char *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
	return newline ? newline : end;
}

void nl_screen_draw(struct nl_screen *s, const char *lines, size_t n)
{
	const char *at = lines, *end = lines + n, *was = s->drawn, *was_end = s->drawn + s->n;
	struct nl_out o;
	if (!s->shown)
		return;
	nl_out_init(&o, SCREEN_MAX);
	if (s->all)
		nl_out_put(&o, "\033[2J");
	for (unsigned row = 1; row <= s->rows; row++) {
		const char *to = line_end(at, end), *was_to = line_end(was, was_end);
		bool same = to - at == was_to - was && (to == at || !memcmp(at, was, (size_t)(to - at)));
		if (s->all ? to > at : !same) {
			nl_out_put(&o, "\033[%u;1H", row);
			nl_out_bytes(&o, at, (size_t)(to - at));
			nl_out_put(&o, "\033[K");
		}
		at = to < end ? to + 1 : end;
		was = was_to < was_end ? was_to + 1 : was_end;
	}
	ssize_t w = o.n ? s->run->os->write(s->fd, o.buf, o.n) : 0;
	s->all = w != (ssize_t)o.n;             // Who holds the terminal's output has missed something.
	nl_out_free(&o);
	free(s->drawn);
	s->drawn = malloc(n + 1);
	s->n = s->drawn ? n : 0;
	if (s->drawn)
		memcpy(s->drawn, lines, n);
}
