#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# happy_eyeballs.sh - a host with two addresses, as RFC 8305 asks for it: the better
# one first; the other after 250 ms, or at once when the first has failed; the first
# answer wins, and the connection that lost is gone.  With real addresses it is
#
#   nl-race -d 250ms [ curl -6 -fsS URL ] [ curl -4 -fsS URL ]
#
# Here a server on the loopback plays both: what is sent to "six" gets an answer, none
# (a network that drops packets), or is refused.
# Wants curl and busybox.  What it prints is at the end; a test compares.
set -u
PATH=${NL_BIN:-$(cd "$(dirname "$0")/.." && pwd)/build/bin}:$PATH
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; wait; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM HUP
cd "$dir" || exit
NL_STATE=$dir/state NL_EVENTS=off CURL_HOME=$dir
export NL_STATE NL_EVENTS CURL_HOME
echo 'noproxy = "*"' >.curlrc

mkdir -p www/cgi-bin
for name in six four; do
	cat >www/cgi-bin/$name <<-CGI
		#!/bin/sh
		echo \$\$ >>../../$name
		test ! -e ../../$name.silent || exec sleep 60
		printf 'Content-Type: text/plain\r\n\r\nhello by $name\n'
	CGI
done
chmod +x www/cgi-bin/*
echo "$dir" >www/token
for port in $(shuf -n 20 -i 20000-29999); do
	nl-timeout 1m busybox httpd -f -p "127.0.0.1:$port" -h www 2>httpd.log &
	server=$! base=http://127.0.0.1:$port
	nl-retry -n 20 -b const:50ms curl -fs -o token "$base/token" && cmp -s token www/token && break
	kill "$server"
	wait "$server"
done

# fetch DELAY SIX: what was heard, and what nl-race says about it.
fetch() {
	nl-race -d "$1" --events human [ curl -fsS "$2" ] [ curl -fsS "$base/cgi-bin/four" ] 2>log
	cat log
}

echo "== Both work: the second is not even asked"
fetch 10s "$base/cgi-bin/six"
test -e four || echo "nobody asked four"
echo "== The first is silent: the second 250 ms later"
touch six.silent
fetch 250ms "$base/cgi-bin/six"
echo "== The first is refused: the second at once, whatever the delay"
fetch 10s http://127.0.0.1:1/
echo "== Neither: the status of the first"
nl-race -d 10s [ curl -fsS http://127.0.0.1:1/ ] [ curl -fsS "$base/none" ] 2>log
echo "status $?"

# Prints:
#| == Both work: the second is not even asked
#| hello by six
#| nobody asked four
#| == The first is silent: the second 250 ms later
#| hello by four
#| nl-race: no answer after 0.25 s, now arm 2, too
#| nl-race: arm 2 (curl) won after 0.39 s
#| == The first is refused: the second at once, whatever the delay
#| hello by four
#| curl: (7) Failed to connect to 127.0.0.1 port 1 ...
#| nl-race: one failed, now arm 2
#| nl-race: arm 2 (curl) won after 0.21 s
#| == Neither: the status of the first
#| status 7
