#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# agent_tools.sh - the tool loop of an agent, in shell.  A model asks for tools as
# JSON, a line each; every tool runs with a limit, at most two at once, and behind a
# breaker of its own.  What does not work is told to the model as an answer that it
# can act on, at once: no call hangs, and a tool that is down is not tried by each
# of a hundred agents on the host.
# Wants jq.  What it prints is at the end; a test compares.
set -u
PATH=${NL_BIN:-$(cd "$(dirname "$0")/.." && pwd)/build/bin}:$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit
NL_STATE=$dir/state NL_EVENTS=$dir/events
export NL_STATE NL_EVENTS

# Two tools: one works, one hangs.
mkdir tools
printf '#!/bin/sh\nwc -w\n' >tools/count_words
printf '#!/bin/sh\nexec sleep 60\n' >tools/search
chmod +x tools/*

# The one line that matters.  A tool is chosen by its name alone, never by a path.
call() {
	nl-breaker -f2 -o 1h "tool.$1" nl-bulkhead -m2 -w 5s tools nl-timeout 300ms "./tools/$1"
}

# What the model sent.
cat >calls <<'J'
{"id":1,"tool":"count_words","input":"three short words"}
{"id":2,"tool":"search","input":"weather"}
{"id":3,"tool":"search","input":"weather today"}
{"id":4,"tool":"search","input":"weather please"}
{"id":5,"tool":"rm","input":""}
{"id":6,"tool":"count_words","input":"still here"}
J

while IFS= read -r line; do
	id=$(printf %s "$line" | jq .id)
	tool=$(printf %s "$line" | jq -r '.tool | select(test("^[a-z_]+$"))')
	if [ ! -f "tools/$tool" ]; then
		status=127
	else
		status=0
		printf %s "$line" | jq -r .input | call "$tool" >out 2>err || status=$?
	fi
	case $status in
	0) jq -cRs --argjson id "$id" '{id: $id, ok: true, output: rtrimstr("\n")}' out ;;
	75) jq -cn --argjson id "$id" '{id: $id, ok: false, error: "unavailable: failed often of late; use another tool"}' ;;
	124) jq -cn --argjson id "$id" '{id: $id, ok: false, error: "timeout"}' ;;
	127) jq -cn --argjson id "$id" '{id: $id, ok: false, error: "no such tool"}' ;;
	*) jq -cRs --argjson id "$id" --arg s "$status" '{id: $id, ok: false, error: ("status " + $s), output: .}' err ;;
	esac
done <calls

# Prints:
#| {"id":1,"ok":true,"output":"3"}
#| {"id":2,"ok":false,"error":"timeout"}
#| {"id":3,"ok":false,"error":"timeout"}
#| {"id":4,"ok":false,"error":"unavailable: failed often of late; use another tool"}
#| {"id":5,"ok":false,"error":"no such tool"}
#| {"id":6,"ok":true,"output":"2"}
