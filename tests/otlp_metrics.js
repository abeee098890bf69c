// SPDX-License-Identifier: Apache-2.0
//
// otlp_metrics.js - is this OTLP/JSON, and does it say what else is said?
//
// node otlp_metrics.js METRICS PROM EVENTS PERCENTILE...
//
// METRICS is a line of OTLP, PROM the same state for Prometheus: by OpenTelemetry's
// own rules for names and labels each must have what the other has.  The buckets
// must be those that the durations of EVENTS are in.  Prints the
// PERCENTILEs of every request's duration, as they follow from the buckets by the
// definition of exponential histograms alone.  Where node finds the client of
// OpenTelemetry (@opentelemetry/otlp-transformer 0.57), its schema reads it, too.
'use strict';
const assert = require('assert');
const fs = require('fs');

const [file, prom, events, ...percentiles] = process.argv.slice(2);
const text = fs.readFileSync(file, 'utf8');
assert.match(text, /^[^\n]+\n$/, 'one line');
const request = JSON.parse(text);

// What a message may have, as in opentelemetry/proto/metrics/v1/metrics.proto.
const whole = (v) => typeof v === 'string' && /^(0|[1-9][0-9]*)$/.test(v) && BigInt(v) < 1n << 64n;
const short = (v) => Number.isInteger(v) && Math.abs(v) < 2 ** 31;
const real = (v) => typeof v === 'number';
const word = (v) => typeof v === 'string';
const truth = (v) => typeof v === 'boolean';
const list = (of) => (v) => Array.isArray(v) && v.every((each) => of(each) !== false);
const message = (fields, ...must) => (v) => {
	for (const key of Object.keys(v))
		assert(fields[key] && fields[key](v[key]) !== false, `${key}: ${JSON.stringify(v[key]).slice(0, 200)}`);
	for (const key of must)
		assert(key in v, `no ${key} in ${JSON.stringify(v).slice(0, 200)}`);
};
const attributes = list(message({ key: word, value: message({ stringValue: word, boolValue: truth }) }, 'key', 'value'));
const times = { attributes, startTimeUnixNano: whole, timeUnixNano: whole };
const points = {
	sum: message({ ...times, asInt: whole }, 'startTimeUnixNano', 'timeUnixNano', 'asInt'),
	gauge: message({ attributes, timeUnixNano: whole, asInt: whole, asDouble: real }, 'timeUnixNano'),
	exponentialHistogram: message({ ...times, count: whole, sum: real, scale: short, zeroCount: whole, min: real, max: real,
		positive: message({ offset: short, bucketCounts: list(whole) }, 'offset', 'bucketCounts') }, 'attributes', 'startTimeUnixNano', 'count', 'scale', 'zeroCount'),
};
const cumulative = (v) => v === 2;
const data = {
	sum: message({ dataPoints: list(points.sum), aggregationTemporality: cumulative, isMonotonic: (v) => v === true }, 'aggregationTemporality', 'isMonotonic'),
	gauge: message({ dataPoints: list(points.gauge) }),
	exponentialHistogram: message({ dataPoints: list(points.exponentialHistogram), aggregationTemporality: cumulative }, 'aggregationTemporality'),
};
const scopes = message({ scope: message({ name: word, version: word }), metrics: list(message({ name: word, description: word, unit: word, ...data }, 'name', 'unit')) });
message({ resourceMetrics: list(message({ resource: message({ attributes }), scopeMetrics: list(scopes) })) }, 'resourceMetrics')(request);
assert.strictEqual(request.resourceMetrics.length, 1);

// The same by the client's own schema: what it does not know it would not give back.
try {
	const { opentelemetry } = require('@opentelemetry/otlp-transformer/build/src/generated/root');
	const type = opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;
	const back = type.toObject(type.decode(type.encode(type.fromObject(request)).finish()), { longs: String });
	const plain = (v) => Array.isArray(v) ? v.map(plain) : v && typeof v === 'object' ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, plain(x)])) : v;
	assert.deepStrictEqual(plain(back), request);
	console.error('read by the client, too');
} catch (e) {
	if (e.code !== 'MODULE_NOT_FOUND' && e.code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED')
		throw e;
}

const samples = new Map();
for (const line of fs.readFileSync(prom, 'utf8').split('\n')) {
	const sample = line.match(/^([a-z0-9_]+)(?:\{(.*)\})? (.*)$/);
	if (!sample || sample[1] === 'nl_build_info' || sample[1].endsWith('_bucket'))
		continue;
	const labels = [...(sample[2] || '').matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, k, v]) => `${k}=${v}`).filter((l) => !l.endsWith('='));
	samples.set(`${sample[1]} ${labels.sort()}`, Number(sample[3]));
}

function labels(point) {
	const names = { 'nl.policy.name': 'policy', 'nl.policy.kind': 'kind', 'error.type': 'error_type' };
	const all = (point.attributes || []).filter((a) => a.key !== 'otel.metric.overflow').map((a) => [names[a.key] || a.key.replace(/^nl\./, ''), a.value.stringValue]);
	assert.strictEqual(new Set(all.map(([k]) => k)).size, all.length, 'each attribute once');
	return all.map(([k, v]) => `${k}=${v}`).sort();
}

function agrees(name, point, value) {
	const key = `${name} ${labels(point)}`;
	assert(samples.has(key), `${key} is not there for Prometheus, or twice here`);
	assert(Math.abs(samples.get(key) - value) <= 1e-9 * Math.abs(value), `${key}: ${samples.get(key)} and ${value}`);
	samples.delete(key);
}

// All samples of it, by its buckets.
function buckets(point) {
	const base = 2 ** (2 ** -point.scale);
	const counts = (point.positive ? point.positive.bucketCounts : []).map(Number);
	return counts.map((n, i) => ({ n, from: base ** (point.positive.offset + i), to: base ** (point.positive.offset + i + 1) }));
}

function checkExponential(point) {
	const all = buckets(point), zero = Number(point.zeroCount);
	const total = (f) => all.reduce((sum, b) => sum + f(b), 0);
	assert.strictEqual(zero + total((b) => b.n), Number(point.count), 'count = zeroCount + buckets');
	const near = 1e-9, most = 2 ** 18;
	assert(point.sum >= total((b) => b.n * b.from) * (1 - near), 'the sum is not below its buckets');
	assert(point.sum <= total((b) => b.n * b.to) * (1 + near) || point.max > most, 'nor above');
	const used = all.filter((b) => b.n);
	if (used.length && point.max !== undefined && point.max <= most)
		assert(point.max > used.at(-1).from * (1 - near) && point.max <= used.at(-1).to * (1 + near), 'max is in the last');
	if (used.length && !zero && point.min !== undefined)
		assert(point.min > used[0].from * (1 - near) && point.min <= used[0].to * (1 + near), 'min is in the first');
}

// Which bucket each duration is in.
const durations = new Map();
function took(metric, e, type, seconds) {
	const key = `${metric} ${type ? `error_type=${type},` : ''}kind=${e.kind},policy=${e.policy}`;
	const of = durations.get(key) || durations.set(key, new Map()).get(key);
	const index = seconds > 0 ? Math.ceil(32 * Math.log2(seconds)) - 1 : 'zero';
	of.set(index, (of.get(index) || 0) + 1);
}
for (const line of fs.readFileSync(events, 'utf8').split('\n').filter(Boolean)) {
	const e = JSON.parse(line);
	if (e.event.startsWith('nl.request.'))
		took('nl.request.duration', e, '', e.dur_s);
	if (e.event.startsWith('nl.bulkhead.') && 'waited_s' in e)
		took('nl.bulkhead.wait.duration', e, '', e.waited_s);
	if (e.event === 'nl.bulkhead.released')
		took('nl.bulkhead.hold.duration', e, '', e.held_s);
	if (e.event === 'nl.retry.attempt') {
		took('nl.attempt.duration', e, 'failed', e.dur_s);
		took('nl.retry.delay', e, '', e.delay_s);
	}
	if (e.event === 'nl.retry.exhausted')
		took('nl.attempt.duration', e, 'failed', e.last_s);
	if (e.event === 'nl.request.success' && e.kind === 'retry')
		took('nl.attempt.duration', e, '', e.attempts === 1 ? e.dur_s : e.last_s);
}

function checkBuckets(name, point) {
	const of = new Map(durations.get(`${name} ${labels(point)}`));
	assert.strictEqual(of.get('zero') || 0, Number(point.zeroCount), 'zeroCount');
	of.delete('zero');
	const there = (point.positive ? point.positive.bucketCounts : []).map((n, i) => [point.positive.offset + i, Number(n)]).filter(([, n]) => n);
	assert.strictEqual(point.scale, 5);
	assert.deepStrictEqual(there, [...of].sort(([a], [b]) => a - b), `${name} ${labels(point)}`);
}

function percentile(point, p) {
	let left = Math.max(1, Math.ceil(p / 100 * Number(point.count) - 1e-9)) - Number(point.zeroCount);
	if (left <= 0)
		return 0;
	const at = buckets(point).find((b) => (left -= b.n) <= 0);
	return 2 * at.from * at.to / (at.from + at.to);          // As far from both ends, in proportion.
}

for (const metric of request.resourceMetrics[0].scopeMetrics[0].metrics) {
	const kind = Object.keys(data).find((k) => metric[k]);
	const name = metric.name.replace(/\./g, '_') + (metric.unit === 's' ? '_seconds' : '') + (kind === 'sum' ? '_total' : '');
	for (const point of metric[kind].dataPoints) {
		assert(BigInt(point.startTimeUnixNano || 0) <= BigInt(point.timeUnixNano), 'time goes on');
		if (kind === 'sum' || kind === 'gauge') {
			agrees(name, point, Number(point.asInt ?? point.asDouble));
			continue;
		}
		checkExponential(point);
		checkBuckets(metric.name, point);
		if (metric.name === 'nl.request.duration') {            // For Prometheus those that failed are apart.
			const at = labels(point), failed = [...at, 'error_type=failed'].sort();
			for (const [part, value] of [['count', Number(point.count)], ['sum', point.sum]]) {
				const both = [`${name}_${part} ${at}`, `${name}_${part} ${failed}`];
				assert(Math.abs(samples.get(both[0]) + samples.get(both[1]) - value) < 1e-6 * (1 + value), both[0]);
				both.forEach((key) => samples.delete(key));
			}
			const of = (key) => point.attributes.find((a) => a.key === key).value.stringValue;
			for (const p of percentiles)
				console.log(`${of('nl.policy.kind')}/${of('nl.policy.name')} p${p} ${percentile(point, Number(p)).toFixed(6)}`);
			continue;
		}
		agrees(`${name}_count`, point, Number(point.count));
		agrees(`${name}_sum`, point, point.sum);
	}
}
assert.deepStrictEqual([...samples.keys()], [], 'nothing for Prometheus alone');
