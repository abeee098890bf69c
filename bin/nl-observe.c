/* SPDX-License-Identifier: Apache-2.0 */
/* nl-observe - answer questions about a system from its events. */
#include "observe/observe.h"

#ifdef NL_LIBPIPELINE
#include <pipeline.h>

/* In a process of its own: libpipeline exits, reaps and raises signals as it likes. */
static int unpack(char *const argv[])
{
	pipeline *p = pipeline_new();
	pipecmd *command = pipecmd_new(argv[0]);
	for (int i = 1; argv[i]; i++)
		pipecmd_arg(command, argv[i]);
	pipeline_command(p, command);
	return pipeline_run(p);
}
#else
#define unpack NULL
#endif

/* Everything is the library's but what needs another library. */
static int init(struct nl_svc *svc, char ***argv, struct nl_err *err)
{
	nl_observe_unpack(svc, unpack);
	return nl_observe.init(svc, argv, err);
}

int main(int argc, char **argv)
{
	struct nl_layer layer = nl_observe;
	layer.init = init;
	return nl_main(&layer, argc, argv);
}
