/* SPDX-License-Identifier: Apache-2.0 */
/* out.c - lines to stdout, in order or not. */
#include "eventgen.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char out[1 << 18], *held;
static size_t nout;

static void flush(void)
{
	for (size_t at = 0; at < nout;) {
		ssize_t n = write(1, out + at, nout - at);
		if (n < 0)
			exit(1);
		at += (size_t)n;
	}
	nout = 0;
}

static void put_out(const char *text, size_t n)
{
	if (nout + n > sizeof out)
		flush();
	memcpy(out + nout, text, n);
	nout += n;
	truth.lines += text[n - 1] == '\n';
}

/* A line into the log; out of order: in the place of another, which goes now. */
void put_line(const char *text, size_t n)
{
	if (cfg.order == 0) {
		put_out(text, n);
		return;
	}
	char *slot = held + (rnd() % (uint64_t)cfg.order) * LINE;
	uint16_t was;
	memcpy(&was, slot, sizeof was);
	if (was)
		put_out(slot + 2, was);
	was = (uint16_t)n;
	memcpy(slot, &was, sizeof was);
	memcpy(slot + 2, text, n);
}

static void put_held(void)
{
	for (int64_t i = 0; i < cfg.order; i++) {
		uint16_t n;
		memcpy(&n, held + i * LINE, sizeof n);
		if (n)
			put_out(held + i * LINE + 2, n);
	}
}

bool out_begin(void)
{
	held = calloc((size_t)cfg.order + 1, LINE);
	return held;
}

void out_end(void)
{
	put_held();
	flush();
}
