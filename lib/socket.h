/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket.h - internal: unix sockets that we make in the file system.
 *
 * The file is there as long as the socket is.  One that a dead process left is
 * replaced; anything else that has the name, a socket in use too, is left alone.
 */
#ifndef NL_SOCKET_H
#define NL_SOCKET_H

#include "nl.h"

struct nl_socket { int fd; const char *path; uint64_t dev, ino; };
#define NL_SOCKET_NONE { .fd = -1 }

/* Makes and binds it, mode 0660 less the umask; a stream listens.  Non-blocking.  type:
 * SOCK_DGRAM or SOCK_STREAM.  path is kept, not copied.  0, -1 with err. */
int nl_socket_make(struct nl_run *, struct nl_socket *, const char *path, int type, struct nl_err *);

/* Closes it and removes its file, if that is still ours. */
void nl_socket_drop(struct nl_run *, struct nl_socket *);

#endif
