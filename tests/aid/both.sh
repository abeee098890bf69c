#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# both.sh - runs a command line as one process and as a chain of them, and
# says what differs.
#
# both.sh [-s SIG:FILE] [-w WANT] [-n CALLS] DIR LINE
#
# The line runs in DIR/1 (fused) and DIR/0 (NL_FUSE=0), at the same time, with
# an empty directory as cwd, NL_STATE in DIR/state.1 and DIR/state.0, and a file of three lines as stdin; a line that
# begins with | gets them through a pipe.  -s sends SIG to the outermost
# process once FILE there is not empty.  The end (a death is not a status),
# stdout, the size of the file n, what each layer says in events and the state that
# it leaves its breakers in must agree, and the time but for 4 seconds of a busy machine; WANT ("7" or "TERM") and
# CALLS, that size, must be so, too, unless "-".
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
	cd "$dir/$1" || exit
	: >ev
	printf 'one\ntwo\nthree\n' >in
	export NL_FUSE="$1" NL_EVENTS="$PWD/ev" NL_STATE="$dir/state.$1"
	case $line in
	'|'*) set -- sh -c "printf 'one\ntwo\nthree\n' | exec ${line#|}" ;;
	*) set -- sh -c "exec $line" ;;
	esac
	if [ -z "$signal" ]; then
		exec died how "$@" <in >out 2>err 3>&-
	fi
	died how "$@" <in >out 2>err 3>&- &
	until [ -s "${signal#*:}" ] || [ -s how ]; do sleep 0.01; done
	read -r pid <how.pid
	kill -s "${signal%%:*}" "$pid"
	wait
}

# State, openings, and failures in a row of each breaker.
breakers() {
	for f in "$dir/state.$1"/breaker/*; do
		[ ! -e "$f" ] || echo "${f##*/}" "$(od -An -v -tu4 -j 928 -N 8 "$f" | tr -s ' ')" "$(od -An -v -tu4 -j 976 -N 4 "$f" | tr -s ' ')"
	done
}

mkdir -p "$dir/1" "$dir/0"
(one 1) &
(one 0) &
wait
breakers 1 >"$dir/1/breakers"
breakers 0 >"$dir/0/breakers"
awk -v dir="$dir" -v want="$want" -v calls="$calls" -v line="$line" '
	function text(file,    s, l) {
		while ((getline l <file) > 0)
			s = s l "\n"
		close(file)
		return s
	}

	# What each layer says of its calls.  Not when, and not how an inner
	# command ended: a process hides from the one around it why it was stopped.
	function said(m,    l, k) {
		while ((getline l <(dir "/" m "/ev")) > 0) {
			if (l ~ /"event":"nl\.run\./)
				continue
			gsub(/"(nl|sev|pid|seq|[a-z_]+_us|exit|killed|[a-z_]+_s)":[^,}]*[,}]/, "", l)
			gsub(/"end":"stopped"/, "\"end\":\"failed\"", l)      # Of an arm that fails as another wins.
			gsub(/"(time|policy|trace_id|span_id|parent_id|run|cmd|signal|err)":"[^"]*"[,}]/, "", l)
			sub(/"reason":"limit"[,}]/, "", l)
			sub(/"last":\[[^]]*\][,}]?/, "", l)
			gsub(/[{}",]+/, " ", l)
			n[l] += m ? 1 : -1
		}
		close(dir "/" m "/ev")
	}

	function differ(what, fused, nested) {
		printf "%s: fused %s, nested %s\n", what, fused, nested
		bad = 1
	}

	BEGIN {
		for (m = 0; m < 2; m++) {
			how[m] = text(dir "/" m "/how")
			out[m] = text(dir "/" m "/out")
			runs[m] = text(dir "/" m "/n")
			held[m] = text(dir "/" m "/breakers")
			took[m] = text(dir "/" m "/how.took") + 0
			sub(/\n$/, "", how[m])
			sub(/\n$/, "", runs[m])
			said(m)
		}
		if (how[1] != how[0])
			differ("end", how[1], how[0])
		if (out[1] != out[0])
			differ("stdout", out[1], out[0])
		if (held[1] != held[0])
			differ("breakers", held[1], held[0])
		if (length(runs[1]) != length(runs[0]))
			differ("runs", length(runs[1]), length(runs[0]))
		if (took[1] > took[0] + 4 || took[0] > took[1] + 4)
			differ("seconds", took[1], took[0])
		for (l in n)
			if (n[l])
				differ("event" l, n[l] > 0 ? n[l] " more" : 0, n[l] < 0 ? -n[l] " more" : 0)
		split("HUP 1 INT 2 KILL 9 USR1 10 PIPE 13 TERM 15", signal, " ")
		end = want ~ /^[0-9]/ ? "exit " want : how[1]
		for (i = 1; i < 12; i += 2)
			if (signal[i] == want)
				end = "signal " signal[i + 1]
		if (how[1] != end)
			differ("end wanted " want, how[1], how[0])
		if (calls != "-" && length(runs[1]) != calls)
			differ("runs wanted " calls, length(runs[1]), length(runs[0]))
		if (bad) {
			print "line: " line
			printf "%s", text(dir "/1/err") text(dir "/0/err")
		}
		exit bad
	}'
