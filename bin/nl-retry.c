/* SPDX-License-Identifier: Apache-2.0 */
/* nl-retry - run a command until it succeeds. */
#include "nl.h"

int main(int argc, char **argv)
{
	return nl_main(&nl_retry, argc, argv);
}
