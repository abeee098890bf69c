/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.c - see tree.h.  A walk is not atomic: what must reach everybody is
 * repeated, behind a SIGSTOP, because a stopped process forks no more.
 */
#include "tree.h"

#include "run.h"

unsigned nl_tree_list(struct nl_tree *t, bool shallow, struct nl_proc list[NL_TREE_MAX])
{
	unsigned k = 0;
	int n = -1;
	if (t->blind || t->root != t->os->pid())
		return 0;                       // Below anybody else, 0 above all, is what is not ours.
	for (int i = 0; i < 3 && n < 0; i++)
		n = nl_proc_tree(t->os, t->root, t->skip, t->skips, shallow, list, NL_TREE_MAX);
	t->blind = n < 0;
	for (int i = 0; i < n; i++) {
		if ((t->group && list[i].pgrp != t->group) || list[i].pid <= 1 || list[i].pid == t->root)
			continue;
		list[k++] = list[i];
	}
	return k;
}

NL_COLD bool nl_tree_kill_watched(struct nl_tree *t)
{
	struct nl_proc list[NL_TREE_MAX];
	unsigned n = nl_tree_list(t, false, list);
	bool watched = false;
	for (unsigned i = 0; i < n; i++)
		watched |= nl_proc_is_nl(&list[i]);
	for (unsigned i = 0; i < n && watched; i++)
		if (!nl_proc_is_nl(&list[i]))
			t->os->kill(list[i].pid, SIGKILL);
	return watched;
}

NL_COLD void nl_tree_kill(struct nl_tree *t)
{
	struct nl_proc list[NL_TREE_MAX];
	for (unsigned pass = 0, last = 0; pass < 20; pass++) {
		unsigned n = nl_tree_list(t, false, list);
		for (unsigned i = 0; i < n; i++)
			t->os->kill(list[i].pid, pass == 0 ? SIGSTOP : SIGKILL);
		if (pass > 0 && n <= last && n < NL_TREE_MAX)
			break;
		last = n;
	}
}
