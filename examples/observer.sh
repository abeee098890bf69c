#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# observer.sh - many short processes write events, nl-observe answers questions.
# What it prints is at the end; a test compares.
set -u
PATH=${NL_BIN:-$(cd "$(dirname "$0")/.." && pwd)/build/bin}:$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -m 700 "$dir/state" "$dir/log"

# All write into one folder, a file for each hour.  Nothing else runs.
NL_STATE=$dir/state NL_EVENTS=$dir/log/@debug
export NL_STATE NL_EVENTS

# A service that is down for a while: the breaker opens at the third failure in a row.
cat >"$dir/service" <<EOS
#!/bin/sh
[ ! -e "$dir/down" ]
EOS
chmod +x "$dir/service"
PATH=$dir:$PATH
for _ in 1 2 3 4 5; do
	nl-breaker -f3 --open 1h api service
done
: >"$dir/down"
for _ in 1 2 3 4 5; do
	nl-breaker -f3 --open 1h api service 2>"$dir/said"
done

# A job that works at its second attempt: nobody sees that it is flaky.
nl-retry -n3 -b const:10ms --name nightly sh -c "[ -e $dir/seen ] || { : >$dir/seen; exit 7; }"

# A limit that is hit.
nl-timeout --name report 100ms sleep 60

echo "== What the log says in all"
nl-observe "$dir/log" | sed -n 's/ until .*;/,/; 1p'

echo "== Is the breaker open, and how many of its calls failed?"
nl-observe state api "$dir/log"
nl-observe rate api "$dir/log"

echo "== What retries hid"
nl-observe list --json "$dir/log" | jq -r 'select(.recovered > 0) | "\(.kind)/\(.policy): \(.recovered) recovered by \(.attempts) attempts"'

echo "== A question for a monitor: its answer is a status"
nl-observe check 'rate(api) < 0.2' "$dir/log" >"$dir/check"
echo "status $?"

echo "== Nothing is lost, and every line is accounted for"
nl-observe --stats "$dir/log" | grep -E '^(torn|bad_json|lost|killed) '

echo "== The same for Prometheus, and as CloudEvents"
nl-observe export "$dir/log" | grep '^nl_circuit_state.* 1$'
nl-observe export --as cloudevents "$dir/log" | jq -r 'select(.subject == "report" and .severitynumber > 9).type'

# Prints:
#| == What the log says in all
#| 41 events of 12 runs, 6 of 12 calls failed
#| == Is the breaker open, and how many of its calls failed?
#| open
#| 0.5
#| == What retries hid
#| retry/nightly: 1 recovered by 2 attempts
#| == A question for a monitor: its answer is a status
#| status 2
#| == Nothing is lost, and every line is accounted for
#| torn 0
#| bad_json 0
#| killed 0
#| lost 0
#| == The same for Prometheus, and as CloudEvents
#| nl_circuit_state{kind="breaker",policy="api",state="open"} 1
#| dev.ninelives.timeout.occurred.v1
#| dev.ninelives.request.failure.v1
