/* SPDX-License-Identifier: Apache-2.0 */
/*
 * least.c - least N COMMAND: starts the command and waits.  Nothing else, so
 * it is the floor under every supervisor that the benchmarks compare.
 */
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int ws = 0;
	if (argc < 3)
		return 125;
	pid_t pid = vfork();
	if (pid == 0) {
		execv(argv[2], argv + 2);
		_exit(127);
	}
	return pid < 0 || waitpid(pid, &ws, 0) < 0 ? 125 : WEXITSTATUS(ws);
}
