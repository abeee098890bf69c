/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kin.h - internal: whose is a process, where we are guests?
 */
#ifndef NL_KIN_H
#define NL_KIN_H

#include "guest.h"

/* Is it a child of ours, of their groups, or does it carry the mark of a
 * command that runs?  One that is just dying is waited for, 20 ms at most. */
bool nl_kin_is_ours(const struct nl_guest *, pid_t);

/* Before sig is sent to pid: whom we end is noted, to be collected. */
void nl_kin_note(struct nl_guest *, pid_t, int sig);

#endif
