/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statefile.h - internal to state.c and statefile.c: the files behind a record.
 * Functions return 0, or -1 with the trouble noted in the state.
 */
#ifndef NL_STATEFILE_H
#define NL_STATEFILE_H

#include "state.h"

/* "KIND/NAME: what: why" is met and will be told; trouble and failed return -1. */
void nl_state_note(struct nl_state *, enum nl_trouble, const char *what, const char *why);
int nl_state_trouble(struct nl_state *, enum nl_trouble, const char *what, const char *why);
int nl_file_failed(struct nl_state *, const char *what, long r);        /* r: -errno */

/* "NAME" for "", else ".NAME.what": in the directory of the kind. */
#define NL_FILE_NAME (NL_NAME_MAX + 24)
const char *nl_file_name(const struct nl_state *, const char *what, char buf[NL_FILE_NAME]);
void nl_file_close(const struct nl_state *, int *fd);

int nl_file_dir(struct nl_state *, int root, enum nl_make);     /* opens the directory of the kind */
int nl_file_record(struct nl_state *);          /* opens the record; -ENOENT: there is none */
int nl_file_lock(struct nl_state *, bool *made);        /* opens the lock file, or makes it */
bool nl_file_is_still(const struct nl_state *, const char *name, uint64_t ino); /* the name leads to that file */

/* Under the guard. */
int nl_file_make(struct nl_state *, struct nl_record *);        /* gives the record its sum and its name */
void nl_file_quarantine(struct nl_state *);

#endif
