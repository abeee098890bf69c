# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# victim.bash - what the tests of supervision share, beyond helper.bash: which
# processes of a test live, and how a background job ended.

# A file with a setup of its own calls victim_setup.
setup() { victim_setup; }

victim_setup() {
	nl_setup
	export NL_VICTIM=$BATS_TEST_TMPDIR
}

# Prints the pids of the living programs of this test, in whatever session or
# family: they have all inherited its environment.
victims() {
	local p
	# grep is none of them: env takes the mark off before it becomes grep.
	for p in $(exec env -u NL_VICTIM grep -lsaxzF "NL_VICTIM=$NL_VICTIM" /proc/[0-9]*/environ); do
		p=${p#/proc/}
		echo "${p%/environ}"
	done
}

no_victims() {
	[ -z "$(victims)" ]
}

ended() {
	! kill -0 "$1" 2>/dev/null
}

# ends SECONDS: $pid, a child of ours, ends in time; $rc is its status.
ends() {
	# shellcheck disable=SC2154
	wait_for "$1" ended "$pid" || return
	rc=0
	# shellcheck disable=SC2034
	wait "$pid" || rc=$?
}

ms() {
	local t=${EPOCHREALTIME/[.,]/}
	echo $((t / 1000))
}

# Gives something that must not happen that many milliseconds to happen.
linger() {
	read -rt "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))" _ <> <(:) || true
}

# between LOW VALUE HIGH: the end points belong to it.
between() {
	[ "$1" -le "$2" ] || return
	[ "$2" -le "$3" ]
}

# True when a log of spawner, sigcount or deaf says that it is ready.
ready() {
	grep -qs ^ready "$@"
}

# The pids in a spawner's log, of one kind or all.
pids() {
	sed -n "s/^${2:-[a-z]*} //p" "$1"
}

# all COMMAND PID...: COMMAND holds for each.
all() {
	local p
	for p in "${@:2}"; do
		"$1" "$p" || return
	done
}

# by_limit LOG COMMAND...: COMMAND ends with 124 after the limit that stands for
# the word LIMIT in it.  The limit becomes longer until the victim that writes
# LOG was ready in time (its line began with $mark, if that is set), for a busy
# machine.  $limit and $took are milliseconds.
by_limit() {
	local line=("${@:2}")
	for limit in 300 1500 7500; do
		rm -f "$1"
		took=$(ms)
		rc=0
		"${line[@]//LIMIT/$((limit / 1000)).$((limit / 100 % 10))}" >out 2>err || rc=$?
		took=$(($(ms) - took))
		[ "$rc" = 124 ] || return
		! grep -qs "^${mark:-ready}" "$1" || return 0
	done
	echo "by_limit: never ready: $*" >&2
	return 1
}

# Fault injection needs a tool whose own start-up makes no calls: a static one.
static_only() {
	! grep -qs /ld- "$NL_BIN/nl-timeout" || skip "needs static tools"
	strace -o /dev/null true 2>/dev/null || skip "needs strace"
}

root_only() {
	[ "$(id -u)" = 0 ] || skip "needs root"
}
