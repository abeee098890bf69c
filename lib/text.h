/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.h - internal: text into a buffer of fixed size, no heap.  What can grow
 * is jsonout.h's.
 */
#ifndef NL_TEXT_H
#define NL_TEXT_H

#include <stddef.h>

/* n goes on counting behind the buffer's end. */
struct nl_text { char *buf; size_t size, n; };

void nl_text_bytes(struct nl_text *, const char *, size_t);
void nl_text_put(struct nl_text *, const char *);
void nl_text_pad(struct nl_text *, size_t n);   /* so many blanks */

/* Terminates it; text that is cut ends before the character that did not fit.
 * The length that it wanted. */
size_t nl_text_end(struct nl_text *);

#endif
