/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opt.h - one table of options per tool, and its readers: argv, --help,
 * --complete, events (cfg), tests; expressions and live keys later.  The long
 * name is the key everywhere.
 */
#ifndef NL_OPT_H
#define NL_OPT_H

#include "backoff.h"
#include "nl.h"
#include "parse.h"

struct nl_sig { int n; bool set; };

/* A span whose default is not zero: given tells "--x 0" from absence. */
struct nl_span { nl_time ns; bool given; };
struct nl_num { unsigned n; bool given; };      /* 0 is inf */
struct nl_seed { uint64_t n; bool given; };
struct nl_real { double x; bool given; };       /* finite, >= 0 */
struct nl_pct { unsigned ppm; bool given; };    /* 50, 12.5 or 50%: above 0, at most 100 */
struct nl_exit { unsigned char n; bool given; };        /* an exit status, 0..255 */
/* A window of so many calls (20) or of a time (30s): one of both is not 0. */
struct nl_window { unsigned calls; nl_time span; bool given; };
/* A span, or the quantile of measured ones that p95 names. */
struct nl_delay { nl_time ns; unsigned ppm; bool given; };
#define NL_WINDOW_MOST 1000             /* calls */
#define NL_WINDOW_LONGEST (24 * 3600 * NL_SEC)
/* One word of a list, for --stdin, --kill and the like. */
struct nl_word { unsigned char index; bool given; };
/* Texts of an option that may be given several times, in their order. */
#define NL_LIST_MOST 16
struct nl_list { const char *text[NL_LIST_MOST]; unsigned n; };

/* NL_NAME is a string that nl_parse_name accepts; NL_PICK, without a value, makes
 * its nl_word the option's pick; NL_ACTION has no field, its
 * offset is the enum nl_opt_result that it makes nl_opt_parse return. */
enum nl_opt_type {
	NL_FLAG, NL_NUM, NL_SPAN, NL_SEED, NL_STR, NL_SIGNAL, NL_CODES, NL_BACKOFF, NL_JITTER, NL_WORD,
	NL_REAL, NL_PCT, NL_EXITCODE, NL_WINDOW, NL_DELAY, NL_LIST, NL_NAME, NL_PICK, NL_ACTION,
};

struct nl_opt {
	char letter;                    /* 0: long only */
	const char *name;               /* long name; NULL ends the table */
	enum nl_opt_type type;
	size_t offset;                  /* of the field in the instance */
	const char *arg;                /* argument word in help; for NL_WORD the choices, a|b|c; NULL: none */
	const char *help;               /* one line, no full stop; NULL: hidden */
	const char *def;                /* default in words, NULL: none */
	bool secret;                    /* may hold user text: never in events */
	unsigned char pick;             /* of NL_PICK */
};

/* The field's C type selects the parser; another type does not compile. */
#define NL_OPT(letter, name, T, member, arg, help, def) { letter, name, \
	_Generic(((T *)0)->member, bool: NL_FLAG, struct nl_num: NL_NUM, struct nl_span: NL_SPAN, struct nl_seed: NL_SEED, \
	const char *: NL_STR, struct nl_sig: NL_SIGNAL, struct nl_codes: NL_CODES, struct nl_backoff: NL_BACKOFF, \
	enum nl_jitter: NL_JITTER, struct nl_word: NL_WORD, struct nl_real: NL_REAL, struct nl_pct: NL_PCT, \
	struct nl_exit: NL_EXITCODE, struct nl_window: NL_WINDOW, struct nl_delay: NL_DELAY, struct nl_list: NL_LIST), offsetof(T, member), arg, help, def, \
	_Generic(((T *)0)->member, const char *: true, struct nl_list: true, default: false), 0 }

/* Options of every tool, kept in struct nl_svc. */
extern const struct nl_opt nl_opt_common[];

/* May a named policy's option be changed while processes run?  Those that are
 * numbers: counts, spans, percents, factors, back-off and jitter. */
bool nl_opt_is_live(const struct nl_opt *);

/* Walks a tool's own options, then the common ones: NULL starts, NULL ends. */
const struct nl_opt *nl_opt_next(const struct nl_layer *, const struct nl_opt *);

enum nl_opt_result { NL_OPT_OK, NL_OPT_HELP, NL_OPT_VERSION, NL_OPT_COMPLETE, NL_OPT_ERROR };

/* Has the tool that the layer stands in for this option too?  (Of --help and
 * --version it has the long names.) */
bool nl_opt_is_gnu(const struct nl_layer *, const struct nl_opt *);

/* Takes the options off *argv into the instance.  Stops at the first operand
 * and behind "--".  gnu: for tools called as timeout; durations by GNU's
 * grammar alone, errors in GNU's words, of the common options only --help and
 * --version. */
enum nl_opt_result nl_opt_parse(struct nl_svc *, char ***argv, bool gnu, struct nl_err *);
/* Operands and options in any order, options up to a "--" (also one just before *argv):
 * all of *argv is taken, and its operands are the first `words` of it.  about: the first
 * that was no NL_OPT_OK, --help and the like.  0, -1 with err. */
int nl_opt_words(struct nl_svc *, char ***argv, unsigned *words, enum nl_opt_result *about, struct nl_err *);

/* Sets one option by its long name: the reader for expressions and live keys.
 * A flag takes NULL, "true" or "false".  On an error nothing has changed. */
int nl_opt_set(struct nl_svc *, const char *key, const char *value, struct nl_err *);

/* The field of an option in an instance, by its long name; NULL: none such, or
 * one of another type.  Defaults that init fills in are there, others are not. */
const void *nl_opt_field(const struct nl_svc *, const char *key, enum nl_opt_type);

/* Has the option been set?  Of back-off and jitter: to what is not the default. */
bool nl_opt_given(const struct nl_svc *, const struct nl_opt *);

/* Text into buf, always terminated; returns the length that it wanted. */
size_t nl_opt_value(const struct nl_svc *, const struct nl_opt *, char *buf, size_t size);      /* as its parser reads it */
size_t nl_opt_help(const struct nl_layer *, const char *tool, bool gnu, char *buf, size_t size);
size_t nl_opt_complete(const struct nl_layer *, char *buf, size_t size);  /* -x<TAB>ARG<TAB>help, --name[=]<TAB>ARG<TAB>help */
/* What --help, --version and --complete print. */
/* For nl_layer's more: adds an item behind the n bytes that are there, in a list of --help (with a heading
 * before the first) or of --complete; the new n. */
size_t nl_opt_item(char *buf, size_t size, size_t n, bool help, const char *heading, const char *name, const char *args, const char *about);
size_t nl_opt_about(const struct nl_layer *, const char *tool, enum nl_opt_result, bool gnu, char *buf, size_t size);
size_t nl_opt_config(const struct nl_svc *, char *buf, size_t size);      /* name=value …, no user text */

#endif
