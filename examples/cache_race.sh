#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# cache_race.sh - a cache and the source behind it.  To ask the cache first and then
# the source adds the cache's time to every miss, and all of it when the cache hangs.
# To race them costs the source a request for every hit.  With a delay it is both: a
# hit never reaches the source, a miss goes there at once, and a cache that hangs
# costs 100 ms.
# What it prints is at the end; a test compares.
set -u
PATH=${NL_BIN:-$(cd "$(dirname "$0")/.." && pwd)/build/bin}:$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit
NL_STATE=$dir/state NL_EVENTS=off
export NL_STATE NL_EVENTS

# The cache prints nothing where it has nothing, as many do, and says that all is well.
cat >cache <<'F'
#!/bin/sh
test ! -e hangs || exec sleep 60
cat "cached.$1" 2>/dev/null || :
F
# The source counts what it is asked, and fills the cache.
cat >source <<'F'
#!/bin/sh
echo "$1" >>asked
echo "$1 from the source"
echo "$1 from the cache" >"cached.$1"
F
chmod +x cache source
: >asked

# get DELAY KEY
get() {
	nl-race -d "$1" --need-output [ ./cache "$2" ] [ ./source "$2" ]
	echo "  ($(wc -l <asked) asked of the source)"
}

echo "== A miss: an empty answer is none, and the source is asked at once"
get 10s tea
echo "== A hit"
get 10s tea
echo "== The cache hangs: the source after 100 ms, the cache is stopped"
touch hangs
get 100ms tea
echo "== The source is down, too: the wait is over when a limit says so"
printf '#!/bin/sh\nexec sleep 60\n' >source
nl-timeout 300ms nl-race -d 100ms --need-output [ ./cache tea ] [ ./source tea ]
echo "  (status $?)"

# Prints:
#| == A miss: an empty answer is none, and the source is asked at once
#| tea from the source
#|   (1 asked of the source)
#| == A hit
#| tea from the cache
#|   (1 asked of the source)
#| == The cache hangs: the source after 100 ms, the cache is stopped
#| tea from the source
#|   (2 asked of the source)
#| == The source is down, too: the wait is over when a limit says so
#|   (status 124)
