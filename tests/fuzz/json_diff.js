// SPDX-License-Identifier: Apache-2.0
//
// json_diff.js - does lib/json.c read what JSON.parse reads?
//
// node json_diff.js JSONCK [COUNT [SEED]]
//
// Makes COUNT (100000) documents from SEED (1; "random"): the corpus beside
// this file and values made up, most of them damaged.  Compares verdict and
// value of each with JSONCK's.  Prints the first differences; the last line is
// "COUNT documents, N differences"; exits 1 when N is not 0.
'use strict';
const { spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');

const [jsonck, countArg, seedArg] = process.argv.slice(2);
const count = Number(countArg || 100000);
const seed = seedArg === 'random' ? Date.now() % 1e9 : Number(seedArg || 1);
if (!jsonck || !Number.isInteger(seed) || !(Number.isInteger(count) && count > 0)) {
	console.error('usage: node json_diff.js JSONCK [COUNT [SEED]]');
	process.exit(2);
}
const DEPTH_MAX = 512;

// splitmix32
let state = seed >>> 0;
function random() {
	state = (state + 0x9e3779b9) >>> 0;
	let z = state;
	z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
	z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
	return (z ^ (z >>> 15)) >>> 0;
}
const below = n => random() % n;
const pick = list => list[below(list.length)];
const times = (n, f) => Array.from({ length: n }, f);

// Values, written the many ways in which one can write them.
const space = () => pick(['', '', '', '', ' ', '\n', '\t', '\r\n', '  ']);
const digits = n => times(n, () => below(10)).join('');
const hex = () => pick(['d83d\\ude00', 'd800', 'dc00', 'dbff\\udfff', 'D834\\uDD1E', '0000', '0022', '005c', '00e9', 'ffff', '0041', '007f', '0080', '07ff', '0800',
	random().toString(16).padStart(8, '0').slice(0, 4)]);
const char = () => pick([
	() => String.fromCharCode(32 + below(95)).replace(/["\\]/, 'x'), () => 'a', () => '7',
	() => '\\' + pick('"\\/bfnrt'), () => '\\u' + hex(),
	() => String.fromCodePoint(pick([0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfeff, 0xfffd, 0xffff, 0x10000, 0x10ffff, 0x2028])),
])();
const string = () => '"' + times(below(below(8) ? 8 : 60), char).join('') + '"';
const key = () => below(3) ? pick(['"a"', '"b"', '"\\u0061"', '"0"', '"1"', '"10"', '""', '"__proto__"', '"\\ud800"', '"\\ud801"', '"\ufffd"', '"\\u0000"', '"a\\u0000"', '"nl"']) : string();
function number() {
	const whole = pick(['0', '1', '9007199254740993', '18446744073709551615', '9223372036854775808', '5', 1 + below(9) + digits(below(25))]);
	const part = below(2) ? '' : '.' + pick(['0', '5', '000', digits(1 + below(25)), '0'.repeat(below(340)) + digits(17)]);
	const power = below(2) ? '' : pick('eE') + pick(['', '+', '-']) + pick(['0', '1', '22', '00', '308', '309', '323', '324', '400', '99999999999999999999', digits(1 + below(3))]);
	const long = below(300) ? '' : digits(700 + below(500));
	return pick(['', '', '-']) + (long && whole === '0' ? '1' : whole) + long + part + power;
}
const exact = ['2.2250738585072011e-308', '2.2250738585072014e-308', '4.9406564584124654e-324', '2.4703282292062327e-324', '2.4703282292062328e-324',
	'1.7976931348623157e308', '1.7976931348623158e308', '1.7976931348623159e308', '0.1', '1e23', '8.5e22', '9007199254740992.5', '9007199254740993.000000000000000000001'];
function value(deep) {
	const n = () => below(pick([1, 3, 6]));
	switch (below(deep > 5 ? 6 : 10)) {
	case 0: return pick(['null', 'true', 'false']);
	case 1: case 2: return number();
	case 3: return pick(exact);
	case 4: case 5: return string();
	case 6: case 7: return '[' + space() + times(n(), () => value(deep + 1) + space()).join(',' + space()) + ']';
	default: return '{' + space() + times(n(), () => key() + space() + ':' + space() + value(deep + 1) + space()).join(',' + space()) + '}';
	}
}
function nested() {
	const n = pick([1, 2, 40, DEPTH_MAX - 1, DEPTH_MAX, DEPTH_MAX + 1, DEPTH_MAX + 2, 3000]);
	const open = times(n, () => pick(['[', '{"a":']));
	const end = open.map(s => s === '[' ? ']' : '}').reverse();
	return open.join('') + pick(['0', 'null', '[]', '{}', '']) + end.join('');
}

// Damage.
const scraps = ['{', '}', '[', ']', ':', ',', '"', '\\', '\\u', '\\ud800', '\\u00', '0', '-', '+', '.', 'e', 'E', '1', '00', '01', '1.', '.5', '-0', '1e', '1e+', '0x1', 'null', 'nul', 'true', 'false', 'NaN', 'Infinity',
	' ', '\t', '\n', '\r', '\f', '\v', '\0', '\x01', '\x1f', '\x7f', '\u00a0', '\ufeff', '\u2028', '\'', '/**/', '//', '#', '""', '{}', '[]', ',,', '::', '"a":', '"a":1', '\\x', '\\"', '\\\\', '\ufffd']
	.map(s => Buffer.from(s))
	.concat([[0x80], [0xbf], [0xc0, 0x80], [0xc1, 0xbf], [0xc2], [0xc3, 0xa9], [0xe0, 0x80, 0x80], [0xe0, 0x9f, 0xbf], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf],
		[0xef, 0xbf], [0xf0, 0x80, 0x80, 0x80], [0xf0, 0x9f, 0x98], [0xf0, 0x9f, 0x98, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xf5], [0xf8], [0xfe], [0xff]].map(b => Buffer.from(b)));
function damage(doc) {
	const at = below(doc.length + 1), end = Math.min(doc.length, at + pick([0, 1, 1, 2, 4, 16]));
	const front = doc.subarray(0, at), back = doc.subarray(end);
	switch (below(8)) {
	case 0: return front;
	case 1: return Buffer.concat([front, back]);
	case 2: return Buffer.concat([front, Buffer.from([below(256)]), back]);
	case 3: return Buffer.concat([front, doc.subarray(at, end), doc.subarray(at, end), back]);
	case 4: {
		const copy = Buffer.from(doc);
		if (at < copy.length)
			copy[at] ^= 1 << below(8);
		return copy;
	}
	default: return Buffer.concat([front, pick(scraps), below(2) ? doc.subarray(at) : back]);
	}
}

const dir = path.join(__dirname, 'json');
const corpus = fs.readdirSync(dir).filter(f => f.endsWith('.json')).sort().map(f => fs.readFileSync(path.join(dir, f)));
function make(i) {
	if (i < corpus.length)
		return corpus[i];
	let doc = below(4) === 0 ? pick(corpus) : Buffer.from(space() + (below(200) ? value(0) : nested()) + space());
	for (let n = pick([0, 0, 1, 1, 1, 2, 6]); n > 0; n--)
		doc = damage(doc);
	return doc;
}

// The answer that JSON.parse gives, in the words of jsonck.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const word = Buffer.alloc(4), double = Buffer.alloc(8);
function hash(h, bytes) {
	for (const b of bytes)
		h = Math.imul(h ^ b, 16777619);
	return h >>> 0;
}
const begin = kind => hash(2166136261, Buffer.from(kind));
const add = (h, n) => (word.writeUInt32LE(n >>> 0), hash(h, word));
function summary(v) {
	if (v === null)
		return begin('n');
	if (typeof v === 'boolean')
		return begin(v ? 't' : 'f');
	if (typeof v === 'number')
		return double.writeDoubleLE(v), hash(begin('d'), double);
	if (typeof v === 'string')
		return hash(begin('s'), Buffer.from(v));        // lone surrogates become U+FFFD
	if (Array.isArray(v))
		return v.reduce((h, e) => add(h, summary(e)), begin('a'));
	let sum = 0;
	for (const k of Object.keys(v))
		sum = (sum + add(add(begin('p'), summary(k)), summary(v[k]))) >>> 0;
	return add(begin('o'), sum);
}
// Nesting of the text, which members that a later one hides have too.
function nesting(text) {
	let n = 0, most = 0;
	for (const c of text.replace(/"(?:[^"\\]|\\.)*"/gs, ''))
		most = Math.max(most, n += '[{'.includes(c) ? 1 : ']}'.includes(c) ? -1 : 0);
	return most;
}
function expected(doc) {
	try {
		const text = utf8.decode(doc), v = JSON.parse(text);
		return nesting(text) > DEPTH_MAX ? 'd' : 'y ' + summary(v).toString(16).padStart(8, '0');
	} catch (e) {
		if (e instanceof SyntaxError || e.code === 'ERR_ENCODING_INVALID_ENCODED_DATA')
			return 'n';
		throw e;
	}
}

let differences = 0, valid = 0;
for (let done = 0; done < count;) {
	const docs = times(Math.min(5000, count - done), (_, k) => make(done + k));
	const input = Buffer.concat(docs.flatMap(d => [Buffer.from(d.length + '\n'), d, Buffer.from('\n')]));
	const run = spawnSync(jsonck, ['-l'], { input, maxBuffer: 1 << 28 });
	if (run.error || run.status !== 0) {
		console.error(String(run.error || run.stderr));
		process.exit(1);
	}
	const answers = run.stdout.toString().split('\n');
	docs.forEach((doc, k) => {
		const want = expected(doc);
		valid += want[0] !== 'n';
		// Too deep is found before what is wrong further on.
		if (answers[k] === want || (answers[k] === 'd' && want === 'n'))
			return;
		if (++differences <= 10)
			console.log(`document ${done + k}: JSON.parse ${want}, ours ${answers[k]}: ${JSON.stringify(doc.toString('latin1')).slice(0, 400)}`);
	});
	done += docs.length;
}
console.log(`seed ${seed}, ${valid} of the documents are JSON`);
console.log(`${count} documents, ${differences} differences`);
process.exit(differences ? 1 : 0);
