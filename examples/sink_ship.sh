#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# sink_ship.sh - events are kept in a directory, one file an hour, and shipped to a
# collector from there.  To deliver a file is a command like any other: nl-retry
# gets it over a moment, nl-breaker stops it while the collector is down, and what
# was not delivered stays where it is.
#
# The collector is whoever reads a named pipe.
# What it prints is at the end; a test compares.
set -u
PATH=${NL_BIN:-$(cd "$(dirname "$0")/.." && pwd)/build/bin}:$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$dir" && mkdir log sent state && chmod 700 state && mkfifo collector || exit

# What works sends its events to the directory and waits for nobody.
NL_EVENTS=./log/ nl-retry -n3 -b const:1ms -j none false

# A line for cron.  Its own events go nowhere: the directory is what it empties.
export NL_EVENTS=off NL_STATE="$dir/state"
ship() {
	for f in log/*.ndjson; do
		nl-retry -n2 -b const:10ms -j none nl-breaker -f2 -o 500ms "$@" collector nl-sink fifo:./collector <"$f" &&
			mv "$f" sent/ && continue
		echo "status $?: $(cat log/*.ndjson | wc -l) events stay"
		return
	done
	echo "delivered: $(cat sent/*.ndjson | wc -l) events"
}

echo '== the collector is down'
ship
echo '== still; nobody tries'
ship
echo '== it is back, and the breaker lets one call see'
exec 9<>collector
head -n5 <&9 >collected &
ship -w 5s
wait
echo "collected: $(wc -l <collected) events"

# Prints:
#| == the collector is down
#| nl-sink: fifo:./collector: nobody reads it
#| nl-sink: 5 events, 5 lost
#| nl-sink: fifo:./collector: 0 taken, 5 not: nobody reads it
#| nl-sink: fifo:./collector: nobody reads it
#| nl-sink: 5 events, 5 lost
#| nl-sink: fifo:./collector: 0 taken, 5 not: nobody reads it
#| status 1: 5 events stay
#| == still; nobody tries
#| status 75: 5 events stay
#| == it is back, and the breaker lets one call see
#| delivered: 5 events
#| collected: 5 events
