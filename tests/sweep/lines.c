/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lines.c - the command lines of the sweep.  Each takes another way through the
 * supervisor, alone and fused.  Commands that outlive a limit sleep 2 s: longer
 * than the limit, shorter than what counts as a hang, so that a wrapper which
 * cannot kill is not one which hangs.
 */
#include "sweep.h"

#define STATE "NL_STATE=state"         /* in the run's own directory */

const struct line lines[] = {
	{ .cmd = "nl-timeout 5 true0", .child = true },
	{ .cmd = "nl-timeout 5 true0 3", .status = 3, .child = true },
	{ .cmd = "nl-timeout .1 sleep 2", .status = 124, .child = true },
	{ .cmd = "nl-timeout -p .1 sh -c 'sleep 2; exit 3'", .status = 143, .also = 3, .tree = true },
	{ .cmd = "nl-timeout -k .1 .1 sh -c 'trap \"\" TERM; sleep 2; :'", .status = 124, .also = 137, .tree = true },
	{ .cmd = "nl-timeout --idle .1 5 sleep 2", .status = 124, .child = true },
	{ .cmd = "nl-timeout 5 no-such-command", .status = 127 },
	{ .cmd = "timeout .1 sleep 2", .status = 124 },
	{ .cmd = "nl-retry -n2 -b constant:0 true0 3", .status = 3, .child = true },
	{ .cmd = "nl-retry -n2 -b constant:50ms -j none -T 5 true0 3", .status = 3 },
	{ .cmd = "nl-retry -n3 -t .1 -T .15 -b constant:0 sleep 2", .status = 124 },
	{ .cmd = "nl-retry -O echo held", .out = "held\n" },
	{ .cmd = "nl-retry -q -n2 -b constant:0 sh -c 'echo out; echo err >&2; exit 3'", .out = "out\n", .status = 3 },
	{ .cmd = "nl-retry -n2 -b constant:0 --retry-if nothing sh -c 'echo some; exit 3'", .out = "some\n", .status = 3 },
	{ .cmd = "nl-retry -n3 -b constant:0 sh -c 'cat; exit $((3 - NL_ATTEMPT))'", .in = "fed", .out = "fed\nfed\nfed\n", .also = 2 },
	{ .cmd = "nl-retry -O -n2 -b constant:0 sh -c 'cat; exit $((2 - NL_ATTEMPT))'", .in = "fed", .out = "fed\n", .also = 1 },
	{ .cmd = "nl-timeout .25 nl-retry -n3 -b constant:0 nl-timeout .1 sleep 2", .status = 124 },
	{ .cmd = "nl-timeout 5 nl-retry -O -n2 -b constant:0 nl-timeout 5 echo held", .out = "held\n" },
	{ .env = "NL_EVENTS=./ev", .cmd = "nl-retry -n2 -b constant:0 nl-timeout 5 true0 3", .status = 3, .child = true },
	{ .env = "NL_EVENTS=./ev|stderr@debug", .cmd = "nl-timeout .1 sleep 2", .status = 124 },
	{ .env = "NL_EVENTS=(unix:./none|fifo:./none)+./ev", .cmd = "nl-timeout 5 true0 3", .status = 3, .child = true },
	{ .env = STATE, .cmd = "nl-breaker x true0", .child = true },
	{ .env = STATE, .cmd = "nl-breaker x true0 3", .status = 3 },
	{ .env = STATE, .cmd = "nl-retry -n2 -b constant:0 --on any nl-breaker -f1 x true0 3", .status = 75, .also = 3 },
	{ .env = STATE, .cmd = "nl-retry -n3 -b constant:100ms -j none --on any nl-breaker -f1 -o 10ms x sh -c '[ $NL_ATTEMPT = 3 ]'", .also = 75 },
	{ .env = STATE, .cmd = "nl-bulkhead x true0 3", .status = 3, .also = 125, .child = true },
	{ .env = STATE, .cmd = "nl-bulkhead x nl-bulkhead -w .1 x true0", .status = 75, .also = 125 },
	{ .env = STATE, .cmd = "nl-bulkhead -w inf x nl-bulkhead -m 2 -w inf x true0 3", .status = 3, .also = 125 },
	{ .env = STATE, .cmd = "nl-retry -n2 -b constant:0 --budget b true0 3", .status = 3 },
	{ .env = STATE, .cmd = "nl-timeout 5 nl-retry --name r -n2 -b constant:0 nl-breaker x nl-bulkhead y true0 3", .status = 3, .also = 125 },
	{ .cmd = "nl-race [ true0 3 ] [ true0 3 ]", .status = 3 },
	{ .cmd = "nl-race [ echo held ] [ sh -c 'sleep 2; exit 3' ]", .out = "held\n", .also = 3 },
	{ .cmd = "nl-race --quorum 2 [ cat ] [ nl-retry -n1 cat ]", .in = "fed", .out = "fed\n" },
	{ .cmd = "nl-fallback [ sh -c 'echo half; exit 3' ] [ echo held ]", .out = "held\n" },
	{ .cmd = "nl-fallback [ sh -c 'cat; exit 3' ] [ cat ]", .in = "fed", .out = "fed\n", .also = 3 },
	{ .cmd = "nl-fallback [ true0 3 ] [ true0 4 ]", .status = 3, .also = 4 },
	{ .env = "XDG_CACHE_HOME=/proc/self/cwd/cache", .cmd = "nl-fallback --stale 1d:k echo held", .out = "held\n" },
	{ .env = "XDG_CACHE_HOME=/proc/self/cwd/cache", .cmd = "nl-timeout 5 nl-fallback --stale 1d:k [ true0 3 ] [ nl-timeout 5 true0 4 ]", .status = 3, .also = 4 },
	{ .cmd = "nl-pipe echo held '|' cat", .out = "held\n" },
	{ .cmd = "nl-pipe true0 3 '|' true0", .status = 3 },
	{ .cmd = "nl-pipe true0 '|' no-such-command", .status = 127 },
	{ .cmd = "nl-run 'timeout(5s) & retry(2, backoff=const:0) | pass' true0 3", .status = 3 },
	{ .env = "NL_FUSE=0", .cmd = "nl-race [ nl-timeout 5 echo held ] [ nl-timeout .1 sleep 2 ]", .out = "held\n", .also = 124 },
	{ .env = "NL_FUSE=0", .cmd = "nl-fallback [ nl-timeout .1 sleep 2 ] [ nl-retry -n1 echo held ]", .out = "held\n" },
	{ .env = "NL_FUSE=0", .cmd = "nl-timeout 5 nl-retry -n2 -b constant:0 nl-timeout .1 sleep 2", .status = 124 },
};

const size_t nlines = sizeof lines / sizeof *lines;
