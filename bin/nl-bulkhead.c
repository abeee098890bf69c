/* SPDX-License-Identifier: Apache-2.0 */
/* nl-bulkhead - run a command when there is room for it. */
#include "nl.h"

int main(int argc, char **argv)
{
	return nl_main(&nl_bulkhead, argc, argv);
}
