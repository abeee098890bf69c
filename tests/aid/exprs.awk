# SPDX-License-Identifier: Apache-2.0
#
# exprs.awk - random expressions: awk -v seed=1 -v count=9 -f exprs.awk
# Names of policies are new in each, so that no state is shared.

function pick(n) { return int(rand() * n) }

function layer(  k) {
	k = pick(9)
	if (k == 0) return "retry(" 1 + pick(3) ", backoff=const:1ms" (pick(2) ? ", jitter=none" : "") ")"
	if (k == 1) return "retry(backoff = lin:1ms..2ms,attempts=2,hold)"
	if (k == 2) return "timeout( 20s )"
	if (k == 3) return "timeout(20000ms, kill-after=1m)"
	if (k == 4) return "breaker(b" ++names ", failures=" 1 + pick(3) ")"
	if (k == 5) return "bulkhead('b" ++names "', max=2)"
	if (k == 6) return "fallback(stale=0:k" ++names ")"
	if (k == 7) return "race"
	return "pass"
}

# The sort that binds least that the place allows: 0 |, 1 +, 2 &.
function expr(depth, level,  k) {
	k = pick(depth > 0 ? 6 : 1)
	if (k == 0) return pick(12) ? layer() : "fail"
	if (k <= 2) return wrapped(depth, level, 1, "+")
	if (k <= 4) return wrapped(depth, level, 0, "|")
	return wrapped(depth, level, 2, "&")
}

function wrapped(depth, level, own, op,  text) {
	text = expr(depth - 1, own) (pick(2) ? " " op " " : op) expr(depth - 1, own + 1)
	return own < level || !pick(5) ? "(" text ")" : text
}

BEGIN {
	srand(seed)
	for (i = 0; i < count; i++)
		print expr(3, 0)
}
