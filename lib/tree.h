/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.h - internal: the processes that a stop reaches.
 *
 * Of our descendants those that are not somebody else's: children that we had
 * before, and other branches of ours, are skipped with all that is below them.
 */
#ifndef NL_TREE_H
#define NL_TREE_H

#include "os.h"
#include "proc.h"

#define NL_TREE_MAX 128                 /* processes looked at in one pass: small, for small stacks */

struct nl_tree {
	const struct nl_os *os;
	pid_t root;                     /* us */
	const pid_t *skip;
	unsigned skips;
	pid_t group;                    /* only members of this process group; 0: all */
	bool blind;                     /* /proc is not there, or shows another pid namespace */
};

/* Those that are not over yet, parents first; a zombie is in no list.  shallow:
 * not below another supervisor of ours. */
unsigned nl_tree_list(struct nl_tree *, bool shallow, struct nl_proc list[NL_TREE_MAX]);

/* KILL to all but supervisors of ours, if there are any: those end by themselves
 * once what they watch has ended, and still tell of it.  False: there is none. */
bool nl_tree_kill_watched(struct nl_tree *);

/* KILL to all, until a pass finds nobody new. */
void nl_tree_kill(struct nl_tree *);

#endif
