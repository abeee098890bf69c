/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer - writes what a reader can check: numbered lines of eight bytes.
 *
 * writer [-e | -a] [-n COUNT] [-i MS] [-b BYTES] [-x STATUS]
 * COUNT pieces (1) of BYTES bytes (8) with MS milliseconds before each but the
 * first, to stdout, with -e to stderr, with -a to both in turn; then exits
 * with STATUS.  A short write is continued, an error is status 99.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static unsigned long at;                /* bytes of the pattern so far */

static void fill(char *buf, size_t size)
{
	static char line[16];

	for (size_t i = 0; i < size; i++, at++) {
		if (at % 8 == 0)
			snprintf(line, sizeof line, "%07lu\n", at / 8 % 10000000);
		buf[i] = line[at % 8];
	}
}

static int put(int fd, size_t size)
{
	static char buf[65536];

	while (size) {
		size_t want = size < sizeof buf ? size : sizeof buf, done = 0;

		fill(buf, want);
		while (done < want) {
			ssize_t n = write(fd, buf + done, want - done);

			if (n < 0)
				return -1;
			done += (size_t)n;
		}
		size -= want;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int err = 0, both = 0, status = 0, c;
	long count = 1, ms = 0;
	size_t bytes = 8;

	while ((c = getopt(argc, argv, "ean:i:b:x:")) != -1) {
		switch (c) {
		case 'e': err = 1; break;
		case 'a': both = 1; break;
		case 'n': count = atol(optarg); break;
		case 'i': ms = atol(optarg); break;
		case 'b': bytes = strtoul(optarg, NULL, 10); break;
		case 'x': status = atoi(optarg); break;
		default: return 96;
		}
	}
	for (long i = 0; i < count; i++) {
		struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };

		if (i && ms)
			nanosleep(&pause, NULL);
		if (put(err || (both && i % 2) ? 2 : 1, bytes))
			return 99;
	}
	return status;
}
