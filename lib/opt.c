/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opt.c - command lines into instances, by the tables of the layers.  Not
 * getopt, which is global state: a fused stack reads one list after another.
 * A value is written to its field only when all of it could be read.
 */
#include "opt.h"

#include "near.h"

#include <string.h>

enum { COMMON_NAME = 0, COMMON_PIN = 3, COMMON_END = 7 };

const struct nl_opt nl_opt_common[] = {
	[COMMON_NAME] = { .name = "name", .type = NL_NAME, .offset = offsetof(struct nl_svc, name), .arg = "NAME",
	  .help = "name of this policy in events", .def = "the command's", .secret = true },
	{ .name = "events", .type = NL_STR, .offset = offsetof(struct nl_svc, events), .arg = "SPEC",
	  .help = "events to off, stderr, human, fd:N, FILE or DIR/, each @debug, @info or @warn",
	  .def = "NL_EVENTS", .secret = true },
	{ .name = "state", .type = NL_STR, .offset = offsetof(struct nl_svc, state), .arg = "DIR",
	  .help = "directory of the state that processes share", .def = "NL_STATE", .secret = true },
	[COMMON_PIN] = { .name = "pin", .type = NL_FLAG, .offset = offsetof(struct nl_svc, pin),
	  .help = "keep to the values of this line, whatever nl-ctl has set" },
	{ .letter = 'h', .name = "help", .type = NL_ACTION, .offset = NL_OPT_HELP, .help = "print this help" },
	{ .letter = 'V', .name = "version", .type = NL_ACTION, .offset = NL_OPT_VERSION, .help = "print the version" },
	{ .name = "complete", .type = NL_ACTION, .offset = NL_OPT_COMPLETE },
	[COMMON_END] = { .name = NULL },
};

const struct nl_opt *nl_opt_next(const struct nl_layer *layer, const struct nl_opt *o)
{
	if (o)
		o++;
	else
		o = layer->opts ? layer->opts : nl_opt_common;
	if (!o->name && o != &nl_opt_common[COMMON_END])
		o = nl_opt_common;
	while ((layer->leaf && (o == &nl_opt_common[COMMON_NAME] || o == &nl_opt_common[COMMON_PIN])) ||
	       (layer->mute && o >= nl_opt_common && o <= &nl_opt_common[COMMON_PIN]))
		o++;
	return o->name ? o : NULL;
}

bool nl_opt_is_live(const struct nl_opt *o)
{
	switch (o->type) {
	case NL_NUM: case NL_SPAN: case NL_BACKOFF: case NL_JITTER: case NL_REAL: case NL_PCT: case NL_DELAY:
		return true;
	default:
		return false;
	}
}

static bool takes_value(const struct nl_opt *o)
{
	return o->type != NL_FLAG && o->type != NL_PICK && o->type != NL_ACTION;
}

bool nl_opt_is_gnu(const struct nl_layer *layer, const struct nl_opt *o)
{
	if (o->type == NL_ACTION)
		return o->help;
	if (!layer->gnu)
		return o < nl_opt_common || o >= nl_opt_common + COMMON_END;
	return o->letter && strchr(layer->gnu, o->letter);
}

/* One command line being read. */
struct reader { struct nl_svc *svc; char **argv; bool gnu; struct nl_err *err; };

static enum nl_opt_result unknown_letter(const struct reader *r, char letter)
{
	if (r->gnu)
		(void)nl_fail(r->err, "invalid option -- '%c'", letter);
	else
		(void)nl_fail(r->err, "-%c: unknown option (try --help)", letter);
	return NL_OPT_ERROR;
}

static enum nl_opt_result unknown_name(const struct reader *r, const char *name, size_t len)
{
	int n = len < 60 ? (int)len : 60;
	struct nl_near near = nl_near_to(name, len);

	for (const struct nl_opt *o = NULL; (o = nl_opt_next(r->svc->layer, o)); )
		if (o->help)
			nl_near_try(&near, o->name, strlen(o->name));
	if (r->gnu)
		(void)nl_fail(r->err, "unrecognized option '--%s'", name);
	else if (near.best)
		(void)nl_fail(r->err, "--%.*s: unknown option, did you mean --%s?", n, name, near.best);
	else
		(void)nl_fail(r->err, "--%.*s: unknown option (try --help)", n, name);
	return NL_OPT_ERROR;
}

static enum nl_opt_result ambiguous_name(const struct reader *r, const char *name, size_t len,
                                         const struct nl_opt *a, const struct nl_opt *b)
{
	if (r->gnu)
		(void)nl_fail(r->err, "option '--%s' is ambiguous; possibilities: '--%s' '--%s'", name, a->name, b->name);
	else
		(void)nl_fail(r->err, "--%.*s: ambiguous (--%s, --%s)", (int)len, name, a->name, b->name);
	return NL_OPT_ERROR;
}

static enum nl_opt_result missing_value(const struct reader *r, const struct nl_opt *o, char letter)
{
	if (r->gnu && letter)
		(void)nl_fail(r->err, "option requires an argument -- '%c'", letter);
	else if (r->gnu)
		(void)nl_fail(r->err, "option '--%s' requires an argument", o->name);
	else
		(void)nl_fail(r->err, "--%s: needs %s", o->name, o->arg);
	return NL_OPT_ERROR;
}

static enum nl_opt_result surplus_value(const struct reader *r, const struct nl_opt *o)
{
	if (r->gnu)
		(void)nl_fail(r->err, "option '--%s' doesn't allow an argument", o->name);
	else
		(void)nl_fail(r->err, "--%s: takes no value", o->name);
	return NL_OPT_ERROR;
}

/* "--name: 'value': why", a long value cut so that the reason is seen. */
static int bad_value(struct nl_err *err, const char *dashes, const struct nl_opt *o, const char *value,
                     const struct nl_err *why)
{
	return nl_fail(err, "%s%s: '%.48s%s': %s", dashes, o->name, value, strlen(value) > 48 ? "..." : "", why->msg);
}

static enum nl_opt_result invalid_value(const struct reader *r, const struct nl_opt *o, const char *value,
                                        const struct nl_err *why)
{
	if (r->gnu && o->type == NL_SPAN)
		(void)nl_fail(r->err, "invalid time interval '%s'", value);
	else if (r->gnu && o->type == NL_SIGNAL)
		(void)nl_fail(r->err, "'%s': invalid signal", value);
	else
		(void)bad_value(r->err, "--", o, value, why);
	return NL_OPT_ERROR;
}

/* The place of value in a list a|b|c. */
static int read_word(const char *list, const char *value, struct nl_word *out, struct nl_err *why)
{
	char text[100];
	size_t len = strlen(value), n = 0;
	const char *p = list;

	for (unsigned char i = 0; ; i++) {
		size_t k = strcspn(p, "|");
		if (k == len && !memcmp(p, value, k)) {
			*out = (struct nl_word){ i, true };
			return 0;
		}
		if (!p[k])
			break;
		p += k + 1;
	}
	for (p = list; *p && n < sizeof text - 3; p++) {
		text[n++] = *p == '|' ? ',' : *p;
		if (*p == '|')
			text[n++] = ' ';
	}
	text[n] = '\0';
	return nl_fail(why, "not one of %s", text);
}

static int read_flag(const char *value, bool *out, struct nl_err *why)
{
	if (strcmp(value, "true") && strcmp(value, "false"))
		return nl_fail(why, "not one of true, false");
	*out = *value == 't';
	return 0;
}

/* A bare number is calls, one with a unit is a time. */
static int read_window(const char *value, struct nl_window *out, struct nl_err *why)
{
	struct nl_window w = { .given = true };

	if (value[strspn(value, "0123456789")] == '\0') {
		if (nl_parse_count(value, &w.calls, why))
			return -1;
		if (w.calls > NL_WINDOW_MOST)
			return nl_fail(why, "more than %d calls", NL_WINDOW_MOST);
	} else if (nl_parse_time(value, &w.span, why)) {
		return -1;
	}
	if (w.calls == 0 && (w.span == 0 || w.span > NL_WINDOW_LONGEST))
		return nl_fail(why, "not a number of calls up to %d nor a time up to a day", NL_WINDOW_MOST);
	*out = w;
	return 0;
}

/* A duration, or p and a percentage. */
static int read_delay(const char *value, struct nl_delay *out, struct nl_err *why)
{
	struct nl_delay d = { .given = true };

	if (*value == 'p' ? nl_parse_percent(value + 1, &d.ppm, why) : nl_parse_time(value, &d.ns, why))
		return -1;
	*out = d;
	return 0;
}

/* Reads value into a field of the option's type. */
static int assign(struct nl_svc *svc, const struct nl_opt *o, const char *value, bool gnu, struct nl_err *why)
{
	void *field = (char *)svc + o->offset;
	struct nl_list *list = field;
	struct nl_num num = { .given = true };
	struct nl_span span = { .given = true };
	struct nl_seed seed = { .given = true };
	struct nl_sig sig = { .set = true };
	struct nl_real real = { .given = true };
	struct nl_pct pct = { .given = true };
	struct nl_exit status = { .given = true };

	switch (o->type) {
	case NL_FLAG:
		return read_flag(value, field, why);
	case NL_NUM:
		if (nl_parse_count(value, &num.n, why))
			return -1;
		*(struct nl_num *)field = num;
		return 0;
	case NL_SPAN:
		if ((gnu ? nl_parse_time_gnu : nl_parse_time)(value, &span.ns, why))
			return -1;
		*(struct nl_span *)field = span;
		return 0;
	case NL_SEED:
		if (nl_parse_u64(value, &seed.n, why))
			return -1;
		*(struct nl_seed *)field = seed;
		return 0;
	case NL_SIGNAL:
		if (nl_parse_signal(value, &sig.n, why))
			return -1;
		*(struct nl_sig *)field = sig;
		return 0;
	case NL_CODES:
		return nl_parse_codes(value, field, why);
	case NL_BACKOFF:
		return nl_parse_backoff(value, field, why);
	case NL_JITTER:
		return nl_parse_jitter(value, field, why);
	case NL_WORD:
		return read_word(o->arg, value, field, why);
	case NL_REAL:
		if (nl_parse_real(value, &real.x, why))
			return -1;
		*(struct nl_real *)field = real;
		return 0;
	case NL_PCT:
		if (nl_parse_percent(value, &pct.ppm, why))
			return -1;
		*(struct nl_pct *)field = pct;
		return 0;
	case NL_EXITCODE:
		if (nl_parse_exit(value, &status.n, why))
			return -1;
		*(struct nl_exit *)field = status;
		return 0;
	case NL_WINDOW:
		return read_window(value, field, why);
	case NL_DELAY:
		return read_delay(value, field, why);
	case NL_PICK:
		*(struct nl_word *)field = (struct nl_word){ o->pick, true };
		return 0;
	case NL_NAME:
		return nl_parse_name(value, field, why);
	case NL_STR:
		*(const char **)field = value;
		return 0;
	case NL_LIST:
		if (list->n == NL_LIST_MOST)
			return nl_fail(why, "given more than %d times", NL_LIST_MOST);
		list->text[list->n++] = value;
		return 0;
	case NL_ACTION:
		break;
	}
	return nl_fail(why, "not a setting");
}

static enum nl_opt_result apply(const struct reader *r, const struct nl_opt *o, const char *value)
{
	struct nl_err why;

	if (o->type == NL_ACTION)
		return (enum nl_opt_result)o->offset;
	if (assign(r->svc, o, value, r->gnu, &why))
		return invalid_value(r, o, value, &why);
	return NL_OPT_OK;
}

/* "name", "name=value" or the beginning of a name, behind "--". */
static enum nl_opt_result read_long(struct reader *r, const char *name)
{
	const struct nl_opt *found = NULL, *other = NULL;
	size_t len = strcspn(name, "=");
	const char *value = name[len] ? name + len + 1 : NULL;

	for (const struct nl_opt *o = NULL; (o = nl_opt_next(r->svc->layer, o)); ) {
		if (strncmp(o->name, name, len) || (r->gnu && !nl_opt_is_gnu(r->svc->layer, o)))
			continue;
		if (!o->name[len]) {
			found = o, other = NULL;
			break;
		}
		if (found && o->help)
			other = other ? other : o;
		else if (o->help)
			found = o;
	}
	if (!found || !len)
		return unknown_name(r, name, len);
	if (other)
		return ambiguous_name(r, name, len, found, other);
	if (!takes_value(found))
		return value ? surplus_value(r, found) : apply(r, found, "true");
	if (!value && !*r->argv)
		return missing_value(r, found, '\0');
	return apply(r, found, value ? value : *r->argv++);
}

/* One or more letters behind "-"; the first that takes a value takes the rest. */
static enum nl_opt_result read_letters(struct reader *r, const char *p)
{
	while (*p) {
		const struct nl_opt *o = NULL;
		char letter = *p++;
		while ((o = nl_opt_next(r->svc->layer, o))) {
			bool ours = r->gnu && ((o->type == NL_ACTION && r->svc->layer->gnu) || !nl_opt_is_gnu(r->svc->layer, o));
			if (o->letter == letter && !ours)
				break;
		}
		if (!o)
			return unknown_letter(r, letter);
		if (takes_value(o) && !*p && !*r->argv)
			return missing_value(r, o, letter);
		if (takes_value(o))
			return apply(r, o, *p ? p : *r->argv++);
		enum nl_opt_result result = apply(r, o, "true");
		if (result != NL_OPT_OK)
			return result;
	}
	return NL_OPT_OK;
}

enum nl_opt_result nl_opt_parse(struct nl_svc *svc, char ***argv, bool gnu, struct nl_err *err)
{
	struct reader r = { svc, *argv, gnu, err };
	enum nl_opt_result result = NL_OPT_OK;

	while (result == NL_OPT_OK && *r.argv && r.argv[0][0] == '-' && r.argv[0][1]) {
		const char *word = *r.argv++;
		if (!strcmp(word, "--"))
			break;
		result = word[1] == '-' ? read_long(&r, word + 2) : read_letters(&r, word + 1);
	}
	*argv = r.argv;
	return result;
}

const void *nl_opt_field(const struct nl_svc *svc, const char *key, enum nl_opt_type type)
{
	const struct nl_opt *o = NULL;

	while ((o = nl_opt_next(svc->layer, o)) && strcmp(o->name, key))
		;
	return o && o->type == type ? (const char *)svc + o->offset : NULL;
}

int nl_opt_set(struct nl_svc *svc, const char *key, const char *value, struct nl_err *err)
{
	const struct nl_opt *o = NULL;
	struct nl_err why;

	while ((o = nl_opt_next(svc->layer, o)) && strcmp(o->name, key))
		;
	if (!o)
		return nl_fail(err, "%.60s: unknown option", key);
	if (!value && takes_value(o))
		return nl_fail(err, "%s: needs %s", o->name, o->arg);
	if (!value)
		value = "true";
	if (assign(svc, o, value, false, &why))
		return bad_value(err, "", o, value, &why);
	return 0;
}
