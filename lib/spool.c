/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool.c - a recording of bytes: in memory while it is small, then in an
 * unlinked file of $TMPDIR or /var/tmp, so that nothing is left behind.
 */
#include "io.h"

#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define IN_MEMORY (16 << 20)

static int open_disk(struct nl_run *run)
{
	const char *dirs[] = { nl_getenv(run, "TMPDIR"), "/var/tmp", "/tmp" };
	int fd = -ENOENT;
	for (unsigned i = 0; i < sizeof dirs / sizeof *dirs && fd < 0; i++)
		if (dirs[i] && *dirs[i])
			fd = run->os->open(dirs[i], O_RDWR | O_TMPFILE, 0600);
	return fd;
}

static int write_at(struct nl_run *run, int fd, const char *buf, size_t n, off_t at)
{
	for (unsigned tries = 0; n > 0; ) {
		ssize_t r = run->os->pwrite(fd, buf, n, at);
		if (r == -EINTR && ++tries < 100)
			continue;
		if (r <= 0) {
			nl_swallow(run, (int)r);
			return r < 0 ? (int)r : -EIO;
		}
		buf += r, n -= (size_t)r, at += r;
	}
	return 0;
}

static int to_disk(struct nl_run *run, struct nl_spool *s)
{
	char buf[16384];
	int fd = open_disk(run), r = 0;
	if (fd < 0)
		return fd;
	for (off_t at = 0; at < s->len && r == 0; ) {
		ssize_t n = run->os->pread(s->fd, buf, sizeof buf, at);
		if (n <= 0)
			r = n < 0 ? (int)n : -EIO;
		else
			r = write_at(run, fd, buf, (size_t)n, at), at += n;
	}
	run->os->close(r == 0 ? s->fd : fd);
	if (r < 0)
		return r;
	s->fd = fd, s->disk = true;
	return 0;
}

int nl_spool_put(struct nl_run *run, struct nl_spool *s, const char *buf, size_t n)
{
	int r = 0;
	if (s->broken)
		return -ENOSPC;
	if (s->fd < 0) {
		s->fd = (int)run->os->syscall(SYS_memfd_create, (long)"nl-spool", MFD_CLOEXEC, 0, 0, 0, 0);
		if (s->fd < 0)
			s->fd = open_disk(run), s->disk = true;
		r = s->fd < 0 ? s->fd : 0;
	}
	if (r == 0 && !s->disk && s->len + (off_t)n > IN_MEMORY)
		r = to_disk(run, s);
	if (r == 0)
		r = write_at(run, s->fd, buf, n, s->len);
	if (r == 0)
		s->len += (off_t)n;
	else
		s->broken = true;
	return r;
}

void nl_spool_reset(struct nl_run *run, struct nl_spool *s)
{
	if (s->len > 0 && s->fd >= 0)           // A file that cannot be cut is overwritten.
		run->os->syscall(SYS_ftruncate, s->fd, 0, 0, 0, 0, 0);
	s->len = 0, s->broken = false;
}

void nl_spool_close(struct nl_run *run, struct nl_spool *s)
{
	if (s->fd >= 0)
		run->os->close(s->fd);
	*s = (struct nl_spool)NL_SPOOL_NONE;
}
