/* SPDX-License-Identifier: Apache-2.0 */
/* nl-race - run commands at once; the first that succeeds wins. */
#include "nl.h"

int main(int argc, char **argv)
{
	return nl_main(&nl_race, argc, argv);
}
