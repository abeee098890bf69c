#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# both.sh - runs a command line as one process and as a chain of them, and
# says what differs.
#
# both.sh [-s SIG:FILE] [-w WANT] [-n CALLS] DIR LINE
#
# The line runs in DIR/1 (fused) and DIR/0 (NL_FUSE=0), at the same time, with
# an empty directory as cwd and a file of three lines as stdin; a line that
# begins with | gets them through a pipe.  -s sends SIG to the outermost
# process once FILE there is not empty.  The end (a death is not a status),
# stdout, and the events less nl.run.* must agree; WANT ("7" or "TERM") and
# CALLS, the size of the file n, must be so, too, unless "-".
set -u
signal='' want=- calls=-
while getopts s:w:n: o; do
	case $o in
	s) signal=$OPTARG ;;
	w) want=$OPTARG ;;
	n) calls=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
dir=$1 line=$2

one() {
	mkdir -p "$dir/$1"
	cd "$dir/$1" || exit
	: >ev
	printf 'one\ntwo\nthree\n' >in
	export NL_FUSE="$1" NL_EVENTS="$PWD/ev"
	case $line in
	'|'*) set -- sh -c "printf 'one\ntwo\nthree\n' | exec ${line#|}" ;;
	*) set -- sh -c "exec $line" ;;
	esac
	died how "$@" <in >out 2>err 3>&- &
	if [ -n "$signal" ]; then
		until [ -s "${signal#*:}" ] || [ -s how ]; do sleep 0.01; done
		kill -s "${signal%%:*}" "$(cat how.pid)"
	fi
	wait
}

# What each layer says of its calls.  Not when, and not how an inner command
# ended: a process hides from the one around it why it was stopped.
said() {
	sed -n '/"event":"nl\.run\./d
		s/"reason":"limit",//
		s/.*"event":"\([^"]*\)".*"kind":"\([^"]*\)".*"depth":\([0-9]*\),"mono_us":[0-9]*\(.*\)/\1 \2 \3\4/
		s/"\(cmd\|signal\|err\)":"[^"]*"\|"\(exit\|killed\|[a-z_]*_s\)":[0-9a-z.]*//g
		s/[,}][,}]*/ /gp' "$1" | sort
}

(one 1) &
(one 0) &
wait
bad=0
for m in 1 0; do
	said "$dir/$m/ev" >"$dir/$m/said"
	[ ! -e "$dir/$m/n" ] || wc -c <"$dir/$m/n" >"$dir/$m/calls"
done
for f in how out said calls; do
	if [ -e "$dir/1/$f" ] || [ -e "$dir/0/$f" ]; then
		diff "$dir/1/$f" "$dir/0/$f" || bad=1
	fi
done
case $want in
-) end=$(cat "$dir/1/how") ;;
[0-9]*) end="exit $want" ;;
HUP) end='signal 1' ;;
INT) end='signal 2' ;;
KILL) end='signal 9' ;;
USR1) end='signal 10' ;;
PIPE) end='signal 13' ;;
TERM) end='signal 15' ;;
esac
[ "$(cat "$dir/1/how")" = "$end" ] || bad=1
[ "$calls" = - ] || [ "$(cat "$dir/1/calls" 2>/dev/null || echo 0)" = "$calls" ] || bad=1
if [ $bad = 1 ]; then
	printf 'fused < > nested, wanted %s after %s calls, fused: %s after %s calls: %s\n' "$want" "$calls" \
		"$(cat "$dir/1/how")" "$(cat "$dir/1/calls" 2>/dev/null || echo 0)" "$line"
	sed 's/^/fused: /' "$dir/1/err"
	sed 's/^/nested: /' "$dir/0/err"
fi
exit $bad
