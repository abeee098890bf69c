/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.c - the router: what a request is about, and whose it is to handle.
 *
 * What is wrong with a request is found before the chain is entered and said by
 * the router, the innermost: so that the audit, the outermost, hears of it too.
 */
#include "control.h"

#include "parse.h"
#include "run.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

void nl_identify(struct nl_run *run, struct nl_identity *who)
{
	*who = (struct nl_identity){ .uid = (uint32_t)run->os->syscall(SYS_geteuid, 0, 0, 0, 0, 0, 0) };
	const struct passwd *pw = getpwuid(who->uid);
	snprintf(who->by, sizeof who->by, "uid:%u", who->uid);
	snprintf(who->user, sizeof who->user, "%s", pw && pw->pw_name ? pw->pw_name : who->by);
	long n = run->os->syscall(SYS_getgroups, NL_GROUPS - 1, (long)who->gids, 0, 0, 0, 0);
	who->groups = n > 0 ? (unsigned)n : 0;
	who->gids[who->groups++] = (uint32_t)run->os->syscall(SYS_getegid, 0, 0, 0, 0, 0, 0);
}

static int arg(const struct nl_ctx *c, const char *name)
{
	return nl_json_get(c->text, c->tok, c->args, name);
}

bool nl_arg_str(const struct nl_ctx *c, const char *name, char *buf, size_t size)
{
	int at = arg(c, name);
	return at >= 0 && nl_json_string(c->text, &c->tok[at], buf, size) >= 0;
}

bool nl_arg_is(const struct nl_ctx *c, const char *name)
{
	int at = arg(c, name);
	return at >= 0 && c->tok[at].type == NL_JSON_TRUE;
}

bool nl_arg_u64(const struct nl_ctx *c, const char *name, uint64_t *out)
{
	int at = arg(c, name);
	int64_t v;
	if (at < 0 || !nl_json_integer(c->text, &c->tok[at], &v) || v < 0)
		return false;
	*out = (uint64_t)v;
	return true;
}

const struct nl_command *nl_command_of(const struct nl_router *r, const char *name)
{
	for (size_t i = 0; r->commands[i]; i++)
		if (!strcmp(r->commands[i]->name, name))
			return r->commands[i];
	return NULL;
}

/* Has the kind a record of this name? */
static bool exists(int root, const struct nl_kind *kind, const char *name, struct nl_run *run)
{
	char path[NL_NAME_MAX + 32];
	snprintf(path, sizeof path, "%s/%s", kind->name, name);
	return run->os->syscall(SYS_faccessat, root, (long)path, 0, 0, 0, 0) == 0;
}

static int set_target(struct nl_ctx *c, const struct nl_kind *kind, const char *name)
{
	c->kind = kind;
	snprintf(c->policy, sizeof c->policy, "%s", name);
	snprintf(c->target, sizeof c->target, "%s/%s", kind->name, name);
	return 0;
}

/* "db", if one kind alone has that name. */
static int find_kind(struct nl_ctx *c, const char *name, int root)
{
	char list[120] = "";
	const struct nl_kind *found = NULL;
	unsigned n = 0;
	for (size_t i = 0; root >= 0 && nl_kinds[i]; i++) {
		if (!exists(root, nl_kinds[i], name, c->run))
			continue;
		size_t len = strlen(list);
		snprintf(list + len, sizeof list - len, "%s%s/%.20s", n ? ", " : "", nl_kinds[i]->name, name);
		found = nl_kinds[i];
		n++;
	}
	if (n == 1)
		return set_target(c, found, name);
	if (n > 1)
		return nl_refuse(c, NL_INVALID_ARGS, name, "%s: which one? (%s)", name, list);
	return nl_refuse(c, NL_NOT_FOUND, name, "%s: unknown policy in %.200s (nl-ctl list has all)", name, c->root);
}

/* What the request is about: the argument `policy`, KIND/NAME or NAME. */
static int find_target(struct nl_ctx *c, int root)
{
	char text[NL_NAME_MAX + 40], *slash;
	const char *name;
	struct nl_err why;
	int at = arg(c, "policy");
	if (at < 0 || c->tok[at].type != NL_JSON_STRING)
		return 0;
	if (nl_json_string(c->text, &c->tok[at], text, sizeof text) < 0)
		return nl_refuse(c, NL_INVALID_ARGS, "policy", "policy: too long for KIND/NAME");
	slash = strchr(text, '/');
	name = slash ? slash + 1 : text;
	snprintf(c->target, sizeof c->target, "%.80s", text);
	if (nl_parse_name(name, &name, &why) < 0)
		return nl_refuse(c, NL_INVALID_ARGS, text, "policy: '%s': %s", text, why.msg);
	if (!slash)
		return find_kind(c, name, root);
	*slash = '\0';
	const struct nl_kind *kind = nl_kind_of(text);
	if (!kind)
		return nl_refuse(c, NL_NOT_FOUND, c->target, "%s: unknown kind of policy", text);
	if (c->command && !c->command->missing_ok && !(root >= 0 && exists(root, kind, name, c->run)))
		return nl_refuse(c, NL_NOT_FOUND, c->target, "%s/%s: unknown policy in %.200s (nl-ctl list has all)", text, name, c->root);
	return set_target(c, kind, name);
}

int nl_refuse_state(struct nl_ctx *c, const struct nl_state *s)
{
	bool files = strstr(s->err.msg, "Permission denied") || strstr(s->err.msg, "Operation not permitted");
	if (s->trouble == NL_ABSENT)
		return nl_refuse(c, NL_NOT_FOUND, c->target, "%s: unknown policy in %.200s (nl-ctl list has all)", c->target, c->root);
	return nl_refuse(c, files ? NL_DENIED : NL_STATE_UNAVAILABLE, c->target, "%s", s->err.msg);
}

int nl_ctx_open(struct nl_ctx *c, struct nl_state *s, enum nl_make make)
{
	if (nl_state_open(s, c->run, c->svc->state, c->kind, c->policy, make) == 0)
		return 0;
	nl_refuse_state(c, s);
	nl_state_tell(s, c->of);
	nl_state_close(s);
	return -1;
}

void nl_ctx_read(struct nl_ctx *c, nl_ctx_look *look)
{
	struct nl_state s;
	struct nl_record rec;
	if (nl_ctx_open(c, &s, NL_EXISTING) < 0)
		return;
	if (nl_state_read(&s, &rec) < 0)
		nl_refuse_state(c, &s);
	else
		look(c, &s, &rec);
	nl_state_tell(&s, c->of);
	nl_state_close(&s);
}

/* Types of the arguments, by the command's table. */
static int check_args(struct nl_ctx *c)
{
	char key[40];
	const struct nl_arg *a;
	int64_t n;
	if (!c->command)
		return 0;                               // An executable knows its own.
	for (unsigned k = (unsigned)c->args + 1; k < c->tok[c->args].next; k = c->tok[k + 1].next) {
		const struct nl_json_tok *v = &c->tok[k + 1];
		if (nl_json_string(c->text, &c->tok[k], key, sizeof key) < 0)
			snprintf(key, sizeof key, "a long name");
		for (a = c->command->args; a->name && strcmp(a->name, key); a++)
			;
		if (!a->name)
			return nl_refuse(c, NL_INVALID_ARGS, key, "%s: %s: no argument of this command", c->name, key);
		if (nl_json_get(c->text, c->tok, c->args, key) != (int)k + 1)
			return nl_refuse(c, NL_INVALID_ARGS, key, "%s: %s: twice", c->name, key);
		bool fits = a->type == NL_JSON_TRUE ? v->type == NL_JSON_TRUE || v->type == NL_JSON_FALSE
		            : a->type == NL_JSON_NUMBER ? nl_json_integer(c->text, v, &n) && n >= 0 : v->type == a->type;
		if (!fits)
			return nl_refuse(c, NL_INVALID_ARGS, key, "%s: %s: of the wrong type", c->name, key);
	}
	for (a = c->command->args; a->name; a++)
		if (a->required && arg(c, a->name) < 0)
			return nl_refuse(c, NL_INVALID_ARGS, a->name, "%s: %s: missing", c->name, a->name);
	return 0;
}

void nl_route(struct nl_control *self, struct nl_ctx *c)
{
	(void)self;
	if (c->failure)
		return;                                 // It was found to be wrong.
	if (!c->command) {
		if (!nl_handler_run(c))
			nl_refuse(c, NL_NOT_FOUND, c->name, "%s: unknown command", c->name);
	} else {
		c->command->handler(c);
	}
	if (!c->reply.n)
		nl_refuse(c, NL_INTERNAL, c->name, "%s: no result", c->name);
}

/* Closes the result: a handler may have left a failure or a half of one. */
static void finish(struct nl_ctx *c)
{
	if (c->reply.lost)
		nl_refuse(c, NL_INTERNAL, c->name, "%s: the result is too large", c->name);
	if (c->reply.n && c->reply.buf[c->reply.n - 1] == '\n')
		c->reply.n--;                           // An executable's, whole.
	else
		nl_out_end(&c->reply, '}');
}

void nl_handle(struct nl_control *chain, const struct nl_router *router, struct nl_ctx *c, const char *text, size_t n)
{
	struct nl_state probe = { .trouble = NL_FINE };
	bool group;
	nl_out_init(&c->reply, NL_RESULT_MAX);
	nl_identify(c->run, &c->identity);
	int root = nl_state_root(c->run, c->svc->state, NL_EXISTING, c->root, &group, &probe.trouble, &probe.err);
	if (nl_request_read(c, text, n) == 0) {
		struct nl_req q = *c->q;
		c->of = nl_span_open((struct nl_svc *)c->svc, c->run, &q);
		c->command = nl_command_of(router, c->name);
		c->writes = !c->command || c->command->writes;
		if (root >= 0 || probe.trouble == NL_ABSENT) {
			if (check_args(c) == 0)
				find_target(c, root);
			chain->call(chain, c);
		} else if (c->command == &nl_cmd_health) {
			c->command->handler(c);         // It says what is wrong.
		} else {
			nl_refuse_state(c, &probe);     // Nothing there may be believed: neither rules nor records.
		}
	}
	if (root >= 0)
		c->run->os->close(root);
	finish(c);
}

void nl_ctx_free(struct nl_ctx *c)
{
	free(c->tok);
	c->tok = NULL;
	nl_out_free(&c->reply);
}
