#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nl-pipe: each test is a sentence of its page.
# shellcheck disable=SC1003,SC2016,SC2030,SC2031,SC2154  # words of one backslash; text for inner shells; each test is a subshell; set by helpers
bats_require_minimum_version 1.5.0
load helper
load victim

setup() {
	victim_setup
	ulimit -c 0
}

# --- the line ---

@test "The output of each stage is the input of the next" {
	[ "$(nl-pipe seq 5 '|' tac '|' sed s/./x/ '|' sort -u '|' wc -l)" -eq 1 ]
	[ "$(nl-pipe seq 5 '|' tac '|' head -n1)" -eq 5 ]
	[ "$(nl-pipe echo alone)" = alone ]
	local many=(seq 9)
	for i in {1..60}; do many+=('|' cat); done
	[ "$(nl-pipe "${many[@]}" | tail -n1)" = 9 ]
}

@test "The first stage has our input, the last our output, all our standard error" {
	run -0 --separate-stderr sh -c 'echo in | nl-pipe sh -c "cat; echo one >&2" "|" sh -c "cat; echo two >&2" "|" sh -c "cat; echo three >&2"'
	[ "$output" = in ]
	[ "$(sort <<<"$stderr" | xargs)" = 'one three two' ]
}

@test "Stages run at once" {
	mkfifo f
	run -0 timeout 5 nl-pipe sh -c 'read -r x <f; echo "$x"' '|' sh -c 'echo hello >f; cat'
	[ "$output" = hello ]
}

@test "All that is written arrives" {
	nl-pipe head -c 30000000 /dev/zero '|' tr '\0' x '|' cat '|' cksum >sum
	head -c 30000000 /dev/zero | tr '\0' x | cksum | cmp - sum
}

@test "A command gets its arguments as they are, its name included" {
	run -0 nl-pipe printf '<%s>' '' ' ' 'a  b' '$x' '*' '||' '|x' '-|' $'\n' '|' cat
	[ "$output" = $'<>< ><a  b><$x><*><||><|x><-|><\n>' ]
	run -0 nl-pipe "$(command -v sh)" -c 'tr "\0" " " </proc/$$/cmdline | cut -d" " -f1' '|' cat
	[ "$output" = "$(command -v sh)" ]
	run -0 nl-pipe -- printf %s -x '|' cat
	[ "$output" = -x ]
}

@test "A backslash makes | [ or ] a word like any other, and one of several is taken" {
	run -0 nl-pipe printf '<%s>' '\|' '\[' '\]' '\\|' '\\[' '\x' '\' '\||' '|' cat
	[ "$output" = '<|><[><]><\|><\[><\x><\><\||>' ]
}

@test "What is in brackets belongs to the stage" {
	run -0 nl-pipe printf '<%s>' [ a '|' '\|' [ '|' ] ] b '|' cat
	[ "$output" = '<[><a><|><\|><[><|><]><]><b>' ]
	run -0 nl-pipe [ -e / ] '|' wc -c
	[ "$output" -eq 0 ]
	[[ $(nl-pipe echo ] '|' cat) == "]" ]]
}

@test "A stage without a command is a usage error, and nothing is run" {
	for line in "touch x |" "| touch x" "touch x | | touch x" "|" "touch x | touch x |"; do
		# shellcheck disable=SC2086
		run -125 --separate-stderr nl-pipe $line
		[[ $stderr =~ ^nl-pipe:\ stage\ [0-9]\ of\ [0-9]\ has\ no\ COMMAND$ ]]
	done
	run -125 --separate-stderr nl-pipe touch x '|' cat '|'
	[ "$stderr" = 'nl-pipe: stage 3 of 3 has no COMMAND' ]
	run -125 --separate-stderr nl-pipe
	[ "$stderr" = 'nl-pipe: missing COMMAND' ]
	[ ! -e x ]
}

@test "A [ without its ] is a usage error, and nothing is run" {
	run -125 --separate-stderr nl-pipe touch x '|' grep [ y '|' cat
	[ "$stderr" = 'nl-pipe: missing ] (a word [ is written \[)' ]
	run -125 nl-pipe --nonesuch touch x
	run -125 nl-pipe -k junk touch x
	[ ! -e x ]
}

# --- its status ---

# Prints the script of a random stage: an exit status, or a death.
stage() {
	local signals=(1 2 3 4 5 6 7 8 9 10 11 12 14 15 24 34 64)

	case $((RANDOM % 4)) in
	0) echo 'exit 0' ;;
	1) echo "exit $((RANDOM % 256))" ;;
	2) echo "exit $((RANDOM % 3))" ;;
	3) echo "kill -${signals[RANDOM % ${#signals[@]}]} \$\$" ;;
	esac
}

@test "The status is that of the last stage that failed, as with pipefail in bash" {
	local i n way o want theirs ours
	RANDOM=${SEED:=$RANDOM}
	echo "SEED=$SEED"
	for ((i = 0; i < ${VECTORS:-12}; i++)); do
		stage >script
		ours=(sh -c "$(<script)")
		theirs="sh -c '$(<script)'"
		for ((n = RANDOM % 4; n > 0; n--)); do
			stage >script
			ours+=('|' sh -c "$(<script)")
			theirs+=" | sh -c '$(<script)'"
		done
		for way in '' no-; do
			o=${way:++} o=${o:--}
			want=$(status_of bash -c "set ${o}o pipefail; $theirs"$'\n''exit $?')
			[ "$(status_of nl-pipe "--${way}pipefail" "${ours[@]}")" = "$want" ] || { echo "${way}pipefail, $want: $theirs"; false; }
		done
	done
}

@test "pipefail is the default, and the last of both options counts" {
	run -3 nl-pipe sh -c 'exit 3' '|' true
	run -0 nl-pipe --no-pipefail sh -c 'exit 3' '|' true
	run -3 nl-pipe --no-pipefail --pipefail sh -c 'exit 3' '|' true
	run -4 nl-pipe sh -c 'exit 3' '|' sh -c 'exit 4' '|' true
	run -4 nl-pipe --no-pipefail sh -c 'exit 3' '|' sh -c 'exit 4'
}

@test "A stage that died of SIGPIPE has not failed, unless it is the last" {
	run -0 nl-pipe yes '|' cat '|' head -n2
	[ "$output" = $'y\ny' ]
	run -3 nl-pipe sh -c 'exit 3' '|' sh -c 'kill -PIPE $$' '|' true
	run -0 nl-pipe sh -c 'kill -PIPE $$' '|' true
	run -141 nl-pipe true '|' sh -c 'kill -PIPE $$'
	run -141 nl-pipe --no-pipefail sh -c 'exit 3' '|' sh -c 'kill -PIPE $$'
	run -141 nl-pipe sh -c 'exit 141' '|' true
}

@test "A stage that is not found is 127, one that cannot be run 126, and the others run" {
	touch plain
	printf 'no program\n' >junk
	chmod +x junk
	run -127 --separate-stderr nl-pipe echo one '|' nonesuch '|' sh -c 'cat; echo last'
	[ "$output" = last ]
	[ "$stderr" = "nl-pipe: cannot run 'nonesuch': No such file or directory" ]
	run -127 --separate-stderr nl-pipe 'echo one | cat'
	[ "$stderr" = "nl-pipe: cannot run 'echo one | cat': No such file or directory (one word: a stage is a command and its arguments)" ]
	run -126 --separate-stderr nl-pipe ./plain '|' true
	[ "$stderr" = "nl-pipe: cannot run './plain': Permission denied" ]
	run -126 nl-pipe true '|' ./junk
	run -127 nl-pipe true '|' ''
	run -0 nl-pipe --no-pipefail ./nonesuch '|' true
}

@test "When the deciding stage died of a signal, nl-pipe dies of it, without a word or a core" {
	ulimit -c unlimited || :
	for sig in TERM KILL ABRT SEGV INT RTMIN; do
		run --separate-stderr died got nl-pipe true '|' sh -c "ulimit -c 0; kill -s $sig \$\$" '|' true
		[ "$(<got)" = "signal $(kill -l "$sig")" ]
		[ -z "$stderr" ]
	done
	[ -z "$(ls core* 2>/dev/null)" ]
}

@test "What cannot be started is 125, and nothing of it is left" {
	local n seen=''
	for ((n = 4; n < 40; n++)); do
		prlimit --nofile=$n nl-pipe --version || continue # a dynamic program needs more
		run --separate-stderr prlimit --nofile=$n nl-pipe sleep 60 '|' sleep 60 '|' true '|' kill -TERM 0
		[ "$status" = 125 ] || break
		[[ $stderr == 'nl-pipe: cannot start the pipeline: '* || $stderr == 'nl-pipe: pipe failed: '* ]]
		seen+="${stderr%: *};"
		wait_for 1 no_victims
	done
	[ "$status" = 143 ]
	[[ $seen == *pipeline*failed* ]]
}

@test "A pipeline whose processes cannot all be made is 125, and nothing of it is left" {
	strace -o /dev/null true 2>/dev/null || skip 'needs strace'
	for n in 2 3; do
		run -125 --separate-stderr strace -f -o trace -e trace=fork,clone,vfork,clone3 \
			-e inject=fork,clone,clone3:error=EAGAIN:when="$n" nl-pipe sleep 60 '|' sleep 60 '|' sleep 60
		[[ $stderr == *'nl-pipe: fork failed: Resource temporarily unavailable'* ]]
		wait_for 1 no_victims
	done
}

# --- what a stage is given ---

@test "Each stage starts as nl-pipe was started: signals, descriptors, limits, directory" {
	local given=(env '--ignore-signal=USR1,PIPE,CHLD' '--block-signal=USR2,TERM' prlimit --nofile=99 nice -n3)
	ours() { grep -v -e '^fd [01] ' -e '^session' "$1"; } # of 0 and 1 each stage has its own
	exec 7<>/dev/null 9</ </dev/null
	"${given[@]}" sigdump want >out
	"${given[@]}" nl-pipe sigdump first '|' sigdump middle '|' sigdump last >out
	for f in first middle last; do
		diff <(ours want) <(ours "$f")
	done
}

@test "The environment is handed on, and nothing is added" {
	export PIPELINE_QUIET=mine PIPELINE_DEBUG=0
	env | grep -v ^_= | sort >want
	nl-pipe true '|' env '|' grep -v ^_= '|' sort | diff want -
	nl-pipe env '|' grep -v ^_= '|' sort | diff want -
}

@test "A standard descriptor that was closed is closed for the stages that would have it" {
	run -1 --separate-stderr sh -c 'nl-pipe cat "|" wc -c <&-'
	[[ $output -eq 0 && $stderr == *'Bad file descriptor'* ]]
	run -1 sh -c 'nl-pipe echo x "|" cat 2>&1 >&-'
	[[ $output == *'Bad file descriptor'* ]]
	sh -c 'nl-pipe sh -c "ls /proc/\$\$/fd >first" "|" sh -c "ls /proc/\$\$/fd >last" 2>&-'
	run -1 grep -x 2 first last
	grep -x 1 last
}

# --- stopping ---

@test "TERM reaches every stage once, and nl-pipe ends as they do" {
	start nl-pipe sigcount -q 15 -x 3 one '|' sigcount -q 15 -x 4 two '|' sigcount -q 15 -x 5 three
	wait_for 5 ready one two three
	wait_for 5 grep -q ready three
	kill -TERM "$pid"
	ends 5
	[ "$rc" = 5 ]
	for f in one two three; do
		[ "$(sed 1d "$f" | grep -v CONT | cut -d' ' -f1)" = TERM ]
	done
}

@test "HUP INT QUIT and TERM stop all stages, and nl-pipe dies of the signal" {
	for sig in HUP INT QUIT TERM; do
		rm -f log
		start died "end.$sig" nl-pipe sleep 60 '|' deaf -o log none '|' sleep 60
		wait_for 5 ready log
		kill -s $sig "$(<"end.$sig.pid")"
		ends 5
		[ "$(<"end.$sig")" = "signal $(kill -l $sig)" ]
		wait_for 1 no_victims
	done
}

@test "A signal that does not stop is passed on to each stage" {
	start nl-pipe sigcount -q 12 one '|' sigcount -q 12 two
	wait_for 5 ready one
	wait_for 5 ready two
	kill -USR2 "$pid"
	ends 5
	[ "$rc" = 0 ]
	[ "$(sed 1d one | cut -d' ' -f1)" = USR2 ]
	[ "$(sed 1d two | cut -d' ' -f1)" = USR2 ]
}

@test "A stage that ignores TERM is killed after -k, and all that a stopped pipeline left" {
	start nl-pipe -k 0.3 deaf -o log TERM '|' spawner family session daemon
	wait_for 5 ready log
	wait_for 5 ready family
	kill -TERM "$pid"
	ends 5
	[ "$rc" = 137 ] || [ "$rc" = 143 ]
	wait_for 1 no_victims
}

@test "-k inf lets a stage take its time" {
	start nl-pipe -k inf sh -c 'trap "read -r x <go; exit 6" TERM; echo ready >log; while :; do sleep 0.01; done' '|' cat
	mkfifo go
	wait_for 5 ready log
	kill -TERM "$pid"
	linger 200
	alive "$pid"
	echo x >go
	ends 5
	[ "$rc" = 6 ] || [ "$rc" = 143 ]
}

@test "When nl-pipe is killed, so are the stages" {
	start nl-pipe deaf -o log HUP INT QUIT TERM PIPE '|' deaf -o log2 HUP INT QUIT TERM PIPE '|' sleep 60
	wait_for 5 ready log
	wait_for 5 ready log2
	kill -KILL "$pid"
	ends 5
	wait_for 1 no_victims
}

@test "When the process between nl-pipe and its stages is killed, so are they" {
	start nl-pipe deaf -o log TERM '|' deaf -o log2 TERM
	wait_for 5 ready log
	wait_for 5 ready log2
	kill -KILL "$(ps -o ppid= -p "$(pids log ready)")"
	ends 5
	[ "$rc" = 137 ]
	wait_for 1 no_victims
}

@test "After an end in time nothing is killed" {
	nl-pipe sh -c 'deaf -o log none 3>&- >/dev/null &' '|' cat
	wait_for 5 ready log
	alive "$(pids log ready)"
	kill "$(pids log ready)"
}

@test "nl-pipe ends when all of its stages have ended" {
	mkfifo f
	start nl-pipe sh -c 'exec >&-; read -r x <f; echo done >end' '|' true
	linger 100
	alive "$pid"
	echo >f
	ends 5
	[ -s end ]
}

# --- as a command of the other tools ---

@test "A limit ends all stages, wherever they went" {
	by_limit family nl-timeout -k 1 LIMIT nl-pipe sleep 60 '|' spawner family session daemon group '|' sleep 60
	wait_for 1 no_victims
	by_limit log nl-timeout -k 0.3 LIMIT nl-pipe deaf -o log TERM '|' cat
	wait_for 1 no_victims
}

@test "A retry runs the whole pipeline again, with its input" {
	run_both sh -c 'seq 3 | nl-retry -O -n3 -b const:1ms nl-pipe cat "|" sh -c "sort -r; test \$NL_ATTEMPT -ge 2"'
	[ "$status" = 0 ]
	[ "$output" = $'3\n2\n1' ]
}

@test "Between brackets of nl-fallback a word | is enough" {
	run_both nl-fallback [ echo no '|' sh -c 'cat; exit 3' ] [ seq 3 '|' tac '|' head -n1 ]
	[ "$output" = 3 ]
	run_both nl-fallback [ false ] [ printf '%s\n' '\|' '\[' '|' cat ]
	[ "$output" = $'|\n[' ]
	run_both nl-fallback [ false ] [ nl-fallback [ false '|' true ] [ echo b '|' sed s/b/c/ ] '|' sed s/c/d/ ]
	[ "$output" = d ]
	run_both nl-fallback [ nonesuch '|' cat ] [ echo two '|' cat ]
	[ "$output" = two ]
}

@test "Between brackets of nl-race, too, and the stages of those that lost are gone" {
	run_both nl-race [ sleep 60 '|' spawner family session '|' sleep 60 ] [ sh -c 'until grep -qs ^ready family; do sleep 0.01; done; echo first' '|' sed s/first/won/ ]
	[ "$output" = won ]
	wait_for 1 no_victims
	run_both nl-race [ yes '|' sh -c 'cat >/dev/null; exit 3' ] [ nl-fallback [ false '|' cat ] [ seq 3 '|' tail -n1 ] '|' sed s/3/three/ ]
	[ "$output" = three ]
	wait_for 1 no_victims
}

# --- at a terminal ---

@test "Ctrl-C ends all stages, nl-pipe and the script that runs it" {
	pty bash -c 'nl-pipe deaf -o log none "|" deaf -o log2 none; echo after' <<-'EOF'
		until grep -q ready log && grep -q ready log2
		send ^C
		signal 2
		never after
	EOF
	wait_for 1 no_victims
}

@test "Ctrl-C reaches each stage once, from the terminal" {
	pty nl-pipe sigcount -q 12 log '|' sigcount -q 12 log2 <<-'EOF'
		until grep -q ready log && grep -q ready log2
		send ^C
		until grep -q INT log && grep -q INT log2
		do kill -USR2 $leader
		exit 0
	EOF
	for f in log log2; do
		[ "$(sed -n 2p "$f")" = 'INT kernel 0' ]
		[ "$(grep -c INT "$f")" = 1 ]
	done
}

@test "TERM from elsewhere reaches the stages at a terminal, too" {
	pty nl-pipe sleep 60 '|' deaf -o log none <<-'EOF'
		until grep -q ready log
		do kill -TERM $leader
		signal 15
	EOF
	wait_for 1 no_victims
}

@test "less works as the last stage, and Ctrl-C does not end it" {
	export TERM=vt100 LESS='' LESSSECURE=1
	pty nl-pipe seq 1000 '|' less <<-'EOF'
		expect 23
		send G
		expect 1000
		send ^C
		send g
		expect 12
		send q
		exit 0
	EOF
}

@test "Ctrl-Z stops the pipeline, and fg resumes it" {
	export PS1='% ' PS2='' HISTFILE='' TERM=dumb
	unset BASH_ENV ENV
	# shellcheck disable=SC2016
	echo 'echo $$ >$1; exec sleep 60' >job
	echo 'for f in one two; do grep -q "^State:.$1" /proc/$(cat $f)/status || exit 1; done' >both
	pty bash --norc --noprofile --noediting -i <<-'EOF'
		expect %
		send nl-pipe sh job one '|' sh job two\n
		until test -s one && test -s two && sh both S
		send ^Z
		expect Stopped
		until sh both T
		send fg\n
		until sh both S
		send ^C
		expect %
		send echo status $?\n
		expect status 130
		send exit\n
		exit 0
	EOF
	wait_for 1 no_victims
}
