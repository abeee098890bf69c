/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.c - what the wrappers run.
 *
 * Its start and its end are one line each.  In between it holds a witness: a
 * byte locked by fcntl(F_SETLK), which the kernel drops as it closes the files
 * of a dying process, before the locks of open file descriptions are dropped
 * (exit_files, then the task work of the last fput).  So a slot that is given
 * back by this process's death is free after its witness, never before, and who
 * finds no witness free has seen one command too many.
 */
#include "storm.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static void tell(char what, int tag)
{
	char line[80];
	int n = snprintf(line, sizeof line, "%c %d %lld %d %d\n", what, (int)getpid(), (long long)now(), (int)getppid(), tag);
	if (write(FD_LOG, line, (size_t)n) != n)
		_exit(99);
}

/* Others come and go while bytes are looked at one by one, so more than once. */
static bool witness(long base, long count)
{
	for (int tries = 0; tries < 4; tries++)
		for (long i = 0; i < count; i++) {
			struct flock byte = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = base + i, .l_len = 1 };
			if (fcntl(FD_WITNESS, F_SETLK, &byte) == 0)
				return true;
		}
	return count == 0;
}

int command_main(char **argv)
{
	long word[5];
	for (int i = 0; i < 5; i++) {
		if (!argv[i])
			return 99;
		word[i] = strtol(argv[i], NULL, 10);
	}
	int tag = (int)word[0];
	if (argv[5] && !strcmp(argv[5], "outlive"))
		prctl(PR_SET_PDEATHSIG, 0);
	tell('S', tag);
	if (!witness(word[1], word[2]))
		tell('V', tag);
	if (argv[5] && !strcmp(argv[5], "hold")) {
		char c;
		(void)!read(FD_HOLD, &c, 1);
	} else if (word[3] > 0) {
		nanosleep(&(struct timespec){ .tv_nsec = word[3] * 1000 }, NULL);
	}
	tell('E', tag);
	return (int)word[4];
}
