// SPDX-License-Identifier: Apache-2.0
//
// control_schema.js - do nl-request.schema.json, nl-result.schema.json and nl-ctl
// mean the same?
//
// node control_schema.js NL-CTL        (in an NL_STATE of its own)
//
// Each request, and each with one member left out, of another type, twice its
// name or one too many, goes to `nl-ctl request`: what the schema accepts is no
// invalid_args there, and the reverse.  Every result must be one.  A result of
// each kind and damaged ones show that the schema is strict.
'use strict';
const { spawnSync } = require('child_process');
const path = require('path');
const { load } = require('./schema.js');

const ctl = process.argv[2];
const request = load(path.join(__dirname, '../lib/nl-request.schema.json'));
const result = load(path.join(__dirname, '../lib/nl-result.schema.json'));
let faults = 0;
function fault(text) {
	if (++faults <= 20)
		console.log(text);
}
function accepts(form, v) {
	const ok = form.valid(v);
	if (form.ajv && form.ajv(v) !== ok)
		fault(`ajv says ${!ok}: ${JSON.stringify(v)}`);
	return ok;
}

const policy = 'breaker/nobody';
const good = [
	['list', {}], ['list', { kind: 'breaker' }], ['list', { names: true }], ['show', { policy }], ['get', { policy, key: 'failures' }],
	['set', { policy: 'retry/made', values: { attempts: '3' } }], ['set', { policy: 'retry/made', values: { attempts: 4 }, if_gen: 99 }],
	['unset', { policy: 'retry/made', keys: ['attempts'], if_gen: 0 }], ['reset', { policy, shape: false }], ['open', { policy }],
	['close', { policy, force: true }], ['disable', { policy }], ['enable', { policy }], ['health', {}], ['history', {}],
	['history', { policy }], ['nobody-has_this1', { any: ['thing'] }],
].map(([cmd, args], i) => ({ id: `good-${i}`, cmd, args }));
good.push({ id: 'A.1_b:c/d-e', cmd: 'list', args: {}, auth: { scheme: 'bearer', token: 'secret' } });
const values = [null, true, false, 0, 1, -1, 1.5, '', 'x', [], {}];

// All variants of an object: a member less, another value, one too many.
function* variants(o) {
	for (const k of Object.keys(o)) {
		yield Object.fromEntries(Object.entries(o).filter(([n]) => n !== k));
		for (const v of values)
			yield { ...o, [k]: v };
	}
	yield { ...o, extra: 1 };
}
const docs = [...good];
for (const r of good) {
	docs.push(...variants(r));
	for (const args of variants(r.args))
		docs.push({ ...r, args });
	if (r.auth)
		for (const auth of variants(r.auth))
			docs.push({ ...r, auth });
}
for (const id of ['', ' ', 'a b', 'é', 'a'.repeat(64), 'a'.repeat(65), '"', '\n'])
	docs.push({ id, cmd: 'list', args: {} });
for (const cmd of ['List', '9a', 'a'.repeat(32), 'a'.repeat(33), '../x', 'a.b', '-a', ''])
	docs.push({ id: '1', cmd, args: {} });
docs.push([], null, 1, 'list', true);

const run = spawnSync(ctl, ['request'], { input: docs.map(d => JSON.stringify(d)).join('\n') + '\n', maxBuffer: 1 << 26,
	env: { ...process.env, NL_EVENTS: 'off' } });
const lines = run.stdout.toString().trim().split('\n').map(l => JSON.parse(l));
if (lines.length !== docs.length)
	fault(`${docs.length} requests, ${lines.length} results`);
// What a schema does not know: policies and values.
const semantic = /unknown kind|not a name|which one|no values|no keys|not a list of names|is no breaker|has no window|unknown key|at least 1|not a whole number|not a string of at most|cannot be a request|too long for/;
docs.forEach((d, i) => {
	const r = lines[i], ok = accepts(request, d);
	if (!accepts(result, r))
		fault(`no result: ${JSON.stringify(r)}`);
	const invalid = r.result === 'error' && r.failure.kind === 'invalid_args' && !semantic.test(r.message);
	if (ok === invalid)
		fault(`the schema says ${ok}: ${JSON.stringify(d)} -> ${JSON.stringify(r)}`);
	if (r.id !== null && d && r.id !== d.id)
		fault(`id: ${JSON.stringify(d)} -> ${JSON.stringify(r)}`);
});

const results = [
	{ result: 'ack' }, { result: 'ack', policy, gen: 1, epoch: 2 }, { result: 'reset', policy }, { result: 'value', value: 'x' },
	{ result: 'value', value: { a: [] } }, { result: 'list', items: [] },
	{ result: 'error', message: 'm', failure: { kind: 'conflict', what: 'w', gen: 3 } },
].map(r => ({ id: '1', ...r }));
for (const r of results) {
	if (!accepts(result, r))
		fault(`refused: ${JSON.stringify(r)}`);
	if (accepts(result, { ...r, extra: 1 }) || accepts(result, { ...r, id: 1 }) || accepts(result, { ...r, result: 'done' }))
		fault(`not strict: ${JSON.stringify(r)}`);
	const bare = { id: '1', result: r.result };
	if (r.result !== 'ack' && r.result !== 'reset' && accepts(result, bare))
		fault(`accepted: ${JSON.stringify(bare)}`);
}
if (accepts(result, {}) || accepts(result, { ...results[6], failure: {} }) || accepts(result, { ...results[6], failure: { kind: 'bad' } }))
	fault('not strict: failures');
console.log(`${docs.length} requests${request.ajv ? ', ajv too' : ''}, ${faults} differences`);
process.exit(faults ? 1 : 0);
