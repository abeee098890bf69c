/* SPDX-License-Identifier: Apache-2.0 */
/* line.c - an event as a line; what of it is lost, is there twice, or comes behind other text. */
#include "eventgen.h"

#include <string.h>

static char line[LINE], *end;           /* of the line being made */

void text(const char *s)
{
	size_t n = strlen(s);
	memcpy(end, s, n);
	end += n;
}

static void padded(uint64_t v, int width)
{
	for (int i = width; i-- > 0; v /= 10)
		end[i] = (char)('0' + v % 10);
	end += width;
}

static void number(uint64_t v)
{
	int width = 1;
	for (uint64_t u = v; u >= 10; u /= 10)
		width++;
	padded(v, width);
}

void hex(uint64_t v)
{
	for (int i = 15; i >= 0; i--, v >>= 4)
		end[i] = "0123456789abcdef"[v & 15];
	end += 16;
}

void seconds(const char *key, int64_t us)
{
	text(key);
	number((uint64_t)us / 1000000);
	*end++ = '.';
	padded((uint64_t)us % 1000000, 6);
}

void count(const char *key, uint64_t v)
{
	text(key);
	number(v);
}

/* All is within the month in which it begins. */
static void put_time(int64_t us)
{
	int64_t s = us / 1000000;
	text("2026-11-");
	padded(29 + (uint64_t)((s - BEGIN_US / 1000000 + 13 * 3600) / 86400), 2);
	*end++ = 'T';
	padded((uint64_t)(s % 86400 / 3600), 2);
	*end++ = ':';
	padded((uint64_t)(s % 3600 / 60), 2);
	*end++ = ':';
	padded((uint64_t)(s % 60), 2);
	*end++ = '.';
	padded((uint64_t)us % 1000000, 6);
	*end++ = 'Z';
}

bool event(struct run *r, const char *name, int sev, bool of_run)
{
	uint32_t seq = r->seq++;
	if (sev < cfg.level)
		return false;
	end = line;
	text("{\"nl\":1,\"time\":\"");
	put_time(r->at);
	text("\",\"event\":\"");
	text(name);
	count("\",\"sev\":", (uint64_t)sev);
	text(",\"policy\":\"");
	text(r->p->name);
	text("\",\"kind\":\"");
	text(kinds[r->p->kind]);
	text("\",\"trace_id\":\"");
	hex(r->trace[0]);
	hex(r->trace[1]);
	text("\",\"span_id\":\"");
	hex(of_run ? r->id : r->span);
	text("\",\"run\":\"");
	hex(r->id);
	count("\",\"seq\":", seq);
	count(",\"pid\":", (uint64_t)r->pid);
	count(",\"depth\":0,\"mono_us\":", (uint64_t)(r->at - BEGIN_US + 777777777));
	r->sent++;
	return true;
}

void emit(struct run *r)
{
	text("}\n");
	size_t n = (size_t)(end - line);
	if (happens(cfg.lost)) {
		r->missing++;
		return;
	}
	truth.events++;
	if (happens(cfg.foreign)) {
		static const char *const others[] = { "curl: (28) Operation timed out\n", "retrying... ", "{\"level\":\"info\",\"msg\":\"ok\"}\n", "50%\r" };
		const char *s = others[rnd() % 4];
		truth.not_event += s[strlen(s) - 1] == '\n';
		char both[LINE];
		size_t k = strlen(s);
		memcpy(both, s, k);
		if (s[k - 1] == '\n') {
			put_line(both, k);
		} else {
			memcpy(both + k, line, n);
			put_line(both, n + k);
			return;
		}
	}
	put_line(line, n);
	if (happens(cfg.twice)) {
		truth.dup++;
		put_line(line, n);
	}
}
