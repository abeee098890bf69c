/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk.c - see desk.h.  Nothing here waits: a pipe always has room.
 */
#include "desk.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THINGS 250
#define ROOM 4096

static struct thing { enum sim_file kind; unsigned readers, writers; size_t at, len; char data[ROOM]; } things[THINGS];
static unsigned used;                   /* things from here on are new */

static struct thing *of(const struct sim_desk *d, int fd)
{
	return fd >= 0 && fd < SIM_FDS && d->fd[fd].file ? &things[d->fd[fd].file] : NULL;
}

static void hold(struct sim_end e)
{
	struct thing *t = &things[e.file];
	if (e.file)
		*(e.writes ? &t->writers : &t->readers) += 1;
}

void sim_desk_drop(struct sim_end *e)
{
	struct thing *t = &things[e->file];
	if (e->file)
		*(e->writes ? &t->writers : &t->readers) -= 1;
	if (e->file && t->readers + t->writers == 0)
		t->kind = SIM_NOTHING;
	*e = (struct sim_end){ 0 };
}

static unsigned char new_thing(enum sim_file kind)
{
	unsigned i = 1;
	while (i < THINGS && i <= used && things[i].kind)
		i++;
	if (i == THINGS) {
		printf("Bail out! desk: too many files\n");
		exit(1);
	}
	used = i > used ? i : used;
	things[i].kind = kind, things[i].at = things[i].len = things[i].readers = things[i].writers = 0;
	return (unsigned char)i;
}

static int place(struct sim_desk *d, struct sim_end e)
{
	int fd = 0;
	while (fd < SIM_FDS && d->fd[fd].file)
		fd++;
	if (fd == SIM_FDS)
		return -EMFILE;
	d->fd[fd] = e;
	hold(e);
	return fd;
}

void sim_desk_init(struct sim_desk *d)
{
	for (unsigned i = 0; i <= used; i++)
		things[i].kind = SIM_NOTHING;
	used = 0;
	*d = (struct sim_desk){ 0 };
	place(d, (struct sim_end){ new_thing(SIM_NULL), false });
	place(d, (struct sim_end){ new_thing(SIM_OUT), true });
	place(d, (struct sim_end){ new_thing(SIM_ERR), true });
}

void sim_desk_copy(struct sim_desk *to, const struct sim_desk *from)
{
	*to = *from;
	for (int i = 0; i < SIM_FDS; i++)
		hold(to->fd[i]);
}

void sim_desk_clear(struct sim_desk *d)
{
	for (int i = 0; i < SIM_FDS; i++)
		sim_desk_drop(&d->fd[i]);
}

int sim_desk_open(struct sim_desk *d, enum sim_file kind)
{
	return place(d, (struct sim_end){ new_thing(kind), kind == SIM_SPOOL });
}

int sim_desk_pipe(struct sim_desk *d, int fd[2])
{
	unsigned char file = new_thing(SIM_PIPE);
	fd[0] = place(d, (struct sim_end){ file, false });
	fd[1] = place(d, (struct sim_end){ file, true });
	return fd[0] < 0 ? fd[0] : fd[1] < 0 ? fd[1] : 0;
}

int sim_desk_close(struct sim_desk *d, int fd)
{
	if (!of(d, fd))
		return -EBADF;
	sim_desk_drop(&d->fd[fd]);
	return 0;
}

ssize_t sim_desk_pread(struct sim_desk *d, int fd, void *buf, size_t n, off_t at)
{
	struct thing *t = of(d, fd);
	if (!t || t->kind != SIM_SPOOL)
		return -EBADF;
	size_t left = (size_t)at < t->len ? t->len - (size_t)at : 0;
	n = n < left ? n : left;
	memcpy(buf, t->data + at, n);
	return (ssize_t)n;
}

static ssize_t put(struct thing *t, const void *buf, size_t n, size_t at)
{
	if (at + n > ROOM)
		return t->kind == SIM_OUT ? (ssize_t)n : -ENOSPC;       // What nobody will look at.
	memcpy(t->data + at, buf, n);
	t->len = at + n > t->len ? at + n : t->len;
	return (ssize_t)n;
}

ssize_t sim_desk_pwrite(struct sim_desk *d, int fd, const void *buf, size_t n, off_t at)
{
	struct thing *t = of(d, fd);
	return t && t->kind == SIM_SPOOL ? put(t, buf, n, (size_t)at) : -EBADF;
}

ssize_t sim_desk_read(struct sim_desk *d, int fd, void *buf, size_t n)
{
	struct thing *t = of(d, fd);
	if (!t || d->fd[fd].writes)
		return -EBADF;
	size_t left = t->len - t->at;
	if (t->kind == SIM_PIPE && left == 0 && t->writers)
		return -EAGAIN;
	n = n < left ? n : left;
	memcpy(buf, t->data + t->at, n);
	t->at += n;
	if (t->kind == SIM_PIPE && t->at == t->len)
		t->at = t->len = 0;
	return (ssize_t)n;
}

ssize_t sim_desk_write(struct sim_desk *d, int fd, const void *buf, size_t n)
{
	struct thing *t = of(d, fd);
	if (!t || !d->fd[fd].writes)
		return -EBADF;
	if (t->kind == SIM_PIPE && !t->readers)
		return -EPIPE;
	return t->kind == SIM_ERR ? (ssize_t)n : put(t, buf, n, t->len);
}

int sim_desk_cut(struct sim_desk *d, int fd)
{
	struct thing *t = of(d, fd);
	if (!t || t->kind != SIM_SPOOL)
		return -EINVAL;
	t->len = 0;
	return 0;
}

int sim_desk_queued(struct sim_desk *d, int fd)
{
	struct thing *t = of(d, fd);
	return t ? (int)(t->len - t->at) : -EBADF;
}

enum sim_file sim_desk_kind(const struct sim_desk *d, int fd)
{
	struct thing *t = of(d, fd);
	return t ? t->kind : SIM_NOTHING;
}

short sim_desk_ready(const struct sim_desk *d, int fd, short events, bool pending)
{
	struct thing *t = of(d, fd);
	if (fd < 0)
		return 0;
	if (!t)
		return POLLNVAL;
	if (t->kind == SIM_SIGNALS)
		return pending ? POLLIN : 0;
	if (t->kind != SIM_PIPE)
		return events & (POLLIN | POLLOUT);
	if (d->fd[fd].writes)
		return (short)(t->readers ? events & POLLOUT : POLLERR);
	return (short)((t->len > t->at ? events & POLLIN : 0) | (t->writers ? 0 : POLLHUP));
}

struct sim_end sim_desk_lend(struct sim_desk *d, int fd)
{
	struct sim_end e = of(d, fd) ? d->fd[fd] : (struct sim_end){ 0 };
	hold(e);
	return e;
}

void sim_desk_say(struct sim_end e, const char *text)
{
	struct thing *t = &things[e.file];
	if (e.file && (t->kind != SIM_PIPE || t->readers))
		put(t, text, strlen(text), t->len);
}

const char *sim_desk_out(size_t *n)
{
	*n = things[2].len;
	return things[2].data;
}

unsigned sim_desk_things(void)
{
	unsigned n = 0;
	for (unsigned i = 1; i <= used; i++)
		n += things[i].kind != SIM_NOTHING;
	return n;
}
