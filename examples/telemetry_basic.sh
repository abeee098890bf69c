#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# telemetry_basic.sh - where events go, and what jq makes of them.
# Wants jq.  What it prints is at the end; a test compares.
set -u
PATH=${NL_BIN:-$(cd "$(dirname "$0")/.." && pwd)/build/bin}:$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
unset NL_EVENTS

# A command that fails twice, for two reasons, and then works.
cat >"$dir/fetch" <<'EOS'
#!/bin/sh
case $NL_ATTEMPT in
1) exit 7 ;;
2) exec sleep 60 ;;
esac
echo fetched
EOS
chmod +x "$dir/fetch"
PATH=$dir:$PATH

echo "== Standard error is where events go by default: pipe it away from the output"
nl-retry -n5 -b const:10ms nl-timeout 1s fetch 2>&1 >"$dir/out" |
	jq -r '[.event, .kind, .err // "-"] | @tsv'
cat "$dir/out"

echo "== A file collects the events of many runs"
NL_EVENTS=$dir/events
export NL_EVENTS
nl-retry -n5 -b const:10ms nl-timeout 1s fetch
nl-retry -n2 -b const:10ms --name nightly false
nl-timeout 10s true
jq -rs '
	map(select(.depth == 0 and (.event | startswith("nl.request."))))
	| group_by(.policy)[]
	| "\(.[0].policy): \(length) call, \(map(.attempts // 1) | add) attempts, " +
	  "\(map(select(.event == "nl.request.failure")) | length) failed"' "$dir/events"

echo "== Why attempts failed"
jq -r 'select(.event == "nl.retry.attempt" or .event == "nl.retry.exhausted").err' "$dir/events" | sort | uniq -c

echo "== Nothing is lost without a trace: every run says how many lines it sent"
jq -rs '
	group_by(.run)[]
	| select(.[-1].event == "nl.run.ended")
	| if length == .[-1].events then "complete" else "\(.[-1].events - length) lines missing" end' "$dir/events"

# Prints:
#| == Standard error is where events go by default: pipe it away from the output
#| nl.request.failure	timeout	exit_7
#| nl.retry.attempt	retry	exit_7
#| nl.timeout.occurred	timeout	-
#| nl.request.failure	timeout	timeout
#| nl.retry.attempt	retry	timeout
#| nl.request.success	timeout	-
#| nl.request.success	retry	-
#| nl.run.ended	retry	-
#| fetched
#| == A file collects the events of many runs
#| fetched
#| fetch: 1 call, 3 attempts, 0 failed
#| nightly: 1 call, 2 attempts, 1 failed
#| true: 1 call, 1 attempts, 0 failed
#| == Why attempts failed
#|       2 exit_1
#|       1 exit_7
#|       1 timeout
#| == Nothing is lost without a trace: every run says how many lines it sent
#| complete
#| complete
#| complete
