/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handler.c - commands that are executables: handlers.d/NAME gets the context
 * as JSON on stdin and answers with a result on stdout, within 10 s.
 *
 * What runs is what nobody but its owner could have put there.  A directory of
 * state that a group may write has no handlers.d of its own for that reason.
 */
#include "control.h"
#include "exec.h"
#include "io.h"
#include "rules.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define DIR_NAME "handlers.d"

/* Passes on so many bytes and no more. */
struct cap { struct nl_tap tap; size_t left; bool full; };

static int cap_put(struct nl_tap *tap, struct nl_run *run, const char *buf, size_t n)
{
	struct cap *cap = (struct cap *)tap;
	cap->full |= n > cap->left;
	if (cap->full)
		return -EFBIG;
	cap->left -= n;
	return tap->next->put(tap->next, run, buf, n);
}

/* Is dir/handlers.d/NAME to be run?  1 and its path, 0 there is none, -1 refused. */
static int find_in(struct nl_ctx *c, const char *dir, char path[PATH_MAX])
{
	const struct nl_os *os = c->run->os;
	struct nl_err err = { "" };
	int list = -ENOENT, fd = -ENOENT;
	int at = os->open(dir, O_RDONLY | O_DIRECTORY, 0);
	if (at >= 0)
		list = nl_open_trusted(c->run, at, DIR_NAME, O_RDONLY | O_DIRECTORY, &err);
	if (list >= 0)
		fd = nl_open_trusted(c->run, list, c->name, O_RDONLY, &err);
	int r = at < 0 ? at : list < 0 ? list : fd;
	int fds[] = { at, list, fd };
	for (int i = 0; i < 3; i++)
		if (fds[i] >= 0)
			os->close(fds[i]);
	snprintf(path, PATH_MAX, "%.3900s/" DIR_NAME "/%s", dir, c->name);
	if (r >= 0)
		return 1;
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	return nl_refuse(c, NL_STATE_UNAVAILABLE, c->name, "%.200s: %s", path, r == -EPERM && err.msg[0] ? err.msg : strerror(-r));
}

static int find(struct nl_ctx *c, char path[PATH_MAX])
{
	enum nl_trouble trouble;
	struct nl_err err;
	bool group = false;
	int root = nl_state_root(c->run, c->svc->state, NL_EXISTING, NULL, &group, &trouble, &err);
	int r = root >= 0 && !group ? find_in(c, c->root, path) : 0;
	if (root >= 0)
		c->run->os->close(root);
	return r ? r : find_in(c, "/etc/ninelives", path);
}

/* The context, as a file to be read from its start; -errno. */
static int context(const struct nl_ctx *c)
{
	struct nl_out o;
	const struct nl_json_tok *args = &c->tok[c->args];
	int fd = (int)c->run->os->syscall(SYS_memfd_create, (long)"nl-context", MFD_CLOEXEC, 0, 0, 0, 0);
	if (fd < 0)
		return fd;
	nl_out_init(&o, 2 * NL_REQUEST_MAX);
	nl_out_begin(&o, NULL, '{');
	nl_out_str(&o, "id", c->id);
	nl_out_str(&o, "name", c->name);
	nl_out_raw(&o, "args", c->text + args->start, args->end - args->start);
	nl_out_begin(&o, "identity", '{');
	nl_out_uint(&o, "uid", c->identity.uid);
	nl_out_str(&o, "user", c->identity.user);
	nl_out_end(&o, '}');
	nl_out_str(&o, "reply", "stdout");
	nl_out_end(&o, '}');
	nl_out_bytes(&o, "\n", 1);
	ssize_t r = o.lost ? -ENOMEM : c->run->os->pwrite(fd, o.buf, o.n, 0);
	if (r >= 0 && (size_t)r != o.n)
		r = -ENOSPC;
	nl_out_free(&o);
	if (r >= 0)
		return fd;
	c->run->os->close(fd);
	return (int)r;
}

/* What it wrote, if that is a result of this request. */
static void take_answer(struct nl_ctx *c, const struct nl_spool *s)
{
	struct nl_err why;
	size_t n = 0;
	char *text = malloc((size_t)s->len + 1);
	while (text && n < (size_t)s->len) {
		ssize_t r = c->run->os->pread(s->fd, text + n, (size_t)s->len - n, (off_t)n);
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	while (n > 0 && memchr(" \t\r\n", text[n - 1], 4))
		n--;
	if (!text || nl_result_check(text, n, c->id, &why) < 0) {
		nl_refuse(c, NL_INTERNAL, c->name, "%s: its answer is no result: %s", c->name, text ? why.msg : "out of memory");
		free(text);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (text[i] == '\n' || text[i] == '\r')
			text[i] = ' ';                  // Between values: a string has none.
	struct nl_json_tok tok[64];
	char kind[24];
	nl_out_free(&c->reply);
	nl_out_bytes(&c->reply, text, n);
	nl_out_bytes(&c->reply, "\n", 1);               // Whole: nothing is to be added.
	int at = nl_json_parse(text, n, tok, 64, NULL) > 0 ? nl_json_get(text, tok, 0, "failure") : -1;
	int k = at >= 0 ? nl_json_get(text, tok, at, "kind") : -1;
	for (int f = NL_INVALID_ARGS; k >= 0 && f < NL_FAILURES; f++)
		if (nl_json_string(text, &tok[k], kind, sizeof kind) > 0 && !strcmp(kind, nl_failure_name((enum nl_failure)f)))
			c->failure = (enum nl_failure)f;
	int m = k >= 0 ? nl_json_get(text, tok, 0, "message") : -1;
	if (m >= 0 && nl_json_string(text, &tok[m], c->message, sizeof c->message) < 0)
		snprintf(c->message, sizeof c->message, "%s: a long message", c->name);
	nl_defuse(c->message);
	free(text);
}

bool nl_handler_run(struct nl_ctx *c)
{
	char path[PATH_MAX], state[PATH_MAX + 16], text[32];
	char *const argv[] = { path, NULL };
	const char *const env[] = { state, NULL };
	struct nl_hold hold;
	struct nl_req q = *c->q;
	int found = find(c, path);
	if (found <= 0)
		return found < 0;
	int in = context(c);
	if (in < 0) {
		nl_refuse(c, NL_STATE_UNAVAILABLE, c->name, "%s: its context cannot be written: %s", c->name, strerror(-in));
		return true;
	}
	snprintf(state, sizeof state, "NL_STATE=%s", c->root);
	nl_hold_init(&hold, NULL);
	struct cap cap = { .tap = { .put = cap_put, .next = &hold.tap }, .left = NL_REQUEST_MAX };
	q.io.tap[0] = &cap.tap;
	struct nl_outcome o = nl_filter_run(c->run, q, argv, env, in);
	if (cap.full)
		nl_refuse(c, NL_INTERNAL, c->name, "%s: its answer exceeds the maximum size of %d bytes", c->name, NL_REQUEST_MAX);
	else if (o.why == NL_DEADLINE)
		nl_refuse(c, NL_STATE_UNAVAILABLE, c->name, "%s: no answer within 10 s", c->name);
	else if (o.why == NL_NOTRUN)
		nl_refuse(c, NL_INTERNAL, c->name, "%s: %.200s cannot be run", c->name, path);
	else if (o.wstatus != 0)
		nl_refuse(c, NL_INTERNAL, c->name, "%s: failed: %s", c->name, nl_outcome_text(o, text));
	else
		take_answer(c, &hold.spool);
	nl_spool_close(c->run, &hold.spool);
	c->run->os->close(in);
	return true;
}
