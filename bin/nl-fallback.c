/* SPDX-License-Identifier: Apache-2.0 */
/* nl-fallback - try commands in turn until one succeeds. */
#include "nl.h"

int main(int argc, char **argv)
{
	return nl_main(&nl_fallback, argc, argv);
}
