/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export.h - internal: what is known, and events, for the tools of others.
 */
#ifndef NL_EXPORT_H
#define NL_EXPORT_H

#include "json.h"
#include "observe/query.h"

/* The system as Prometheus reads it.  0; -1 with err. */
int nl_prom_put(struct nl_ask *, struct nl_out *, struct nl_err *);

/* The same as a line of OTLP/JSON. */
int nl_otlp_metrics_put(struct nl_ask *, struct nl_out *, struct nl_err *);

/* Lets Prometheus scrape it while lines are read: at unix:PATH or HOST:PORT of the loopback.  NULL with err. */
struct nl_scrape;
struct nl_scrape *nl_scrape_open(struct nl_ask *, struct nl_intake *, const char *at, struct nl_err *);
void nl_scrape_close(struct nl_scrape *);       /* NULL is fine */

/* An event as one line in another form; nothing of it is lost. */
typedef void nl_export_line(struct nl_out *, const struct nl_fact *);
nl_export_line nl_otlp_line, nl_cloudevents_line, nl_ecs_line;

/* An event's members: for (k = 1; k < doc.tok->next; k = doc.tok[k + 1].next), a key and behind it its value. */
struct nl_members { const char *s; struct nl_json_tok tok[NL_FACT_MAX / 2 + 1]; };
void nl_members_read(struct nl_members *, const struct nl_fact *);
/* Which of these it is; -1: none. */
int nl_member_in(const struct nl_members *, unsigned key, const char *const *names, unsigned n);
/* A text without its quotes, as it is written; a control that would reach a terminal gets its escape. */
void nl_member_text(struct nl_out *, const struct nl_members *, unsigned text);
void nl_member_put(struct nl_out *, const char *as, const struct nl_members *, unsigned value);        /* "as":value */
void nl_member_keep(struct nl_out *, const struct nl_members *, unsigned key);                          /* "key":value */

/* Puts text into the place of a file, in one step.  0; -1 with err. */
int nl_replace_file(struct nl_run *, const char *path, const char *text, size_t n, struct nl_err *);

#endif
