/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - strict JSON (RFC 8259) over jsmn, which tokenizes and does not
 * validate.  Accepts exactly what JSON.parse accepts, on UTF-8 input; invalid
 * UTF-8 is an error.  No allocation: the caller lends the tokens.
 */
#ifndef NL_JSON_H
#define NL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum nl_json_type { NL_JSON_NULL, NL_JSON_FALSE, NL_JSON_TRUE, NL_JSON_NUMBER, NL_JSON_STRING, NL_JSON_ARRAY, NL_JSON_OBJECT };

/* One value.  Its text is [start, end) of the document; a string's is without
 * its quotes and still escaped.  size: members of an object, elements of an
 * array.  next: index of the token behind this value and all inside it. */
struct nl_json_tok { enum nl_json_type type; unsigned start, end, size, next; };

/* Returns the number of tokens written; negative: -1 not JSON, -2 more than
 * max tokens, -3 nested deeper than 512.  *at (may be NULL) receives the
 * offset of the first fault.  In an object, keys and values alternate. */
int nl_json_parse(const char *text, size_t n, struct nl_json_tok *tok, unsigned max, size_t *at);

/* The value of a member of object tok[obj], or -1.  Keys are compared after
 * unescaping.  Duplicate keys: the last one, as JSON.parse. */
int nl_json_get(const char *text, const struct nl_json_tok *tok, int obj, const char *key);

/* Unescapes a string into buf as UTF-8 with a NUL; returns its length, or -1
 * when it does not fit or is not a string.  A lone surrogate becomes U+FFFD. */
int nl_json_string(const char *text, const struct nl_json_tok *, char *buf, size_t size);
bool nl_json_number(const char *text, const struct nl_json_tok *, double *out);
bool nl_json_integer(const char *text, const struct nl_json_tok *, int64_t *out);   /* no fraction, no exponent, fits */

#endif
