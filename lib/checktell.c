/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checktell.c - a finding for people and for machines: plays its witness, and
 * puts the expression that mends it.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 79, INDENT = 13 };

static void put(struct nl_out *o, const char *text)
{
	nl_out_bytes(o, text, strlen(text));
}

/* Words behind a label, in lines of 79. */
static void put_wrapped(struct nl_out *o, const char *label, const char *text)
{
	char head[32];
	size_t col = (size_t)snprintf(head, sizeof head, "    %-9s", label);
	put(o, head);
	while (*text) {
		size_t n = strcspn(text, " ");
		if (col > INDENT && col + 1 + n > WIDTH) {
			snprintf(head, sizeof head, "\n%*s", INDENT, "");
			put(o, head);
			col = INDENT;
		} else if (col > INDENT) {
			put(o, " ");
			col++;
		}
		nl_out_bytes(o, text, n);
		col += n;
		text += n + (text[n] == ' ');
	}
	put(o, "\n");
}

static const char *const severities[] = { [NL_NOTE] = "note", [NL_CAUTION] = "warning", [NL_FAULT] = "error" };

static const char *spot(const struct nl_spot *at, char *buf, size_t size)
{
	if (at->file)
		snprintf(buf, size, "%.300s:%u:%u", at->file, at->line, at->col);
	else if (at->line > 1)
		snprintf(buf, size, "expr:%u:%u", at->line, at->col);
	else
		snprintf(buf, size, "expr:%u", at->col);
	return buf;
}

static const char *layer_name(const struct nl_expr *e)
{
	return e->svc ? e->svc->layer->name : e->op == NL_EXPR_RACE ? "race" : "fallback";
}

static void put_finding(struct nl_out *o, const struct nl_finding *f, const struct nl_witness *w, const char *rewrite,
                        const char *policy, bool colour)
{
	static const char *const shades[] = { [NL_NOTE] = "\33[36m", [NL_CAUTION] = "\33[33m", [NL_FAULT] = "\33[31m" };
	char text[400];
	put(o, spot(&f->at->at, text, sizeof text));
	put(o, ": ");
	put(o, colour ? shades[f->severity] : "");
	put(o, severities[f->severity]);
	put(o, colour ? "\33[0m" : "");
	snprintf(text, sizeof text, " %s: %s%s%s%s: %s\n", f->code, policy ? "@" : "", policy ? policy : "", policy ? ": " : "",
	         layer_name(f->at), nl_check_title(f->code));
	put(o, text);
	put_wrapped(o, "why", f->why);
	for (unsigned i = 0; i < w->lines; i++) {
		snprintf(text, sizeof text, "    %-9s%.*s\n", i ? "" : "witness", WIDTH - INDENT, w->line[i]);
		put(o, text);
	}
	put(o, "    rewrite  ");
	put(o, rewrite);
	put(o, "\n");
}

static void put_json(struct nl_out *o, const struct nl_finding *f, const struct nl_witness *w, const char *rewrite, const char *policy)
{
	nl_out_begin(o, NULL, '{');
	nl_out_str(o, "code", f->code);
	nl_out_str(o, "severity", severities[f->severity]);
	if (f->at->at.file)
		nl_out_str(o, "file", f->at->at.file);
	if (policy)
		nl_out_str(o, "policy", policy);
	nl_out_uint(o, "line", f->at->at.line);
	nl_out_uint(o, "col", f->at->at.col);
	nl_out_str(o, "layer", layer_name(f->at));
	nl_out_str(o, "title", nl_check_title(f->code));
	nl_out_str(o, "why", f->why);
	nl_out_begin(o, "witness", '[');
	for (unsigned i = 0; i < w->lines; i++)
		nl_out_str(o, NULL, w->line[i]);
	nl_out_end(o, ']');
	nl_out_str(o, "rewrite", rewrite);
	nl_out_end(o, '}');
	put(o, "\n");
}

const char *nl_check_title(const char *code)
{
	static const struct { const char *code, *title; } titles[] = {
		{ "NL001", "this limit never fires" },
		{ "NL002", "retries inside retries" },
		{ "NL003", "a breaker outside of a retry" },
		{ "NL004", "one call opens it" },
		{ "NL005", "arms of a race share it" },
		{ "NL006", "the limit is outside" },
		{ "NL007", "a fallback hides failures" },
		{ "NL008", "a rejection in disguise" },
		{ "NL009", "rejections are retried" },
		{ "NL010", "it may wait for ever" },
		{ "NL011", "what must not run twice may" },
		{ "NL012", "attempts that never begin" },
		{ "NL013", "nothing is ever slow" },
		{ "NL014", "probes as long as the rest" },
		{ "NL015", "inside of itself" },
	};
	for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
		if (!strcmp(titles[i].code, code))
			return titles[i].title;
	return "";
}

int nl_check_tell(struct nl_out *o, const struct nl_checked *c, const struct nl_finding *f, const struct nl_question *q, const char **rewrite,
                  struct nl_err *err)
{
	struct nl_witness w;
	const struct nl_expr *better = nl_rewrite(c->root, &f->edits, c->mem);
	*rewrite = better ? nl_expr_copy(better, c->mem) : NULL;
	if (!*rewrite)
		return nl_fail(err, "out of memory");
	if (nl_witness_of(c->all, &f->scene, &w, err) < 0)
		return -1;
	if (q->json)
		put_json(o, f, &w, *rewrite, q->policy);
	else
		put_finding(o, f, &w, *rewrite, q->policy, q->colour);
	return 0;
}

void nl_check_tell_mended(struct nl_out *o, const struct nl_expr *root, const struct nl_mended *m, const struct nl_question *q)
{
	char text[400];
	if (q->json) {
		nl_out_begin(o, NULL, '{');
		if (root->at.file)
			nl_out_str(o, "file", root->at.file);
		if (q->policy)
			nl_out_str(o, "policy", q->policy);
		nl_out_str(o, "mended", m->text);
		nl_out_begin(o, "left", '[');
		for (unsigned i = 0; i < m->left; i++)
			nl_out_str(o, NULL, m->code[i]);
		nl_out_end(o, ']');
		nl_out_end(o, '}');
		put(o, "\n");
		return;
	}
	snprintf(text, sizeof text, "%s%s: all of that mended:", q->policy ? "@" : "", q->policy ? q->policy : "expr");
	put(o, text);
	put(o, m->left ? " what is left is" : " nothing is left to find");
	for (unsigned i = 0; i < m->left; i++) {
		put(o, i ? ", " : " ");
		put(o, m->code[i]);
	}
	put(o, "\n    rewrite  ");
	put(o, m->text);
	put(o, "\n");
}
