/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk.h - descriptors of virtual processes: pipes, recordings, stdout.  Each
 * process has a desk; what lies on several is one thing.
 */
#ifndef SIM_DESK_H
#define SIM_DESK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SIM_FDS 32

enum sim_file { SIM_NOTHING, SIM_NULL, SIM_OUT, SIM_ERR, SIM_SPOOL, SIM_PIPE, SIM_SIGNALS };

/* One end of a thing; file 0: none. */
struct sim_end { unsigned char file; bool writes; };
struct sim_desk { struct sim_end fd[SIM_FDS]; };

void sim_desk_init(struct sim_desk *);          /* forgets all that there was; 0, 1 and 2 of the first process */
void sim_desk_copy(struct sim_desk *to, const struct sim_desk *from);   /* as a fork does */
void sim_desk_clear(struct sim_desk *);         /* as an exit does */

/* All as the system calls: -errno. */
int sim_desk_open(struct sim_desk *, enum sim_file);
int sim_desk_pipe(struct sim_desk *, int fd[2]);
int sim_desk_close(struct sim_desk *, int fd);
ssize_t sim_desk_read(struct sim_desk *, int fd, void *, size_t);
ssize_t sim_desk_write(struct sim_desk *, int fd, const void *, size_t);
ssize_t sim_desk_pread(struct sim_desk *, int fd, void *, size_t, off_t);
ssize_t sim_desk_pwrite(struct sim_desk *, int fd, const void *, size_t, off_t);
int sim_desk_cut(struct sim_desk *, int fd);
int sim_desk_queued(struct sim_desk *, int fd); /* bytes in a pipe */
enum sim_file sim_desk_kind(const struct sim_desk *, int fd);
short sim_desk_ready(const struct sim_desk *, int fd, short events, bool pending);      /* revents; pending: signals */

/* What a command holds of its wrapper's. */
struct sim_end sim_desk_lend(struct sim_desk *, int fd);
void sim_desk_say(struct sim_end, const char *text);
void sim_desk_drop(struct sim_end *);

/* What was written to the first process's stdout. */
const char *sim_desk_out(size_t *n);

/* Things that lie on some desk: 3 when all are closed but 0, 1 and 2. */
unsigned sim_desk_things(void);

#endif
