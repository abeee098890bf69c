/* SPDX-License-Identifier: Apache-2.0 */
/* nl-timeout - stop a command, and everything that it started, after a time. */
#include "nl.h"

int main(int argc, char **argv)
{
	return nl_main(&nl_timeout, argc, argv);
}
