/* SPDX-License-Identifier: Apache-2.0 */
/*
 * render.c - results as text for people who have just been woken: 80 columns,
 * the reason first, times of their own zone.
 */
#include "render.h"

#include "observe/serve.h"
#include "page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TOKENS 65536

/* Cuts to so many columns, the last of which then says so. */
static void cut(char *text, size_t size, size_t most)
{
	char *last = text;
	size_t col = 0;
	if (nl_page_columns(text) <= most)
		return;
	for (char *s = text; col < most; s++)
		if (((unsigned char)*s & 0xc0) != 0x80)
			col++, last = s;
	snprintf(last, size - (size_t)(last - text), "\xe2\x80\xa6");
}

static void policy_line(struct nl_page *p, int obj, size_t pad, size_t before)
{
	char policy[NL_NAME_MAX + 20], text[700], state[32];
	nl_page_str(p, obj, "policy", policy, sizeof policy);
	nl_page_summary(p, obj, text, sizeof text, state, sizeof state);
	size_t left = NL_PAGE_WIDTH - before - (strlen(policy) > pad ? strlen(policy) : pad) - 2;
	cut(text, sizeof text, left > 20 && left < NL_PAGE_WIDTH ? left : 20);
	size_t head = strcspn(text, ",: ");
	bool coloured = state[0] && text[0] >= 'A' && text[0] <= 'Z';
	if (coloured && !strncmp(text, "FORCED ", 7))
		head = 7 + strcspn(text + 7, ",: ");
	nl_out_put(p->o, "%-*s  %s%.*s%s%s\n", (int)pad, policy, coloured ? nl_page_paint(p, nl_page_mood(state)) : "", (int)head, text,
	    coloured ? nl_page_paint(p, NL_MOOD_PLAIN) : "", text + head);
}

static void list(struct nl_page *p, int items)
{
	char policy[NL_NAME_MAX + 20];
	size_t pad = 12;
	for (unsigned k = (unsigned)items + 1; k < p->tok[items].next; k = p->tok[k].next) {
		if (p->tok[k].type == NL_JSON_STRING)
			continue;
		size_t n = strlen(nl_page_str(p, (int)k, "policy", policy, sizeof policy));
		pad = n > pad && n <= 32 ? n : pad;
	}
	for (unsigned k = (unsigned)items + 1; k < p->tok[items].next; k = p->tok[k].next) {
		if (p->tok[k].type == NL_JSON_OBJECT)
			policy_line(p, (int)k, pad, 0);
		else if (nl_json_string(p->text, &p->tok[k], policy, sizeof policy) > 0)
			nl_out_put(p->o, "%s\n", policy);
	}
}

static void plain(struct nl_page *p, int at)
{
	char text[1000];
	if (p->tok[at].type == NL_JSON_STRING && nl_json_string(p->text, &p->tok[at], text, sizeof text) >= 0)
		nl_defuse(text), nl_out_put(p->o, "%s\n", text);
	else
		nl_out_bytes(p->o, p->text + p->tok[at].start, p->tok[at].end - p->tok[at].start), nl_out_bytes(p->o, "\n", 1);
}

static void observed(struct nl_page *p, int value)
{
	int at = nl_page_at(p, value, "text");
	if (at >= 0)
		nl_serve_text(p->o, p->text, &p->tok[at]);
}

static void result(struct nl_page *p, const char *command)
{
	char kind[16], value[100];
	nl_page_str(p, 0, "result", kind, sizeof kind);
	int at = nl_page_at(p, 0, !strcmp(kind, "list") ? "items" : "value");
	if (at < 0)
		return;
	if (!strcmp(command, "show"))
		nl_page_show(p, at);
	else if (!strcmp(command, "list"))
		list(p, at);
	else if (!strcmp(command, "health"))
		nl_page_health(p, at);
	else if (!strcmp(command, "history"))
		nl_page_history(p, at);
	else if (!strcmp(command, "observe"))
		observed(p, at);
	else if (!strcmp(command, "get"))
		nl_out_put(p->o, "%s\n", nl_page_str(p, at, "value", value, sizeof value));
	else if (!strcmp(kind, "list"))
		for (unsigned k = (unsigned)at + 1; k < p->tok[at].next; k = p->tok[k].next)
			plain(p, (int)k);
	else
		plain(p, at);
}

static int parse(struct nl_page *p, size_t n)
{
	for (unsigned max = TOKENS; max <= 64 * TOKENS; max *= 8) {
		p->tok = malloc(max * sizeof *p->tok);
		int r = p->tok ? nl_json_parse(p->text, n, p->tok, max, NULL) : -1;
		if (r > 0)
			return r;
		free(p->tok);
		p->tok = NULL;
		if (r != -2)
			break;
	}
	return -1;
}

void nl_render(struct nl_out *o, const struct nl_paper *paper, const char *command, const char *text, size_t n)
{
	struct nl_page p = { .indent = NL_PAGE_INDENT, .o = o, .paper = paper, .text = text };
	if (parse(&p, n) > 0)
		result(&p, command);
	else
		nl_out_bytes(o, text, n), nl_out_bytes(o, "\n", 1);
	free(p.tok);
}

void nl_render_change(struct nl_out *o, const struct nl_paper *paper, const char *json, size_t n)
{
	struct nl_page p = { .indent = NL_PAGE_INDENT, .o = o, .paper = paper, .text = json };
	struct tm tm;
	time_t now = (time_t)(paper->now / NL_SEC);
	if (parse(&p, n) > 0) {
		localtime_r(&now, &tm);
		nl_out_put(p.o, "%02d:%02d:%02d  ", tm.tm_hour, tm.tm_min, tm.tm_sec);
		policy_line(&p, 0, 12, 10);
	}
	free(p.tok);
}
