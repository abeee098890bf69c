/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health.c - which directory of state is used and why, and what is wrong there.
 */
#include "audit.h"
#include "describe.h"
#include "list.h"
#include "rules.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

static const char *file_system(unsigned long type, char buf[24])
{
	static const struct { unsigned long magic; const char *name; } names[] = {
		{ TMPFS_MAGIC, "tmpfs" }, { EXT4_SUPER_MAGIC, "ext4" }, { XFS_SUPER_MAGIC, "xfs" }, { BTRFS_SUPER_MAGIC, "btrfs" },
		{ OVERLAYFS_SUPER_MAGIC, "overlay" }, { F2FS_SUPER_MAGIC, "f2fs" }, { 0x2fc12fc1, "zfs" }, { RAMFS_MAGIC, "ramfs" },
		{ NFS_SUPER_MAGIC, "nfs" }, { FUSE_SUPER_MAGIC, "fuse" },
	};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].magic == type)
			return names[i].name;
	snprintf(buf, 24, "type 0x%lx", type);
	return buf;
}

/* Which of the four ways led to it. */
static const char *reason(const struct nl_ctx *c)
{
	const char *env = nl_getenv(c->run, "NL_STATE"), *xdg = nl_getenv(c->run, "XDG_STATE_HOME");
	if (c->svc->state && *c->svc->state)
		return "--state";
	if (env && *env)
		return "NL_STATE";
	if (c->identity.uid == 0)
		return "default of the root user";
	return xdg && xdg[0] == '/' ? "XDG_STATE_HOME" : "home directory";
}

struct finding { unsigned records, troubles; };

static void put_trouble(struct finding *f, struct nl_out *o, const char *what, const char *reason_word, const char *detail)
{
	nl_out_begin(o, NULL, '{');
	nl_out_str(o, "what", what);
	nl_out_str(o, "reason", reason_word);
	nl_out_str(o, "detail", detail);
	nl_out_end(o, '}');
	f->troubles++;
}

static void examine(struct nl_ctx *c, const struct nl_kind *kind, const char *name, void *arg)
{
	struct finding *f = arg;
	struct nl_state s;
	struct nl_record rec;
	char policy[NL_NAME_MAX + 20];
	f->records++;
	snprintf(policy, sizeof policy, "%s/%s", kind->name, name);
	bool fine = nl_state_open(&s, c->run, c->svc->state, kind, name, NL_EXISTING) == 0 && nl_state_read(&s, &rec) == 0;
	if (!fine || s.notes)
		put_trouble(f, &c->reply, policy, nl_trouble_name(fine ? NL_CLOCK : s.trouble), s.err.msg);
	nl_state_close(&s);
}

static void put_root(struct finding *f, struct nl_ctx *c, int root, bool group)
{
	struct nl_out *o = &c->reply;
	struct statx st;
	struct statfs fs;
	char text[48];
	nl_out_begin(o, "root", '{');
	nl_out_str(o, "path", c->root);
	nl_out_str(o, "from", reason(c));
	nl_out_bool(o, "exists", root >= 0);
	if (root >= 0 && c->run->os->syscall(SYS_statx, root, (long)"", AT_EMPTY_PATH, STATX_BASIC_STATS, (long)&st, 0) == 0) {
		nl_out_str(o, "owner", nl_user_name(st.stx_uid, text));
		snprintf(text, sizeof text, "%04o", st.stx_mode & 07777u);
		nl_out_str(o, "mode", text);
		nl_out_bool(o, "shared", group);
	}
	if (root >= 0 && c->run->os->syscall(SYS_fstatfs, root, (long)&fs, 0, 0, 0, 0) == 0) {
		nl_out_str(o, "fs", file_system((unsigned long)fs.f_type, text));
		nl_out_uint(o, "free_bytes", (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize);
		if (fs.f_blocks && (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize < 65536)
			f->troubles++;
	}
	nl_out_end(o, '}');
}

/* Rules and audit: the path, how large; what is wrong is a trouble. */
static void examine_files(struct finding *f, struct nl_ctx *c, int root, bool group, char rules[PATH_MAX], uint64_t *audit)
{
	struct nl_err err = { "" };
	struct statx st;
	char *text = nl_rules_load(c->run, root, c->root, rules, &err), copy[PATH_MAX];
	snprintf(copy, sizeof copy, "%s", rules);
	if (!text && rules[0])
		put_trouble(f, &c->reply, "rules", "unusable", err.msg);
	else if (text && nl_rules_ask(text, &c->identity, "health", "", &err) < 0)
		put_trouble(f, &c->reply, "rules", "unusable", err.msg);
	free(text);
	int fd = nl_audit_open(c->run, root, group, NL_AUDIT_READ, &err);
	if (fd < 0 && fd != -ENOENT)
		put_trouble(f, &c->reply, "audit", "unusable", err.msg);
	*audit = fd >= 0 && c->run->os->syscall(SYS_statx, fd, (long)"", AT_EMPTY_PATH, STATX_SIZE, (long)&st, 0) == 0 ? st.stx_size : 0;
	if (fd >= 0)
		c->run->os->close(fd);
}

static void health_call(struct nl_ctx *c)
{
	struct nl_err err = { "" };
	enum nl_trouble trouble;
	char rules[PATH_MAX] = "";
	uint64_t audit = 0;
	struct finding f = { .records = 0 };
	bool group;
	int root = nl_state_root(c->run, c->svc->state, NL_EXISTING, c->root, &group, &trouble, &err);
	struct nl_out *o = nl_reply(c, "value");
	nl_out_begin(o, "value", '{');
	put_root(&f, c, root, group);
	nl_out_begin(o, "troubles", '[');
	if (root < 0 && trouble != NL_ABSENT) {
		put_trouble(&f, o, "root", nl_trouble_name(trouble), err.msg);
	} else if (root >= 0) {
		examine_files(&f, c, root, group, rules, &audit);
		if (nl_each_policy(c, NULL, examine, &f) < 0) {
			c->run->os->close(root);
			return;
		}
	}
	nl_out_end(o, ']');
	nl_out_uint(o, "records", f.records);
	nl_out_str(o, "rules", rules);
	nl_out_uint(o, "audit_bytes", audit);
	nl_out_bool(o, "healthy", f.troubles == 0);
	nl_out_end(o, '}');
	if (root >= 0)
		c->run->os->close(root);
}

static const struct nl_arg no_args[] = { { .name = NULL } };

const struct nl_command nl_cmd_health = {
	.name = "health", .usage = "", .about = "which directory of state, and what is wrong there", .args = no_args,
	.handler = health_call,
};
