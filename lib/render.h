/* SPDX-License-Identifier: Apache-2.0 */
/*
 * render.h - internal: results as text, for people.
 */
#ifndef NL_RENDER_H
#define NL_RENDER_H

#include "jsonout.h"

/* What the text is for. */
struct nl_paper { bool colour; nl_time now; };  /* now: CLOCK_REALTIME */

/* The text of a command's result, or nothing: it only has to have been done. */
void nl_render(struct nl_out *, const struct nl_paper *, const char *command, const char *text, size_t n);

/* A policy of `list` on one line, behind the time it is now. */
void nl_render_change(struct nl_out *, const struct nl_paper *, const char *json, size_t n);

#endif
