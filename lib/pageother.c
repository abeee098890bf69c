/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pageother.c - the health of a directory, and what has been done there.
 */
#include "page.h"

#include <stdio.h>
#include <string.h>

static void bytes(double n, char buf[32])
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	unsigned u = 0;
	while (n >= 1024 && u < 4)
		n /= 1024, u++;
	snprintf(buf, 32, n < 10 && u ? "%.1f %s" : "%.0f %s", n, units[u]);
}

void nl_page_health(struct nl_page *p, int obj)
{
	char path[300], from[40], owner[48], mode[8], fs[24], text[500], size[32], what[100], why[24], detail[300];
	int root = nl_page_at(p, obj, "root"), list_at = nl_page_at(p, obj, "troubles");
	snprintf(text, sizeof text, "%s (%s)", nl_page_str(p, root, "path", path, sizeof path), nl_page_str(p, root, "from", from, sizeof from));
	nl_page_row(p, "root", text);
	int exists = nl_page_at(p, root, "exists");
	if (exists < 0 || p->tok[exists].type != NL_JSON_TRUE) {
		nl_page_row(p, "", list_at >= 0 && p->tok[list_at].size ? "cannot be used" : "does not exist yet: the first policy makes it");
	} else {
		bytes(nl_page_number(p, root, "free_bytes", 0), size);
		snprintf(text, sizeof text, "%s, mode %s, %s, %s free", nl_page_str(p, root, "owner", owner, sizeof owner),
		         nl_page_str(p, root, "mode", mode, sizeof mode), nl_page_str(p, root, "fs", fs, sizeof fs), size);
		nl_page_row(p, "owner", text);
		snprintf(text, sizeof text, "%.0f", nl_page_number(p, obj, "records", 0));
		nl_page_row(p, "records", text);
		nl_page_str(p, obj, "rules", path, sizeof path);
		nl_page_row(p, "rules", path[0] ? path : "none: who may write the files may do all");
		bytes(nl_page_number(p, obj, "audit_bytes", 0), size);
		snprintf(text, sizeof text, "%s", size);
		nl_page_row(p, "audit", text);
	}
	for (unsigned k = (unsigned)list_at + 1; list_at >= 0 && k < p->tok[list_at].next; k = p->tok[k].next) {
		nl_page_str(p, (int)k, "what", what, sizeof what), nl_page_str(p, (int)k, "reason", why, sizeof why);
		snprintf(text, sizeof text, "%s: %s: %s", what, why, nl_page_str(p, (int)k, "detail", detail, sizeof detail));
		nl_page_row(p, "TROUBLE", text);
	}
	int healthy = nl_page_at(p, obj, "healthy");
	bool fine = healthy >= 0 && p->tok[healthy].type == NL_JSON_TRUE;
	nl_out_put(p->o, "%s%s%s\n", nl_page_paint(p, fine ? NL_MOOD_GOOD : NL_MOOD_BAD), fine ? "healthy" : "NOT healthy", nl_page_paint(p, NL_MOOD_PLAIN));
}

void nl_page_history(struct nl_page *p, int items)
{
	char at[32], by[24], user[48], cmd[40], target[100], phase[16], status[300], old[240], new[240], text[900];
	for (unsigned k = (unsigned)items + 1; k < p->tok[items].next; k = p->tok[k].next) {
		int v = (int)k;
		nl_page_str(p, v, "by", by, sizeof by), nl_page_str(p, v, "user", user, sizeof user), nl_page_str(p, v, "phase", phase, sizeof phase);
		nl_page_str(p, v, "status", status, sizeof status), nl_page_str(p, v, "old", old, sizeof old), nl_page_str(p, v, "new", new, sizeof new);
		int n = snprintf(text, sizeof text, "%s (%s) %s %s", user, by, nl_page_str(p, v, "cmd", cmd, sizeof cmd),
		                 nl_page_str(p, v, "target", target, sizeof target));
		if (new[0])
			n += snprintf(text + n, sizeof text - (size_t)n, " %s", new);
		if (old[0])
			n += snprintf(text + n, sizeof text - (size_t)n, " (was %s)", old);
		if (!strcmp(phase, "intent"))
			snprintf(text + n, sizeof text - (size_t)n, ": it is not known how it ended");
		else if (strcmp(status, "ok"))
			snprintf(text + n, sizeof text - (size_t)n, ": %s", status);
		nl_out_put(p->o, "%s  %s\n", nl_page_time(p, v, "time", NL_PAGE_SECONDS, at), text);
	}
}
