/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctlcheck.c - nl-ctl check: every policy of files, as nl-run --check.
 *
 * A file that cannot be read in whole is told of, and the others are checked all
 * the same.  What a policy has from another by its name is told once, of that
 * one: those that name nobody come first.
 */
#include "check.h"
#include "ctl.h"
#include "policies.h"
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct checking {
	struct nl_ctl_line *ctl;
	struct nl_run *run;
	const struct nl_req *q;
	const struct nl_policies *all;
	struct nl_told_list told;
	bool found, failed;
	int error;
};

bool nl_told_before(struct nl_told_list *l, const struct nl_spot *at, const char *code)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].at.line == at->line && l->v[i].at.col == at->col && !strcmp(l->v[i].code, code)
		    && !strcmp(l->v[i].at.file ? l->v[i].at.file : "", at->file ? at->file : ""))
			return true;
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		void *v = realloc(l->v, room * sizeof *l->v);
		if (!v)
			return false;           // It may be told twice, then.
		l->v = v, l->room = room;
	}
	l->v[l->n].at = *at, l->v[l->n++].code = code;
	return false;
}

/* "FILE:2:9: why", the line and a caret. */
static void complain(struct checking *k, const struct nl_spot *at, const char *why)
{
	char spot[400], show[200];
	k->failed = true;
	if (nl_told_before(&k->told, at, ""))
		return;
	size_t n = nl_spot_show(at, "", k->all, show, sizeof show);
	nl_say(k->run, "%s: %s", nl_spot_text(at, spot, sizeof spot), why);
	if (n && n + 1 < sizeof show && k->run->say) {
		show[n++] = '\n';
		k->run->say(k->run, show, n);
	}
}

static void check_policy(struct checking *k, const struct nl_named *policy)
{
	struct nl_expr_tree tree = { .root = NULL };
	struct nl_question question = { .tree = &tree, .policies = k->all, .policy = policy->name, .told = &k->told, .json = k->ctl->json,
	                                .colour = nl_ctl_paper(k->run).colour };
	struct nl_out o;
	struct nl_spot at;
	struct nl_err err;
	nl_out_init(&o, 1 << 28);
	int n = nl_expr_read_policy(&tree, policy, k->all, &err, &at);
	if (n == 0)
		n = nl_check_of(&o, tree.root, &question, &err);
	if (n < 0 || o.lost)
		complain(k, &at, n < 0 ? err.msg : "out of memory");
	k->found |= n > 0;
	if (o.n)
		k->error = nl_ctl_print(k->run, k->q, o.buf, o.n);
	nl_out_free(&o);
	nl_expr_clear(&tree);
}

/* A file with the presets behind it; NULL: all those that nl-run looks names up in. */
static void check_file(struct checking *k, const char *file)
{
	char path[NL_POLICIES_FILES][NL_POLICIES_PATH];
	const char *named = file;
	bool must = nl_policies_named(&named);
	struct nl_policies *all = nl_policies_new();
	struct nl_spot at = { .file = file };
	struct nl_err err;
	k->all = all;
	unsigned n = all ? nl_policies_paths(file, path) : 0;
	if (!all)
		complain(k, &at, "out of memory");
	for (unsigned i = 0; i < n; i++) {
		int r = i && !strcmp(path[i], path[0]) ? 1 : nl_policies_read(all, path[i], &err, &at);
		if (r < 0 || (r == 0 && must && i == 0))
			complain(k, &at, r < 0 ? err.msg : strerror(ENOENT));
	}
	for (int names = 0; names < 2; names++)
		for (const struct nl_named *i = nl_policies_first(all); i && !k->error && !k->run->stop_sig; i = i->next)
			if ((!file || !strcmp(i->file, file)) && (memchr(i->text, '@', i->len) != NULL) == names)
				check_policy(k, i);
	k->told.n = 0;                          // Its names are of memory that goes.
	nl_policies_free(all);
}

struct nl_outcome nl_ctl_check(struct nl_ctl_line *c, struct nl_run *run, const struct nl_req *q)
{
	struct checking k = { .ctl = c, .run = run, .q = q };
	struct nl_ctl_line line = *c;
	struct nl_out request;
	struct nl_err err;
	line.operands = 1;
	int bad = nl_ctl_request(&request, run, &line, &nl_cmd_check, &err);    // For its options.
	nl_out_free(&request);
	if (bad) {
		nl_say(run, "%s", err.msg);
		return (struct nl_outcome){ NL_EXIT(NL_EX_FAIL), NL_RAN };
	}
	if (c->operands == 1)
		check_file(&k, NULL);
	for (unsigned i = 1; i < c->operands && !k.error && !run->stop_sig; i++) {
		if (*c->operand[i])
			check_file(&k, c->operand[i]);
		else
			complain(&k, &(struct nl_spot){ .file = "''" }, strerror(ENOENT));
	}
	free(k.told.v);
	return nl_ctl_ended(run, k.failed ? NL_EX_FAIL : k.found, k.error);
}

static void check_call(struct nl_ctx *c)
{
	nl_refuse(c, NL_INVALID_ARGS, "check", "check: is for command lines: it reads files, and no state");
}

static const struct nl_arg no_args[] = { { .name = NULL } };
const struct nl_command nl_cmd_check = {
	.name = "check", .usage = "[FILE]...", .about = "what is unwise in policy files", .args = no_args, .handler = check_call,
};
