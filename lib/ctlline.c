/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctlline.c - a command line as a request.  Which operands and options a command
 * has is seen from the table of its arguments.
 */
#include "ctl.h"

#include "layer.h"

#include <stdio.h>
#include <string.h>

/* Text of a user in a request must be UTF-8; what is not, is nobody's name. */
static int put_text(struct nl_out *o, const char *key, const char *text, struct nl_err *err)
{
	size_t n = 1;
	for (const unsigned char *s = (const unsigned char *)text; *s && n; s += n)
		n = *s < 0x80 ? 1 : nl_utf8(s);
	if (!n)
		return nl_fail(err, "'%.60s': not UTF-8", text);
	nl_out_str(o, key, text);
	return 0;
}

/* KEY is KIND/NAME.option, or NAME.option: a name may have dots, an option has none. */
static int split_key(const char *key, size_t n, char policy[NL_NAME_MAX + 40], char option[40], struct nl_err *err)
{
	size_t dot = n;
	while (dot > 0 && key[dot - 1] != '.')
		dot--;
	if (dot < 2 || dot == n || dot > NL_NAME_MAX + 40 || n - dot >= 40)
		return nl_fail(err, "'%.*s': not a KEY (KIND/NAME.option)", n < 60 ? (int)n : 60, key);
	snprintf(policy, NL_NAME_MAX + 40, "%.*s", (int)dot - 1, key);
	snprintf(option, 40, "%.*s", (int)(n - dot), key + dot);
	return 0;
}

enum shape { VALUES, KEYS };

/* KEY=VALUE or KEY words of one policy. */
static int put_keys(struct nl_out *o, char **word, unsigned n, enum shape what, struct nl_err *err)
{
	char policy[NL_NAME_MAX + 40] = "", first[NL_NAME_MAX + 40] = "", option[40] = "";
	for (unsigned i = 0; i < n; i++) {
		const char *equals = strchr(word[i], '=');
		if ((what == VALUES) != (equals != NULL))
			return nl_fail(err, "'%.60s': not %s", word[i], what == VALUES ? "KEY=VALUE" : "a KEY");
		if (split_key(word[i], equals ? (size_t)(equals - word[i]) : strlen(word[i]), policy, option, err) < 0)
			return -1;
		if (i == 0) {
			memcpy(first, policy, sizeof first);
			if (put_text(o, "policy", policy, err) < 0)
				return -1;
			nl_out_begin(o, what == VALUES ? "values" : "keys", what == VALUES ? '{' : '[');
		}
		if (strcmp(first, policy))
			return nl_fail(err, "%.60s and %.60s: keys of one policy only change in one step", first, policy);
		if (put_text(o, what == VALUES ? option : NULL, what == VALUES ? equals + 1 : option, err) < 0)
			return -1;
	}
	nl_out_end(o, what == VALUES ? '}' : ']');
	return 0;
}

/* An executable's arguments: KEY=VALUE, as strings. */
static int put_pairs(struct nl_out *o, char **word, unsigned n, struct nl_err *err)
{
	char key[64];
	for (unsigned i = 0; i < n; i++) {
		const char *equals = strchr(word[i], '=');
		if (!equals || equals == word[i] || equals - word[i] >= 64)
			return nl_fail(err, "'%.60s': not KEY=VALUE", word[i]);
		snprintf(key, sizeof key, "%.*s", (int)(equals - word[i]), word[i]);
		if (put_text(o, key, equals + 1, err) < 0)
			return -1;
	}
	return 0;
}

static bool takes(const struct nl_command *cmd, const char *name)
{
	const struct nl_arg *a = cmd->args;
	while (a->name && strcmp(a->name, name))
		a++;
	return a->name;
}

/* Options as arguments of the same names: each command says in its table which it takes. */
static int put_options(struct nl_out *o, const struct nl_ctl_line *c, const struct nl_command *cmd, struct nl_err *err)
{
	for (const struct nl_opt *opt = nl_ctl.opts; opt->name; opt++) {
		const char *name = strcmp(opt->name, "if-gen") ? opt->name : "if_gen";
		const void *field = (const char *)c + opt->offset;
		char value[64];
		if (!strcmp(name, "json") || !nl_opt_given(&c->svc, opt))
			continue;               // How the answer is printed is no argument.
		if (!cmd || !takes(cmd, name))
			return nl_fail(err, "--%s: no option of %.40s", opt->name, c->operand[0]);
		if (opt->type == NL_FLAG) {
			nl_out_bool(o, name, true);
		} else if (opt->type == NL_SEED) {
			nl_out_uint(o, name, ((const struct nl_seed *)field)->n);
		} else if (opt->type == NL_STR) {
			if (put_text(o, name, *(const char *const *)field, err) < 0)
				return -1;
		} else {
			nl_opt_value(&c->svc, opt, value, sizeof value);
			nl_out_str(o, name, value);
		}
	}
	return 0;
}

static int put_operands(struct nl_out *o, const struct nl_ctl_line *c, const struct nl_command *cmd, struct nl_err *err)
{
	char policy[NL_NAME_MAX + 40] = "", option[40] = "", **word = c->operand + 1;
	unsigned n = c->operands - 1;
	if (!cmd)
		return put_pairs(o, word, n, err);
	if (takes(cmd, "values") || takes(cmd, "keys")) {
		if (n == 0)
			return nl_fail(err, "%s: missing KEY (%s %s)", cmd->name, cmd->name, cmd->usage);
		return put_keys(o, word, n, takes(cmd, "values") ? VALUES : KEYS, err);
	}
	const char *all = takes(cmd, "policies") ? "policies" : takes(cmd, "words") ? "words" : NULL;
	if (all) {
		nl_out_begin(o, all, '[');
		for (unsigned i = 0; i < n; i++)
			if (put_text(o, NULL, word[i], err) < 0)
				return -1;
		nl_out_end(o, ']');
		return 0;
	}
	const char *name = takes(cmd, "kind") ? "kind" : takes(cmd, "policy") ? "policy" : NULL;
	bool required = false;
	for (const struct nl_arg *a = cmd->args; name && a->name; a++)
		required |= !strcmp(a->name, name) && a->required;
	if (n > (name ? 1u : 0u) || (required && n == 0))
		return nl_fail(err, "%s: %s (nl-ctl %s%s%s)", cmd->name, n ? "too many operands" : "missing operand", cmd->name,
		               *cmd->usage ? " " : "", cmd->usage);
	if (n == 0)
		return 0;
	if (!takes(cmd, "key"))
		return put_text(o, name, word[0], err);
	if (split_key(word[0], strlen(word[0]), policy, option, err) < 0 || put_text(o, "policy", policy, err) < 0)
		return -1;
	return put_text(o, "key", option, err);
}

/* The request that the line is. */
int nl_ctl_request(struct nl_out *o, struct nl_run *run, const struct nl_ctl_line *c, const struct nl_command *cmd, struct nl_err *err)
{
	char id[20];
	snprintf(id, sizeof id, "%016llx", (unsigned long long)nl_seed(run));
	nl_out_init(o, NL_REQUEST_MAX);
	nl_out_begin(o, NULL, '{');
	nl_out_str(o, "id", id);
	if (put_text(o, "cmd", c->operand[0], err) < 0)
		return -1;
	nl_out_begin(o, "args", '{');
	if (put_operands(o, c, cmd, err) < 0 || put_options(o, c, cmd, err) < 0)
		return -1;
	nl_out_end(o, '}');
	nl_out_end(o, '}');
	return o->lost ? nl_fail(err, "the request exceeds the maximum size") : 0;
}
