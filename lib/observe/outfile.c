/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outfile.c - an answer as a file that others read at any moment: written beside
 * it and renamed, so that they have the old one or the new one.  The name of what
 * is beside begins with a dot and has another ending, for the collectors that
 * take each *.prom of a directory.
 *
 * Only a regular file is replaced: who says /dev/null has no wish that root take
 * the device away from everybody.
 */
#include "observe/export.h"

#include "mut.h"
#include "os.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int write_all(const struct nl_os *os, int fd, const char *text, size_t n)
{
	while (n > 0) {
		ssize_t r = os->write(fd, text, n);
		if (r < 0 && r != -EINTR)
			return (int)r;
		text += r > 0 ? r : 0, n -= r > 0 ? (size_t)r : 0;
	}
	return 0;
}

static const char *type_of(mode_t mode)
{
	return S_ISDIR(mode) ? "a directory" : S_ISFIFO(mode) ? "a FIFO" : S_ISSOCK(mode) ? "a socket" : "a device";
}

/* The file that a path means, through symbolic links; to be freed.  NULL: err says
 * why it is none that may be replaced. */
static char *find_file(struct nl_run *run, const char *path, struct nl_err *err)
{
	struct stat st;
	long r = run->os->syscall(SYS_newfstatat, AT_FDCWD, (long)path, (long)&st, AT_SYMLINK_NOFOLLOW, 0, 0);
	bool link = r == 0 && S_ISLNK(st.st_mode);
	if (link)
		r = run->os->syscall(SYS_newfstatat, AT_FDCWD, (long)path, (long)&st, 0, 0, 0);
	if (r < 0 && (link || r != -ENOENT)) {
		nl_fail(err, "%.150s: %s", path, strerror((int)-r));
		return NULL;
	}
	if (r == 0 && !S_ISREG(st.st_mode) && !MUTANT(REPLACES_DEVICES)) {
		nl_fail(err, "%.150s: is %s, and --out replaces only files", path, type_of(st.st_mode));
		return NULL;
	}
	char *file = link ? realpath(path, NULL) : strdup(path);
	if (!file)
		nl_fail(err, "%.150s: %s", path, strerror(errno));
	return file;
}

/* A new one: who has put something under this name before does not have us write there. */
static int create(const struct nl_os *os, const char *path)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	int fd = os->open(path, flags, 0666);
	if (fd != -EEXIST)
		return fd;
	os->syscall(SYS_unlinkat, AT_FDCWD, (long)path, 0, 0, 0, 0);    // Of a process that was killed.
	return os->open(path, flags, 0666);
}

int nl_replace_file(struct nl_run *run, const char *path, const char *text, size_t n, struct nl_err *err)
{
	const struct nl_os *os = run->os;
	char *beside = NULL, *file = find_file(run, path, err);
	if (!file)
		return -1;
	const char *slash = strrchr(file, '/');
	int dir = slash ? (int)(slash - file) + 1 : 0;
	if (asprintf(&beside, "%.*s.%s.%ld", dir, file, file + dir, (long)os->pid()) < 0) {
		free(file);
		return nl_fail(err, "out of memory");
	}
	int fd = create(os, beside);
	int r = fd < 0 ? fd : write_all(os, fd, text, n);
	if (fd >= 0)
		os->close(fd);
	if (r == 0)
		r = (int)os->syscall(SYS_renameat, AT_FDCWD, (long)beside, AT_FDCWD, (long)file, 0, 0);
	if (r < 0 && fd >= 0)
		os->syscall(SYS_unlinkat, AT_FDCWD, (long)beside, 0, 0, 0, 0);
	free(beside);
	free(file);
	return r < 0 ? nl_fail(err, "%.150s: %s", path, strerror(-r)) : 0;
}
