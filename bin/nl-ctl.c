/* SPDX-License-Identifier: Apache-2.0 */
/* nl-ctl - look at shared policies and change them while they are in use. */
#include "nl.h"

int main(int argc, char **argv)
{
	return nl_main(&nl_ctl, argc, argv);
}
