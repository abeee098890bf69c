/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.h - internal: one command, from spawn to reaped, with everything that
 * it leaves behind when it is stopped.
 */
#ifndef NL_CHILD_H
#define NL_CHILD_H

#include "io.h"
#include "os.h"

/*
 * Starts spec and waits for it under q's limits, moving pump's streams
 * meanwhile (pump may be NULL).  spec->error tells a failed exec.
 *
 * The outcome's why: NL_RAN; NL_DEADLINE with run->fired and run->killed; NL_CANCELLED or
 * NL_DEADLINE when we were told to stop; NL_NOTRUN when there is no command.
 * In every case the command is reaped (or, after EPERM, given up) on return;
 * when it was stopped, so are its descendants as q.stop.kill says.
 */
struct nl_outcome nl_child(struct nl_run *, const struct nl_req *q, struct nl_spawn *spec, struct nl_pump *pump);

/* Reaps pid, a child of ours, if it is over; LOST: nobody can say with what status. */
enum nl_reaped { NL_REAP_NOT, NL_REAP_DONE, NL_REAP_LOST };
enum nl_reaped nl_reap(const struct nl_os *, pid_t pid, int *ws);

#endif
