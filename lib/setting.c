/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setting.c - get, set and unset: the live values of a policy.
 *
 * All values of a `set` are in one record, so one write changes them together:
 * a reader has all of them or none.
 */
#include "control.h"
#include "describe.h"
#include "opt.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define VALUE_MAX 64

static void append(char *list, size_t size, const char *key, const char *value)
{
	size_t n = strlen(list);
	snprintf(list + n, size - n, "%s%s%s%s", n ? " " : "", key, value ? "=" : "", value ? value : "");
}

static int unknown_key(struct nl_ctx *c, const char *key)
{
	char keys[200] = "";
	for (const struct nl_opt *o = NULL; c->kind->layer && (o = nl_opt_next(c->kind->layer, o)); )
		if (nl_opt_is_live(o))
			append(keys, sizeof keys, o->name, NULL);
	return nl_refuse(c, NL_NOT_FOUND, key, "%s.%.40s: unknown key (a %s has: %s)", c->target, key, c->kind->name,
	                 keys[0] ? keys : "none");
}

/* The next of the values: its key and text.  False at the end; *bad: refused. */
static bool next_value(struct nl_ctx *c, unsigned obj, unsigned *at, char key[VALUE_MAX], char value[VALUE_MAX], bool *bad)
{
	unsigned k = *at ? *at : obj + 1;
	if (k >= c->tok[obj].next)
		return false;
	const struct nl_json_tok *v = &c->tok[k + 1];
	*at = v->next;
	*bad = true;
	if (nl_json_string(c->text, &c->tok[k], key, VALUE_MAX) < 0)
		return unknown_key(c, "a long name"), true;
	if (v->type == NL_JSON_NUMBER && v->end - v->start < VALUE_MAX)
		snprintf(value, VALUE_MAX, "%.*s", (int)(v->end - v->start), c->text + v->start);
	else if (nl_json_string(c->text, v, value, VALUE_MAX) < 0)
		return nl_refuse(c, NL_INVALID_ARGS, key, "%s.%s: not a string of at most %d bytes, nor a number", c->target, key,
		                 VALUE_MAX - 1), true;
	*bad = false;
	return true;
}

/* Puts the values of the request into a record. */
static int apply(struct nl_ctx *c, struct nl_record *rec, nl_time real)
{
	char key[VALUE_MAX], value[VALUE_MAX];
	unsigned at = 0, obj = (unsigned)nl_json_get(c->text, c->tok, c->args, "values"), n = 0;
	struct nl_err err;
	bool bad;
	c->old[0] = c->new[0] = '\0';
	for (; next_value(c, obj, &at, key, value, &bad); n++) {
		if (bad)
			return -1;
		if (!nl_live_option(c->kind->layer, key))
			return unknown_key(c, key);
		const struct nl_live *was = nl_live_find(rec, key);
		if (was)
			append(c->old, sizeof c->old, key, was->value);
		if (nl_live_set(rec, c->kind, key, value, c->identity.uid, real, &err) < 0)
			return nl_refuse(c, NL_INVALID_ARGS, key, "%s.%s", c->target, err.msg);
		append(c->new, sizeof c->new, key, value);
	}
	return n ? 0 : nl_refuse(c, NL_INVALID_ARGS, "values", "set: no values");
}

static int withdraw(struct nl_ctx *c, struct nl_record *rec)
{
	char key[VALUE_MAX];
	unsigned list = (unsigned)nl_json_get(c->text, c->tok, c->args, "keys"), n = 0;
	struct nl_err err;
	c->old[0] = '\0';
	for (unsigned k = list + 1; k < c->tok[list].next; k = c->tok[k].next, n++) {
		if (nl_json_string(c->text, &c->tok[k], key, sizeof key) < 0)
			return nl_refuse(c, NL_INVALID_ARGS, "keys", "unset: keys: not a list of names");
		const struct nl_live *was = nl_live_find(rec, key);
		if (!was && !nl_live_option(c->kind->layer, key))
			return unknown_key(c, key);
		if (!was)
			return nl_refuse(c, NL_NOT_FOUND, key, "%s.%s: is not set", c->target, key);
		append(c->old, sizeof c->old, key, was->value);
		if (nl_live_unset(rec, c->kind, key, &err) < 0)
			return nl_refuse(c, NL_INTERNAL, key, "%s.%s", c->target, err.msg);
	}
	return n ? 0 : nl_refuse(c, NL_INVALID_ARGS, "keys", "unset: no keys");
}

enum change { SET, UNSET };

static int change(struct nl_ctx *c, struct nl_record *rec, enum change what, nl_time real)
{
	return what == SET ? apply(c, rec, real) : withdraw(c, rec);
}

/* Compare-and-set, the values, one write. */
static int change_locked(struct nl_ctx *c, struct nl_state *s, enum change what)
{
	struct nl_record rec;
	uint64_t want;
	if (nl_state_lock(s, &rec, NL_GUARD_SPAN) < 0)
		return nl_refuse_state(c, s);
	c->gen = rec.head.cfg;
	if (nl_arg_u64(c, "if_gen", &want) && want != rec.head.cfg)
		return nl_refuse(c, NL_CONFLICT, c->target, "%s: is at gen %llu, not %llu: somebody else was first", c->target,
		                 (unsigned long long)rec.head.cfg, (unsigned long long)want);
	if (change(c, &rec, what, c->run->os->clock(CLOCK_REALTIME)) < 0)
		return -1;
	rec.head.cfg++;
	if (nl_state_write(s, &rec) < 0)
		return nl_refuse_state(c, s);
	c->gen = rec.head.cfg;
	nl_reply_done(c, "ack", rec.head.epoch);
	return 0;
}

static void change_call(struct nl_ctx *c, enum change what)
{
	struct nl_state s;
	struct nl_record scratch = { .head = { .lives = 0 } };
	if (!c->kind->layer || (what == SET && apply(c, &scratch, 0) < 0)) {    // Before anything is made for it.
		if (!c->kind->layer)
			unknown_key(c, "any");
		return;
	}
	if (nl_ctx_open(c, &s, what == SET ? NL_CREATE : NL_EXISTING) < 0)
		return;
	if (change_locked(c, &s, what) < 0)
		c->old[0] = c->new[0] = '\0';
	nl_state_unlock(&s);
	nl_state_tell(&s, c->of);
	nl_state_close(&s);
}

static void set_call(struct nl_ctx *c)
{
	change_call(c, SET);
}

static void unset_call(struct nl_ctx *c)
{
	change_call(c, UNSET);
}

static void describe_key(struct nl_ctx *c, struct nl_state *s, struct nl_record *rec)
{
	char key[VALUE_MAX];
	if (!nl_arg_str(c, "key", key, sizeof key))
		nl_refuse(c, NL_NOT_FOUND, "key", "%s: unknown key", c->target);
	else if (!nl_describe_key(nl_reply(c, "value"), s, rec, key))
		unknown_key(c, key);
}

static void get_call(struct nl_ctx *c)
{
	nl_ctx_read(c, describe_key);
}

static const struct nl_arg get_args[] = { { "policy", NL_JSON_STRING, true }, { "key", NL_JSON_STRING, true }, { .name = NULL } };
static const struct nl_arg set_args[] = {
	{ "policy", NL_JSON_STRING, true }, { "values", NL_JSON_OBJECT, true }, { "if_gen", NL_JSON_NUMBER, false }, { .name = NULL },
};
static const struct nl_arg unset_args[] = {
	{ "policy", NL_JSON_STRING, true }, { "keys", NL_JSON_ARRAY, true }, { "if_gen", NL_JSON_NUMBER, false }, { .name = NULL },
};

const struct nl_command nl_cmd_get = {
	.name = "get", .usage = "KEY", .about = "print the value that holds", .args = get_args, .handler = get_call,
};
const struct nl_command nl_cmd_set = {
	.name = "set", .usage = "[--if-gen N] KEY=VALUE...", .about = "change values of one policy, in one step", .args = set_args,
	.writes = true, .missing_ok = true, .handler = set_call,
};
const struct nl_command nl_cmd_unset = {
	.name = "unset", .usage = "[--if-gen N] KEY...", .about = "take values back", .args = unset_args,
	.writes = true, .handler = unset_call,
};
