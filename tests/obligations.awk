# SPDX-License-Identifier: Apache-2.0
#
# obligations.awk - awk -f obligations.awk obligations.tsv FILE.tap...
#
# Fails on a required id without a row, and on a row whose test did not run
# and pass.  A test that failed anywhere has not passed.  Writes TAP.

BEGIN { FS = "\t" }

# "P1-P4 T13": ranges share their letters.
function require(words,    n, i, w, part, k) {
	n = split(words, w, " ")
	for (i = 1; i <= n; i++) {
		if (split(w[i], part, "-") != 2 || part[2] !~ /^[A-Z]+[0-9]+$/) {
			required[++nreq] = w[i]
			continue
		}
		match(part[1], /[0-9]+$/)
		for (k = substr(part[1], RSTART) + 0; k <= substr(part[2], RSTART) + 0; k++)
			required[++nreq] = substr(part[1], 1, RSTART - 1) k
	}
}

FILENAME == ARGV[1] {
	if (sub(/^#require /, ""))
		require($0)
	else if (!/^#/ && NF) {
		id[++rows] = $1
		test[rows] = $2
		known[$1] = 1
	}
	next
}

/^(not )?ok [0-9]+/ {
	bad = /^not/
	skip = tolower($0) ~ / # skip/
	name = $0
	sub(/^(not )?ok [0-9]+ (- )?/, "", name)
	sub(/ # (skip|SKIP|timeout|in [0-9]+ ms).*/, "", name)
	if (bad)
		state[name] = "failed"
	else if (skip && state[name] == "")
		state[name] = "was skipped"
	else if (!skip && state[name] != "failed")
		state[name] = "passed"
}

END {
	for (i = 1; i <= nreq; i++)
		if (!(required[i] in known))
			missing = missing " " required[i]
	if (missing != "")
		report("no row names a test for" missing)
	for (i = 1; i <= rows; i++)
		if (state[test[i]] != "passed")
			report(id[i] ": " (state[test[i]] == "" ? "no test ran that is called" : "this test " state[test[i]]) ": " test[i])
	if (!faults)
		print "ok " (faults = 1) " all " rows " rows of obligations.tsv name a test that passed"
	print "1.." faults
}

function report(text) {
	print "not ok " ++faults " " text
}
