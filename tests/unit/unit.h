/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit.h - a test program in TAP:
 *
 *	int main(void)
 *	{
 *		TEST("a sentence about one behaviour")
 *			CHECK(2 * 2 == 4);      // as many as needed; all are run
 *		return unit_done();             // prints the plan; 1 after a failure
 *	}
 */
#ifndef UNIT_H
#define UNIT_H

#include <stdbool.h>
#include <stdio.h>

static unsigned unit_count, unit_failures, unit_faults;

static inline bool unit_next(const char *name, bool begun)
{
	if (!begun)
		return unit_faults = 0, true;
	unit_failures += unit_faults > 0;
	printf("%sok %u - %s\n", unit_faults ? "not " : "", ++unit_count, name);
	return false;
}

static inline int unit_done(void)
{
	printf("1..%u\n", unit_count);
	return fflush(stdout) || unit_failures ? 1 : 0;
}

#define TEST(name) for (bool begun = false; unit_next(name, begun); begun = true)
#define CHECK(cond) ((cond) ? (void)0 : (void)(unit_faults++, printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond)))
/* In a loop over a table: says which row. */
#define CHECK_ROW(cond, row) ((cond) ? (void)0 : (void)(unit_faults++, printf("# %s:%d: %s: %s\n", __FILE__, __LINE__, row, #cond)))

#endif
