/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live.c - values that are changed while processes run: texts in a policy's
 * record, read by the option's own reader into a copy of the instance.
 */
#include "state.h"

#include "opt.h"

#include <stdlib.h>
#include <string.h>

const struct nl_live *nl_live_find(const struct nl_record *rec, const char *key)
{
	for (uint32_t i = 0; i < rec->head.lives && i < NL_LIVES; i++)
		if (!strcmp(rec->live[i].key, key))
			return &rec->live[i];
	return NULL;
}

const struct nl_opt *nl_live_option(const struct nl_layer *layer, const char *key)
{
	for (const struct nl_opt *o = NULL; layer && (o = nl_opt_next(layer, o)); )
		if (!strcmp(o->name, key))
			return nl_opt_is_live(o) ? o : NULL;
	return NULL;
}

void nl_live_apply(const struct nl_record *rec, struct nl_svc *svc)
{
	struct nl_err err;
	for (uint32_t i = 0; !svc->pin && i < rec->head.lives && i < NL_LIVES; i++)
		if (nl_live_option(svc->layer, rec->live[i].key))
			(void)nl_opt_set(svc, rec->live[i].key, rec->live[i].value, &err);      // Of another version: kept, not used.
}

int nl_live_set(struct nl_record *rec, const struct nl_kind *kind, const char *key, const char *value, uint32_t uid,
                nl_time real, struct nl_err *err)
{
	struct nl_live *live = (struct nl_live *)nl_live_find(rec, key);
	struct nl_svc *scratch;
	if (!nl_live_option(kind->layer, key))
		return nl_fail(err, "%.40s: no setting of a %s that can be changed while it runs", key, kind->name);
	if (strlen(value) >= sizeof live->value)
		return nl_fail(err, "%s: '%.20s...': longer than %zu characters", key, value, sizeof live->value - 1);
	scratch = calloc(1, kind->layer->size);
	if (!scratch)
		return nl_fail(err, "out of memory");
	scratch->layer = kind->layer;
	int r = nl_opt_set(scratch, key, value, err);
	free(scratch);
	if (r < 0)
		return r;
	if (!live && rec->head.lives >= NL_LIVES)
		return nl_fail(err, "%s: %d values are set already", key, NL_LIVES);
	if (!live)
		live = &rec->live[rec->head.lives++];
	*live = (struct nl_live){ .uid = uid, .real_ns = real };
	memcpy(live->key, key, strlen(key));
	memcpy(live->value, value, strlen(value));
	return 0;
}

int nl_live_unset(struct nl_record *rec, const struct nl_kind *kind, const char *key, struct nl_err *err)
{
	struct nl_live *live = (struct nl_live *)nl_live_find(rec, key);
	if (!live && !nl_live_option(kind->layer, key))
		return nl_fail(err, "%.40s: no setting of a %s that can be changed while it runs", key, kind->name);
	if (!live)
		return nl_fail(err, "%s: is not set", key);
	*live = rec->live[--rec->head.lives];
	rec->live[rec->head.lives] = (struct nl_live){ .uid = 0 };
	return 0;
}

uint64_t nl_live_load(struct nl_run *run, struct nl_span_of of, const struct nl_kind *kind, struct nl_svc *svc)
{
	struct nl_state s;
	struct nl_record rec;
	uint64_t gen = 0;
	if (!svc->name || svc->pin)
		return 0;
	if (nl_state_open(&s, run, svc->state, kind, svc->name, NL_EXISTING) == 0 && nl_state_read(&s, &rec) == 0) {
		nl_live_apply(&rec, svc);
		gen = rec.head.cfg;
	}
	nl_state_tell(&s, of);
	nl_state_close(&s);
	return gen;
}
