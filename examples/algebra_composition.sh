#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# algebra_composition.sh - a policy is an expression: + wraps, | falls back, & races.
# nl-run runs it; --explain shows what it means and the line of tools that it is,
# which is shown here to be the same thing.
# What it prints is at the end; a test compares.
set -u
PATH=${NL_BIN:-$(cd "$(dirname "$0")/.." && pwd)/build/bin}:$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit
NL_STATE=$dir/state NL_EVENTS=off
export NL_STATE NL_EVENTS

# A service that is slow at first: it counts its calls, and answers from the third on.
cat >service <<'F'
#!/bin/sh
echo >>calls
n=$(($(wc -l <calls)))
test $n -ge 3 || exec sleep 60
echo "answered call $n"
F
chmod +x service

# Two quick tries, then patience.
policy='retry(2, backoff=const:1ms) + timeout(200ms) | timeout(5s)'
echo "== $policy"
nl-run --explain "$policy" ./service

echo "== Run by nl-run"
: >calls
nl-run "$policy" ./service; echo "status $?, $(wc -l <calls) calls"

echo "== Run as the line that --explain prints"
: >calls
eval "$(nl-run --explain "$policy" ./service | tail -n1)"; echo "status $?, $(wc -l <calls) calls"

echo "== & binds tighter than +, and + tighter than |"
for e in 'timeout(1s) | retry + timeout(2s) & timeout(3s)' 'timeout(1s) | (retry + (timeout(2s) & timeout(3s)))'; do
	nl-run --canonical "$e"
done

echo "== What is behind a fallback in parentheses belongs to each branch"
for e in '(timeout(1s) | timeout(2s)) + retry' 'timeout(1s) + retry | timeout(2s) + retry'; do
	nl-run --explain "$e" cmd | tail -n1
done

echo "== pass adds nothing, fail is a branch that never works"
nl-run 'fail | pass' echo "runs all the same"
nl-run 'fail' echo "never printed"; echo "status $?"

# Prints:
#| == retry(2, backoff=const:1ms) + timeout(200ms) | timeout(5s)
#| fallback  # col 46
#|   retry(2, backoff=constant:0.001s)  # col 1
#|     timeout(0.2s)  # col 31
#|       ./service
#|   timeout(5s)  # col 48
#|     ./service
#| nl-fallback [ nl-retry --attempts=2 --backoff=constant:0.001s nl-timeout 0.2s ./service ] [ nl-timeout 5s ./service ]
#| == Run by nl-run
#| answered call 3
#| status 0, 3 calls
#| == Run as the line that --explain prints
#| answered call 3
#| status 0, 3 calls
#| == & binds tighter than +, and + tighter than |
#| timeout(1s) | retry + timeout(2s) & timeout(3s)
#| timeout(1s) | retry + timeout(2s) & timeout(3s)
#| == What is behind a fallback in parentheses belongs to each branch
#| nl-fallback [ nl-timeout 1s nl-retry cmd ] [ nl-timeout 2s nl-retry cmd ]
#| nl-fallback [ nl-timeout 1s nl-retry cmd ] [ nl-timeout 2s nl-retry cmd ]
#| == pass adds nothing, fail is a branch that never works
#| runs all the same
#| status 75
