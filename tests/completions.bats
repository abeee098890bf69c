#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What bash, zsh and fish offer after the nl tools, asked without a terminal:
# one table for all.  ask_SHELL LINE... prints "LINE", a tab, and the candidates
# at its end; one process answers all, for starting a shell's completion is slow.
# shellcheck disable=SC2016  # text for inner shells
bats_require_minimum_version 1.5.0
load helper

# Shells start slowly on a busy machine.
setup_file() { export BATS_TEST_TIMEOUT=60; }

c=$BATS_TEST_DIRNAME/../completions

setup() {
	nl_setup
	mkdir here
	touch here/report.json
	printf '#!/bin/sh\n' >here/nlprobe
	chmod +x here/nlprobe
	PATH=$PWD/here:$PATH
	nl-breaker db true
	nl-bulkhead dump true
	nl-retry --budget ci true
	echo 'quick = timeout(1s)' >policies
	export NL_POLICIES=$PWD/policies
}

ask_bash() {
	bash --norc -c '
		[[ -z $2 ]] || . "$2"
		. "$1"
		compopt() { :; }
		for line in "${@:3}"; do
			COMPREPLY=() COMP_LINE=$line COMP_POINT=${#line} COMP_TYPE=9 COMP_KEY=9
			read -r -a COMP_WORDS <<<"$(sed "s/[=:][=:]*/ & /g" <<<"$line")"
			[[ $line != *" " ]] || COMP_WORDS+=("")
			COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
			f=$(complete -p "${COMP_WORDS[0]}" | sed "s/.*-F \([^ ]*\) .*/\1/")
			$f "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
			printf "%s\t%s\n" "$line" "${COMPREPLY[*]}"
		done' bash "$c/nl.bash" "${BASH_COMPLETION-/usr/share/bash-completion/bash_completion}" "$@"
}

# compadd tells a file what it was given; END tells us that it is done.
ask_zsh() {
	OUT=$PWD/offers zsh -f -c '
		zmodload zsh/zpty
		zpty z "TERM=xterm zsh -f -i"
		zpty -w z "unsetopt prompt_cr prompt_sp; fpath=(${(q)1} \$fpath); autoload -Uz compinit; compinit -u -D"
		zpty -w z "compadd() { local -a o; [[ \" \$* \" == *\" -\"[OAD]\" \"* ]] || { builtin compadd -O o \"\$@\"
			print -rn -- \$o \"\" >>\$OUT }; builtin compadd \"\$@\" }"
		zpty -w z "capture() { zle list-choices; zle kill-whole-line; print E\"\"ND }
			zle -N capture; bindkey ^X^L capture; PROMPT=\">\"\">\"\">\""
		zpty -r z out "*>>>*"
		for line in $@[2,-1]; do
			: >$OUT
			zpty -w -n z "$line"$'"'\\C-X\\C-L'"'
			zpty -r z out "*END*"
			print -r -- "$line"$'"'\\t'"'"$(<$OUT)"
		done
		zpty -d z' zsh "$c" "$@" 3>&-
}

ask_fish() {
	fish --no-config -c '
		source $argv[1]
		for line in $argv[2..]
			printf "%s\t%s\n" $line (complete -C $line | string replace -r "\t.*" "" | string join " ")
		end' "$c/nl.fish" "$@"
}

# Candidates sorted, without what repeats the line: --option= and directories.
tidy() {
	awk -F '\t' '{
		n = split($2, w, " "); split("", seen); k = 0
		for (i = 1; i <= n; i++) {
			sub(/^--[a-z-]*=/, "", w[i]); sub(/.*\//, "", w[i])
			if (w[i] != "" && !seen[w[i]]++) { for (j = k++; j && s[j] > w[i]; j--) s[j + 1] = s[j]; s[j + 1] = w[i] }
		}
		printf "%s\t", $1
		for (i = 1; i <= k; i++) printf "%s%s", s[i], i < k ? " " : ""
		print ""
	}'
}

# offers SHELL: as the table on stdin says.
offers() {
	local lines

	cat >want
	mapfile -t lines < <(cut -f1 want)
	"ask_$1" "${lines[@]}" | tidy >got
	[[ -s got ]]
	diff <(tidy <want) got
}

long_options() { "$1" --complete | cut -f1 | tr -d = | grep -e '^--' | paste -s -d ' '; }

# What every shell can do by itself.
table() {
	printf '%s\t%s\n' \
		'nl-retry --' "$(long_options nl-retry)" \
		'nl-timeout --' "$(long_options nl-timeout)" \
		'nl-retry --rep' --report \
		'nl-timeout -k 5 --pres' --preserve-status \
		'nl-retry --stdin ' 'auto replay inherit null' \
		'nl-retry --stdin=n' null \
		'nl-timeout --kill ' 'group tree' \
		'nl-retry -j ' 'none full equal decorrelated finagle polly' \
		'nl-retry -Oj pol' polly \
		'nl-retry -b f' fibonacci: \
		'nl-timeout -s TER' TERM \
		'nl-retry --on t' timeout \
		'nl-retry --report here/re' report.json \
		'nl-retry --on-retry nlpro' nlprobe \
		'nl-timeout ' '' \
		'nl-timeout -k ' '' \
		'nl-retry nlpro' nlprobe \
		'nl-retry -n5 -b exp:1s..9s --stdin null nlpro' nlprobe \
		'nl-retry --stdin=null -- nlpro' nlprobe \
		'nl-timeout 5 nlpro' nlprobe \
		'nl-timeout -k 5 -fs INT 5 nlpro' nlprobe \
		'nl-timeout 5 -- nlpro' nlprobe \
		'nl-retry nlprobe --atte' '' \
		'nl-run --' "$(long_options nl-run)" \
		'nl-run --file here/re' report.json \
		'nl-run @qui' @quick \
		'nl-run tim' timeout \
		'nl-run pass nlpro' nlprobe \
		'nl-fallback --str' --stream \
		'nl-fallback nlpro' nlprobe \
		'nl-pipe --no' --no-pipefail \
		'nl-sink --' "$(long_options nl-sink)" \
		'nl-sink --wait=1s me' memory: \
		'nl-sink lo' 'log log:syslog' \
		'nl-pipe nlpro' nlprobe \
		'nl-breaker --semantics r' resilience4j \
		'nl-bulkhead --release ' 'command tree' \
		'nl-breaker -f 3 d' db \
		'nl-bulkhead ' dump \
		'nl-bulkhead -m 2 dump nlpro' nlprobe \
		'nl-ctl --' "$(long_options nl-ctl)" \
		'nl-ctl ' "$(nl-ctl --complete | cut -f1 | grep -v -e ^- | xargs)" \
		'nl-ctl --json sh' show \
		'nl-ctl check here/re' report.json \
		'nl-ctl list b' 'breaker bulkhead budget' \
		'nl-ctl show ' 'ci db dump' \
		'nl-ctl open ' db \
		'nl-ctl get breaker/db.f' db.failures \
		'nl-ctl get budget/ci.t' 'ci.throttle-cost ci.timeout-cost ci.ttl' \
		'nl-ctl set bulkhead/dump.' 'dump.max= dump.queue= dump.wait=' \
		'nl-observe --' "$(long_options nl-observe)" \
		'nl-observe --json sum' summary \
		'nl-observe --as cl' cloudevents \
		'nl-observe --snapshot here/re' report.json \
		'nl-observe list --stats here/re' report.json
}

# What is wrapped completes itself.
wrapped() {
	printf '%s\t%s\n' \
		'nl-retry -O -n5 nl-timeout --pres' --preserve-status \
		'nl-timeout 5 nl-retry --stdin n' null \
		'nl-timeout 5 -- nl-timeout 5 nlpro' nlprobe \
		'nl-fallback [ nlprobe a ] [ nlpro' nlprobe \
		'nl-fallback [ nl-retry --stdin n' null \
		'nl-fallback --stream nlprobe ::: nl-timeout --pres' --preserve-status \
		'nl-timeout 5 nl-fallback [ cat here/rep' report.json \
		"nl-pipe nlprobe a '|' nlpro" nlprobe \
		"nl-pipe nlprobe --b '|' nl-retry --stdin n" null \
		"nl-timeout 5 nl-fallback [ nlprobe \\| nl-timeout --pres" --preserve-status \
		'nl-timeout 5 cat here/rep' report.json
}

@test "bash completes options, their arguments, commands, and what is wrapped" {
	{ table && wrapped; } | offers bash
}

@test "bash completes options, their arguments and commands without bash-completion" {
	export BASH_COMPLETION=
	table | offers bash
}

@test "zsh completes options, their arguments, commands, and what is wrapped" {
	{ table && wrapped; } | offers zsh
}

@test "fish completes options, their arguments, commands, and what is wrapped" {
	{ table && wrapped; } | offers fish
}

@test "Completions offer exactly the keys that nl-ctl can set" {
	for kind in breaker bulkhead budget retry timeout; do
		run -1 --separate-stderr nl-ctl set "$kind/x.nonesuch=1"
		# shellcheck disable=SC2154  # set by run
		sed -n 's/.*has: \(.*\))$/\1/p' <<<"$stderr" | tr ' ' '\n' | sort >want
		bash --norc -c '. "$1"; _nl_keys "$2"' bash "$c/nl.bash" "$kind" | sort >got
		[ -s want ]
		diff want got
	done
}

@test "Completions know the words that --help has for --jitter and --backoff" {
	for file in nl.bash _nl nl.fish; do
		for word in $(nl-retry --complete | grep -e '^--jitter=' -e '^--backoff=' | cut -f3 | tr -d ,); do
			[[ $word == @(wait|or) ]] || grep -q "$word" "$c/$file"
		done
	done
}
