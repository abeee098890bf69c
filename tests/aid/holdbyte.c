/* SPDX-License-Identifier: Apache-2.0 */
/* holdbyte FILE BYTE - locks a byte as our guard does, says "held", and keeps it until it is killed. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct flock lk = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	if (argc != 3)
		return 2;
	lk.l_start = (off_t)strtoll(argv[2], NULL, 10);
	int fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0 || fcntl(fd, F_OFD_SETLK, &lk) < 0) {
		perror(argv[1]);
		return 1;
	}
	puts("held");
	fflush(stdout);
	pause();
	return 0;
}
