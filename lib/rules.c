/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules.c - authorisation: a link of the chain that asks a file.
 *
 * Who may write the files of state can do without us, so this is a guard rail.
 * It fails closed: rules that cannot be read allow nothing (but `health`, which
 * says so).
 */
#include "rules.h"

#include "mut.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <grp.h>
#include <linux/stat.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define ROLES 64
#define WORDS 64
#define ETC "/etc/ninelives"

struct rules {
	struct { const char *name; const char *word[WORDS]; unsigned n; } role[ROLES];
	unsigned roles;
	const struct nl_identity *who;
	const char *command, *target;
	unsigned line;
	bool allowed;
};

static bool is_member(const struct nl_identity *who, const char *name)
{
	const struct group *g = getgrnam(name);
	for (unsigned i = 0; g && i < who->groups; i++)
		if (who->gids[i] == g->gr_gid)
			return true;
	return false;
}

/* 1 it is us, 0 not, -1 no WHO. */
static int is_us(const struct nl_identity *who, const char *text)
{
	const struct passwd *pw;
	char *end;
	if (!strcmp(text, "*"))
		return 1;
	if (!strncmp(text, "group:", 6) && text[6])
		return is_member(who, text + 6);
	if (!strncmp(text, "user:", 5) && text[5])
		return (pw = getpwnam(text + 5)) && pw->pw_uid == who->uid;
	if (strncmp(text, "uid:", 4) || text[4] < '0' || text[4] > '9')
		return -1;
	errno = 0;
	unsigned long uid = strtoul(text + 4, &end, 10);
	return *end || errno ? -1 : uid == who->uid;
}

/* Is the command among them?  word: a command, a role or *. */
static bool covers(const struct rules *r, const char *word)
{
	if (!strcmp(word, "*") || !strcmp(word, r->command))
		return true;
	for (unsigned i = 0; i < r->roles; i++)
		for (unsigned k = 0; !strcmp(r->role[i].name, word) && k < r->role[i].n; k++)
			if (!strcmp(r->role[i].word[k], "*") || !strcmp(r->role[i].word[k], r->command))
				return true;
	return false;
}

static unsigned split(char *line, const char *by, const char **word, unsigned max)
{
	unsigned n = 0;
	for (char *rest = NULL, *w = strtok_r(line, by, &rest); w; w = strtok_r(NULL, by, &rest)) {
		if (n == max)
			return max + 1;
		word[n++] = w;
	}
	return n;
}

static int role_line(struct rules *r, const char **word, unsigned n, struct nl_err *err)
{
	if (n < 3)
		return nl_fail(err, "line %u: role NAME COMMAND...", r->line);
	for (unsigned i = 0; nl_commands[i]; i++)
		if (!strcmp(nl_commands[i]->name, word[1]))
			return nl_fail(err, "line %u: role %.40s: is the name of a command", r->line, word[1]);
	if (r->roles == ROLES)
		return nl_fail(err, "line %u: more than %d roles", r->line, ROLES);
	r->role[r->roles].name = word[1];
	for (unsigned i = 2; i < n; i++)
		r->role[r->roles].word[r->role[r->roles].n++] = word[i];
	r->roles++;
	return 0;
}

static int allow_line(struct rules *r, const char **word, unsigned n, struct nl_err *err)
{
	const char *list[WORDS];
	if (n != 4)
		return nl_fail(err, "line %u: allow WHO COMMAND[,COMMAND]... POLICY-PATTERN", r->line);
	int us = is_us(r->who, word[1]);
	if (us < 0)
		return nl_fail(err, "line %u: '%.60s': not user:NAME, uid:N, group:NAME or *", r->line, word[1]);
	unsigned k = split((char *)word[2], ",", list, WORDS);
	if (k == 0 || k > WORDS)
		return nl_fail(err, "line %u: no list of commands", r->line);
	bool fits = r->target[0] ? fnmatch(word[3], r->target, FNM_NOESCAPE) == 0 : !strcmp(word[3], "*");
	for (unsigned i = 0; us && fits && i < k; i++)
		r->allowed |= covers(r, list[i]);
	return 0;
}

static int read_line(struct rules *r, char *line, struct nl_err *err)
{
	const char *word[WORDS];
	line[strcspn(line, "#")] = '\0';
	unsigned n = split(line, " \t\r", word, WORDS);
	if (n == 0)
		return 0;
	if (n > WORDS)
		return nl_fail(err, "line %u: more than %d words", r->line, WORDS);
	if (!strcmp(word[0], "role"))
		return role_line(r, word, n, err);
	if (!strcmp(word[0], "allow"))
		return allow_line(r, word, n, err);
	return nl_fail(err, "line %u: '%.40s': neither role nor allow", r->line, word[0]);
}

/* All lines are read, also behind one that allows: an error is one at any time. */
int nl_rules_ask(char *text, const struct nl_identity *who, const char *command, const char *target, struct nl_err *err)
{
	struct rules *r = calloc(1, sizeof *r);
	int e = 0;
	if (!r)
		return nl_fail(err, "out of memory");
	r->who = who, r->command = command, r->target = target;
	for (char *line = text, *next; e == 0 && line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		r->line++;
		e = read_line(r, line, err);
	}
	int allowed = r->allowed;
	free(r);
	return e < 0 ? e : allowed;
}

int nl_open_trusted(struct nl_run *run, int dir, const char *name, int flags, struct nl_err *err)
{
	const struct nl_os *os = run->os;
	struct statx st = { .stx_mask = 0 }, up = { .stx_mask = 0 };
	int fd = (int)os->syscall(SYS_openat, dir, (long)name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0, 0, 0);
	if (fd < 0)
		return fd == -ELOOP ? nl_fail(err, "%s: is a symbolic link", name), -EPERM : fd;
	unsigned euid = (unsigned)os->syscall(SYS_geteuid, 0, 0, 0, 0, 0, 0);
	long r = os->syscall(SYS_statx, fd, (long)"", AT_EMPTY_PATH, STATX_BASIC_STATS, (long)&st, 0);
	if (r == 0)
		r = os->syscall(SYS_statx, dir, (long)"", AT_EMPTY_PATH, STATX_BASIC_STATS, (long)&up, 0);
	if (r == 0) {
		bool dir_wanted = flags & O_DIRECTORY, is_dir = (st.stx_mode & 0170000) == 0040000;
		if (dir_wanted != is_dir || (!is_dir && (st.stx_mode & 0170000) != 0100000))
			nl_fail(err, "%s: is no regular file", name), r = -EPERM;
		else if (st.stx_uid != 0 && st.stx_uid != euid && st.stx_uid != up.stx_uid)
			nl_fail(err, "%s: belongs to uid %u", name, st.stx_uid), r = -EPERM;
		else if (st.stx_mode & 022)
			nl_fail(err, "%s: mode %04o lets others write", name, st.stx_mode & 07777u), r = -EPERM;
	}
	if (r == 0)
		return fd;
	os->close(fd);
	return (int)r;
}

static char *read_all(struct nl_run *run, int fd, const char *name, struct nl_err *err)
{
	char *text = malloc(NL_RULES_MAX + 1);
	size_t n = 0;
	long r = text ? 1 : -ENOMEM;
	while (r > 0 && n <= NL_RULES_MAX) {
		r = run->os->read(fd, text + n, NL_RULES_MAX + 1 - n);
		n += r > 0 ? (size_t)r : 0;
	}
	if (r == 0 && n <= NL_RULES_MAX && !memchr(text, '\0', n)) {
		text[n] = '\0';
		return text;
	}
	free(text);
	nl_fail(err, "%s: %s", name, r < 0 ? strerror((int)-r) : "not a text of at most 64 KiB");
	return NULL;
}

/* Is /etc's for this directory?  A private one of somebody else has its own rules. */
static bool is_systems(struct nl_run *run, int root)
{
	struct statx st;
	return run->os->syscall(SYS_statx, root, (long)"", AT_EMPTY_PATH, STATX_UID, (long)&st, 0) == 0 && st.stx_uid == 0;
}

char *nl_rules_load(struct nl_run *run, int root, const char *root_path, char path[PATH_MAX], struct nl_err *err)
{
	char *text = NULL;
	snprintf(path, PATH_MAX, "%.4000s/rules", root_path);
	int fd = nl_open_trusted(run, root, "rules", O_RDONLY, err);
	if (fd == -ENOENT && is_systems(run, root)) {
		snprintf(path, PATH_MAX, "%s/rules", ETC);
		int etc = run->os->open(ETC, O_RDONLY | O_DIRECTORY, 0);
		fd = etc < 0 ? etc : nl_open_trusted(run, etc, "rules", O_RDONLY, err);
		if (etc >= 0)
			run->os->close(etc);
	}
	if (fd == -ENOENT) {
		path[0] = '\0';
		return NULL;
	}
	if (fd < 0) {
		struct nl_err why = *err;
		nl_fail(err, "%.100s: %s", path, fd == -EPERM ? why.msg : strerror(-fd));
		return NULL;
	}
	text = read_all(run, fd, path, err);
	run->os->close(fd);
	return text;
}

void nl_authorise(struct nl_control *self, struct nl_ctx *c)
{
	struct nl_err err = { "" };
	enum nl_trouble trouble;
	char path[PATH_MAX], own[PATH_MAX];
	bool group;
	int allowed = 1;
	int root = nl_state_root(c->run, c->svc->state, NL_EXISTING, own, &group, &trouble, &err);
	if (root >= 0) {
		char *text = nl_rules_load(c->run, root, own, path, &err);
		if (text)
			allowed = nl_rules_ask(text, &c->identity, c->name, c->target, &err);
		else
			allowed = path[0] ? -1 : 1;     // No rules: what the files allow.
		if (allowed < 0 && text) {
			struct nl_err why = err;
			nl_fail(&err, "%.100s: %.120s", path, why.msg);
		}
		free(text);
		c->run->os->close(root);
	}
	if (allowed < 0 && c->command != &nl_cmd_health)
		nl_refuse(c, NL_STATE_UNAVAILABLE, "rules", "rules cannot be used, so nothing is allowed: %s", err.msg);
	else if (allowed == 0 && !(MUTANT(ANYBODY_OBSERVES) && c->command == &nl_cmd_observe))
		nl_refuse(c, NL_DENIED, c->target, "denied: %s does not allow %s (%s) to %s%s%s", path, c->identity.by, c->identity.user,
		          c->name, c->target[0] ? " " : "", c->target);
	else
		self->inner->call(self->inner, c);
}
