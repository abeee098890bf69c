#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# timeout_fallback.sh - an answer in bounded time, the best there is: the live one if
# it comes within 300 ms, else the last good one if it is of today, else the one that
# came with the program.  Three tools, each with one thing to do; the page that calls
# the last line need not know of any.
# What it prints is at the end; a test compares.
set -u
PATH=${NL_BIN:-$(cd "$(dirname "$0")/.." && pwd)/build/bin}:$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit
NL_STATE=$dir/state NL_EVENTS=human XDG_CACHE_HOME=$dir/cache
export NL_STATE NL_EVENTS XDG_CACHE_HOME

# The service: fast while the file up is there, then it writes half a line and hangs.
cat >live <<'F'
#!/bin/sh
test -e up && exec echo "tea 4.20, live"
printf "tea 4."
exec sleep 60
F
chmod +x live
echo "tea 3.90, as shipped" >shipped

prices() {
	nl-fallback [ nl-fallback --stale 1d:prices nl-timeout 300ms ./live ] [ cat shipped ]
}

echo "== The service hangs, and there has never been an answer"
prices
echo "== It works"
touch up
prices
echo "== It hangs again"
rm up
prices

# Prints:
#| == The service hangs, and there has never been an answer
#| nl-timeout: live stopped after 0.30 s (TERM)
#| nl-fallback: failed: timeout
#| nl-fallback: live failed: timeout after 0.30 s, now cat
#| tea 3.90, as shipped
#| == It works
#| tea 4.20, live
#| == It hangs again
#| nl-timeout: live stopped after 0.30 s (TERM)
#| nl-fallback: timeout; answered with what was good 0.31 s ago
#| tea 4.20, live
