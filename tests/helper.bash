# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# helper.bash - `load helper` in every .bats file gives:
#
#   an empty directory as cwd; nl-* and tests/aid programs first in PATH; an
#   NL_EVENTS file that is judged later; an empty NL_STATE; after each test, a failure for every
#   process that it left.  A file with its own setup or teardown calls nl_setup
#   or nl_teardown from it.
#
#   wait_for SECONDS COMMAND...  until COMMAND succeeds, asked each 10 ms; fails after SECONDS
#   alive PID...                 all of them exist and are no zombies
#   gone MARK|FILE               no live process has the argument MARK (see victim), or a pid in FILE
#   victim                       prints a number of seconds that no other process sleeps: m=$(victim)
#   start COMMAND...             in the background, INT and QUIT at default, fd 3 closed; sets $pid
#   status_of COMMAND...         prints its exit status, as $? has it; its output goes nowhere
#   run_both COMMAND...          like bats' run, fused and with NL_FUSE=0: both must agree in status,
#                                stdout and the events of each layer, each with an NL_STATE
#                                of its own; leaves out.1 ev.1 (fused) out.0 ev.0
#   as_timeout                   makes ./timeout, a link to nl-timeout, and puts . first in PATH
#   events [FILE]                prints the names of the events in FILE (default: the test's file)
#   field KEY [FILE]             prints KEY's value of each event that has it, without quotes
#
# In the background by hand: `cmd 3>&- &`, or bats waits for it for ever.

bats_require_minimum_version 1.5.0

: "${NL_ROOT:=$(cd "$BATS_TEST_DIRNAME/.." && pwd -P)}"
: "${NL_BIN:=$NL_ROOT/build/bin}" "${NL_AID:=$NL_ROOT/build/aid}"
export NL_ROOT NL_BIN NL_AID PATH="$NL_BIN:$NL_AID:${PATH#"$NL_BIN:$NL_AID:"}"

# Here and not in nl_setup, so that files with a setup of their own have it too.
export NL_TEST_ID="$BATS_TEST_FILENAME:${BATS_TEST_NUMBER-}:$$"
if [[ -n ${NL_EVENTS_LOG-} ]]; then
	export NL_EVENTS=$NL_EVENTS_LOG/${BATS_TEST_NUMBER-}.ndjson
fi

# builtin.bats runs the tests of the programs with these: what bash itself starts is then a builtin.
if [[ -n ${NL_BUILTIN-} ]]; then
	enable -f "$NL_BUILTIN" nl-retry nl-timeout nl-breaker nl-bulkhead nl-race nl-fallback nl-run
fi

# bats calls this at a test's limit, for its pid, and would end its children alone.
bats_kill_childprocesses_of() {
	local p

	while IFS=/ read -r _ _ p _; do
		kill -KILL "$p" || :
	done < <(env -u NL_TEST_ID grep -lzxF "NL_TEST_ID=$NL_TEST_ID" /proc/[0-9]*/environ)
	pkill -P "$1" # us too
} &>/dev/null

setup() { nl_setup; }
teardown() { nl_teardown; }

nl_setup() {
	local all=(/proc/[0-9]*)

	nl_before=" ${all[*]} "
	cd "$BATS_TEST_TMPDIR" || return
	[[ -n ${NL_EVENTS_LOG-} ]] || export NL_EVENTS=$BATS_TEST_TMPDIR.ndjson
	export NL_STATE=$BATS_TEST_TMPDIR.state
	mkdir -p "$NL_STATE" && chmod 700 "$NL_STATE" || return
	unset NL_FUSE NL_DEADLINE NL_PARENT NL_ATTEMPT NL_MAX_ATTEMPTS NL_PREV_STATUS TRACEPARENT
}

nl_teardown() {
	local dir

	wait_for 1 nl_none_left && return
	for dir in "${nl_left[@]}"; do
		printf 'left behind: %s %s\n' "${dir##*/}" "$(tr '\0' ' ' <"$dir/cmdline")"
		kill -KILL "${dir##*/}"
	done 2>/dev/null
	return 1
}

# In a namespace of our own everything new is the test's, but for the clock of
# the test's limit; elsewhere what carries the test's environment.
nl_none_left() {
	local dir line cmd

	nl_left=()
	for dir in /proc/[0-9]*; do
		[[ $nl_before != *" $dir "* ]] || continue
		{ read -r line <"$dir/stat"; } 2>/dev/null || continue
		line=${line##*) }
		[[ $line != [ZX]* ]] || continue
		if [[ -z ${NL_PRIVATE-} ]]; then
			grep -qzxF "NL_TEST_ID=$NL_TEST_ID" "$dir/environ" 2>/dev/null || continue
		fi
		{ cmd=$(tr '\0' ' ' <"$dir/cmdline"); } 2>/dev/null || continue
		[[ $cmd != "sleep ${BATS_TEST_TIMEOUT:-} " && -n $cmd ]] || continue
		nl_left+=("$dir")
	done
	((${#nl_left[@]} == 0))
}

wait_for() {
	local span end

	printf -v span %.0f "${1}e6"
	end=$((${EPOCHREALTIME/[.,]/} + span))
	shift
	until "$@"; do
		if ((${EPOCHREALTIME/[.,]/} > end)); then
			printf 'wait_for: not in time: %s\n' "$*" >&2
			return 1
		fi
		sleep 0.01
	done
}

alive() {
	local p line

	for p; do
		{ read -r line <"/proc/$p/stat"; } 2>/dev/null || return 1
		[[ ${line##*) } != [ZX]* ]] || return 1
	done
}

gone() {
	local p

	if [[ -f $1 ]]; then
		for p in $(<"$1"); do
			! alive "$p" || return 1
		done
		return 0
	fi
	while IFS=/ read -r _ _ p _; do
		[[ $p == "$$" ]] || ! alive "$p" || return 1
	done < <(grep -lzxF -e "$1" /proc/[0-9]*/cmdline 2>/dev/null)
}

victim() { printf '1%02d.%d%05d\n' "$((BATS_TEST_NUMBER % 100))" "$BASHPID" "$RANDOM"; }

start() {
	env --default-signal=INT,QUIT -- "$@" 3>&- &
	# shellcheck disable=SC2034
	pid=$!
}

status_of() {
	local st=0

	"$@" >/dev/null 2>&1 || st=$?
	echo "$st"
}

events() { sed -n 's/.*"event":"\([^"]*\)".*/\1/p' "${1:-$NL_EVENTS}"; }

field() { sed -n 's/.*[{,]"'"$1"'":\("[^"]*"\|[^,}]*\).*/\1/p' "${2:-$NL_EVENTS}" | tr -d '"'; }

# nl.run.* are per process, so they differ by design.
nl_layers() {
	sed -n '/"event":"nl\.run\./d
		s/.*"event":"\([^"]*\)".*"kind":"\([^"]*\)".*"depth":\([0-9]*\).*/\1 \2 \3/p' "$1"
}

run_both() {
	local fuse st0=0 st1=0 st bad=0

	for fuse in 1 0; do
		: >"ev.$fuse"
		st=0
		NL_FUSE=$fuse NL_EVENTS=$PWD/ev.$fuse NL_STATE=$(mktemp -d "$NL_STATE.XXXXXX") "$@" >"out.$fuse" 2>"err.$fuse" || st=$?
		printf -v "st$fuse" %d "$st"
		[[ -z ${NL_EVENTS_LOG-} ]] || cat "ev.$fuse" >"$NL_EVENTS_LOG/$BATS_TEST_NUMBER.$BASHPID.$RANDOM.ndjson"
		nl_layers "ev.$fuse" >"layers.$fuse"
	done
	# shellcheck disable=SC2034
	status=$st1 output=$(<out.1) stderr=$(<err.1)
	((st0 == st1)) || { bad=1; printf 'status: fused %d, nested %d\n' "$st1" "$st0"; }
	cmp out.1 out.0 || bad=1
	diff layers.1 layers.0 || bad=1
	((bad == 0)) || { printf 'differs: %s\n' "$*"; cat err.1 err.0; }
	return "$bad"
}

as_timeout() {
	ln -sf "$NL_BIN/nl-timeout" timeout
	PATH=$PWD:$PATH
}

# hears KIND NAME: somebody reads ./NAME, in the background, into ./NAME.heard; $pid.
hears() {
	if [ "$1" = fifo ]; then
		[ -p "$2" ] || mkfifo "$2"
		exec 9<>"$2"
		cat <&9 >>"$2.heard" 9<&- 3>&- &
		pid=$!
		exec 9<&-
	else
		rm -f "$2"
		ear "$1" "$2" >>"$2.heard" 3>&- &
		# shellcheck disable=SC2034
		pid=$!
		wait_for 5 test -S "$2"
	fi
}
