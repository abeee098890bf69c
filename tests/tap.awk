# SPDX-License-Identifier: Apache-2.0
#
# tap.awk - judges one job: its TAP files, and rc, its exit status.  Prints a
# line, and beneath it whatever failed or was skipped; leaves "passed failed skipped" in
# FILE.sum.  A plan that was not fulfilled, and a bad exit status without a
# failed test, count as one failure.

FNR == 1 && sum == "" { sum = FILENAME ".sum" }
/^1\.\.[0-9]+/ { plan += substr($1, 4); planned = 1 }
/^ok [0-9]+/ {
	show = 0
	if (tolower($0) ~ /# skip/) {
		skipped++
		text = text "    " $0 "\n"
	} else
		passed++
}
/^not ok [0-9]+/ { show = 1; failed++ }
/^not ok/ || (show && !/^1\.\./) { text = text "    " $0 "\n" }
!/^(ok |not ok |#|1\.\.)/ { noise = noise "    " $0 "\n" }

END {
	run = passed + failed + skipped
	if (!planned || plan != run) {
		failed++
		text = text noise "    not ok: " run + 0 " of " (planned ? plan : "an unknown number of") " tests ran\n"
	} else if (rc != 0 && !failed) {
		failed++
		text = text noise "    not ok: exit status " rc "\n"
	}
	printf "%-4s %-22s %4d passed%s%s\n%s", failed ? "FAIL" : "ok", name, passed,
		failed ? ", " failed " failed" : "", skipped ? ", " skipped " skipped" : "", text
	print passed + 0, failed + 0, skipped + 0 >sum
}
