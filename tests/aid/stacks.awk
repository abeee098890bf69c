# SPDX-License-Identifier: Apache-2.0
#
# stacks.awk - awk -v seed=N -v count=N -f stacks.awk: random stacks of layers
# over a flaky command, one a line.
#
# What happens must not depend on how fast it happens: a command ends at once
# or never, limits are 0.6 s around the command, 30 s or none further out, and
# at most one of 1.5 s (between two multiples of 0.6) where nothing is deaf.

function rnd(n) {
	# Lehmer's, whole numbers below 2^53 in every awk.
	state = state * 16807 % 2147483647
	return int(state / 2147483647 * n)
}

function pick(words,    n, w) {
	n = split(words, w, " ")
	return w[1 + rnd(n)]
}

function victim(    i, n, s, a) {
	s = rnd(4) ? "flaky" : "flaky -q"
	s = s " n"
	n = 1 + rnd(5)
	hangs = deaf = 0
	for (i = 0; i < n; i++) {
		a = pick("0 0 1 1 2 3 7 42 75 124 125 127 200 KILL TERM USR1 INT PIPE cat0 cat1 cat2 hang hang deaf")
		if (a == "deaf")
			deaf = 1
		if (a == "hang" || a == "deaf")
			hangs = 1
		s = s " " a
	}
	return s
}

function retry(innermost,    s) {
	s = "nl-retry -j none -b " pick("constant:0 constant:1ms exp:1ms..4ms fib:1ms linear:2ms")
	s = s " -n " (attempts > 3 ? pick("1 2") : pick("1 2 2 3 3 4"))
	attempts *= 3
	if (!rnd(3))
		s = s " -O"
	if (!rnd(6))
		s = s " -q"
	if (!rnd(3))
		s = s " " pick("--on --on --except --ok") " " pick("1 1,2,3 any !2 timeout signal KILL rejected 75 0,1 100-200 !signal,!75 124,signal 125-127")
	if (!rnd(6))
		s = s " --stdin " pick("auto replay null")
	if (!rnd(5))
		s = s " -T 30"
	if (!rnd(5))
		s = s " -s " pick("TERM INT USR1")
	if (innermost && hangs)
		s = s " -t 0.6 -k 0.1"
	else if (!rnd(5))
		s = s " -t 30"
	return s
}

function limit(innermost,    s) {
	s = "nl-timeout"
	if (!rnd(4))
		s = s " -p"
	if (!rnd(4))
		s = s " -s " pick(broken ? "TERM INT USR1 HUP" : "TERM INT USR1 KILL HUP")
	if (!rnd(5))
		s = s " --on-timeout " pick(": false")
	if (!rnd(5))
		s = s " -i 30"
	if (innermost && hangs)
		return s " -k 0.1 0.6"
	if (!rnd(4))
		s = s " -k " pick("1 5 inf")
	if (hangs && !deaf && !short && !rnd(3)) {
		short = 1
		return s " 1.5"
	}
	return s " " pick("30 30s inf 0 1h")
}

# The same name twice is a rejection, at once or soon.
function bulkhead(    s) {
	s = "nl-bulkhead"
	if (!rnd(3))
		s = s " -m 2"
	if (!rnd(4))
		s = s " -w 0.05"
	if (!rnd(5))
		s = s " -E " pick("0 1 9 124")
	if (!rnd(5))
		s = s " --release tree"
	return s " " pick("x x y")
}

function breaker(i,    s) {
	s = "nl-breaker -f " pick("1 1 2 3 9") " -o " pick("1us 1us 1h inf")
	if (!rnd(4))
		s = s " " pick("--on --except --ok") " " pick("1 1,2,3 any !2 timeout signal KILL rejected 75 0,1")
	if (!rnd(5))
		s = s " -E " pick("0 3 75")
	if (!rnd(5))
		s = s " --close-after 2"
	if (!rnd(5))
		s = s " -r 50 --window 5 --min-calls " pick("1 2 3")
	broken = 1
	return s " b" i
}

function layer(i,    n) {
	n = rnd(6)
	if (n > 3 && !(i == 0 && hangs))
		return n == 4 ? bulkhead() : breaker(i)
	return n % 2 ? retry(i == 0) : limit(i == 0)
}

BEGIN {
	state = seed * 7919 + 1
	for (i = 0; i < 10; i++)
		rnd(2)
	for (k = 0; k < count; k++) {
		line = victim()
		attempts = 1
		short = broken = 0
		n = 1 + rnd(4)
		for (i = 0; i < n; i++)
			line = layer(i) " " line
		print (rnd(5) ? "" : "|") line
	}
}
