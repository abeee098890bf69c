#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# decorrelated_jitter.sh - a hundred clients lose their server in the same moment.
# Without jitter they come back in the same moments, too, a hundred at once; with
# decorrelated jitter each wait is drawn between 50 ms and three times the wait
# before, up to 2 s, and they come back spread out.  --dry-run prints the waits and
# waits for none of them; --seed makes a client's chance its own and repeatable.
# What it prints is at the end; a test compares.
# shellcheck disable=SC2016  # text for an inner shell
set -u
PATH=${NL_BIN:-$(cd "$(dirname "$0")/.." && pwd)/build/bin}:$PATH
export NL_EVENTS=off

# herd JITTER: attempts of 100 clients as "attempt moment", in milliseconds.
herd() {
	for client in $(seq 100); do
		nl-retry -n8 -b exp:50ms..2s -j "$1" --seed "$client" --dry-run
	done | awk '$1 == 1 { t = 0 } { t += $2; print $1, int(t * 1000) }'
}

echo "== The waits of one client"
nl-retry -n8 -b exp:50ms..2s -j decorrelated --seed 7 --dry-run
for jitter in none full decorrelated; do
	echo "== The most that come within the same 10 ms, by attempt, with jitter $jitter"
	herd $jitter | awk '{ n = ++seen[$1, int($2 / 10)]; if (n > most[$1]) most[$1] = n }
		END { for (k = 2; k <= 8; k++) printf "%s%d", (k > 2 ? " " : ""), most[k]; print "" }'
done

echo "== A command that works at the fourth attempt, for real"
nl-retry -n8 -b exp:1ms..20ms -j decorrelated sh -c 'test $NL_ATTEMPT -ge 4 && echo "attempt $NL_ATTEMPT"'

# Prints:
#| == The waits of one client
#| 1	0.000000
#| 2	0.088982
#| 3	0.053642
#| 4	0.149918
#| 5	0.283029
#| 6	0.411540
#| 7	0.345482
#| 8	0.511610
#| == The most that come within the same 10 ms, by attempt, with jitter none
#| 100 100 100 100 100 100 100
#| == The most that come within the same 10 ms, by attempt, with jitter full
#| 24 15 8 6 4 2 2
#| == The most that come within the same 10 ms, by attempt, with jitter decorrelated
#| 15 7 3 3 2 2 2
#| == A command that works at the fourth attempt, for real
#| attempt 4
