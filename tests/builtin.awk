# SPDX-License-Identifier: Apache-2.0
#
# builtin.awk - awk -F '\t' -v name=FILE -f builtin.awk builtin.tsv FILE.tap: the TAP of
# a file that was run with the tools as builtins, where what is listed must differ.

FILENAME == ARGV[1] {
	if (!/^#/ && $1 == name)
		why[$2] = $3
	next
}

/^(not )?ok [0-9]+ / {
	bad = /^not/
	test = $0
	sub(/^(not )?ok [0-9]+ /, "", test)
	sub(/ # .*/, "", test)
	match($0, /[0-9]+/)
	n = substr($0, RSTART, RLENGTH)
	hidden = test in why && bad
	if (hidden)
		print "ok " n " differs: " test
	else if (test in why)
		print "not ok " n " does not differ, although builtin.tsv says so: " test
	else
		print
	next
}

!hidden
