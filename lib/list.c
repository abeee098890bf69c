/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.c - list and show: what the records of a directory say.
 */
#include "list.h"

#include "describe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int nl_each_policy(struct nl_ctx *c, const struct nl_kind *only, nl_each *each, void *arg)
{
	struct nl_err err;
	enum nl_trouble trouble;
	bool group;
	int r = 0;
	int root = nl_state_root(c->run, c->svc->state, NL_EXISTING, NULL, &group, &trouble, &err);
	if (root < 0)
		return 0;                               // Nothing yet; what is wrong was said before.
	char (*names)[NL_NAME_MAX + 1] = malloc(NL_LIST_MAX * sizeof *names);
	for (size_t i = 0; names && nl_kinds[i] && r >= 0; i++) {
		if (only && only != nl_kinds[i])
			continue;
		r = nl_state_names(root, nl_kinds[i], names, NL_LIST_MAX);
		for (int k = 0; k < r; k++)
			each(c, nl_kinds[i], names[k], arg);
		if (r < 0)
			nl_refuse(c, r == -EACCES ? NL_DENIED : NL_STATE_UNAVAILABLE, nl_kinds[i]->name, "%.200s/%s: %s", c->root,
			          nl_kinds[i]->name, strerror(-r));
	}
	free(names);
	c->run->os->close(root);
	if (!names)
		return nl_refuse(c, NL_INTERNAL, NULL, "out of memory");
	return r < 0 ? -1 : 0;
}

void nl_put_policy(struct nl_ctx *c, struct nl_out *o, const struct nl_kind *kind, const char *name)
{
	struct nl_state s;
	struct nl_record rec;
	char policy[NL_NAME_MAX + 20];
	snprintf(policy, sizeof policy, "%s/%s", kind->name, name);
	nl_out_begin(o, NULL, '{');
	if (nl_state_open(&s, c->run, c->svc->state, kind, name, NL_EXISTING) == 0 && nl_state_read(&s, &rec) == 0) {
		nl_describe(o, &s, &rec, NL_BRIEF);
	} else {
		nl_out_str(o, "policy", policy);
		nl_out_str(o, "kind", kind->name);
		nl_out_str(o, "trouble", nl_trouble_name(s.trouble));
		nl_out_str(o, "detail", s.err.msg);
	}
	nl_out_end(o, '}');
	nl_state_close(&s);
}

static void put_brief(struct nl_ctx *c, const struct nl_kind *kind, const char *name, void *arg)
{
	(void)arg;
	nl_put_policy(c, &c->reply, kind, name);
}

static void put_name(struct nl_ctx *c, const struct nl_kind *kind, const char *name, void *arg)
{
	(void)arg;
	char policy[NL_NAME_MAX + 20];
	snprintf(policy, sizeof policy, "%s/%s", kind->name, name);
	nl_out_str(&c->reply, NULL, nl_json_get(c->text, c->tok, c->args, "kind") >= 0 ? name : policy);
}

static void list_call(struct nl_ctx *c)
{
	char text[24];
	const struct nl_kind *kind = NULL;
	if (nl_json_get(c->text, c->tok, c->args, "kind") >= 0) {
		kind = nl_arg_str(c, "kind", text, sizeof text) ? nl_kind_of(text) : NULL;
		if (!kind) {
			nl_refuse(c, NL_NOT_FOUND, "kind", "list: unknown kind of policy");
			return;
		}
	}
	nl_out_begin(nl_reply(c, "list"), "items", '[');
	if (nl_each_policy(c, kind, nl_arg_is(c, "names") ? put_name : put_brief, NULL) == 0)
		nl_out_end(&c->reply, ']');
}

static void describe(struct nl_ctx *c, struct nl_state *s, struct nl_record *rec)
{
	struct nl_out *o = nl_reply(c, "value");
	nl_out_begin(o, "value", '{');
	nl_describe(o, s, rec, NL_FULL);
	nl_out_end(o, '}');
}

static void show_call(struct nl_ctx *c)
{
	nl_ctx_read(c, describe);
}

static const struct nl_arg list_args[] = { { "kind", NL_JSON_STRING, false }, { "names", NL_JSON_TRUE, false }, { .name = NULL } };
static const struct nl_arg show_args[] = { { "policy", NL_JSON_STRING, true }, { .name = NULL } };

const struct nl_command nl_cmd_list = {
	.name = "list", .usage = "[--names] [KIND]", .about = "a line for each policy", .args = list_args, .handler = list_call,
};
const struct nl_command nl_cmd_show = {
	.name = "show", .usage = "POLICY", .about = "everything about one, the reason first", .args = show_args, .handler = show_call,
};
