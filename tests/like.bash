# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# like.bash - compares what an example prints with what its page says it prints.
#
#   like EXPECTED ACTUAL   equal, but: a number with a fraction, a time of day or a port
#                          of the loopback is any other one, ... is any text, and a line
#                          that is ... alone any number of lines
#   transcript FILE        runs a transcript: lines that begin with "$ " are
#                          commands, all run by one shell at a terminal, the lines
#                          after each are what it prints

normal() { sed -E 's/\b[0-2][0-9](:[0-5][0-9]){2}\b/00:00:00/g; s/[0-9]+\.[0-9]+/0.0/g; s/127\.0\.0\.1:[0-9]+/127.0.0.1:0/g; s/0\.0\.0\.0:[0-9]+/0.0.0.0:0/g' <<<"$1"; }

like() {
	local want got piece rest

	want=$(normal "$1") got=$(normal "$2") rest=
	want=$'\n'$want got=$'\n'$got
	want=${want//$'\n...\n'/$'\n...'}
	if [[ $want != *...* ]]; then
		rest=$got
	else
		piece=${want%%...*} want=${want#*...} rest=$got
		[[ $rest == "$piece"* ]] && rest=${rest#"$piece"} || want=$'\001'
		while [[ $want == *...* ]]; do
			piece=${want%%...*} want=${want#*...}
			[[ $rest == *"$piece"* ]] && rest=${rest#*"$piece"} || want=$'\001'
		done
		[[ $rest == *"$want" ]] && return
	fi
	[[ $rest == "$want" ]] && return
	diff <(echo "$1") <(echo "$2") | sed 's/^</said: /; s/^>/does: /'
	return 1
}

transcript() {
	local line='' bad=0 n=0 said=() did=() commands=()

	while IFS= read -r line || [[ -n $line ]]; do
		if [[ $line == '$ '* ]]; then
			commands+=("${line#'$ '}") said+=('')
		else
			said[-1]+=${said[-1]:+$'\n'}$line
		fi
	done <"$1"
	for line in "${commands[@]}"; do
		printf 'printf "\\036\\n"\n{ %s\n} </dev/null\n' "$line"
	done >"$1.sh"
	mapfile -t -d $'\036' did < <(pty -t 120 bash "$1.sh" <<<$'until ! kill -0 $leader 2>/dev/null')
	((${#did[@]} == ${#commands[@]} + 1)) || { echo "$1: not all commands ran"; return 1; }
	for line in "${commands[@]}"; do
		n=$((n + 1))
		like "${said[n - 1]}" "$(sed '1d' <<<"${did[n]}")" && continue
		printf 'of: $ %s\n' "$line"
		bad=1
	done
	return "$bad"
}
