/* SPDX-License-Identifier: Apache-2.0 */
/* tools.c - what nl-retry, nl-timeout, nl-breaker and nl-bulkhead tell of a call. */
#include "eventgen.h"

static void put_cmd(void)
{
	text(",\"cmd\":\"curl\"");
}

static void put_exit(const struct run *r, const char *rejected)
{
	text(rejected ? rejected : r->slow ? ",\"exit\":124,\"err\":\"timeout\"" : ",\"exit\":7,\"err\":\"exit_7\"");
}

static void request(struct run *r, bool ok, const char *rejected, int64_t us)
{
	truth.requests++, truth.failures += !ok;
	if (!event(r, ok ? "nl.request.success" : "nl.request.failure", ok ? 9 : 17, false))
		return;
	put_cmd();
	if (ok)
		text(",\"exit\":0");
	else
		put_exit(r, rejected);
	seconds(",\"dur_s\":", us);
	if (r->p->kind == RETRY)
		count(",\"attempts\":", r->attempt);
	if (ok && r->attempt > 1)
		seconds(",\"last_s\":", r->at - r->tried_at);
	emit(r);
}

/* One attempt is over.  True: there is another. */
static bool step_retry(struct run *r)
{
	r->attempt++;
	if (r->attempt <= r->attempts) {
		int64_t delay = (int64_t)(rnd() % (100000u << r->attempt));
		if (event(r, "nl.retry.attempt", 13, false)) {
			put_cmd();
			count(",\"attempt\":", r->attempt);
			text(",\"max\":3");
			put_exit(r, NULL);
			seconds(",\"dur_s\":", r->at - r->tried_at);
			seconds(",\"delay_s\":", delay);
			emit(r);
		}
		r->slept += delay;
		r->tried_at = r->at + delay;
		r->at = r->tried_at + duration(r->p->typical_us);
		return true;
	}
	if (!r->ok && event(r, "nl.retry.exhausted", 17, false)) {
		text(",\"attempts\":3,\"max\":3,\"reason\":\"max_attempts\"");
		put_exit(r, NULL);
		seconds(",\"dur_s\":", r->at - r->begun);
		seconds(",\"slept_s\":", r->slept);
		seconds(",\"last_s\":", r->at - r->tried_at);
		emit(r);
	}
	request(r, r->ok, NULL, r->at - r->begun);
	return false;
}

static void end_timeout(struct run *r)
{
	if (r->slow && event(r, "nl.timeout.occurred", 13, false)) {
		put_cmd();
		seconds(",\"limit_s\":", r->at - r->begun - 431);
		seconds(",\"dur_s\":", r->at - r->begun);
		text(",\"reason\":\"limit\",\"signal\":\"TERM\",\"grace_s\":5.000000,\"killed\":false");
		emit(r);
	}
	request(r, r->ok, NULL, r->at - r->begun);
}

static void end_breaker(struct run *r)
{
	struct policy *p = r->p;
	p->streak = r->ok ? 0 : p->streak + 1;
	bool opens = !p->open && !r->ok && (p->half || p->streak == 3);
	if (opens && event(r, "nl.circuit.opened", 17, false)) {
		text(p->half ? ",\"from\":\"half_open\",\"reason\":\"probe_failed\"" : ",\"from\":\"closed\",\"reason\":\"consecutive\"");
		count(",\"failures\":", p->streak);
		count(",\"calls\":", p->streak);
		count(",\"open_s\":5.000000,\"epoch\":", p->epoch + 1);
		count(",\"errs\":{\"exit_7\":", p->streak);
		text("},\"last\":[\"");
		hex(r->span);
		text("\"]");
		emit(r);
	}
	if (opens)
		p->open = true, p->half = false, p->epoch++, p->open_until = r->at + 5000000;
	if (p->half && r->ok) {
		if (event(r, "nl.circuit.closed", 9, false)) {
			count(",\"from\":\"half_open\",\"reason\":\"success\",\"probes\":1,\"was_open_s\":5.000000,\"epoch\":", p->epoch + 1);
			emit(r);
		}
		p->half = false, p->epoch++;
	}
	request(r, r->ok, NULL, r->at - r->begun);
}

/* False: it is not admitted, and over. */
static bool begin_breaker(struct run *r)
{
	struct policy *p = r->p;
	if (p->open && r->at >= p->open_until) {
		p->open = false, p->half = true, p->epoch++;
		if (event(r, "nl.circuit.half_open", 9, false)) {
			count(",\"from\":\"open\",\"was_open_s\":5.000000,\"probes\":1,\"epoch\":", p->epoch);
			emit(r);
		}
		return true;
	}
	if (!p->open)
		return true;
	if (event(r, "nl.circuit.rejected", 13, false)) {
		put_cmd();
		seconds(",\"state\":\"open\",\"retry_after_s\":", p->open_until - r->at);
		count(",\"exit\":75,\"epoch\":", p->epoch);
		emit(r);
	}
	request(r, false, ",\"exit\":75,\"err\":\"rejected\"", 61);
	return false;
}

static bool begin_bulkhead(struct run *r)
{
	struct policy *p = r->p;
	bool full = p->active == 8;
	if (event(r, full ? "nl.bulkhead.rejected" : "nl.bulkhead.acquired", full ? 13 : 5, false)) {
		count(",\"active\":", full ? 8 : p->active + 1);
		text(full ? ",\"max\":8,\"queued\":0,\"reason\":\"saturated\",\"waited_s\":0.000000,\"exit\":75" : ",\"max\":8,\"queued\":0,\"waited_s\":0.000093,\"slot\":1");
		emit(r);
	}
	if (full)
		request(r, false, ",\"exit\":75,\"err\":\"rejected\"", 61);
	else
		p->active++;
	return !full;
}

static void end_bulkhead(struct run *r)
{
	r->p->active--;
	if (event(r, "nl.bulkhead.released", 5, false)) {
		count(",\"active\":", r->p->active);
		seconds(",\"max\":8,\"held_s\":", r->at - r->begun);
		text(",\"slot\":1");
		emit(r);
	}
	request(r, r->ok, NULL, r->at - r->begun);
}

static void end_run(struct run *r)
{
	if (!event(r, "nl.run.ended", 9, true))
		return;
	count(",\"exit\":", r->ok ? 0 : 7);
	seconds(",\"dur_s\":", r->at - r->begun + 500);
	count(",\"events\":", r->sent);
	uint32_t missing = r->missing;
	emit(r);
	if (r->missing > missing)
		return;                         // Its end is lost, so nobody knows.
	truth.ended++;
	truth.sent += r->sent, truth.lost += missing;
	truth.ok += r->sent - missing;
}

bool step(struct run *r)
{
	bool admitted = true, more = false;
	if (r->step++ == 0) {
		if (event(r, "nl.run.started", 5, true)) {
			text(",\"tool\":\"nl-");
			text(kinds[r->p->kind]);
			text("\",\"ver\":\"0.1.0\",\"cmd\":\"curl\",\"host\":\"node-7\",\"boot\":\"2c9079af-465f-427c-a32b-bef724244908\",\"cfg\":\"\"");
			emit(r);
		}
		admitted = r->p->kind == BREAKER ? begin_breaker(r) : r->p->kind == BULKHEAD ? begin_bulkhead(r) : true;
		r->at += admitted ? duration(r->p->typical_us) : 150;
		if (admitted && happens(cfg.killed)) {
			r->p->active -= r->p->kind == BULKHEAD;
			truth.killed++;
			return false;
		}
		if (admitted)
			return true;
	} else if (r->p->kind == RETRY) {
		more = step_retry(r);
	} else if (r->p->kind == TIMEOUT) {
		end_timeout(r);
	} else if (r->p->kind == BREAKER) {
		end_breaker(r);
	} else {
		end_bulkhead(r);
	}
	if (!more)
		end_run(r);
	return more;
}
