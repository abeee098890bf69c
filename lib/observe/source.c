/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.c - the loop that reads all sources, and where they are told apart.
 *
 * Files are read one after the other, each in pieces; between two pieces all that
 * may be waited for is served.  When no file has more, the loop sleeps.
 */
#include "observe/intake.h"

#include "mut.h"
#include "observe/shape.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define LOOK_EACH NL_SEC                /* followed files: renamed ones send no notice */
#define LOOK_OFTEN (200 * NL_MS)        /* without inotify */
#define LAST_WORDS NL_SEC
#define AT_LAST 64                      /* reads of what has come when we are told to stop */
#define PIECES 8                        /* of a file, until others are asked again */

static int prepare(struct nl_intake *in, struct nl_err *err)
{
	if (in->buffer)
		return 0;
	in->notify = -1;
	in->room = malloc(NL_FACT_MAX);
	in->shapes = nl_shapes_new();
	in->ahead = nl_ahead_new();
	in->buffer = calloc(1, NL_SOURCE_LINE + NL_READ + NL_SHAPE_PAD);
	return in->buffer && in->room && in->shapes && in->ahead ? 0 : nl_fail(err, "out of memory");
}

struct nl_source *nl_source_new(struct nl_intake *in, enum nl_source_kind kind, int fd, const char *name, struct nl_err *err)
{
	struct nl_source *s = calloc(1, sizeof *s), **last = &in->sources;
	if (!s || !(s->name = strdup(name))) {
		free(s);
		nl_fail(err, "out of memory");
		return NULL;
	}
	s->kind = kind, s->fd = fd, s->watch = s->done = s->socket.fd = -1;
	s->live = in->follow;
	s->is_old = kind == NL_SRC_FILE && !in->runs;
	while (*last)
		last = &(*last)->next;
	*last = s;
	return s;
}

void nl_source_shut(struct nl_intake *in, struct nl_source *s)
{
	if (s->watch >= 0 && s->kind == NL_SRC_FILE)
		in->run->os->syscall(SYS_inotify_rm_watch, in->notify, s->watch, 0, 0, 0, 0);
	s->watch = -1;
	if (s->socket.fd >= 0)
		nl_socket_drop(in->run, &s->socket);
	else if (s->fd > 2)
		in->run->os->close(s->fd);
	s->fd = -1;
	if (s->packed)
		nl_packed_end(in, s);
}

static void free_source(struct nl_intake *in, struct nl_source *s)
{
	nl_source_shut(in, s);
	free(s->kept);
	free(s->path);
	free(s->name);
	free(s);
}

void nl_intake_free(struct nl_intake *in)
{
	while (in->sources) {
		struct nl_source *s = in->sources;
		in->sources = s->next;
		free_source(in, s);
	}
	if (in->buffer && in->notify >= 0)
		in->run->os->close(in->notify);
	for (unsigned i = 0; i < in->nmarks; i++)
		free(in->mark[i].path);
	free(in->mark);
	free(in->buffer);
	free(in->room);
	nl_shapes_free(in->shapes);
	free(in->ahead);
	*in = (struct nl_intake){ 0 };
}

static int add_stdin(struct nl_intake *in, const struct stat *st, struct nl_err *err)
{
	if (in->run->mended & 1)
		return nl_fail(err, "-: stdin is closed");
	if (S_ISDIR(st->st_mode))
		return nl_fail(err, "-: is a directory");
	return S_ISREG(st->st_mode) ? nl_file_add(in, "-", 0, err) : nl_stream_add(in, "-", 0, NL_SRC_STREAM, err);
}

static int add_path(struct nl_intake *in, const char *path, struct nl_err *err)
{
	struct stat st;
	int fd = in->run->os->open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd == -ENXIO)
		return nl_fail(err, "%.150s: is a socket; unix:PATH makes one to receive from", path);
	if (fd < 0)
		return nl_fail(err, "cannot open %.150s: %s", path, strerror(-fd));
	int r = (int)in->run->os->syscall(SYS_fstat, fd, (long)&st, 0, 0, 0, 0);
	if (r < 0) {
		in->run->os->close(fd);
		return nl_fail(err, "cannot look at %.150s: %s", path, strerror(-r));
	}
	if (S_ISREG(st.st_mode))
		return nl_file_add(in, path, fd, err);
	if (!S_ISDIR(st.st_mode))
		return nl_stream_add(in, path, fd, S_ISFIFO(st.st_mode) ? NL_SRC_FIFO : NL_SRC_STREAM, err);
	in->run->os->close(fd);
	return nl_folder_add(in, path, err);
}

int nl_intake_add(struct nl_intake *in, const char *source, struct nl_err *err)
{
	struct stat st = { 0 };
	if (prepare(in, err) < 0)
		return -1;
	if (!strncmp(source, "unix:stream:", 12))
		return nl_socket_add(in, source + 12, SOCK_STREAM, err);
	if (!strncmp(source, "unix:", 5))
		return nl_socket_add(in, source + 5, SOCK_DGRAM, err);
	if (strcmp(source, "-"))
		return add_path(in, source, err);
	in->run->os->syscall(SYS_fstat, 0, (long)&st, 0, 0, 0, 0);
	return add_stdin(in, &st, err);
}

bool nl_intake_is_live(const struct nl_intake *in)
{
	for (const struct nl_source *s = in->sources; s; s = s->next)
		if (s->live)
			return true;
	return in->follow;
}

bool nl_intake_is_of_files(const struct nl_intake *in)
{
	const struct nl_source *s = in->sources;
	while (s && (s->kind == NL_SRC_FILE || s->kind == NL_SRC_DIR))
		s = s->next;
	return !s;
}

bool nl_intake_is_idle(const struct nl_intake *in)
{
	const struct nl_source *s = in->sources;
	while (s && !nl_file_is_current(s))
		s = s->next;
	return !s;
}

void nl_intake_listen(struct nl_intake *in, struct nl_listener *listener)
{
	struct nl_listener **last = &in->listeners;
	while (*last)
		last = &(*last)->next;
	listener->next = NULL;
	*last = listener;
}

void nl_intake_also(struct nl_intake *in, struct nl_also *also)
{
	also->next = in->also;
	in->also = also;
}

void nl_intake_forget(struct nl_intake *in, struct nl_also *also)
{
	struct nl_also **p = &in->also;
	while (*p && *p != also)
		p = &(*p)->next;
	if (*p)
		*p = also->next;
}

void nl_intake_tick(struct nl_intake *in, struct nl_ticker *t)
{
	t->next = in->tickers;
	in->tickers = t;
}

/* What is polled: each entry is for a source, for one of the others, or for inotify. */
struct asked { struct pollfd *p; struct asker { struct nl_source *source; struct nl_also *also; } *by; unsigned n, room; };

/* For one more, and nl_poll's own. */
static bool has_room(struct asked *a)
{
	unsigned room = a->room ? 2 * a->room : 16;
	if (a->n + 2 <= a->room)
		return true;
	struct pollfd *p = realloc(a->p, room * sizeof *p);
	if (!p)
		return false;
	a->p = p;
	struct asker *by = realloc(a->by, room * sizeof *by);
	if (!by)
		return false;
	a->by = by, a->room = room;
	return true;
}

static bool ask(struct asked *a, int fd, short events, struct nl_source *source, struct nl_also *also)
{
	if (!has_room(a))
		return false;
	a->p[a->n] = (struct pollfd){ .fd = fd, .events = events };
	a->by[a->n++] = (struct asker){ source, also };
	return true;
}

static bool ask_all(struct asked *a, const struct nl_intake *in, struct nl_source *file)
{
	a->n = 0;
	bool ok = has_room(a);
	for (struct nl_source *s = in->sources; s; s = s->next)
		if (s->fd >= 0 && !s->ended && !s->rests && (s->kind != NL_SRC_FILE || (s == file && s->packed)))
			ok &= ask(a, s->fd, POLLIN, s, NULL);
	for (struct nl_also *o = in->also; o; o = o->next)
		ok &= ask(a, o->fd, o->events, NULL, o);
	if (in->notify >= 0)
		ok &= ask(a, in->notify, POLLIN, NULL, NULL);
	return ok;
}

static void serve(struct nl_intake *in, const struct asked *a)
{
	for (unsigned i = 0; i < a->n; i++) {
		if (!a->p[i].revents)
			continue;
		struct asker by = a->by[i];
		if (by.also) {
			struct nl_also *o = in->also;
			while (o && o != by.also)               // One may have sent another away.
				o = o->next;
			if (o)
				o->ready(o, a->p[i].revents);
		} else if (!by.source) {
			nl_notified(in);
		} else if (by.source->kind == NL_SRC_FILE) {
			nl_file_read(in, by.source);
		} else {
			nl_stream_ready(in, by.source);
		}
	}
}

static void remove_ended(struct nl_intake *in)
{
	for (struct nl_source **p = &in->sources; *p; ) {
		struct nl_source *s = *p;
		if (!s->ended || !s->of) {              // Files of the command line stay, for their marks.
			p = &s->next;
			continue;
		}
		if (s->kind == NL_SRC_FILE && !s->is_gone) {
			p = &s->next;
			continue;
		}
		*p = s->next;
		s->of->rests = false;           // A listener has room for one more.
		free_source(in, s);
	}
}

static void look(struct nl_intake *in)
{
	for (struct nl_source *s = in->sources; s; s = s->next) {
		if (s->kind == NL_SRC_DIR)
			nl_folder_look(in, s);
		else if (s->kind == NL_SRC_FILE && !s->ended && !s->packed && (!s->of || in->notify < 0))
			nl_file_look(in, s);
	}
}

/* Told to stop: a pipe is read on to its end for a moment, for those who write into
 * it were told so, too, and what they say last matters most. */
static bool is_over(struct nl_intake *in, nl_time now, nl_time *stop_at)
{
	const struct nl_source *s = in->sources;
	if (!in->run->stop_sig)
		return false;
	while (s && (s->fd < 0 || s->ended || (s->kind != NL_SRC_STREAM && s->kind != NL_SRC_FIFO)))
		s = s->next;
	if (*stop_at == NL_NEVER)
		*stop_at = nl_after(now, LAST_WORDS);
	return !s || in->follow || in->run->told > 1 || now >= *stop_at;
}

/* Told to stop: what has come to sockets and followed FIFOs by now is read.  Who goes
 * on writing does not keep us. */
static void read_waiting(struct nl_intake *in)
{
	for (struct nl_source *s = in->sources; s; s = s->next)
		for (unsigned i = 0; i < AT_LAST && s->fd >= 0 && s->kind != NL_SRC_FILE && !s->ended && !in->error; i++) {
			struct pollfd p = { .fd = s->fd, .events = POLLIN };
			if (in->run->os->poll(&p, 1, 0) != 1)
				break;
			nl_stream_ready(in, s);
		}
}

/* When the next of them is due. */
static bool tick(struct nl_intake *in, nl_time now, nl_time *until)
{
	bool on = true;
	for (struct nl_ticker *t = in->tickers, *next; t; t = next) {
		next = t->next;
		if (now >= t->at) {
			t->at = nl_after(now, t->every);
			on &= t->wake(in, now, t->arg);
		}
		*until = t->at < *until ? t->at : *until;
	}
	return on;
}

/* What has come, and a few pieces of the file whose turn it is. */
static void step(struct nl_intake *in, struct asked *a, struct nl_source *file, nl_time until)
{
	siginfo_t si;
	int sig = nl_poll(in->run, a->p, a->n, until, &si);
	if (sig > 0 && !(in->hook && in->hook->told(in->hook, sig)))
		nl_alone(in->run, sig);
	else if (sig == NL_WAKE_IO)
		serve(in, a);
	for (unsigned i = 0; i < PIECES && file && nl_file_is_current(file) && !file->packed && !in->run->stop_sig && !in->error; i++)
		nl_file_read(in, file);
}

int nl_intake_run(struct nl_intake *in, nl_time every, nl_wake *wake, void *arg, struct nl_err *err)
{
	struct asked a = { 0 };
	struct nl_run *run = in->run;
	nl_time now = nl_now(run), wake_at = every ? nl_after(now, every) : NL_NEVER, look_at = now, stop_at = NL_NEVER;
	int r = prepare(in, err);
	in->runs = true;
	for (bool on = r == 0; on && !in->over && !is_over(in, now, &stop_at) && !in->error; ) {
		struct nl_source *file = in->sources, *any = in->sources;
		uint64_t before = in->lines;
		while (file && !nl_file_is_current(file))
			file = file->next;
		while (any && any->ended)
			any = any->next;
		if (!any)
			break;
		nl_time until = wake_at < stop_at ? wake_at : stop_at;
		on = tick(in, now, &until);
		if (in->follow && look_at < until)
			until = look_at;
		if (file && !file->packed)
			until = now;
		if (!ask_all(&a, in, file)) {
			r = nl_fail(err, "out of memory");
			break;
		}
		if (on)
			step(in, &a, file, until);
		now = nl_now(run);
		if (in->follow && now >= look_at) {
			look(in);
			look_at = nl_after(now, in->notify < 0 ? LOOK_OFTEN : LOOK_EACH);
		}
		if (wake && (in->lines != before || now >= wake_at)) {
			on &= wake(in, now, arg);
			wake_at = now >= wake_at && every ? nl_after(now, every) : wake_at;
		}
		remove_ended(in);
	}
	if (r == 0 && in->run->stop_sig && in->run->told < 2 && !MUTANT(STOPS_DEAF))
		read_waiting(in);
	for (struct nl_source *s = in->sources; s; s = s->next)
		if (!(s->kind == NL_SRC_FILE && in->leave_tail))
			nl_lines_end(in, s);
	free(a.p);
	free(a.by);
	return r;
}
