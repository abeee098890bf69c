/* SPDX-License-Identifier: Apache-2.0 */
/* member.c - what an event consists of, for its other forms: keys and values as they are written. */
#include "observe/export.h"

#include <string.h>

void nl_members_read(struct nl_members *m, const struct nl_fact *f)
{
	m->s = f->line.s;
	if (nl_json_parse(f->line.s, f->line.n, m->tok, sizeof m->tok / sizeof *m->tok, NULL) < 0)
		m->tok->next = 1;       // It is a fact's, so it parses.
}

int nl_member_in(const struct nl_members *m, unsigned key, const char *const *names, unsigned n)
{
	char name[32];
	if (nl_json_string(m->s, &m->tok[key], name, sizeof name) < 0)
		return -1;
	for (unsigned i = 0; i < n; i++)
		if (names[i] && !strcmp(names[i], name))
			return (int)i;
	return -1;
}

static void put_text(struct nl_out *o, const char *s, size_t n)
{
	size_t from = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned char ch = (unsigned char)s[i], next = i + 1 < n ? (unsigned char)s[i + 1] : 0;
		bool c1 = ch == 0xc2 && next >= 0x80 && next < 0xa0;
		if (ch != 0x7f && !c1)
			continue;
		nl_out_bytes(o, s + from, i - from);
		nl_out_put(o, "\\u%04x", c1 ? next : ch);
		i += c1;
		from = i + 1;
	}
	nl_out_bytes(o, s + from, n - from);
}

void nl_member_text(struct nl_out *o, const struct nl_members *m, unsigned text)
{
	put_text(o, m->s + m->tok[text].start, m->tok[text].end - m->tok[text].start);
}

void nl_member_put(struct nl_out *o, const char *as, const struct nl_members *m, unsigned value)
{
	const struct nl_json_tok *v = &m->tok[value];
	unsigned quote = v->type == NL_JSON_STRING;
	nl_out_raw(o, as, "", 0);
	put_text(o, m->s + v->start - quote, v->end - v->start + 2 * quote);
}

void nl_member_keep(struct nl_out *o, const struct nl_members *m, unsigned key)
{
	nl_member_put(o, NULL, m, key);
	nl_out_bytes(o, ":", 1);
	nl_member_put(o, NULL, m, key + 1);
}
