#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Supervision at a terminal: tests/aid/pty.c types, looks and waits.
#
# Words are split on purpose, $ in single quotes is for the shell inside, and
# each test is a subshell of its own:
# shellcheck disable=SC2046,SC2086,SC2016,SC2030,SC2031,SC2154
bats_require_minimum_version 1.5.0
load helper
load victim

setup() {
	victim_setup
	# A command that tells who it and its supervisor are, then waits.
	cat >job <<-'EOF'
		echo $$ >command.pid
		echo $PPID >nl.pid
		echo ready
		exec sleep 60
	EOF
	# In pty scripts: true when both are stopped, or when neither is.
	cat >stopped <<-'EOF'
		for f in command.pid nl.pid; do grep -q '^State:.T' /proc/$(cat $f)/status || exit 1; done
	EOF
	cat >running <<-'EOF'
		for f in command.pid nl.pid; do grep -q '^State:.[SR]' /proc/$(cat $f)/status || exit 1; done
	EOF
	# And when the bash that leads catches INT, as it does while it waits: Ctrl-C
	# between its fork and that ends the script, whatever the command does.
	cat >waiting <<-'EOF'
		grep -q '^SigCgt:.*[2367abef]$' /proc/$leader/status
	EOF
	export TERM=dumb PS1='% ' PS2='' HISTFILE='' NL_EVENTS=off
	unset BASH_ENV ENV
	ulimit -c 0
}

# An interactive shell with job control.
shell=(bash --norc --noprofile --noediting -i)

# What every way of wrapping must do alike.
stacks=("nl-timeout 60" "nl-retry -n 5 -b constant:1ms" "nl-timeout 60 nl-retry -n 5 -b constant:1ms nl-timeout 50")

# --- Ctrl-C and its like ---

@test "Ctrl-C ends the command, its wrapper and the script that runs them" {
	local line
	for line in "${stacks[@]}"; do
		for NL_FUSE in 1 0; do
			export NL_FUSE
			rm -f log
			pty bash -c "$line deaf -o log none; echo after" <<-'EOF'
				until grep -q ready log
				send ^C
				signal 2
				never after
			EOF
			[ "$(grep -c . log)" = 1 ]
			wait_for 1 no_victims
		done
	done
}

@test "Ctrl-C reaches the command once, from the terminal" {
	local line
	for line in "${stacks[@]}"; do
		for NL_FUSE in 1 0; do
			export NL_FUSE
			rm -f log
			pty bash -c "$line sigcount -q 12 log; echo after \$?" <<-'EOF'
				until grep -q ready log
				until sh waiting
				send ^C
				until grep -q INT log
				do kill -USR2 $(sed -n 's/^ready //p' log)
				expect after 0
				exit 0
			EOF
			[ "$(sed -n 2p log)" = "INT kernel 0" ]
			[ "$(grep -c INT log)" = 1 ]
		done
	done
}

@test "A command that handles Ctrl-C and succeeds lets the script go on" {
	local line
	for line in "${stacks[@]}"; do
		rm -f log
		pty bash -c "$line sigcount -q 2 log; echo after \$?" <<-'EOF'
			until grep -q ready log
			until sh waiting
			send ^C
			expect after 0
			exit 0
		EOF
		[ "$(sed 1d log)" = "INT kernel 0" ]
	done
}

@test "After Ctrl-C a failed attempt is not followed by another" {
	pty bash -c "nl-retry -n 5 -b constant:1ms flaky n say; echo after" <<-'EOF'
		expect call 1
		until sh waiting
		send ^C
		expect got 2
		signal 2
		never after
	EOF
	[ "$(wc -c <n)" = 1 ]
}

@test "Ctrl-C during a back-off ends the retry at once" {
	pty -t 3 bash -c "nl-retry -n 5 -b constant:60s -j none sh -c 'echo \$\$ >pid; exit 1'; echo after" <<-'EOF'
		until test -s pid && ! kill -0 $(cat pid)
		send ^C
		signal 2
		never after
	EOF
}

@test "Ctrl-C starts no grace for a command that the terminal told" {
	pty nl-timeout -k 0.3 60 sigcount -q 12 -x 7 log <<-'EOF'
		until grep -q ready log
		send ^C
		until grep -q INT log
		do sleep 0.8
		do kill -USR2 $leader
		exit 7
	EOF
	[ "$(grep -c TERM log)" = 0 ]
}

@test "The QUIT key ends the command and nl-timeout by that signal" {
	pty nl-timeout 60 sh job <<-'EOF'
		expect ready
		send ^\
		signal 3
	EOF
	wait_for 1 no_victims
}

@test "A terminal that hangs up ends nl-timeout and its command, whoever leads the session" {
	pty nl-timeout 60 deaf -o log none <<-'EOF'
		until grep -q ready log
		hangup
		signal 1
	EOF
	wait_for 1 no_victims
	pty bash -c 'nl-timeout 60 deaf -o log2 none; true' <<-'EOF'
		until grep -q ready log2
		hangup
		signal 1
	EOF
	wait_for 1 no_victims
	pty "${shell[@]}" <<-'EOF'
		send nl-timeout 60 deaf -o log3 none\n
		until grep -q ready log3
		hangup
	EOF
	wait_for 2 no_victims
}

@test "No HUP or CONT reaches a command because nl-timeout leads the session" {
	local i
	for i in {1..30}; do
		pty nl-timeout 60 sigcount -t 10 log$i <<-'EOF' || return
			exit 0
		EOF
		[ "$(grep -c . log$i)" = 1 ]
	done
}

# --- reading and writing ---

@test "A command under nl-timeout in a script reads the terminal" {
	pty bash -c 'nl-timeout 60 sh -c "echo ready; read -r x </dev/tty; echo got \$x"; echo after $?' <<-'EOF'
		expect ready
		front yes
		send hello\n
		expect got hello
		expect after 0
		exit 0
	EOF
	pty bash -c 'nl-retry sh -c "echo ready; read -r x; echo got \$x"; echo after $?' <<-'EOF'
		expect ready
		send hello\n
		expect got hello
		expect after 0
		exit 0
	EOF
}

@test "A background command that wants the terminal is ended by the limit" {
	pty "${shell[@]}" <<-'EOF'
		expect %
		send nl-timeout 1 cat & wait $!; echo status $?\n
		expect status 124
		send stty tostop; nl-timeout 1 yes & wait $!; echo status $?\n
		expect status 124
		send exit\n
		exit 0
	EOF
	wait_for 1 no_victims
}

@test "A background nl-timeout may write to a terminal that stops background writers" {
	export NL_EVENTS=human
	pty "${shell[@]}" <<-'EOF'
		expect %
		send stty tostop\n
		expect %
		send nl-timeout 0.5 sleep 60 & wait $!; echo status $?\n
		expect sleep stopped after
		expect status 124
		send exit\n
		exit 0
	EOF
}

# --- job control ---

@test "Ctrl-Z stops nl-timeout and its command, and fg resumes both" {
	local line
	for line in "${stacks[@]}"; do
		for NL_FUSE in 1 0; do
			export NL_FUSE
			rm -f command.pid nl.pid
			pty "${shell[@]}" <<-EOF
				expect %
				send $line sh job\n
				expect ready
				until sh running
				send ^Z
				expect Stopped
				until sh stopped
				send echo shell is here\n
				expect shell is here
				send fg\n
				until sh running
				send ^C
				expect %
				send echo status \$?\n
				expect status 130
				send exit\n
				exit 0
			EOF
			wait_for 1 no_victims
		done
	done
}

@test "A limit that passes while the job is stopped counts when the job is resumed" {
	pty "${shell[@]}" <<-'EOF'
		expect %
		send nl-timeout 1 sh job\n
		expect ready
		send ^Z
		expect Stopped
		until sh stopped
		do sleep 1.1
		do sh stopped
		send fg\n
		send echo status $?\n
		expect status 124
		send exit\n
		exit 0
	EOF
	wait_for 1 no_victims
}

@test "A job begun in the background obeys the terminal when it is brought to the foreground" {
	pty "${shell[@]}" <<-'EOF'
		expect %
		send nl-timeout 60 sh job &\n
		expect ready
		until sh running
		send fg\n
		front no
		send ^Z
		expect Stopped
		until sh stopped
		send fg\n
		until sh running
		send ^C
		send echo status $?\n
		expect status 130
		send exit\n
		exit 0
	EOF
	wait_for 1 no_victims
}

@test "bg resumes a stopped job, which the limit then ends" {
	pty "${shell[@]}" <<-'EOF'
		expect %
		send nl-timeout 2 sh job\n
		expect ready
		send ^Z
		expect Stopped
		until sh stopped
		send bg\n
		until sh running
		send wait %1; echo status $?\n
		expect status 124
		send exit\n
		exit 0
	EOF
	wait_for 1 no_victims
}

# --- what is left of the terminal ---

@test "The terminal has the same modes and foreground group during nl-timeout and after it" {
	pty bash -c 'read -r x; nl-timeout 60 sh job; echo after $?; nl-retry true; read -r x; echo got $x' <<-'EOF'
		save
		send go\n
		expect ready
		same
		do kill -TERM $(cat nl.pid)
		expect after 143
		same
		send hello\n
		expect got hello
		exit 0
	EOF
	pty "${shell[@]}" <<-'EOF'
		expect %
		save
		send nl-timeout 60 true\n
		expect %
		same
		send read -r x; echo got $x\n
		send hello\n
		expect got hello
		send sed -u s/call/answer/\n
		send call\n
		expect answer
		send ^D
		send exit\n
		exit 0
	EOF
}

@test "The terminal is usable after nl-timeout was killed by SIGKILL" {
	pty bash -c 'read -r x; nl-timeout 60 sh job; echo after $?; read -r x; echo got $x' <<-'EOF'
		save
		send go\n
		expect ready
		do kill -KILL $(cat nl.pid)
		expect after 137
		same
		send hello\n
		expect got hello
		exit 0
	EOF
	wait_for 1 no_victims
	pty "${shell[@]}" <<-'EOF'
		expect %
		save
		send nl-retry sh job\n
		expect ready
		do kill -KILL $(cat nl.pid)
		expect Killed
		send read -r x; echo got $x\n
		send hello\n
		expect got hello
		same
		send exit\n
		exit 0
	EOF
	wait_for 1 no_victims
}

# --- limits ---

@test "In a script at a terminal the limit ends the command's family and nothing else of the script" {
	pty bash -c 'sleep 60 & nl-timeout 2 spawner log child group session daemon; echo status $?
		kill -0 $! && echo sibling; kill $!' <<-'EOF'
		expect status 124
		expect sibling
		exit 0
	EOF
	ready log
	wait_for 1 no_victims
}

@test "In a script at a terminal the signal of the limit reaches each process once" {
	local line l n=0
	for line in "nl-timeout -s RTMIN+3 -k 0.3 LIMIT" "nl-timeout -s RTMIN+3 -k 0.3 LIMIT nl-retry nl-timeout 50" \
		"nl-timeout -s RTMIN+3 -k 0.3 LIMIT env sh -c 'nl-retry \"\$@\"; exit' sh"; do
		for NL_FUSE in 1 0; do
			export NL_FUSE
			n=$((n + 1))
			# Longer limits for a busy machine.
			for l in 0.4 2 6; do
				rm -f one$n two$n
				pty -t 15 bash -c "${line/LIMIT/$l} bash -c 'trap : RTMIN+3; sigcount one$n & sigcount two$n; wait'; echo status \$?" <<-'EOF'
					expect status 124
					exit 0
				EOF
				! grep -qs ^RTMIN+3 one$n || ! grep -qs ^RTMIN+3 two$n || break
			done
			[ "$(grep -c RTMIN+3 one$n)" = 1 ]
			[ "$(grep -c RTMIN+3 two$n)" = 1 ]
			wait_for 1 no_victims
		done
	done
}

@test "A family that ignores TERM in a script at a terminal is killed after --kill-after" {
	pty bash -c 'nl-timeout -k 0.5 2 spawner -d log child session daemon; echo status $?' <<-'EOF'
		expect status 124
		exit 0
	EOF
	ready log
	wait_for 1 no_victims
}
