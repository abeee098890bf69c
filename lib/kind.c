/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kind.c - every kind of record, and those that have nothing but live values.
 */
#include "state.h"

#include <string.h>

const struct nl_kind nl_kind_retry = { .name = "retry", .id = 4, .layer = &nl_retry };
const struct nl_kind nl_kind_timeout = { .name = "timeout", .id = 5, .layer = &nl_timeout };

const struct nl_kind *const nl_kinds[] = { &nl_kind_breaker, &nl_kind_bulkhead, &nl_kind_budget, &nl_kind_race, &nl_kind_retry, &nl_kind_timeout, NULL };

const struct nl_kind *nl_kind_of(const char *name)
{
	for (size_t i = 0; nl_kinds[i]; i++)
		if (!strcmp(nl_kinds[i]->name, name))
			return nl_kinds[i];
	return NULL;
}
