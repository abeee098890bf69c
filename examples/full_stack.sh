#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# full_stack.sh - all of it in the right order, as one name in a file of policies, in
# front of a real server that has a good day, hangs, and comes back:
#
#   a stale answer | retry + breaker + bulkhead + timeout
#
# From the inside: a limit, so that what hangs is a failure; the bulkhead, so that
# waiting for a turn takes nothing from the limit; the breaker, so that nobody queues
# for what is down; the retry, so that nothing is held between attempts; and around
# all, what to say when nothing helps.
# Wants curl, busybox and jq.  What it prints is at the end; a test compares.
set -u
PATH=${NL_BIN:-$(cd "$(dirname "$0")/.." && pwd)/build/bin}:$PATH
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; wait; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM HUP
cd "$dir" || exit
NL_STATE=$dir/state NL_EVENTS=$dir/events XDG_CACHE_HOME=$dir/cache CURL_HOME=$dir
export NL_STATE NL_EVENTS XDG_CACHE_HOME CURL_HOME
echo 'noproxy = "*"' >.curlrc

# The server: counts requests; while the file down is there, it hangs.
mkdir -p www/cgi-bin
cat >www/cgi-bin/price <<'CGI'
#!/bin/sh
echo >>../../requests
test ! -e ../../down || exec sleep 60
printf 'Content-Type: text/plain\r\n\r\ntea 4.20\n'
CGI
chmod +x www/cgi-bin/price
echo "$dir" >www/token
for port in $(shuf -n 20 -i 20000-29999); do
	nl-timeout --events off 1m busybox httpd -f -p "127.0.0.1:$port" -h www 2>httpd.log &
	server=$! url=http://127.0.0.1:$port/cgi-bin/price
	nl-retry --events off -n 20 -b const:50ms curl -fs -o token "http://127.0.0.1:$port/token" &&
		cmp -s token www/token && break
	kill "$server"
	wait "$server"
done
: >requests

cat >policies <<'P'
# How this host asks the price service.
call  = breaker(price, failures=3, open=1h) + bulkhead(price, max=4, wait=5s) + timeout(1s)
price = fallback(stale='1d:price') + retry(5, backoff=exp:10ms..50ms, hold) + @call
P

get() {
	nl-run -f policies @price curl -fsS "$url"
	echo "status $?, the server has seen $(wc -l <requests) requests"
}

echo "== The line that the policy stands for"
nl-run -f policies --explain @price curl -fsS URL | tail -n1
echo "== A good day"
get
echo "== It hangs: the third call in a row opens the breaker, and no retry follows"
touch down
get
echo "== Still down: the answer comes at once, and nobody asks the server"
get
nl-ctl show breaker/price | sed -n '1s/,.*//p; 2p'
echo "== What happened, counted"
jq -r .event events | grep -e circuit -e timeout -e stale -e exhausted | sort | uniq -c
echo "== It is back, and a person says so; eight ask at once, four at a time"
rm down
nl-ctl close breaker/price
seq 8 | xargs -P8 -I{} nl-run -f policies @price curl -fsS "$url" | sort | uniq -c

# Prints:
#| == The line that the policy stands for
#| nl-fallback --stale=1d:price nl-retry --attempts=5 --backoff=exponential:0.01s..0.05s --hold nl-breaker --failures=3 --open=3600s price nl-bulkhead --max=4 --wait=5s price nl-timeout 1s curl -fsS URL
#| == A good day
#| tea 4.20
#| status 0, the server has seen 1 requests
#| == It hangs: the third call in a row opens the breaker, and no retry follows
#| tea 4.20
#| status 0, the server has seen 4 requests
#| == Still down: the answer comes at once, and nobody asks the server
#| tea 4.20
#| status 0, the server has seen 4 requests
#| breaker/price  OPEN since 17:41:45 (0.04 s ago)
#| why         3 consecutive failures (limit 3, from flag): timeout ×3
#| == What happened, counted
#|       1 nl.circuit.opened
#|       2 nl.circuit.rejected
#|       2 nl.fallback.stale
#|       2 nl.retry.exhausted
#|       3 nl.timeout.occurred
#| == It is back, and a person says so; eight ask at once, four at a time
#|       8 tea 4.20
