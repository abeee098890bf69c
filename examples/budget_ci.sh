#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# budget_ci.sh - a CI job whose steps fetch from a registry, each with retries.  On a
# bad day every step of every job would ask five times.  A budget that all of them
# share lets a few retries through, as a rule of gRPC has it, and then no more: one
# lost packet is still retried, and a registry that is down is not buried.
# Wants jq.  What it prints is at the end; a test compares.
set -u
PATH=${NL_BIN:-$(cd "$(dirname "$0")/.." && pwd)/build/bin}:$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit
NL_STATE=$dir/state NL_EVENTS=$dir/events
export NL_STATE NL_EVENTS

# The registry: counts requests, answers while the file up is there.
cat >fetch <<'F'
#!/bin/sh
echo >>requests
test -e up
F
chmod +x fetch

# job OPTION...: six steps, and how many requests the registry saw.
job() {
	: >requests
	for step in checkout deps lint build test package; do
		nl-retry -n5 -b const:10ms "$@" --name "$step" ./fetch
	done
	wc -l <requests
}

echo "== The registry is down: six steps, five attempts each"
job
echo "== The same with a budget"
job --budget registry:grpc
jq -r 'select(.reason == "budget") | "\(.policy): no retry, \(.budget) has \(.tokens) tokens"' events

echo "== The registry is up: nobody notices the budget"
touch up
job --budget registry:grpc

# Prints:
#| == The registry is down: six steps, five attempts each
#| 30
#| == The same with a budget
#| 10
#| deps: no retry, registry has 4 tokens
#| lint: no retry, registry has 3 tokens
#| build: no retry, registry has 2 tokens
#| test: no retry, registry has 1 tokens
#| package: no retry, registry has 0 tokens
#| == The registry is up: nobody notices the budget
#| 6
