/* SPDX-License-Identifier: Apache-2.0 */
/* nl-breaker - call a service that fails no more than it can bear. */
#include "nl.h"

int main(int argc, char **argv)
{
	return nl_main(&nl_breaker, argc, argv);
}
