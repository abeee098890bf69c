/* SPDX-License-Identifier: Apache-2.0 */
/* socket.c - see socket.h. */
#include "socket.h"

#include "mut.h"
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

enum { BACKLOG = 4096 };                /* as many as the kernel allows: who connects is not to wait */

static int look(struct nl_run *run, const char *path, struct stat *st)
{
	return (int)run->os->syscall(SYS_newfstatat, AT_FDCWD, (long)path, (long)st, AT_SYMLINK_NOFOLLOW, 0, 0);
}

static int new_socket(struct nl_run *run, int type)
{
	return (int)run->os->syscall(SYS_socket, AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, 0, 0, 0);
}

/* The umask decides, for bind takes no mode and a chmod would come too late. */
static int bind_to(struct nl_run *run, int fd, const struct sockaddr_un *to)
{
	long before = run->os->syscall(SYS_umask, 0777, 0, 0, 0, 0, 0);
	run->os->syscall(SYS_umask, before | 0117, 0, 0, 0, 0, 0);
	int r = (int)run->os->syscall(SYS_bind, fd, (long)to, sizeof *to, 0, 0, 0);
	run->os->syscall(SYS_umask, before, 0, 0, 0, 0, 0);
	return r;
}

/* Nobody listens there any more?  0; else an errno, of which EADDRINUSE says that somebody does. */
static int is_stale(struct nl_run *run, const struct sockaddr_un *at)
{
	struct stat st;
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
	int r = look(run, at->sun_path, &st);
	if (r == 0 && !S_ISSOCK(st.st_mode))
		return EEXIST;
	for (int i = 0; r == 0 && i < 2; i++) {
		int fd = new_socket(run, types[i]);
		if (fd < 0)
			return -fd;
		r = (int)run->os->syscall(SYS_connect, fd, (long)at, sizeof *at, 0, 0, 0);
		run->os->close(fd);
		if ((r == -ECONNREFUSED && !MUTANT(FEARS_DEAD)) || r == -ENOENT || MUTANT(TAKES_SOCKET))
			return 0;
		if (r != -EPROTOTYPE)
			return r == 0 || r == -EAGAIN ? EADDRINUSE : -r;
		r = 0;
	}
	return r == 0 ? EADDRINUSE : r == -ENOENT ? 0 : -r;
}

/* Two that find the same dead socket do not take it from each other: the
 * directory is locked meanwhile. */
static int take_over(struct nl_run *run, int fd, const struct sockaddr_un *to)
{
	char dir[sizeof to->sun_path + 2];
	const char *slash = strrchr(to->sun_path, '/');
	size_t n = slash ? (size_t)(slash - to->sun_path) + 1 : 0;
	memcpy(dir, to->sun_path, n);
	memcpy(dir + n, ".", 2);
	int lock = run->os->open(dir, O_RDONLY | O_DIRECTORY, 0);
	int r = lock < 0 ? lock : (int)run->os->syscall(SYS_flock, lock, LOCK_EX | LOCK_NB, 0, 0, 0, 0);
	if (r == 0)
		r = -is_stale(run, to);
	if (r == 0) {
		r = (int)run->os->syscall(SYS_unlinkat, AT_FDCWD, (long)to->sun_path, 0, 0, 0, 0);
		r = r == -ENOENT ? 0 : r;
	}
	if (r == 0)
		r = bind_to(run, fd, to);
	if (lock >= 0)
		run->os->close(lock);
	return r == -EAGAIN ? -EADDRINUSE : r;
}

int nl_socket_make(struct nl_run *run, struct nl_socket *s, const char *path, int type, struct nl_err *err)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct stat st;
	*s = (struct nl_socket){ .fd = -1, .path = path };
	size_t n = strlen(path);
	if (n == 0 || n >= sizeof to.sun_path)
		return nl_fail(err, "%.110s: a socket's path has 1 to %d bytes", path, (int)sizeof to.sun_path - 1);
	memcpy(to.sun_path, path, n);
	s->fd = new_socket(run, type);
	int r = s->fd < 0 ? s->fd : bind_to(run, s->fd, &to);
	if (r == -EADDRINUSE)
		r = take_over(run, s->fd, &to);
	if (r == 0 && (r = look(run, path, &st)) == 0)
		s->dev = st.st_dev, s->ino = st.st_ino;
	if (r == 0 && type == SOCK_STREAM)
		r = (int)run->os->syscall(SYS_listen, s->fd, BACKLOG, 0, 0, 0, 0);
	if (r == 0)
		return 0;
	nl_socket_drop(run, s);
	if (r == -EEXIST)
		return nl_fail(err, "%.110s: is there and is no socket", path);
	if (r == -EADDRINUSE)
		return nl_fail(err, "%.110s: somebody listens there already", path);
	return nl_fail(err, "cannot make a socket at %.110s: %s", path, strerror(-r));
}

void nl_socket_drop(struct nl_run *run, struct nl_socket *s)
{
	struct stat st;
	if (s->fd < 0)
		return;
	if (s->ino && look(run, s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
		run->os->syscall(SYS_unlinkat, AT_FDCWD, (long)s->path, 0, 0, 0, 0);
	run->os->close(s->fd);
	s->fd = -1;
}
