/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outfile.c - an answer as a file that others read at any moment: written beside
 * it and renamed, so that they have the old one or the new one.  The name of what
 * is beside begins with a dot and has another ending, for the collectors that
 * take each *.prom of a directory.
 */
#include "observe/export.h"

#include "os.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

int nl_replace_file(struct nl_run *run, const char *path, const char *text, size_t n, struct nl_err *err)
{
	const struct nl_os *os = run->os;
	const char *slash = strrchr(path, '/');
	int dir = slash ? (int)(slash - path) + 1 : 0;
	char *beside = NULL;
	if (asprintf(&beside, "%.*s.%s.%ld", dir, path, path + dir, (long)os->pid()) < 0)
		return nl_fail(err, "out of memory");
	int fd = os->open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
	int r = fd < 0 ? fd : write_all(os, fd, text, n);
	if (fd >= 0)
		os->close(fd);
	if (r == 0)
		r = (int)os->syscall(SYS_renameat, AT_FDCWD, (long)beside, AT_FDCWD, (long)path, 0, 0);
	if (r < 0 && fd >= 0)
		os->syscall(SYS_unlinkat, AT_FDCWD, (long)beside, 0, 0, 0, 0);
	free(beside);
	return r < 0 ? nl_fail(err, "%.150s: %s", path, strerror(-r)) : 0;
}
