/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctl.c - nl-ctl: a command line into a request, a result into text.
 *
 * The request is the very text that another transport would bring, and goes the
 * same way; --json prints the very result.
 */
#include "ctl.h"
#include "io.h"
#include "opt.h"
#include "render.h"
#include "run.h"
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

enum { EX_NO = 1, EX_DENIED = 77 };     /* not found, not healthy, too late; denied by rules or modes */

const struct nl_command *const nl_commands[] = {
	&nl_cmd_list, &nl_cmd_show, &nl_cmd_get, &nl_cmd_watch, &nl_cmd_history, &nl_cmd_health, &nl_cmd_set, &nl_cmd_unset,
	&nl_cmd_reset, &nl_cmd_open, &nl_cmd_close, &nl_cmd_disable, &nl_cmd_enable, &nl_cmd_check, &nl_cmd_observe, &nl_cmd_request, NULL,
};

static const struct nl_opt options[] = {
	NL_OPT(0, "json", struct nl_ctl_line, json, NULL, "print the result as it is, in JSON", NULL),
	NL_OPT(0, "if-gen", struct nl_ctl_line, if_gen, "N", "set, unset: only if nothing was changed since gen N", NULL),
	NL_OPT(0, "shape", struct nl_ctl_line, shape, NULL, "reset: forget the window or profile too", NULL),
	NL_OPT(0, "force", struct nl_ctl_line, force, NULL, "close: keep it closed, whatever happens", NULL),
	NL_OPT(0, "names", struct nl_ctl_line, names, NULL, "list: names alone", NULL),
	NL_ASKED_OPTS(struct nl_ctl_line, observe, "observe: "),
	{ 0 }
};

/* Options may stand before the command, behind it and behind its operands. */
static int ctl_init(struct nl_svc *svc, char ***argv, struct nl_err *err)
{
	struct nl_ctl_line *c = (struct nl_ctl_line *)svc;
	c->operand = *argv;
	if (nl_opt_words(svc, argv, &c->operands, &c->about, err) < 0)
		return -1;
	if (!c->operands && !c->about)
		return nl_fail(err, "missing COMMAND (try --help)");
	const struct nl_command *cmd = NULL;
	for (unsigned i = 0; c->operands && c->operand[0] && nl_commands[i]; i++)
		if (!strcmp(nl_commands[i]->name, c->operand[0]))
			cmd = nl_commands[i];
	svc->prints = c->about || (cmd && !cmd->writes && cmd != &nl_cmd_request);
	return 0;
}

struct nl_paper nl_ctl_paper(struct nl_run *run)
{
	struct winsize size;
	const char *term = nl_getenv(run, "TERM"), *no = nl_getenv(run, "NO_COLOR");
	bool terminal = run->os->syscall(SYS_ioctl, 1, TIOCGWINSZ, (long)&size, 0, 0, 0) == 0;
	return (struct nl_paper){ .colour = terminal && !(no && *no) && term && strcmp(term, "dumb"), .now = run->os->clock(CLOCK_REALTIME) };
}

static int status_of(const struct nl_ctx *c)
{
	switch (c->failure) {
	case NL_NO_FAILURE:
		return 0;
	case NL_NOT_FOUND: case NL_CONFLICT:
		return EX_NO;
	case NL_DENIED:
		return EX_DENIED;
	default:
		return NL_EX_FAIL;
	}
}

/* audit(authz(router)). */
struct chain { struct nl_control audit, authz; struct nl_router router; };

static void make_chain(struct chain *c)
{
	c->router = (struct nl_router){ .base = { .call = nl_route }, .commands = nl_commands };
	c->authz = (struct nl_control){ nl_authorise, &c->router.base };
	c->audit = (struct nl_control){ nl_audit, &c->authz };
}

int nl_ctl_print(struct nl_run *run, const struct nl_req *q, const char *text, size_t n)
{
	int error = 0;
	enum nl_why why = nl_put(run, q, nl_chain(run, q, 0), text, n, &error);
	return why != NL_RAN ? EINTR : error;
}

struct nl_outcome nl_ctl_ended(struct nl_run *run, int status, int error)
{
	if (run->stop_sig)
		return (struct nl_outcome){ run->stop_sig, nl_why_told(run) };
	return (struct nl_outcome){ error == EPIPE ? SIGPIPE : NL_EXIT(error ? NL_EX_FAIL : status), NL_RAN };
}

/* What --health found decides too. */
static bool is_unhealthy(const struct nl_ctx *c)
{
	struct nl_json_tok tok[1024];
	int value = nl_json_parse(c->reply.buf, c->reply.n, tok, 1024, NULL) > 0 ? nl_json_get(c->reply.buf, tok, 0, "value") : -1;
	int at = value < 0 ? -1 : nl_json_get(c->reply.buf, tok, value, "healthy");
	return at < 0 || tok[at].type != NL_JSON_TRUE;
}

/* The query's own, of one digit: check has more than 0 and 1. */
static int observed_status(const struct nl_ctx *c)
{
	static const char key[] = "\"value\":{\"status\":";
	const char *at = strstr(c->reply.buf, key);
	return at && at[sizeof key - 1] >= '0' && at[sizeof key - 1] <= '9' ? at[sizeof key - 1] - '0' : 0;
}

static struct nl_outcome one(struct nl_ctl_line *ctl, struct nl_run *run, const struct nl_req *q, const struct nl_out *request)
{
	struct chain chain;
	struct nl_out text;
	struct nl_ctx *c = calloc(1, sizeof *c);
	int error = 0;
	if (!c)
		return (struct nl_outcome){ NL_EXIT(NL_EX_FAIL), NL_RAN };
	c->run = run, c->q = q, c->svc = &ctl->svc;
	make_chain(&chain);
	nl_handle(&chain.audit, &chain.router, c, request->buf, request->n);
	int status = status_of(c);
	if (c->command == &nl_cmd_health && status == 0 && is_unhealthy(c))
		status = EX_NO;
	if (c->command == &nl_cmd_observe && status == 0)
		status = observed_status(c);
	nl_out_init(&text, 2 * NL_RESULT_MAX);
	if (c->command == &nl_cmd_watch && !c->failure) {
		;                               // All was said while it went on.
	} else if (ctl->json) {
		nl_out_bytes(&text, c->reply.buf, c->reply.n);
		nl_out_bytes(&text, "\n", 1);
	} else if (c->failure) {
		nl_say(run, "%s", c->message);
	} else {
		struct nl_paper on = nl_ctl_paper(run);
		nl_render(&text, &on, c->name, c->reply.buf, c->reply.n);
	}
	if (text.n)
		error = nl_ctl_print(run, q, text.buf, text.n);
	nl_out_free(&text);
	nl_ctx_free(c);
	free(c);
	return nl_ctl_ended(run, status, error);
}

/* request: a request a line from stdin, a result a line to stdout. */
struct feed { char *buf; size_t n, room; bool end; };

/* Waits for the next line: its length with its end, 0 at the end of all; -errno. */
static ssize_t next_line(struct nl_run *run, struct feed *f)
{
	for (size_t seen = 0;;) {
		char *nl = memchr(f->buf + seen, '\n', f->n - seen);
		if (nl)
			return nl - f->buf + 1;
		if (f->end || f->n == f->room)
			return (ssize_t)f->n;
		seen = f->n;
		struct pollfd p[2] = { { .fd = 0, .events = POLLIN } };
		siginfo_t si;
		int sig = nl_poll(run, p, 1, NL_NEVER, &si);
		if (sig > 0)
			nl_alone(run, sig);
		if (run->stop_sig)
			return -EINTR;
		if (sig != NL_WAKE_IO)
			continue;
		ssize_t r = run->os->read(0, f->buf + f->n, f->room - f->n);
		if (r < 0 && r != -EINTR && r != -EAGAIN)
			return r;
		f->end = r == 0;
		f->n += r > 0 ? (size_t)r : 0;
	}
}

static int answer(struct nl_ctl_line *ctl, struct nl_run *run, const struct nl_req *q, const char *text, size_t n, bool *failed)
{
	struct chain chain;
	struct nl_ctx *c = calloc(1, sizeof *c);
	if (!c)
		return ENOMEM;
	c->run = run, c->q = q, c->svc = &ctl->svc;
	make_chain(&chain);
	nl_handle(&chain.audit, &chain.router, c, text, n);
	nl_out_bytes(&c->reply, "\n", 1);
	*failed |= c->failure != NL_NO_FAILURE;
	int error = c->reply.lost ? ENOMEM : nl_ctl_print(run, q, c->reply.buf, c->reply.n);
	nl_ctx_free(c);
	free(c);
	return error;
}

static bool is_blank(const char *text, size_t n)
{
	while (n > 0 && memchr(" \t\r\n", text[n - 1], 4))
		n--;
	return n == 0;
}

static struct nl_outcome requests(struct nl_ctl_line *ctl, struct nl_run *run, const struct nl_req *q)
{
	struct feed f = { .room = NL_REQUEST_MAX + 2 };
	bool failed = false, skip = false;
	ssize_t n = 0;
	int error = 0;
	f.buf = malloc(f.room);
	while (f.buf && !error && (n = next_line(run, &f)) > 0) {
		bool whole = f.buf[n - 1] == '\n' || f.end;
		size_t len = (size_t)n - (f.buf[n - 1] == '\n');
		if (!skip && !is_blank(f.buf, len))     // One that is too long is answered once; its rest is no request.
			error = answer(ctl, run, q, f.buf, len, &failed);
		skip = !whole;
		f.n -= (size_t)n;
		memmove(f.buf, f.buf + n, f.n);
	}
	if (n < 0 && n != -EINTR)
		nl_say(run, "stdin: %s", strerror((int)-n));
	free(f.buf);
	return nl_ctl_ended(run, n < 0 ? NL_EX_FAIL : failed ? EX_NO : 0, error);
}

/* watch: changes come when they come, so it is a command of command lines alone. */
struct printer { struct nl_ctl_line *ctl; int error; };

static bool print_change(struct nl_ctx *c, const char *json, size_t n, void *arg)
{
	struct printer *p = arg;
	struct nl_out o;
	nl_out_init(&o, NL_RESULT_MAX);
	if (p->ctl->json) {
		nl_out_begin(&o, NULL, '{');
		nl_out_str(&o, "id", c->id);
		nl_out_str(&o, "result", "value");
		nl_out_raw(&o, "value", json, n);
		nl_out_bytes(&o, "}\n", 2);
	} else {
		struct nl_paper on = nl_ctl_paper(c->run);
		nl_render_change(&o, &on, json, n);
	}
	p->error = nl_ctl_print(c->run, c->q, o.buf, o.n);
	nl_out_free(&o);
	return p->error == 0;
}

static void watch_call(struct nl_ctx *c)
{
	struct printer p = { .ctl = (struct nl_ctl_line *)c->svc };
	if (!strcmp(p.ctl->operand[0], "request")) {
		nl_refuse(c, NL_INVALID_ARGS, "watch", "watch: has no end, so it cannot be a request here");
		return;
	}
	nl_watch_all(c, print_change, &p);
	if (!c->failure)
		nl_reply(c, "ack");
}

static void request_call(struct nl_ctx *c)
{
	nl_refuse(c, NL_INVALID_ARGS, "request", "request: is no request");
}

static const struct nl_arg no_args[] = { { .name = NULL } };
static const struct nl_arg watch_args[] = { { "policies", NL_JSON_ARRAY, false }, { .name = NULL } };
const struct nl_command nl_cmd_request = {
	.name = "request", .usage = "", .about = "requests from stdin, JSON, one a line", .args = no_args,
	.handler = request_call,
};
const struct nl_command nl_cmd_watch = {
	.name = "watch", .usage = "[POLICY]...", .about = "a line for each change, until told to stop", .args = watch_args,
	.handler = watch_call,
};

static struct nl_outcome ctl_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	struct nl_ctl_line *c = (struct nl_ctl_line *)svc;
	const struct nl_command *cmd = NULL;
	struct nl_err err;
	struct nl_out request;
	if (c->about) {
		char text[8192];
		nl_opt_about(&nl_ctl, "nl-ctl", c->about, false, text, sizeof text);
		return nl_ctl_ended(run, 0, nl_ctl_print(run, &q, text, strlen(text)));
	}
	for (unsigned i = 0; nl_commands[i]; i++)
		if (!strcmp(nl_commands[i]->name, c->operand[0]))
			cmd = nl_commands[i];
	if (cmd == &nl_cmd_check)
		return nl_ctl_check(c, run, &q);
	if (nl_ctl_request(&request, run, c, cmd, &err) < 0) {
		nl_say(run, "%s", err.msg);
		nl_out_free(&request);
		return (struct nl_outcome){ NL_EXIT(NL_EX_FAIL), NL_RAN };
	}
	struct nl_outcome o = cmd == &nl_cmd_request ? requests(c, run, &q) : one(c, run, &q, &request);
	nl_out_free(&request);
	return o;
}

/* The list of commands, for --help and --complete. */
static size_t commands(char *buf, size_t size, bool help)
{
	size_t n = 0;
	for (unsigned i = 0; nl_commands[i]; i++)
		n = nl_opt_item(buf, size, n, help, "Commands", nl_commands[i]->name, nl_commands[i]->usage, nl_commands[i]->about);
	return n;
}

const struct nl_layer nl_ctl = {
	.name = "ctl",
	.kind = "control",
	.usage = "[--json] [--state DIR] COMMAND [ARG]...",
	.about = "Look at shared policies and change them while they are in use.",
	.leaf = true,
	.more = commands,
	.opts = options,
	.size = sizeof(struct nl_ctl_line),
	.init = ctl_init,
	.call = ctl_call,
};
