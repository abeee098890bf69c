/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.c - the outermost link of the chain: what changes something is written
 * down before it is done, and how it ended after; where the first cannot be
 * written, nothing is done.
 */
#include "audit.h"

#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#define ARGS_MAX 2048                   /* bytes of arguments that are kept */

/* The same checks as of a record. */
static int vet(struct nl_run *run, int root, int fd, bool group, struct nl_err *err)
{
	struct statx st = { .stx_mask = 0 }, up = { .stx_mask = 0 };
	const struct nl_os *os = run->os;
	long r = os->syscall(SYS_statx, fd, (long)"", AT_EMPTY_PATH, STATX_BASIC_STATS, (long)&st, 0);
	if (r == 0)
		r = os->syscall(SYS_statx, root, (long)"", AT_EMPTY_PATH, STATX_BASIC_STATS, (long)&up, 0);
	if (r < 0)
		return (int)r;
	unsigned euid = (unsigned)os->syscall(SYS_geteuid, 0, 0, 0, 0, 0, 0);
	bool ours = st.stx_uid == euid || st.stx_uid == 0 || st.stx_uid == up.stx_uid;
	if ((st.stx_mode & 0170000) != 0100000 || st.stx_nlink > 1)
		return nl_fail(err, NL_AUDIT_FILE ": is no regular file with one name"), -EPERM;
	if (group ? st.stx_gid != up.stx_gid || st.stx_mode & 07 : !ours || st.stx_mode & 077)
		return nl_fail(err, NL_AUDIT_FILE ": uid %u, mode %04o: is not %s alone", st.stx_uid, st.stx_mode & 07777u,
		               group ? "the group's" : "ours"), -EPERM;
	return 0;
}

int nl_audit_open(struct nl_run *run, int root, bool group, enum nl_audit_mode mode, struct nl_err *err)
{
	const struct nl_os *os = run->os;
	int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | (mode == NL_AUDIT_READ ? O_RDONLY : O_WRONLY | O_APPEND);
	int fd = -ENOENT;
	for (int i = 0; i < 8 && fd == -ENOENT; i++) {
		fd = (int)os->syscall(SYS_openat, root, (long)NL_AUDIT_FILE, flags, 0, 0, 0);
		if (fd != -ENOENT || mode == NL_AUDIT_READ)
			break;
		long mask = os->syscall(SYS_umask, 0, 0, 0, 0, 0, 0);
		fd = (int)os->syscall(SYS_openat, root, (long)NL_AUDIT_FILE, flags | O_CREAT | O_EXCL, group ? 0660 : 0600, 0, 0);
		os->syscall(SYS_umask, mask, 0, 0, 0, 0, 0);
		fd = fd == -EEXIST ? -ENOENT : fd;
	}
	int r = fd < 0 ? fd : vet(run, root, fd, group, err);
	if (r == 0)
		return fd;
	if (fd >= 0)
		os->close(fd);
	if (r != -EPERM || fd < 0)
		nl_fail(err, NL_AUDIT_FILE ": %s", strerror(-r));
	return r;
}

/* The members that both lines have. */
static void begin(struct nl_out *o, const struct nl_ctx *c, const char *phase)
{
	nl_out_init(o, NL_AUDIT_LINE);
	nl_out_begin(o, NULL, '{');
	nl_out_int(o, "audit", 1);
	nl_out_time(o, "time", c->run->os->clock(CLOCK_REALTIME));
	nl_out_str(o, "id", c->id);
	nl_out_str(o, "phase", phase);
	nl_out_str(o, "cmd", c->name);
	nl_out_str(o, "target", c->target);
	nl_out_str(o, "by", c->identity.by);
	nl_out_str(o, "user", c->identity.user);
	nl_out_int(o, "pid", c->run->pid);
}

/* One write, or none that counts.  Part of a line is closed, so that the next begins anew. */
static int put(struct nl_run *run, int fd, struct nl_out *o)
{
	nl_out_end(o, '}');
	nl_out_bytes(o, "\n", 1);
	if (o->lost)
		return -E2BIG;
	ssize_t r = -EINTR;
	for (int i = 0; i < 100 && r == -EINTR; i++)
		r = run->os->write(fd, o->buf, o->n);
	nl_swallow(run, (int)r);
	if (r == (ssize_t)o->n)
		return 0;
	if (r > 0 && run->os->write(fd, "\n", 1) < 0)
		nl_swallow(run, -EFBIG);
	return r < 0 ? (int)r : -ENOSPC;
}

static int write_intent(const struct nl_ctx *c, int fd)
{
	struct nl_out o;
	const struct nl_json_tok *args = &c->tok[c->args];
	begin(&o, c, "intent");
	if (args->end - args->start <= ARGS_MAX)
		nl_out_raw(&o, "args", c->text + args->start, args->end - args->start);
	else
		nl_out_uint(&o, "args_bytes", args->end - args->start);
	int r = put(c->run, fd, &o);
	nl_out_free(&o);
	return r;
}

static int write_result(const struct nl_ctx *c, int fd)
{
	struct nl_out o;
	char status[440] = "ok";
	if (c->failure == NL_DENIED)
		snprintf(status, sizeof status, "denied: %s", c->message);
	else if (c->failure)
		snprintf(status, sizeof status, "error: %s: %s", nl_failure_name(c->failure), c->message);
	begin(&o, c, "result");
	nl_out_str(&o, "status", status);
	if (c->old[0])
		nl_out_str(&o, "old", c->old);
	if (c->new[0])
		nl_out_str(&o, "new", c->new);
	if (c->gen)
		nl_out_uint(&o, "gen", c->gen);
	int r = put(c->run, fd, &o);
	nl_out_free(&o);
	return r;
}

static void tell(const struct nl_ctx *c)
{
	struct nl_event e;
	struct nl_svc svc = *c->svc;
	struct nl_span_of of = c->of;
	bool denied = c->failure == NL_DENIED;
	svc.id = c->policy[0] ? c->policy : "ctl";
	of.svc = &svc;
	if (!nl_event_open(&e, c->run, of, denied ? "nl.control.denied" : "nl.control.command", denied ? NL_WARN : NL_INFO))
		return;
	nl_event_str(&e, "op", c->name, 32);
	nl_event_str(&e, "target", c->target, 100);
	if (c->old[0] && !denied)
		nl_event_str(&e, "old", c->old, 240);
	if (c->new[0] && !denied)
		nl_event_str(&e, "new", c->new, 240);
	nl_event_str(&e, "by", c->identity.by, 16);
	if (denied) {
		nl_event_str(&e, "why", c->message, 200);
	} else {
		nl_event_bool(&e, "ok", !c->failure);
		nl_event_int(&e, "gen", (int64_t)c->gen);
		if (c->epoch) {
			nl_event_int(&e, "epoch", (int64_t)c->epoch);
			nl_event_int(&e, "step", c->step);
			nl_event_int(&e, "at_us", c->at_us);
		}
	}
	if (!c->failure && !c->told)
		nl_event_human(&e, "ctl: %s %.80s%s%.60s%s%.40s%s", c->name, c->target, c->new[0] ? ": " : "", c->new,
		               c->old[0] ? " (was " : "", c->old, c->old[0] ? ")" : "");
	nl_event_emit(&e);
}

/* Files that we may not write are a denial by whoever owns them. */
static void refuse_unwritten(struct nl_ctx *c, int r, const struct nl_err *err)
{
	nl_refuse(c, r == -EACCES ? NL_DENIED : NL_STATE_UNAVAILABLE, NL_AUDIT_FILE,
	          "%snot done, for it cannot be written down: %.160s: %.200s", r == -EACCES ? "denied: " : "", c->root, err->msg);
}

/* An answer "no" is none; that somebody asked what they may not is. */
static bool is_told(const struct nl_ctx *c)
{
	return c->writes || (c->failure && c->failure != NL_NOT_FOUND);
}

void nl_audit(struct nl_control *self, struct nl_ctx *c)
{
	struct nl_err err = { "" };
	enum nl_trouble trouble;
	bool group, creates = c->writes && c->command && c->command->missing_ok && !c->failure;
	int fd = -1, r = 0;
	int root = nl_state_root(c->run, c->svc->state, creates ? NL_CREATE : NL_EXISTING, NULL, &group, &trouble, &err);
	if (root < 0 && trouble != NL_ABSENT)
		r = -EIO;
	else if (root >= 0 && c->writes && (r = fd = nl_audit_open(c->run, root, group, NL_AUDIT_APPEND, &err)) >= 0)
		r = write_intent(c, fd);
	if (r < 0 && fd >= 0)
		nl_fail(&err, NL_AUDIT_FILE ": %s", strerror(-r));
	if (r < 0)
		refuse_unwritten(c, r, &err);
	else
		self->inner->call(self->inner, c);
	if (fd < 0 && r == 0 && root >= 0 && is_told(c))
		fd = nl_audit_open(c->run, root, group, NL_AUDIT_APPEND, &err);
	if (fd >= 0 && is_told(c) && (r = write_result(c, fd)) < 0)
		nl_say(c->run, NL_AUDIT_FILE ": how it ended cannot be written: %s", strerror(-r));
	if (is_told(c))
		tell(c);
	if (fd >= 0)
		c->run->os->close(fd);
	if (root >= 0)
		c->run->os->close(root);
}
