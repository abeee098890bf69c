/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.c - what the audit file says has been done: its last MiB, at most
 * 1000 lines of it.
 */
#include "audit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define TAIL (1 << 20)
#define LINES 1000

/* A line of the file: what an intent says again is left out. */
struct line { const char *text; size_t n; uint64_t id; bool intent, wanted; };

static uint64_t hash(const char *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	while (*s)
		h = (h ^ (unsigned char)*s++) * UINT64_C(0x100000001b3);
	return h;
}

static bool is_str(const char *text, const struct nl_json_tok *tok, const char *key, const char *want)
{
	char value[NL_NAME_MAX + 40];
	int at = nl_json_get(text, tok, 0, key);
	return at >= 0 && nl_json_string(text, &tok[at], value, sizeof value) >= 0 && !strcmp(value, want);
}

static bool read_line(struct line *l, const char *text, size_t n, const char *target)
{
	struct nl_json_tok tok[512];
	char id[66];
	int64_t pid = 0;
	/* What is before the last mark was left by somebody whose write was cut. */
	for (size_t i = n; i-- > 1; )
		if (text[i] == '{' && n - i > sizeof NL_AUDIT_MARK && !memcmp(text + i, NL_AUDIT_MARK, sizeof NL_AUDIT_MARK - 1)) {
			text += i, n -= i;
			break;
		}
	if (n > NL_AUDIT_LINE || nl_json_parse(text, n, tok, 512, NULL) <= 0)
		return false;
	int at = nl_json_get(text, tok, 0, "id");
	if (nl_json_get(text, tok, 0, "audit") < 0 || at < 0 || nl_json_string(text, &tok[at], id, sizeof id) < 0)
		return false;
	int who = nl_json_get(text, tok, 0, "pid");
	if (who < 0 || !nl_json_integer(text, &tok[who], &pid))
		return false;
	if (target[0] && !is_str(text, tok, "target", target))
		return false;
	*l = (struct line){ .text = text, .n = n, .id = hash(id) + (uint64_t)pid, .intent = is_str(text, tok, "phase", "intent"), .wanted = true };
	return true;
}

/* An intent that has its result behind it is told by that. */
static void pair(struct line *line, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = i + 1; line[i].intent && k < n && line[i].wanted; k++)
			if (!line[k].intent && line[k].id == line[i].id)
				line[i].wanted = false;
}

static void put_lines(struct nl_ctx *c, const char *text, size_t n)
{
	struct line *line = calloc(LINES, sizeof *line);
	unsigned count = 0;
	const char *end = text + n;
	while (line && end > text) {                    // The newest first, until there is no room.
		const char *start = end;
		while (start > text && start[-1] != '\n')
			start--;
		struct line l;
		if (count < LINES && read_line(&l, start, (size_t)(end - start), c->target))
			line[LINES - ++count] = l;
		end = start - (start > text);
		if (start == text)
			break;
	}
	if (line) {
		pair(line + LINES - count, count);
		for (unsigned i = LINES - count; i < LINES; i++)
			if (line[i].wanted)
				nl_out_raw(&c->reply, NULL, line[i].text, line[i].n);
	}
	free(line);
}

static void read_tail(struct nl_ctx *c, int fd)
{
	const struct nl_os *os = c->run->os;
	char *text = malloc(TAIL);
	long size = os->syscall(SYS_lseek, fd, 0, SEEK_END, 0, 0, 0);
	off_t from = size > TAIL ? size - TAIL : 0;
	size_t n = 0;
	ssize_t r = 1;
	while (text && r > 0 && n < TAIL) {
		r = os->pread(fd, text + n, TAIL - n, from + (off_t)n);
		n += r > 0 ? (size_t)r : 0;
	}
	if (!text || r < 0)
		nl_refuse(c, NL_STATE_UNAVAILABLE, NL_AUDIT_FILE, NL_AUDIT_FILE ": %s", strerror(text ? (int)-r : ENOMEM));
	else
		put_lines(c, text, n);
	free(text);
}

static void history_call(struct nl_ctx *c)
{
	struct nl_err err;
	enum nl_trouble trouble;
	bool group;
	int root = nl_state_root(c->run, c->svc->state, NL_EXISTING, NULL, &group, &trouble, &err);
	int fd = root < 0 ? -ENOENT : nl_audit_open(c->run, root, group, NL_AUDIT_READ, &err);
	nl_out_begin(nl_reply(c, "list"), "items", '[');
	if (fd >= 0)
		read_tail(c, fd);
	else if (fd != -ENOENT)
		nl_refuse(c, fd == -EACCES ? NL_DENIED : NL_STATE_UNAVAILABLE, NL_AUDIT_FILE, "%.200s: %s", c->root, err.msg);
	if (!c->failure)
		nl_out_end(&c->reply, ']');
	if (fd >= 0)
		c->run->os->close(fd);
	if (root >= 0)
		c->run->os->close(root);
}

static const struct nl_arg history_args[] = { { "policy", NL_JSON_STRING, false }, { .name = NULL } };

const struct nl_command nl_cmd_history = {
	.name = "history", .usage = "[POLICY]", .about = "what has been done, by whom and when", .args = history_args,
	.missing_ok = true, .handler = history_call,
};
