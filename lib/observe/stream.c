/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.c - what comes when it comes: stdin, FIFOs, sockets.
 *
 * A descriptor that we opened does not block; stdin may be others', too, and is
 * read when poll says that there is something.
 */
#include "observe/intake.h"

#include "mut.h"
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum { PIPE_ROOM = 1 << 20, CONNECTIONS = 1000, AT_ONCE = 64 };

int nl_stream_add(struct nl_intake *in, const char *name, int fd, enum nl_source_kind kind, struct nl_err *err)
{
	struct nl_source *s = nl_source_new(in, kind, fd, name, err);
	if (!s && fd > 2)
		in->run->os->close(fd);
	if (!s)
		return -1;
	in->run->os->fcntl(fd, F_SETPIPE_SZ, PIPE_ROOM);        // Of what is no pipe, or too much for one: no matter.
	return 0;
}

static bool try_again(struct nl_intake *in, nl_time now, void *arg)
{
	struct nl_source *listener = arg;
	(void)in, (void)now;
	listener->rests = false;
	return true;
}

int nl_socket_add(struct nl_intake *in, const char *path, int type, struct nl_err *err)
{
	struct nl_source *s = nl_source_new(in, type == SOCK_DGRAM ? NL_SRC_DATAGRAMS : NL_SRC_LISTENER, -1, path, err);
	if (!s)
		return -1;
	s->live = true;
	if (nl_socket_make(in->run, &s->socket, s->name, type, err) < 0) {
		s->ended = true;
		return -1;
	}
	s->fd = s->socket.fd;
	if (s->kind == NL_SRC_LISTENER) {
		s->rest = (struct nl_ticker){ .every = NL_SEC, .wake = try_again, .arg = s };
		nl_intake_tick(in, &s->rest);
	}
	return 0;
}

static void take_connections(struct nl_intake *in, struct nl_source *listener)
{
	struct nl_err err;
	unsigned n = 0;
	int fd = 0;
	for (const struct nl_source *s = in->sources; s; s = s->next)
		n += s->of == listener;
	for (; n < CONNECTIONS && fd >= 0; n++) {
		fd = (int)in->run->os->syscall(SYS_accept4, listener->fd, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK, 0, 0);
		struct nl_source *s = fd < 0 ? NULL : nl_source_new(in, NL_SRC_STREAM, fd, listener->name, &err);
		if (s)
			s->of = listener, s->live = true;
		else if (fd >= 0)
			in->run->os->close(fd);
	}
	listener->rests = (fd >= 0 || (fd != -EAGAIN && fd != -EINTR && fd != -ECONNABORTED)) && !MUTANT(NEVER_RESTS);
}

/* A datagram holds whole lines. */
static void take_datagrams(struct nl_intake *in, struct nl_source *s)
{
	for (int i = 0; i < AT_ONCE && !in->error; i++) {
		ssize_t n = nl_lines_read(in, s);
		nl_lines_end(in, s);
		if (n < 0)
			return;
	}
}

/* Writers have left.  Opened before the old one is closed, so that nobody finds it without a reader. */
static bool open_again(struct nl_intake *in, struct nl_source *s)
{
	int fd = in->run->os->open(s->name, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return false;
	in->run->os->fcntl(fd, F_SETPIPE_SZ, PIPE_ROOM);
	in->run->os->close(s->fd);
	if (s->packed)
		nl_packed_end(in, s);
	s->fd = fd, s->packed = NULL, s->looked = false;
	return true;
}

static void give_up(struct nl_intake *in, struct nl_source *s, const char *what)
{
	nl_say(in->run, "%s", what);
	in->troubles++;
	nl_source_shut(in, s);
	s->ended = true;
}

/* Of connections nobody starts a program here.  True: there is one now. */
static bool unpacks(struct nl_intake *in, struct nl_source *s)
{
	struct nl_err err;
	if (s->looked || s->of)
		return false;
	s->looked = true;
	s->packed = nl_packed_next(in->run, s->fd);
	if (s->packed && nl_packed_start(in, s, &err) < 0)
		give_up(in, s, err.msg);
	return s->packed;
}

void nl_stream_ready(struct nl_intake *in, struct nl_source *s)
{
	if (s->kind == NL_SRC_LISTENER) {
		take_connections(in, s);
		return;
	}
	if (s->kind == NL_SRC_DATAGRAMS) {
		take_datagrams(in, s);
		return;
	}
	if (unpacks(in, s))
		return;
	ssize_t n = nl_lines_read(in, s);
	if (n > 0 || n == -EINTR || n == -EAGAIN)
		return;
	nl_lines_end(in, s);
	if (n == 0 && s->kind == NL_SRC_FIFO && in->follow && open_again(in, s))
		return;
	if (n < 0 && n != -ECONNRESET && n != -EIO) {           // EIO: a terminal that is gone.
		struct nl_err err;
		nl_fail(&err, "%.100s: cannot be read on: %s", s->name, strerror((int)-n));
		give_up(in, s, err.msg);
		return;
	}
	nl_source_shut(in, s);
	s->ended = true;
}
