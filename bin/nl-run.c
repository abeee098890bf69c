/* SPDX-License-Identifier: Apache-2.0 */
/* nl-run - run a command inside the layers that an expression composes. */
#include "nl.h"

int main(int argc, char **argv)
{
	return nl_main(&nl_expression, argc, argv);
}
