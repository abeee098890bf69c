# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# nl.sh - nl-retry and nl-timeout as functions of a POSIX shell, with defaults
# set once for a whole script:
#
#	. /usr/local/share/ninelives/nl.sh
#	NL_RETRY_OPTS='-n5 -b exp:200ms..10s'
#	nl_retry curl -fsS "$url"
#	nl_retry my_function arg
#
# nl_retry COMMAND [ARG]...             nl-retry $NL_RETRY_OPTS COMMAND [ARG]...
# nl_timeout DURATION COMMAND [ARG]...  nl-timeout $NL_TIMEOUT_OPTS DURATION COMMAND [ARG]...
#
# COMMAND may be a function, which no other process can run.  nl_retry calls it
# in this shell, so that it can set variables; of the options, those that
# --dry-run heeds (-n -b -j --seed) hold for it, at most 1000 attempts, and no
# events are written.  nl_timeout gives it to a bash (export -f: functions that it
# calls must be exported too); other shells cannot do that, and it says so.
# As after any ||, set -e is off inside a function that is retried.

nl_retry() {
	if nl_is_function "${1-}"; then
		# shellcheck disable=SC2086
		set -- "${NL_ATTEMPT-}" nl_in_shell "$(nl-retry ${NL_RETRY_OPTS-} --dry-run true |
			head -n 1000 | tr '\t\n' '  ')" "$@"
		nl_shifted "$@" && nl_status=0 || nl_status=$?
		if [ -n "$1" ]; then NL_ATTEMPT=$1; else unset NL_ATTEMPT; fi
		return "$nl_status"
	else
		# shellcheck disable=SC2086
		nl-retry ${NL_RETRY_OPTS-} "$@"
	fi
}

nl_timeout() {
	# shellcheck disable=SC2086
	if ! nl_is_function "${2-}"; then
		nl-timeout ${NL_TIMEOUT_OPTS-} "$@"
	elif [ -n "${BASH_VERSION-}" ]; then
		# shellcheck disable=SC2163,SC3045
		export -f -- "$2"
		nl_command=$2 nl_limit=$1
		shift
		nl-timeout ${NL_TIMEOUT_OPTS-} --name "$nl_command" "$nl_limit" bash -c '"$@"' bash "$@"
	else
		echo "nl_timeout: '$2' is a function: only bash can hand it to another process" >&2
		return 125
	fi
}

nl_is_function() {
	case $(LC_ALL=C command -V "$1" 2>/dev/null) in
	"$1 is a "*function*) return 0 ;;
	esac
	return 1
}

# "1 DELAY 2 DELAY ... " FUNCTION [ARG]...  What is left of the plan is in $1, so
# that a function may call nl_retry itself.
nl_in_shell() {
	[ -n "$1" ] || return 125
	while :; do
		export NL_ATTEMPT="${1%% *}"
		nl_shifted "$@" && return
		nl_status=$? nl_plan=${1#* * }
		case $nl_status in
		75 | 125 | 126 | 127 | 141) return $nl_status ;;
		esac
		[ -n "$nl_plan" ] || return "$nl_status"
		shift
		set -- "$nl_plan" "$@"
		nl_delay=${1#* } nl_delay=${nl_delay%% *}
		echo "nl_retry: $2 failed: exit $nl_status, retry in $nl_delay s" >&2
		sleep "$nl_delay"
	done
}

nl_shifted() {
	shift
	"$@"
}
