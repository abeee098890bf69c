// SPDX-License-Identifier: Apache-2.0
//
// export_back.js - is an export lossless?
//
// node export_back.js otlp|cloudevents|ecs EVENTS EXPORTED
//
// Makes events of the lines of EXPORTED again, by the tables of lib/observe/ and
// knowing nothing else, and says where one differs from its line of EVENTS.
'use strict';
const { isDeepStrictEqual } = require('util');
const fs = require('fs');

const lines = (file) => fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));

function value(any) {
	const [type] = Object.keys(any);
	switch (type) {
	case undefined: return null;
	case 'intValue': return Number(any.intValue);
	case 'arrayValue': return any.arrayValue.values.map(value);
	case 'kvlistValue': return Object.fromEntries(any.kvlistValue.values.map((v) => [v.key, value(v.value)]));
	default: return any[type];
	}
}

const attributes = {
	'nl.policy.name': 'policy', 'nl.policy.kind': 'kind', 'process.pid': 'pid', 'process.executable.name': 'cmd', 'process.exit.code': 'exit',
	'error.type': 'err', 'host.name': 'host',
};

function otlp(line) {
	const record = line.resourceLogs[0].scopeLogs[0].logRecords[0];
	const ns = record.timeUnixNano.padStart(19, '0');
	const event = {
		nl: 1, time: new Date(Number(ns.slice(0, -9)) * 1000).toISOString().slice(0, 19) + '.' + ns.slice(-9, -3) + 'Z',
		event: record.eventName, sev: record.severityNumber,
	};
	if (record.traceId)
		Object.assign(event, { trace_id: record.traceId, span_id: record.spanId });
	for (const a of record.attributes) {
		const key = attributes[a.key] ?? (a.key.startsWith('nl..') ? a.key.slice(4) : a.key.slice(3));
		event[key] = value(a.value);
	}
	return event;
}

function cloudevents(line) {
	const [run, seq] = line.id.split('.');
	const event = {
		nl: 1, time: line.time, event: line.type.replace(/^dev\.ninelives\.(.*)\.v1$/, 'nl.$1'), sev: line.severitynumber,
		kind: line.source.split('/')[2], policy: line.subject, run, seq: Number(seq),
	};
	if (line.traceparent)
		[, event.trace_id, event.span_id] = line.traceparent.split('-');
	return { ...event, ...line.data };
}

function ecs(line) {
	const event = { nl: 1, time: line['@timestamp'], event: line.event.action, sev: line.event.severity, seq: line.event.sequence };
	const places = {
		pid: line.process?.pid, cmd: line.process?.name, exit: line.process?.exit_code, err: line.error?.type, trace_id: line.trace?.id,
		span_id: line.span?.id, parent_id: line.parent?.id, host: line.host?.name,
	};
	for (const [key, v] of Object.entries(places))
		if (v !== undefined)
			event[key] = v;
	return { ...event, ...line.nl };
}

const [format, from, to] = process.argv.slice(2);
const before = lines(from), after = lines(to).map({ otlp, cloudevents, ecs }[format]);
let faults = before.length !== after.length || before.length === 0;
before.forEach((event, i) => {
	if (isDeepStrictEqual(event, after[i]))
		return;
	faults = true;
	console.log(`${JSON.stringify(event)}\nbecame\n${JSON.stringify(after[i])}`);
});
console.log(`${before.length} events, ${after.length} lines`);
process.exit(faults ? 1 : 0);
