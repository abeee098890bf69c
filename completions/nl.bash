# SPDX-License-Identifier: Apache-2.0
# bash: completes the options of the nl tools from "TOOL --complete", names of policies from
# nl-ctl, then whatever is wrapped, by _command_offset of bash-completion where that is loaded.

_nl() {
	local tool=$1 cur=${COMP_WORDS[COMP_CWORD]} operands=0 options=1 brackets=0 arg='' line word last i j
	local -a w=() at=()
	local -A takes=()
	while read -r line; do                          # --name=<TAB>ARG<TAB>help
		word=${line%%$'\t'*} line=${line#*$'\t'}
		takes[${word%=}]=${line%%$'\t'*}
	done < <("$tool" --complete 2>/dev/null)
	for ((i = 0; i <= COMP_CWORD; i++)); do         # bash splits at = : and @, join again
		if ((i > 1)) && [[ ${COMP_WORDS[i]} == [=:]* && ${COMP_WORDS[i]} != ::: || ${COMP_WORDS[i - 1]} == [=:@] ]]; then
			w[-1]+=${COMP_WORDS[i]}
		else
			w+=("${COMP_WORDS[i]}") at+=("$i")
		fi
	done
	[[ ${tool##*/} == nl-@(race|fallback|pipe) ]] && brackets=1
	[[ ${tool##*/} == nl-@(timeout|breaker|bulkhead|run|sink) ]] && operands=1
	last=$((${#w[@]} - 1))
	for ((i = 1; i < last; i++)); do                # up to the command
		word=${w[i]}
		if [[ -n $arg ]]; then
			arg=''
		elif [[ $word == -- ]]; then
			options=0
		elif ((options)) && [[ $word == --* ]]; then
			arg=${takes[$word]}
		elif ((options)) && [[ $word == -?* ]]; then
			for ((j = 1; j < ${#word}; j++)); do    # only the last of a bundle takes a word
				arg=${takes[-${word:j:1}]}
				[[ -n $arg ]] && break
			done
			((j < ${#word} - 1)) && arg=''
		elif ((operands-- > 0)); then
			options=0
		else
			break
		fi
	done
	for ((j = last - 1; brackets && j >= i; j--)); do       # a branch or stage begins behind [ ::: or '|'
		[[ ${w[j]} == @(\[|:::|[\'\"\\]\|*) ]] && i=$((j + 1)) brackets=0 options=0
	done
	word=${w[last]}
	if ((i == last && options)) && [[ -z $arg && $word == --*=* ]]; then
		arg=${takes[${word%%=*}]} cur=${cur#=}
	fi
	if ((i == last)) && [[ -n $arg ]]; then
		case $arg in
		KIND*) word='constant: linear: exponential: fibonacci:'; compopt -o nospace ;;
		SIG*) word=$(compgen -A signal SIG); word=${word//SIG/} ;;
		JITTER) word='none full equal decorrelated finagle polly' ;;
		SET) word='any signal timeout rejected' ;;
		*\|*) word=${arg//[|A-Z]/ } ;;
		CMD | COMMAND) mapfile -t COMPREPLY < <(compgen -c -- "$cur"); return ;;
		DIR) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
		FILE | SPEC) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
		*) return ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$word" -- "$cur")
	elif ((i == last && options)) && [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "${!takes[*]}" -- "$cur")
	elif ((i == last && operands > 0)); then        # a policy that is there already
		[[ ${tool##*/} == nl-timeout ]] && return
		if [[ ${tool##*/} == nl-run ]]; then    # or the beginning of an expression
			word="$("$tool" --list 2>/dev/null | cut -f1) $("$tool" --complete | grep -v -e ^-)"
			[[ ${w[last]} == "@$cur" || $cur == @ ]] && word=${word//@/} cur=${cur#@}
			mapfile -t COMPREPLY < <(compgen -W "$word" -- "$cur")
			return
		fi
		if [[ ${tool##*/} == nl-sink ]]; then
			compopt -o nospace -o filenames
			[[ $word == *:* ]] || line=$("$tool" --complete | grep -v -e ^- | cut -f1)
			mapfile -t COMPREPLY < <(compgen -W "$line" -- "$cur"; compgen -f -- "${cur#:}")
			return
		fi
		mapfile -t COMPREPLY < <(compgen -W "$(nl-ctl list --names "${tool##*nl-}" 2>/dev/null)" -- "$cur")
	elif declare -F _command_offset >/dev/null; then
		_command_offset "${at[i]}"
	elif ((i == last)); then
		mapfile -t COMPREPLY < <(compgen -c -- "$cur")
	else
		compopt -o default
	fi
}
complete -F _nl nl-retry nl-timeout nl-breaker nl-bulkhead nl-race nl-fallback nl-pipe nl-run nl-sink

# nl-ctl: a command, then policies, kinds or keys of policies.
_nl_ctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} command='' wants='' word words i policy
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $wants ]]; then
			[[ $word == = ]] || wants=''
		elif [[ $word == --@(state|events|if-gen) ]]; then
			wants=$word
		elif [[ $word != -* && ! $command ]]; then
			command=$word
		fi
	done
	if [[ $wants == --state ]]; then
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "${cur#=}")
		return
	fi
	case $command:$cur in
	*:-*) words=$("$1" --complete | cut -f1 | grep -e ^- | tr -d =) ;;
	:*) words=$("$1" --complete | cut -f1 | grep -v -e ^-) ;;
	check:*) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	list:*) words='breaker bulkhead budget race retry timeout' ;;
	show:* | reset:* | history:* | watch:*) words=$("$1" list --names) ;;
	open:* | close:* | disable:* | enable:*) words=$("$1" list --names breaker | sed s,^,breaker/,) ;;
	get:* | set:* | unset:*)
		for policy in $("$1" list --names); do
			words+=" $(_nl_keys "${policy%%/*}" | sed "s,^,$policy.,; $([[ $command == set ]] && echo s,$,=,)")"
		done
		compopt -o nospace
		;;
	esac 2>/dev/null
	[[ $wants ]] || mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

# The options of a kind that are numbers.
_nl_keys() {
	case $1 in
	timeout) echo limit ;;
	budget) printf '%s\n' max cost timeout-cost throttle-cost deposit ttl min ;;
	esac
	"nl-$1" --complete | sed -nE '/^--(seed|exit-code)/d; s/^--([a-z-]*)=\t(N|X|PERCENT|DURATION|DURATION\|pNN|JITTER|KIND[^\t]*)\t.*/\1/p'
} 2>/dev/null
complete -F _nl_ctl nl-ctl

# nl-observe: a query or a source, then sources.
_nl_observe() {
	local cur=${COMP_WORDS[COMP_CWORD]} table words='' wants='' first=1 word i
	table=$("$1" --complete 2>/dev/null)
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $word == = ]]; then
			continue
		elif [[ $wants && ${COMP_WORDS[i - 1]} == @(=|"$wants") ]]; then
			wants=''
		elif [[ $word == --* ]]; then
			wants=$(sed -n "s/^\($word\)=\t..*\t.*/\1/p" <<<"$table")
		elif [[ $word != -?* ]]; then
			first=0
		fi
	done
	[[ $cur == = ]] && cur=''
	if [[ $wants ]]; then
		word=$(sed -n "s/^$wants=\t\(.*\)\t.*/\1/p" <<<"$table")
		[[ $word == *\|*  ]] && words=${word//[|A-Z]/ }
		[[ $word == FILE ]] && first=0 || first=2
	elif [[ $cur == -* ]]; then
		words=$(cut -f1 <<<"$table" | grep -e ^- | tr -d =) first=2
	elif ((first)); then
		words=$(cut -f1 <<<"$table" | grep -v -e ^-)
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur"; ((first == 2)) || compgen -f -- "$cur")
	compopt -o filenames
}
complete -F _nl_observe nl-observe
