# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# http.bash - a real HTTP server on the loopback for tests.
#
#   serve DIR    busybox httpd on a free port; sets $base, its URL, and $server, its pid.
#                Scripts go to DIR/cgi-bin.  nl_teardown complains if it is not stopped.
#   stop_server  and everything that it started

serve() {
	local try

	echo "$BATS_TEST_TMPDIR" >"$1/token"
	for try in {1..20}; do
		base=http://127.0.0.1:$((20000 + (BASHPID + try * 977) % 10000))
		NL_EVENTS=off nl-timeout 60s busybox httpd -f -p "${base#http://}" -h "$1" 2>/dev/null 3>&- &
		server=$!
		wait_for 5 serving && [[ $(curl -fsS --noproxy '*' "$base/token") == "$BATS_TEST_TMPDIR" ]] && return
		stop_server
	done
	return 1
}

# Bound, or gone because the port is another's.
serving() { ! alive "$server" || curl -fs -m 1 --noproxy '*' -o /dev/null "$base/token"; }

stop_server() {
	kill "$server" 2>/dev/null || :
	wait "$server" || :
}
