// SPDX-License-Identifier: Apache-2.0
//
// events_schema.js - do lib/nl-events.schema.json and nlcheck mean the same?
//
// node events_schema.js NLCHECK [FILE]...
//
// Takes the events of FILEs (events/good.ndjson), and each of them with one key
// left out or another value in it.  What nlcheck accepts the schema must, and
// the reverse but for what a schema cannot say.  Where node finds ajv 8, that must
// agree too.
'use strict';
const { execFileSync, spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const { load, same, has } = require('./schema.js');

const [nlcheck, ...files] = process.argv.slice(2);
if (!nlcheck) {
	console.error('usage: node events_schema.js NLCHECK [FILE]...');
	process.exit(2);
}
if (files.length === 0)
	files.push(path.join(__dirname, 'events/good.ndjson'));
const { schema, valid, ajv } = load(path.join(__dirname, '../lib/nl-events.schema.json'));

let faults = 0;
function fault(text) {
	if (++faults <= 20)
		console.log(text);
}


// Every key of nlcheck's table has its place in the schema, and the reverse.
function keysOf(s) {
	const own = new Set([...Object.keys(s.properties || {}), ...(s.required || [])]);
	for (const part of [s.$ref && s.$ref.slice(2).split('/').reduce((at, k) => at[k], schema), s.then, s.else, ...(s.oneOf || [])])
		if (part)
			keysOf(part).forEach(k => own.add(k));
	return own;
}
const table = new Map();
for (const row of execFileSync(nlcheck, ['--table']).toString().trim().split('\n')) {
	const [event, key] = row.split('\t');
	table.set(event, (table.get(event) || new Set()).add(key));
}
const envelope = table.get('*');
const branches = new Map(schema.allOf.map(b => [b.if.properties.event.const, keysOf(b.then)]));
for (const event of new Set([...table.keys(), ...branches.keys()])) {
	if (event === '*')
		continue;
	const ours = [...(table.get(event) || [])].filter(k => !envelope.has(k)).sort();
	const theirs = [...(branches.get(event) || [])].filter(k => !envelope.has(k)).sort();
	if (!same(ours, theirs))
		fault(`${event}: nlcheck has ${ours}, the schema ${theirs}`);
}
for (const k of envelope)
	if (!has(schema.properties, k))
		fault(`the schema's envelope lacks ${k}`);

// The events, whole and damaged.
const MARK = '{"nl":1,';
const lines = files.flatMap(f => fs.readFileSync(f, 'utf8').split('\n'));
const events = lines.filter(l => l.includes(MARK)).map(l => l.slice(l.lastIndexOf(MARK)));
const values = ['null', 'true', '0', '-1', '1', '5', '13', '99', '256', '1.5', '"x"', '""', '"TERM"', '"SIGTERM"', '"exit_7"', '"retry"', '"timeout"', '"deadline"', '"limit"',
	'"' + 'é'.repeat(201) + '"', '"' + 'a'.repeat(200) + '"', '"0123456789abcdef"', '[]', '{}', '"nl.run.started"', '"nl.request.success"', '0.000001',
	'["0123456789abcdef"]', '["x"]', '{"exit_7":1}', '{"exit_7":0}', '{"x":1}', '"uid:0"', '"uid:00"', '"open"', '"forced_open"', '"a b"', '0.500000'];
const cases = [], tried = new Set();
for (const text of events) {
	// The members as text: JSON.parse would forget that 1.000000 has decimals.
	const members = text.slice(1, -1).match(/"(?:[^"\\]|\\.)*":(?:"(?:[^"\\]|\\.)*"|\{[^}]*\}|\[[^\]]*\]|[^,"]+)/g);
	cases.push(members);
	// The marker stays, or there is no event.  The same change in the same surroundings is made once.
	const keys = members.map(m => m.slice(0, m.indexOf('":') + 2));
	const around = [members[2], members[4], ...keys].join();
	for (let i = 1; i < members.length; i++) {
		if (tried.has(around + i))
			continue;
		tried.add(around + i);
		cases.push(members.filter((_, k) => k !== i));
		for (const v of values)
			cases.push(members.map((m, k) => k === i ? m.slice(0, m.indexOf('":') + 2) + v : m));
	}
}
// A run for each, so that nothing depends on the lines before.
const docs = cases.map((members, i) => '{' + members.map(m => /^"run":"[0-9a-f]{16}"$/.test(m) && m !== '"run":"0123456789abcdef"'
	? `"run":"${i.toString(16).padStart(16, '0')}"` : m).join(',') + '}');
const run = spawnSync(nlcheck, ['--partial'], { input: docs.join('\n') + '\n', maxBuffer: 1 << 28 });
const reasons = new Map(run.stdout.toString().trim().split('\n').filter(Boolean).map(l => {
	const [, n, why] = /^stdin:(\d+): (.*)$/s.exec(l);
	return [Number(n) - 1, why];
}));
// Relations between members, how a number is written, what only we emit.
const beyond = new RegExp(['not seconds with', 'not a part of 1 with', 'not a number of tokens', '^window_s with', '^reason .* a budget$', '^err .* with', '^attempt \\d+ of', 'own parent', '^unexpected key', '^unknown event',
	'^kind: ', '^seq \\d+ after', 'changes its trace', 'goes on after', 'not the first of run'].join('|'));
// A key that is there, but not where it belongs.
const misplaced = (why, v) => has(v, (/^expected (\S+), found/.exec(why) || [])[1]);
let accepted = 0;
docs.forEach((doc, i) => {
	const v = JSON.parse(doc), ok = valid(v), why = reasons.get(i);
	accepted += ok;
	if (ajv && ajv(v) !== ok)
		fault(`ajv says ${!ok}: ${doc}`);
	if (!ok && !why)
		fault(`nlcheck accepts, the schema does not: ${doc}`);
	if (ok && why && !beyond.test(why) && !misplaced(why, v))
		fault(`the schema accepts, nlcheck says ${why}: ${doc}`);
});
console.log(`${docs.length} events${ajv ? ', ajv too' : ''}, ${accepted} valid, ${faults} differences`);
process.exit(faults ? 1 : 0);
