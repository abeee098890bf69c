/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flock.c - what nl-bulkhead is when it is called as flock: flock(1) of
 * util-linux 2.38, its options, messages, streams and statuses, on the same
 * locks.
 *
 * Different on purpose: the command dies with us and gets our signals, and a
 * file that exists is opened without O_CREAT, which fs.protected_regular
 * refuses to others than its owner.
 */
#include "io.h"
#include "opt.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXCLUSIVE, SHARED, UNLOCK };

struct flocker {
	struct nl_svc svc;
	struct nl_word type;
	bool nonblock, close, no_fork, verbose;
	const char *wait, *conflict;
	const char *file;               /* NULL: fd is a descriptor of our caller */
	const char *command;
	int fd;
	unsigned char status;
	nl_time span;
	char *sh[4];
};

#define PICK(l, n, v, h) { .letter = (l), .name = (n), .type = NL_PICK, .offset = offsetof(struct flocker, type), .help = (h), .pick = (v) }

static const struct nl_opt options[] = {
	PICK('s', "shared", SHARED, "get a shared lock"),
	PICK('x', "exclusive", EXCLUSIVE, "get an exclusive lock (default)"),
	PICK('e', "exclusive", EXCLUSIVE, NULL),
	PICK('u', "unlock", UNLOCK, "remove a lock"),
	NL_OPT('n', "nonblocking", struct flocker, nonblock, NULL, "fail rather than wait", NULL),
	NL_OPT(0, "nonblock", struct flocker, nonblock, NULL, NULL, NULL),
	NL_OPT(0, "nb", struct flocker, nonblock, NULL, NULL, NULL),
	NL_OPT('w', "timeout", struct flocker, wait, "SECONDS", "wait for a limited amount of time", NULL),
	NL_OPT(0, "wait", struct flocker, wait, "SECONDS", "the same", NULL),
	NL_OPT('E', "conflict-exit-code", struct flocker, conflict, "NUMBER", "exit code after conflict or timeout", "1"),
	NL_OPT('o', "close", struct flocker, close, NULL, "close file descriptor before running command", NULL),
	NL_OPT('F', "no-fork", struct flocker, no_fork, NULL, "execute command without forking", NULL),
	NL_OPT(0, "verbose", struct flocker, verbose, NULL, "say how long it took, or why it failed", NULL),
	{ 0 }
};

static int read_int(const char *text, int *out, const char *what, struct nl_err *err)
{
	char *end;
	errno = 0;
	long n = strtol(text, &end, 10);
	if (end == text || *end)
		return nl_fail(err, "%s: '%.100s'", what, text);
	if (errno == ERANGE || n < INT32_MIN || n > INT32_MAX)
		return nl_fail(err, "%s: '%.100s': Numerical result out of range", what, text);
	*out = (int)n;
	return 0;
}

/* -w 0 is -n.  What the other's timer refuses is -1: negative, inf, nan. */
static int read_wait(struct flocker *f, struct nl_err *err)
{
	char *end = NULL;
	f->span = f->nonblock ? 0 : NL_NEVER;
	if (!f->wait)
		return 0;
	double s = strtod(f->wait, &end);
	if (end == f->wait || *end)
		return nl_fail(err, "invalid timeout value: '%.100s'", f->wait);
	nl_time us = s >= 9e9 ? NL_NEVER / NL_US : (nl_time)(s * 1e6);
	if (!isfinite(s) || s < 0)
		f->span = -1;
	else if (!f->nonblock)
		f->span = us * NL_US;
	return 0;
}

static int flock_init(struct nl_svc *svc, char ***argv, struct nl_err *err)
{
	struct flocker *f = (struct flocker *)svc;
	int status = 1;
	if (f->conflict && read_int(f->conflict, &status, "invalid exit code", err) < 0)
		return -1;
	if (status < 0 || status > 255)
		return nl_fail(err, "exit code out of range (expected 0 to 255)");
	f->status = (unsigned char)status;
	if (read_wait(f, err) < 0)
		return -1;
	if (f->no_fork && f->close)
		return nl_fail(err, "the --no-fork and --close options are incompatible");
	char **a = *argv;
	if (!a[0]) {
		bool none = !f->type.given && !f->nonblock && !f->close && !f->verbose && !f->wait && !f->conflict && !f->no_fork;
		return nl_fail(err, none ? "not enough arguments" : "requires file descriptor, file or directory");
	}
	*argv = a + 1;
	if (!a[1]) {
		svc->prints = true;             // There is no command.
		return read_int(a[0], &f->fd, "bad file descriptor", err);
	}
	f->file = a[0], f->command = a[1];
	if (strcmp(a[1], "-c") && strcmp(a[1], "--command"))
		return 0;
	if (!a[2] || a[3])
		return nl_fail(err, "%s requires exactly one command argument", a[1]);
	char *shell = getenv("SHELL");
	f->sh[0] = shell && *shell ? shell : (char *)"/bin/sh";
	f->sh[1] = (char *)"-c", f->sh[2] = a[2];
	f->command = f->sh[0];
	*argv = f->sh;
	return 0;
}

static struct nl_outcome end(int status)
{
	return (struct nl_outcome){ NL_EXIT(status), NL_RAN };
}

/* A status of sysexits.h, 0 when the file is open. */
static int open_file(struct flocker *f, struct nl_run *run, int flags)
{
	f->fd = run->os->open(f->file, flags, 0);
	if (f->fd == -ENOENT)
		f->fd = run->os->open(f->file, flags | O_CREAT, 0666);
	if (f->fd >= 0)
		return 0;
	nl_say(run, "cannot open lock file %s: %s", f->file, strerror(-f->fd));
	switch (-f->fd) {
	case ENOMEM: case EMFILE: case ENFILE: return EX_OSERR;
	case EROFS: case ENOSPC: return EX_CANTCREAT;
	default: return EX_NOINPUT;
	}
}

/* Waits in the kernel's queue.  0, -EAGAIN when the time is over, other -errno;
 * *why is not NL_RAN when we were told to stop. */
static int wait_lock(struct flocker *f, struct nl_run *run, struct nl_req *q, enum nl_why *why)
{
	nl_time until = nl_after(nl_now(run), f->span);
	int how = f->type.index == UNLOCK ? LOCK_UN : f->type.index == SHARED ? LOCK_SH : LOCK_EX;
	int r = (int)run->os->syscall(SYS_flock, f->fd, how | (how == LOCK_UN ? 0 : LOCK_NB), 0, 0, 0, 0);
	while ((r == -EAGAIN || r == -EINTR) && f->span > 0) {
		nl_time now = nl_now(run);
		*why = nl_sleep(run, *q, now);          // Takes what is pending.
		if (*why != NL_RAN)
			return -EINTR;
		if (now >= until)
			return -EAGAIN;
		r = run->os->lockwait(f->fd, how == LOCK_SH ? F_RDLCK : F_WRLCK, -1, until == NL_NEVER ? NL_NEVER : until - now);
	}
	return r;
}

static int lock(struct flocker *f, struct nl_run *run, struct nl_req *q, enum nl_why *why)
{
	const struct nl_os *os = run->os;
	if (!f->file && f->fd >= 0 && f->fd <= 2 && run->mended >> f->fd & 1)
		return -EBADF;
	int r = wait_lock(f, run, q, why);
	if ((r == -EIO || r == -EBADF) && f->file && f->type.index != SHARED        // NFS: a write lock needs a writer.
	    && os->syscall(SYS_faccessat, AT_FDCWD, (long)f->file, R_OK | W_OK, 0, 0, 0) == 0) {
		os->close(f->fd);
		if (open_file(f, run, O_RDWR) == 0)
			r = wait_lock(f, run, q, why);
	}
	return r;
}

static void print(struct nl_run *run, const struct nl_req *q, const char *text)
{
	int error;
	nl_put(run, q, nl_chain(run, q, 0), text, strlen(text), &error);
}

static struct nl_outcome run_command(struct flocker *f, struct nl_run *run, struct nl_req q)
{
	char text[256];
	if (f->verbose) {
		snprintf(text, sizeof text, "flock: executing %.200s\n", f->command);
		print(run, &q, text);
	}
	if (!f->close)
		run->os->fcntl(f->fd, F_SETFD, 0);
	q.stop.shared = true;
	q.stop.kill = NL_KILL_COMMAND;
	q.stop.grace = NL_NEVER;
	q.stop.replace = f->no_fork;
	struct nl_outcome o = nl_do(f->svc.inner, run, q);
	if (o.why == NL_NOTRUN)
		return end(nl_code(o.wstatus) == NL_EX_FAIL ? EX_OSERR : EX_UNAVAILABLE);
	return o.why == NL_RAN ? end(nl_code(o.wstatus)) : o;
}

static struct nl_outcome flock_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	struct flocker *f = (struct flocker *)svc;
	enum nl_why why = NL_RAN;
	char text[80];
	int bad = f->file ? open_file(f, run, O_RDONLY) : 0;
	if (bad)
		return end(bad);
	if (f->span < 0) {
		nl_say(run, "cannot set up timer: %s", strerror(EINVAL));
		return end(EX_OSERR);
	}
	nl_time began = nl_now(run);
	int r = lock(f, run, &q, &why);
	if (why != NL_RAN)
		return (struct nl_outcome){ run->stop_sig, why };
	if (r == -EAGAIN) {
		if (f->verbose)
			nl_say(run, f->span > 0 ? "timeout while waiting to get lock" : "failed to get lock");
		return end(f->status);
	}
	if (r < 0) {
		if (f->file)
			nl_say(run, "%s: %s", f->file, strerror(-r));
		else
			nl_say(run, "%d: %s", f->fd, strerror(-r));
		return end(r == -ENOLCK || r == -ENOMEM ? EX_OSERR : EX_DATAERR);
	}
	if (f->verbose) {
		nl_time took = nl_now(run) - began;
		snprintf(text, sizeof text, "flock: getting lock took %lld.%06lld seconds\n", (long long)(took / NL_SEC),
		         (long long)(took % NL_SEC / NL_US));
		print(run, &q, text);
	}
	return svc->inner ? run_command(f, run, q) : end(0);
}

const struct nl_layer nl_flock = {
	.name = "flock",
	.usage = "[OPTION]... FILE|DIRECTORY COMMAND [ARG]... | FILE|DIRECTORY -c COMMAND | NUMBER",
	.about = "Hold a lock of flock(2) while COMMAND runs, or lock the open file NUMBER.",
	.compat = NL_AS_FLOCK,
	.opts = options,
	.size = sizeof(struct flocker),
	.init = flock_init,
	.call = flock_call,
};
