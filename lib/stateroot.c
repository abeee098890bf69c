/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stateroot.c - where shared state is, and whether it may be trusted.
 *
 * Private: the directory is ours or the root user's and nobody else can write
 * there.  Shared: the administrator made it 2770 for a group that we are in.
 * What is neither is not used: whoever can put a file there could decide what
 * runs here.
 */
#include "state.h"

#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/stat.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#define MODE_SHARED 02770

/* Locks of these do not end with the process, or are not of this kernel. */
static const struct { unsigned magic; const char *name; } foreign[] = {
	{ 0x6969, "nfs" }, { 0xff534d42, "cifs" }, { 0xfe534d42, "smb2" }, { 0x517b, "smb" }, { 0x01021997, "9p" },
	{ 0x65735546, "fuse" }, { 0x5346414f, "afs" }, { 0x00c36400, "ceph" }, { 0x0bd00bd0, "lustre" },
	{ 0x01161970, "gfs2" }, { 0x7461636f, "ocfs2" }, { 0x73757245, "coda" }, { 0x47504653, "gpfs" },
};

static const char *foreign_name(const struct nl_os *os, int fd)
{
	struct statfs fs;
	if (os->syscall(SYS_fstatfs, fd, (long)&fs, 0, 0, 0, 0) < 0)
		return NULL;                    // Unknown is not known to be bad.
	for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
		if ((unsigned)fs.f_type == foreign[i].magic)
			return foreign[i].name;
	return NULL;
}

static bool in_group(const struct nl_os *os, unsigned gid)
{
	unsigned list[NGROUPS_MAX < 1024 ? NGROUPS_MAX : 1024];
	if ((unsigned)os->syscall(SYS_getegid, 0, 0, 0, 0, 0, 0) == gid)
		return true;
	long n = os->syscall(SYS_getgroups, sizeof list / sizeof *list, (long)list, 0, 0, 0, 0);
	for (long i = 0; i < n; i++)
		if (list[i] == gid)
			return true;
	return false;
}

static int check(struct nl_run *run, int fd, const char *path, bool *group, struct nl_err *err)
{
	const struct nl_os *os = run->os;
	struct statx st;
	unsigned euid = (unsigned)os->syscall(SYS_geteuid, 0, 0, 0, 0, 0, 0);
	long r = os->syscall(SYS_statx, fd, (long)"", AT_EMPTY_PATH, STATX_BASIC_STATS, (long)&st, 0);
	if (r < 0)
		return nl_fail(err, "%.150s: %s", path, strerror((int)-r));
	unsigned mode = st.stx_mode & 07777u;
	*group = mode == MODE_SHARED && in_group(os, st.stx_gid);
	if (st.stx_uid != euid && st.stx_uid != 0)
		return nl_fail(err, "%.150s: belongs to uid %u", path, st.stx_uid);
	if (mode == MODE_SHARED && !*group && euid != 0)
		return nl_fail(err, "%.150s: is for members of group %u", path, st.stx_gid);
	*group = mode == MODE_SHARED;
	if (!*group && mode & 022)
		return nl_fail(err, "%.150s: mode %04o lets others write (use 0700, or 2770 to share it with its group)", path, mode);
	const char *fs = foreign_name(os, fd);
	if (fs)
		return nl_fail(err, "%.150s: is on %s, where locks do not end with their process; choose another with NL_STATE", path, fs);
	return 0;
}

/* Of the password file: the same for cron, a login and a unit. */
static const char *home_dir(unsigned euid)
{
	const struct passwd *pw = getpwuid(euid);
	return pw && pw->pw_dir && pw->pw_dir[0] == '/' ? pw->pw_dir : NULL;
}

static int choose(struct nl_run *run, const char *dir, char path[PATH_MAX], struct nl_err *err)
{
	unsigned euid = (unsigned)run->os->syscall(SYS_geteuid, 0, 0, 0, 0, 0, 0);
	const char *env = nl_getenv(run, "NL_STATE"), *xdg = nl_getenv(run, "XDG_STATE_HOME");
	int n = 0;
	if (dir && *dir)
		n = snprintf(path, PATH_MAX, "%s", dir);
	else if (env && *env)
		n = snprintf(path, PATH_MAX, "%s", env);
	else if (euid == 0)
		n = snprintf(path, PATH_MAX, "/run/ninelives");
	else if (xdg && xdg[0] == '/')
		n = snprintf(path, PATH_MAX, "%s/ninelives", xdg);
	else if ((xdg = home_dir(euid)))
		n = snprintf(path, PATH_MAX, "%s/.local/state/ninelives", xdg);
	if (n == 0)
		return nl_fail(err, "uid %u has no home directory to keep state in; set NL_STATE", euid);
	if (n >= PATH_MAX)
		return nl_fail(err, "the path of the state directory is too long");
	return 0;
}

/* The directory and those above it that are missing. */
static void make_all(const struct nl_os *os, char *path)
{
	long mask = os->syscall(SYS_umask, 0, 0, 0, 0, 0, 0);
	for (char *p = path + 1; ; p++) {
		char was = *p;
		if (was != '/' && was != '\0')
			continue;
		*p = '\0';
		os->syscall(SYS_mkdirat, AT_FDCWD, (long)path, 0700, 0, 0, 0);  // What fails here fails to open.
		*p = was;
		if (was == '\0')
			break;
	}
	os->syscall(SYS_umask, mask, 0, 0, 0, 0, 0);
}

int nl_state_root(struct nl_run *run, const char *dir, enum nl_make make, char *path, bool *group, enum nl_trouble *trouble,
                  struct nl_err *err)
{
	char own[PATH_MAX];
	if (!path)
		path = own;
	path[0] = '\0', *group = false;
	*trouble = NL_UNAVAILABLE;
	if (choose(run, dir, path, err) < 0)
		return -1;
	int fd = run->os->open(path, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -ENOENT && make == NL_CREATE) {
		make_all(run->os, path);
		fd = run->os->open(path, O_RDONLY | O_DIRECTORY, 0);
	}
	if (fd < 0) {
		*trouble = fd == -ENOENT && make == NL_EXISTING ? NL_ABSENT : fd == -ENOTDIR ? NL_UNSAFE : NL_UNAVAILABLE;
		return nl_fail(err, "%.150s: %s", path, strerror(-fd));
	}
	if (check(run, fd, path, group, err) < 0) {
		run->os->close(fd);
		*trouble = NL_UNSAFE;
		return -1;
	}
	*trouble = NL_FINE;
	return fd;
}
