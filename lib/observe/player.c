/* SPDX-License-Identifier: Apache-2.0 */
/* player.c - see tape.h: beats through the machine that made them. */
#include "observe/tape.h"

#include "layer.h"
#include "opt.h"

#include <stdlib.h>
#include <string.h>

/* Of a list of KEY=VALUE; what a later version knows more is passed over. */
static void set_all(struct nl_svc *svc, char *list)
{
	struct nl_err err;
	char *rest;
	for (char *word = strtok_r(list, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char *value = strchr(word, '=');
		if (value) {
			*value++ = '\0';
			(void)nl_opt_set(svc, word, value, &err);
		}
	}
}

struct nl_svc *nl_tape_configured(const struct nl_layer *layer, const char *cfg, const char *const *set, unsigned n, struct nl_err *err)
{
	struct nl_svc *svc = calloc(1, layer->size);
	char *list = strdup(cfg), key[40];
	int r = 0;
	if (!svc || !list) {
		free(list);
		free(svc);
		(void)nl_fail(err, "out of memory");
		return NULL;
	}
	svc->layer = layer;
	set_all(svc, list);
	for (unsigned i = 0; i < n && r == 0; i++) {
		const char *value = strchr(set[i], '=');
		size_t len = value ? (size_t)(value - set[i]) : sizeof key;
		if (len >= sizeof key) {
			r = nl_fail(err, "'%.60s': KEY=VALUE is wanted", set[i]);
		} else {
			memcpy(key, set[i], len);
			key[len] = '\0';
			r = nl_opt_set(svc, key, value + 1, err);
		}
	}
	free(list);
	if (r < 0)
		free(svc);
	return r < 0 ? NULL : svc;
}

int nl_tape_rules(const char *cfg, const char *const *set, unsigned n, struct nl_circuit_cfg *out, struct nl_err *err)
{
	struct nl_svc *svc = nl_tape_configured(&nl_breaker, cfg, set, n, err);
	if (!svc)
		return -1;
	*out = nl_breaker_config(svc);
	free(svc);
	return 0;
}

struct nl_player nl_player_of(const struct nl_tapes *t)
{
	return (struct nl_player){ .tapes = t, .rules_of = UINT32_MAX };
}

const struct nl_circuit_cfg *nl_player_rules(struct nl_player *p, const struct nl_beat *b)
{
	struct nl_err err;
	if (p->rules_of == b->cfg)
		return &p->rules;
	p->rules_of = b->cfg;
	if (nl_tape_rules(p->tapes->texts.text[b->cfg], NULL, 0, &p->rules, &err) < 0)
		p->rules_of = UINT32_MAX;
	return &p->rules;
}

void nl_player_fresh(struct nl_player *p, uint64_t epoch)
{
	p->c = (struct nl_circuit){ 0 };
	p->epoch = epoch;
	p->known = true;
}

/* Times of a log are cut to microseconds.  So an admission is as late as it can
 * have been, and a call is longer than what is written. */
struct nl_circuit_step nl_player_step(struct nl_player *p, const struct nl_beat *b)
{
	bool alone = b->kind == NL_BEAT_MOVED, asks = b->kind == NL_BEAT_ASKED || (alone && b->result == NL_ACQUIRE);
	struct nl_circuit_input in = {
		.event = asks ? NL_ACQUIRE : (enum nl_circuit_event)b->result, .now = b->at_us * NL_US + (asks ? NL_US - 1 : 0), .epoch = b->epoch,
		.dur = b->dur_us * NL_US + 1, .ws = b->ws, .age = b->age, .span = b->span, .real = b->time_us * NL_US,
	};
	bool told = alone && !asks;             // By a person: under the rules of whoever was there last.
	struct nl_circuit_cfg own = *nl_player_rules(p, b);
	if (b->kind == NL_BEAT_SAW)             // Nothing says its rules, and they do not matter: it counted nothing.
		own.shape = p->c.cfg.shape, own.semantics = p->c.cfg.semantics;
	struct nl_circuit_step s = nl_circuit_step(told ? NULL : &own, &p->c, &p->epoch, &in);
	if (s.moved)
		p->c.since = b->at_us * NL_US;
	return s;
}

void nl_player_adopt(struct nl_player *p, const struct nl_beat *b)
{
	if (b->to != NL_OPEN)
		return;
	p->c.open_for = b->open_us < 0 ? NL_NEVER : b->open_us * NL_US;
	p->c.until = nl_after(p->c.since, p->c.open_for);
	if (b->shape.kind != NL_WINDOW_NONE)
		p->c.cfg.shape = b->shape;
}

void nl_player_resume(struct nl_player *p, const struct nl_beat *b, const struct nl_beat *by)
{
	struct nl_circuit_cfg rules = *nl_player_rules(p, b);
	struct nl_circuit_cfg was = p->c.cfg;
	nl_player_fresh(p, b->epoch - 1);
	p->c.since = b->at_us * NL_US;
	p->c.cfg = b->result == NL_RESET || b->reason == NL_WHY_FORCED ? was : rules;
	p->c.cfg.shape = b->shape.kind != NL_WINDOW_NONE ? b->shape : was.shape.kind != NL_WINDOW_NONE ? was.shape : rules.shape;
	p->c.steps = b->step - 1;
	struct nl_beat move = *b;
	move.kind = NL_BEAT_MOVED;
	if (b->to == NL_HALF_OPEN || b->to == NL_OPEN)
		p->c.state = NL_OPEN, p->c.openings = 1;
	if (b->to == NL_HALF_OPEN && by)        // As gobreaker does: it is no call of the half-open state.
		(void)nl_player_step(p, by);
	else if (b->to == NL_OPEN)
		p->epoch++, p->c.opened = p->c.since, p->c.reason = b->reason, p->c.steps++;
	else
		move.result = b->to == NL_HALF_OPEN ? NL_ACQUIRE : b->to == NL_FORCED_OPEN ? NL_FORCE_OPEN : b->to == NL_FORCED_CLOSED ? NL_FORCE_CLOSED
		              : b->to == NL_DISABLED ? NL_DISABLE : NL_RESET, (void)nl_player_step(p, &move);
	p->c.reason = b->reason;
	nl_player_adopt(p, b);
}
