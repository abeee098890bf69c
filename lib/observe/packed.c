/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packed.c - what is compressed: a child runs the decompressor, and its pipe is
 * read in place of the file, or of the pipe, whose first bytes are looked at where
 * they are, so that the decompressor gets all of it.
 *
 * The child is forked for it and is libpipeline's, which exits and reaps as it
 * likes.  It says how the decompressor ended on a pipe of its own, for who waits
 * for children here is not asked.
 */
#include "observe/intake.h"

#include "os.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static const struct { const char *magic; size_t n; const char *program; } formats[] = {
	{ "\x1f\x8b", 2, "gzip" }, { "\x28\xb5\x2f\xfd", 4, "zstd" }, { "\xfd" "7zXZ\0", 6, "xz" }, { "BZh", 3, "bzip2" },
};

enum { FIRST = 6 };
enum answer { NO, YES, MAY_BE };

/* May be: there are too few bytes. */
static enum answer is_packed(const char *first, ssize_t n, const char **program)
{
	enum answer is = NO;
	*program = NULL;
	for (size_t i = 0; n > 0 && i < sizeof formats / sizeof *formats; i++) {
		size_t both = (size_t)n < formats[i].n ? (size_t)n : formats[i].n;
		if (memcmp(first, formats[i].magic, both))
			continue;
		is = MAY_BE;
		if (both < formats[i].n)
			continue;
		*program = formats[i].program;
		return YES;
	}
	return is;
}

const char *nl_packed_by(struct nl_run *run, int fd)
{
	char first[FIRST] = "";
	const char *program;
	is_packed(first, run->os->pread(fd, first, sizeof first, 0), &program);
	return program;
}

/* What comes next, without taking it away. */
static ssize_t peek(struct nl_run *run, int fd, char first[FIRST])
{
	int copy[2];
	ssize_t n = run->os->syscall(SYS_recvfrom, fd, (long)first, FIRST, MSG_PEEK | MSG_DONTWAIT, 0, 0);
	if (n != -ENOTSOCK || run->os->syscall(SYS_pipe2, (long)copy, O_CLOEXEC, 0, 0, 0, 0) < 0)
		return n;
	n = run->os->syscall(SYS_tee, fd, copy[1], FIRST, SPLICE_F_NONBLOCK, 0, 0);
	if (n > 0)
		n = run->os->read(copy[0], first, FIRST);
	run->os->close(copy[0]);
	run->os->close(copy[1]);
	return n;
}

const char *nl_packed_next(struct nl_run *run, int fd)
{
	char first[FIRST] = "";
	const char *program;
	for (int i = 0; i < 20 && is_packed(first, peek(run, fd, first), &program) == MAY_BE; i++)
		run->os->poll(NULL, 0, 10 * NL_MS);     // Who writes so little at once is seldom, and text that begins so.
	return program;
}

struct job { struct nl_intake *in; const char *program; int from, to, done; };

static int body(void *arg)
{
	const struct job *j = arg;
	const struct nl_os *os = j->in->run->os;
	static char options[] = "-dc";
	char program[16], *argv[] = { program, options, NULL };
	snprintf(program, sizeof program, "%s", j->program);
	os->prctl(PR_SET_PDEATHSIG, SIGTERM);
	os->syscall(SYS_dup3, j->from, 0, 0, 0, 0, 0);
	os->syscall(SYS_dup3, j->to, 1, 0, 0, 0, 0);
	int done = (int)os->fcntl(j->done, F_DUPFD_CLOEXEC, 3);
	for (int fd = 3; fd < 1024; fd++)               // Among them the end that we read: a decompressor must see it closed.
		if (fd != done)
			os->close(fd);
	os->mask(j->in->run->signals->mask, NULL);
	char status = (char)j->in->unpack(argv);
	return os->write(done, &status, 1) == 1 ? status : NL_EX_FAIL;
}

int nl_packed_start(struct nl_intake *in, struct nl_source *s, struct nl_err *err)
{
	const struct nl_os *os = in->run->os;
	int data[2] = { -1, -1 }, done[2] = { -1, -1 };
	if (!in->unpack)
		return nl_fail(err, "%.100s: is compressed, and this nl-observe was built without libpipeline: %s -dc FILE | nl-observe", s->name, s->packed);
	long r = os->syscall(SYS_pipe2, (long)data, O_CLOEXEC, 0, 0, 0, 0);
	r = r < 0 ? r : os->syscall(SYS_pipe2, (long)done, O_CLOEXEC, 0, 0, 0, 0);
	if (s->kind == NL_SRC_FILE) {
		nl_mark_note(in, s);
		s->skip = s->offset;
		os->syscall(SYS_lseek, s->fd, 0, 0, 0, 0, 0);
	} else if (s->fd > 2) {
		os->fcntl(s->fd, F_SETFL, 0);   // A decompressor waits.
	}
	s->offset = 0;
	struct job job = { in, s->packed, s->fd, data[1], done[1] };
	r = r < 0 ? r : os->branch(body, &job, NULL);
	if (data[1] >= 0)
		os->close(data[1]);
	if (done[1] >= 0)
		os->close(done[1]);
	if (s->fd > 2)
		os->close(s->fd);
	s->fd = data[0], s->done = done[0];
	if (r < 0)
		return nl_fail(err, "%.100s: cannot run %s: %s", s->name, s->packed, strerror((int)-r));
	os->fcntl(s->fd, F_SETFL, O_NONBLOCK);
	os->fcntl(s->fd, F_SETPIPE_SZ, 1 << 20);
	return 0;
}

/* Its child ends with its output, or of SIGPIPE because we do not read on. */
void nl_packed_end(struct nl_intake *in, struct nl_source *s)
{
	struct pollfd p = { .fd = s->done, .events = POLLIN };
	char status = 1;
	if (s->done < 0)
		return;
	in->run->os->poll(&p, 1, 10 * NL_SEC);
	bool ok = p.revents && in->run->os->read(s->done, &status, 1) == 1 && status == 0;
	if (!ok && !in->run->stop_sig && !in->error) {
		nl_say(in->run, "%s: %s failed: what came before is counted", s->name, s->packed);
		in->troubles++;
	}
	in->run->os->close(s->done);
	s->done = -1;
}
