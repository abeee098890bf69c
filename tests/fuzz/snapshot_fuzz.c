/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_fuzz.c - libFuzzer target: the inside of a snapshot, as if its sum
 * were right.  What is not refused must bear every question, merging and saving,
 * and what was saved must read as the same.
 */
#include "observe/snapshot.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MUST(x) do { if (!(x)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct nl_system *read_text(const char *text, size_t n)
{
	struct nl_mark *mark = NULL;
	unsigned marks = 0;
	struct nl_err err = { "" };
	char *copy = malloc(n + 1);
	MUST(copy);
	memcpy(copy, text, n);
	copy[n] = '\0';
	struct nl_system *s = nl_snapshot_read(copy, n, &mark, &marks, &err);
	MUST(s || (*err.msg && !mark));
	for (unsigned i = 0; i < marks; i++)
		free(mark[i].path);
	free(mark);
	free(copy);
	return s;
}

static char *text_of(const struct nl_system *s, size_t *n)
{
	int fd = memfd_create("snapshot", MFD_CLOEXEC);
	MUST(fd >= 0 && nl_snapshot_write(fd, s, NULL, 0) == 0);
	*n = (size_t)lseek(fd, 0, SEEK_END);
	char *text = malloc(*n + 1);
	MUST(text && pread(fd, text, *n, 0) == (ssize_t)*n);
	close(fd);
	return text;
}

static void ask(const struct nl_system *s)
{
	static const int64_t windows[] = { 0, 1, 60000000, 900000000, INT64_MAX };
	for (unsigned i = 0; i < nl_system_count(s); i++) {
		const struct nl_series *p = nl_system_series(s, i);
		for (unsigned k = 0; k < sizeof windows / sizeof *windows; k++) {
			(void)nl_series_rate(p, nl_system_latest(s), windows[k]);
			(void)nl_series_quantile(p, .99, nl_system_latest(s), windows[k], NULL, NULL);
			(void)nl_series_counts(p, p->last_us, windows[k]);
		}
		MUST(nl_series_state(p));
	}
	(void)nl_runs_sum(nl_system_runs(s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	size_t size, head = strlen(NL_SNAPSHOT_HEAD);
	struct nl_system *s = read_text((const char *)data, n);
	if (!s)
		return 0;
	ask(s);
	char *text = text_of(s, &size);
	struct nl_system *b = read_text(text + head, size - head - 21);
	MUST(b && nl_system_merge(b, s) == 0);
	ask(b);
	free(text);
	nl_system_free(b);
	nl_system_free(s);
	return 0;
}
