#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# quickstart.sh - sh examples/quickstart.sh: from a fresh clone on a bare Debian 12
# to a flaky command made reliable, with the events that prove it.
#
# Installs what is missing (says what), builds, starts a real HTTP server on the
# loopback that fails once, hangs once and then works, and fetches from it.
# With NL_BIN=DIR it takes the programs from there and builds nothing.
set -eu
cd "$(dirname "$0")/.."

say() {
	echo "quickstart: $*"
}

missing=
for n in make gcc:gcc /usr/include/stdio.h:libc6-dev /usr/include/jsmn.h:libjsmn-dev \
	musl-gcc:musl-tools busybox curl; do
	case $n in
	/*) [ -e "${n%:*}" ] || missing="$missing ${n#*:}" ;;
	*) command -v "${n%:*}" >/dev/null || missing="$missing ${n#*:}" ;;
	esac
done
if [ -n "$missing" ]; then
	as=
	[ "$(id -u)" = 0 ] || as=sudo
	if ! command -v apt-get >/dev/null; then
		say "please install, by Debian's names:$missing" >&2
		exit 1
	fi
	say "apt-get install$missing"
	$as apt-get -qq update
	# shellcheck disable=SC2086
	$as env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install -y \
		--no-install-recommends $missing >/dev/null
fi

if [ -z "${NL_BIN-}" ]; then
	say "make"
	make -s >/dev/null
	NL_BIN=$PWD/build/bin
fi
PATH=$NL_BIN:$PATH
export PATH
unset NL_EVENTS

dir=$(mktemp -d)
export CURL_HOME="$dir"         # no proxy before the loopback
echo 'noproxy = "*"' >"$dir/.curlrc"
server=
# shellcheck disable=SC2317 # called by trap
clean() {
	trap '' HUP INT TERM
	if [ -n "$server" ]; then
		kill "$server" 2>/dev/null || :
		wait "$server" 2>/dev/null || :
	fi
	rm -rf "$dir"
}
trap clean EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Request 1 fails, request 2 hangs, later ones are answered.
mkdir "$dir/www" "$dir/www/cgi-bin"
cat >"$dir/www/cgi-bin/flaky" <<'CGI'
#!/bin/sh
read -r n <../../requests
echo $((n + 1)) >../../requests
case $n in
0) printf 'Status: 503 Service Unavailable\r\n\r\n' ;;
1) sleep 60 ;;
*) printf 'Content-Type: text/plain\r\n\r\nhello from the flaky server\n' ;;
esac
CGI
chmod +x "$dir/www/cgi-bin/flaky"
echo 0 >"$dir/requests"
echo "$dir" >"$dir/www/token"

# The limit ends the server, and a request that hangs in it, whatever happens to us.
try=0
until [ "$(cat "$dir/seen" 2>/dev/null)" = "$dir" ]; do
	try=$((try + 1))
	[ $try -le 20 ] || { say "no free port" >&2; exit 1; }
	[ -z "$server" ] || { kill "$server" 2>/dev/null || :; wait "$server" 2>/dev/null || :; }
	base=http://127.0.0.1:$((20000 + ($$ + try * 977) % 10000))
	nl-timeout --events off 60s busybox httpd -f -p "${base#http://}" -h "$dir/www" 2>/dev/null &
	server=$!
	nl-retry -q -n 50 -b const:20ms --on 7 -- curl -fsS -m 1 -o "$dir/seen" "$base/token" 2>/dev/null || :
done
say "a server at $base fails once, hangs once, then works"
say "nl-retry -O -n5 -b exp:200ms nl-timeout 2s curl -fsS $base/cgi-bin/flaky"
status=0
NL_EVENTS="human+$dir/events" \
	nl-retry -O -n5 -b exp:200ms nl-timeout 2s curl -fsS "$base/cgi-bin/flaky" || status=$?

echo
say "the same run as events"
cat "$dir/events"

echo
awk -v status=$status '
	function get(key) {
		if (!match($0, "\"" key "\":(\"[^\"]*\"|[^,}]*)"))
			return ""
		s = substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3)
		gsub(/"/, "", s)
		return s
	}
	/"event":"nl.retry.(attempt|exhausted)"/ {
		err = get("err")
		sub(/_/, " ", err)
		list = list (failures++ ? ", " : "") err
	}
	/"event":"nl.request/ && get("depth") == 0 {
		printf "%d attempts, %d failures: %s; %.1f s; your script saw %s\n", get("attempts"), failures, list,
			get("dur_s"), status ? "exit " status : "success"
	}' "$dir/events"
exit $status
