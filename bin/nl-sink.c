/* SPDX-License-Identifier: Apache-2.0 */
/* nl-sink - deliver events. */
#include "sinkrun.h"

int main(int argc, char **argv)
{
	return nl_main(&nl_sink_tool, argc, argv);
}
