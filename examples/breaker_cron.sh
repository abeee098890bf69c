#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# breaker_cron.sh - a job that cron starts every minute, and a server that is down
# for a while: which mails come.  Three failures open the breaker; then the job does
# not even try and cron has nothing to mail, until the server is back.
#
# Runs the job as cron does, and a real server on the loopback (busybox httpd).
# What it prints is at the end; a test compares.
set -eu
PATH=${NL_BIN:-$(cd "$(dirname "$0")/.." && pwd)/build/bin}:$PATH
dir=$(mktemp -d)
server=
# shellcheck disable=SC2317 # called by trap
clean() {
	[ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || :
	rm -rf "$dir"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
export CURL_HOME="$dir"         # no proxy before the loopback
echo 'noproxy = "*"' >"$dir/.curlrc"
mkdir "$dir/www"
echo "$dir" >"$dir/www/feed"

# A port on which nobody listens yet.
port=$((20000 + $$ % 10000))
while curl -s -m 1 -o "$dir/nobody" "http://127.0.0.1:$port/"; do
	port=$((port + 1))
done

# The crontab has a line like this, with -o 10m.  -E 0: not to try is no failure.
job="nl-breaker -f3 -o 2s -E 0 --on-change 'echo feed: \$NL_FROM, now \$NL_TO' feed \
	nl-timeout 5s curl -fsS http://127.0.0.1:$port/feed -o feed"
minute() {
	env -i PATH="$PATH" HOME="$dir" CURL_HOME="$dir" NL_STATE="$dir/state" NL_EVENTS=off \
		sh -c "cd '$dir' && $job" 2>&1 | sed 's/^/mail: /'
}

echo "== The server is down"
for _ in 1 2 3 4 5; do
	minute
done
nl-ctl --state "$dir/state" list

echo "== It is back, and the first job after the open time finds out"
nl-timeout --events off 60s busybox httpd -f -p "127.0.0.1:$port" -h "$dir/www" 2>/dev/null &
server=$!
nl-retry -q -n 100 -b const:50ms -j none curl -fsS -o "$dir/up" "http://127.0.0.1:$port/feed"
sleep 2
minute
nl-ctl --state "$dir/state" list

# Prints:
#| == The server is down
#| mail: curl: (7) Failed to connect to 127.0.0.1 port ...
#| mail: curl: (7) Failed to connect to 127.0.0.1 port ...
#| mail: curl: (7) Failed to connect to 127.0.0.1 port ...
#| mail: feed: closed, now open
#| breaker/feed  OPEN, probes in ...: 3 consecutive failures: exit 7 ×3
#| == It is back, and the first job after the open time finds out
#| mail: feed: open, now half_open
#| mail: feed: half_open, now closed
#| breaker/feed  CLOSED: 0 failures in a row
