/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opttext.c - the tables of options as text: --help for people, --complete for
 * completions and tests, the settings in effect for events.
 */
#include "opt.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 80, INDENT = 26 };

static void put_number(struct nl_text *t, uint64_t n)
{
	char digits[20];
	size_t i = sizeof digits;

	do
		digits[--i] = (char)('0' + n % 10);
	while (n /= 10);
	nl_text_bytes(t, digits + i, sizeof digits - i);
}

/* Seconds without needless digits: 60s, 0.25s, inf. */
static void put_span(struct nl_text *t, nl_time ns)
{
	char frac[10] = ".000000000";
	size_t len = sizeof frac;
	int64_t rest = ns % NL_SEC;

	if (ns == NL_NEVER) {
		nl_text_put(t, "inf");
		return;
	}
	put_number(t, (uint64_t)(ns / NL_SEC));
	for (size_t i = len; --i > 0; rest /= 10)
		frac[i] = (char)('0' + rest % 10);
	while (len > 1 && frac[len - 1] == '0')
		len--;
	nl_text_bytes(t, frac, len > 1 ? len : 0);
	nl_text_put(t, "s");
}

/* The start of an item in a list: a comma unless it is the first. */
static void item(struct nl_text *t, size_t from, const char *bang)
{
	if (t->n > from)
		nl_text_put(t, ",");
	nl_text_put(t, bang);
}

static bool has_code(const struct nl_codes_half *h, unsigned n)
{
	return n < 256 && (h->code[n / 64] >> n % 64 & 1);
}

static void put_codes_half(struct nl_text *t, size_t from, const struct nl_codes_half *h, const char *bang)
{
	const struct { bool on; const char *name; } flags[] = {
		{ h->any, "any" }, { h->signal, "signal" }, { h->timeout, "timeout" }, { h->rejected, "rejected" },
	};
	char name[16];

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (flags[i].on)
			item(t, from, bang), nl_text_put(t, flags[i].name);
	for (unsigned n = 0; n < 256; n++) {
		if (!has_code(h, n))
			continue;
		item(t, from, bang), put_number(t, n);
		unsigned first = n;
		while (has_code(h, n + 1))
			n++;
		if (n > first)
			nl_text_put(t, "-"), put_number(t, n);
	}
	for (int sig = 1; sig <= 64; sig++)
		if (h->sig >> (sig - 1) & 1)
			item(t, from, bang), nl_text_put(t, nl_signal_name(sig, name));
}

static void put_backoff(struct nl_text *t, const struct nl_backoff *b)
{
	nl_text_put(t, nl_backoff_name(b->kind));
	nl_text_put(t, ":");
	put_span(t, b->base);
	if (b->kind == NL_CONSTANT && b->cap == (b->base > 60 * NL_SEC ? b->base : 60 * NL_SEC))     // Jitter may make use of another.
		return;
	nl_text_put(t, "..");
	put_span(t, b->cap);
}

static void put_word(struct nl_text *t, const char *list, unsigned index)
{
	while (index--)
		list += strcspn(list, "|") + 1;
	nl_text_bytes(t, list, strcspn(list, "|"));
}

static bool is_given(const struct nl_opt *o, const void *field)
{
	switch (o->type) {
	case NL_FLAG:
		return *(const bool *)field;
	case NL_NUM:
		return ((const struct nl_num *)field)->given;
	case NL_SPAN:
		return ((const struct nl_span *)field)->given;
	case NL_SEED:
		return ((const struct nl_seed *)field)->given;
	case NL_SIGNAL:
		return ((const struct nl_sig *)field)->set;
	case NL_CODES:
		return ((const struct nl_codes *)field)->set;
	case NL_BACKOFF:
		return ((const struct nl_backoff *)field)->cap > 0;
	case NL_JITTER:
		return *(const enum nl_jitter *)field != NL_JITTER_FULL;
	case NL_WORD:
		return ((const struct nl_word *)field)->given;
	case NL_REAL:
		return ((const struct nl_real *)field)->given;
	case NL_PCT:
		return ((const struct nl_pct *)field)->given;
	case NL_EXITCODE:
		return ((const struct nl_exit *)field)->given;
	case NL_WINDOW:
		return ((const struct nl_window *)field)->given;
	case NL_DELAY:
		return ((const struct nl_delay *)field)->given;
	case NL_LIST:
		return ((const struct nl_list *)field)->n;
	case NL_STR:
	case NL_NAME:
		return *(const char *const *)field;
	case NL_PICK:
	case NL_ACTION:
		break;
	}
	return false;
}

static void put_value(struct nl_text *t, const struct nl_opt *o, const void *field)
{
	const struct nl_codes *codes = field;
	const struct nl_window *window = field;
	const struct nl_delay *delay = field;
	const struct nl_list *texts = field;
	size_t from = t->n;
	char name[16], number[32];

	switch (o->type) {
	case NL_FLAG:
		nl_text_put(t, "true");
		break;
	case NL_NUM:
		if (((const struct nl_num *)field)->n)
			put_number(t, ((const struct nl_num *)field)->n);
		else
			nl_text_put(t, "inf");
		break;
	case NL_SPAN:
		put_span(t, ((const struct nl_span *)field)->ns);
		break;
	case NL_SEED:
		put_number(t, ((const struct nl_seed *)field)->n);
		break;
	case NL_SIGNAL:
		nl_text_put(t, nl_signal_name(((const struct nl_sig *)field)->n, name));
		break;
	case NL_CODES:
		put_codes_half(t, from, &codes->in, "");
		put_codes_half(t, from, &codes->out, "!");
		break;
	case NL_BACKOFF:
		put_backoff(t, field);
		break;
	case NL_JITTER:
		nl_text_put(t, nl_jitter_name(*(const enum nl_jitter *)field));
		break;
	case NL_WORD:
		put_word(t, o->arg, ((const struct nl_word *)field)->index);
		break;
	case NL_REAL:
		snprintf(number, sizeof number, "%.9g", ((const struct nl_real *)field)->x);
		nl_text_put(t, number);
		break;
	case NL_PCT:
		snprintf(number, sizeof number, "%.7g%%", ((const struct nl_pct *)field)->ppm / 10000.0);
		nl_text_put(t, number);
		break;
	case NL_EXITCODE:
		put_number(t, ((const struct nl_exit *)field)->n);
		break;
	case NL_WINDOW:
		if (window->calls)
			put_number(t, window->calls);
		else
			put_span(t, window->span);
		break;
	case NL_DELAY:
		snprintf(number, sizeof number, "p%.7g", delay->ppm / 10000.0);
		if (delay->ppm)
			nl_text_put(t, number);
		else
			put_span(t, delay->ns);
		break;
	case NL_LIST:
		for (unsigned i = 0; i < texts->n; i++)
			item(t, from, texts->text[i]);
		break;
	case NL_STR:
	case NL_NAME:
		nl_text_put(t, *(const char *const *)field);
		break;
	case NL_PICK:
	case NL_ACTION:
		break;
	}
}

bool nl_opt_given(const struct nl_svc *svc, const struct nl_opt *o)
{
	return is_given(o, (const char *)svc + o->offset);
}

size_t nl_opt_value(const struct nl_svc *svc, const struct nl_opt *o, char *buf, size_t size)
{
	struct nl_text t = { buf, size, 0 };
	put_value(&t, o, (const char *)svc + o->offset);
	return nl_text_end(&t);
}

size_t nl_opt_config(const struct nl_svc *svc, char *buf, size_t size)
{
	struct nl_text t = { buf, size, 0 };

	for (const struct nl_opt *o = NULL; (o = nl_opt_next(svc->layer, o)); ) {
		const void *field = (const char *)svc + o->offset;
		if (o->secret || !is_given(o, field))
			continue;
		if (t.n)
			nl_text_put(&t, " ");
		nl_text_put(&t, o->name);
		nl_text_put(&t, "=");
		put_value(&t, o, field);
	}
	return nl_text_end(&t);
}

static void put_more(struct nl_text *t, const struct nl_layer *layer, bool help)
{
	if (!layer->more)
		return;
	size_t at = t->n < t->size ? t->n : t->size;
	t->n += layer->more(t->buf + at, t->size - at, help);
}

size_t nl_opt_item(char *buf, size_t size, size_t n, bool help, const char *heading, const char *name, const char *args, const char *about)
{
	struct nl_text t = { buf, size, n };
	if (help && n == 0) {
		nl_text_put(&t, "\n");
		nl_text_put(&t, heading);
		nl_text_put(&t, ":\n");
	}
	nl_text_put(&t, help ? "  " : "");
	nl_text_put(&t, name);
	nl_text_put(&t, help ? " " : "\t");
	nl_text_put(&t, args);
	size_t width = strlen(name) + strlen(args) + 3;
	if (help && width > INDENT - 2) {
		nl_text_put(&t, "\n");
		nl_text_pad(&t, INDENT);
	} else if (help) {
		nl_text_pad(&t, INDENT - width);
	}
	nl_text_put(&t, help ? "" : "\t");
	nl_text_put(&t, about);
	nl_text_put(&t, "\n");
	return nl_text_end(&t);
}

size_t nl_opt_complete(const struct nl_layer *layer, char *buf, size_t size)
{
	struct nl_text t = { buf, size, 0 };

	for (const struct nl_opt *o = NULL; (o = nl_opt_next(layer, o)); ) {
		if (!o->help)
			continue;
		for (int is_long = !o->letter; is_long < 2; is_long++) {
			nl_text_put(&t, is_long ? "--" : "-");
			nl_text_bytes(&t, is_long ? o->name : &o->letter, is_long ? strlen(o->name) : 1);
			nl_text_put(&t, is_long && o->arg ? "=\t" : "\t");
			nl_text_put(&t, o->arg ? o->arg : "");
			nl_text_put(&t, "\t");
			nl_text_put(&t, o->help);
			nl_text_put(&t, "\n");
		}
	}
	put_more(&t, layer, false);
	return nl_text_end(&t);
}

/* A word, or all of [an optional part]. */
static size_t word_len(const char *s)
{
	size_t n = 0;
	for (int depth = 0; s[n] && (depth > 0 || s[n] != ' '); n++)
		depth += s[n] == '[' ? 1 : s[n] == ']' ? -1 : 0;
	return n;
}

/* The words of s from column `col` on, further lines from `left`; the new column. */
static size_t put_words(struct nl_text *t, size_t left, size_t col, const char *s)
{
	while (*s) {
		size_t len = word_len(s);
		if (col > left && col + 1 + len > WIDTH) {
			nl_text_put(t, "\n");
			nl_text_pad(t, left);
			col = left;
		} else if (col > left) {
			nl_text_put(t, " ");
			col++;
		}
		nl_text_bytes(t, s, len);
		col += len;
		s += len + strspn(s + len, " ");
	}
	return col;
}

static void put_option(struct nl_text *t, const struct nl_opt *o)
{
	const char letter[] = { ' ', ' ', o->letter ? '-' : ' ', o->letter ? o->letter : ' ', o->letter ? ',' : ' ', ' ' };
	size_t from = t->n;

	nl_text_bytes(t, letter, sizeof letter);
	nl_text_put(t, "--");
	nl_text_put(t, o->name);
	if (o->arg) {
		nl_text_put(t, " ");
		nl_text_put(t, o->arg);
	}
	if (t->n - from > INDENT - 2) {
		nl_text_put(t, "\n");
		from = t->n;
	}
	nl_text_pad(t, INDENT - (t->n - from));
	size_t col = put_words(t, INDENT, INDENT, o->help);
	if (o->def) {
		char text[WIDTH];
		struct nl_text def = { text, sizeof text, 0 };
		nl_text_put(&def, "(default ");
		nl_text_put(&def, o->def);
		nl_text_put(&def, ")");
		(void)nl_text_end(&def);
		(void)put_words(t, INDENT, col, text);
	}
	nl_text_put(t, "\n");
}

size_t nl_opt_help(const struct nl_layer *layer, const char *tool, bool gnu, char *buf, size_t size)
{
	struct nl_text t = { buf, size, 0 };

	nl_text_put(&t, "Usage: ");
	nl_text_put(&t, tool);
	nl_text_put(&t, " ");
	(void)put_words(&t, t.n, t.n, gnu && layer->gnu ? "[OPTION]... DURATION COMMAND [ARG]..." : layer->usage);
	nl_text_put(&t, "\n");
	(void)put_words(&t, 0, 0, layer->about);
	nl_text_put(&t, "\n\n");
	for (const struct nl_opt *o = NULL; (o = nl_opt_next(layer, o)); )
		if (o->help && (!gnu || nl_opt_is_gnu(layer, o)))
			put_option(&t, o);
	put_more(&t, layer, true);
	return nl_text_end(&t);
}

size_t nl_opt_about(const struct nl_layer *layer, const char *tool, enum nl_opt_result what, bool gnu, char *buf, size_t size)
{
	if (what == NL_OPT_VERSION)
		return (size_t)snprintf(buf, size, "%s (Nine Lives) %s\n", tool, NL_VERSION);
	if (what == NL_OPT_COMPLETE)
		return nl_opt_complete(layer, buf, size);
	return nl_opt_help(layer, tool, gnu, buf, size);
}
