// SPDX-License-Identifier: Apache-2.0
//
// schema.js - the part of JSON Schema that our schemas need, and ajv 8 beside it
// where node finds that.
//
// load(FILE) has schema; valid(VALUE); ajv(VALUE), or null.
'use strict';
const fs = require('fs');

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const isObject = v => v !== null && typeof v === 'object' && !Array.isArray(v);
const types = {
	object: isObject, string: v => typeof v === 'string', boolean: v => typeof v === 'boolean',
	number: v => typeof v === 'number', integer: Number.isInteger, array: Array.isArray,
};
const has = (v, k) => Object.prototype.hasOwnProperty.call(v, k);
let schema;                             // that is being asked

// Strict about keywords: one that it does not know is an error.
const keywords = {
	type: (s, v) => types[s](v),
	const: same,
	enum: (s, v) => s.some(x => same(x, v)),
	pattern: (s, v) => typeof v !== 'string' || new RegExp(s, 'u').test(v),
	maxLength: (s, v) => typeof v !== 'string' || [...v].length <= s,
	minimum: (s, v) => typeof v !== 'number' || v >= s,
	maximum: (s, v) => typeof v !== 'number' || v <= s,
	required: (s, v) => !isObject(v) || s.every(k => has(v, k)),
	properties: (s, v) => !isObject(v) || Object.keys(s).every(k => !has(v, k) || valid(s[k], v[k])),
	additionalProperties: (s, v, all) => !isObject(v) || Object.keys(v).every(k => has(all.properties || {}, k) || valid(s, v[k])),
	propertyNames: (s, v) => !isObject(v) || Object.keys(v).every(k => valid(s, k)),
	items: (s, v) => !Array.isArray(v) || v.every(x => valid(s, x)),
	maxItems: (s, v) => !Array.isArray(v) || v.length <= s,
	minItems: (n, v) => !Array.isArray(v) || v.length >= n,
	dependentRequired: (s, v) => !isObject(v) || Object.keys(s).every(k => !has(v, k) || s[k].every(r => has(v, r))),
	allOf: (s, v) => s.every(x => valid(x, v)),
	oneOf: (s, v) => s.filter(x => valid(x, v)).length === 1,
	$ref: (s, v) => valid(s.slice(2).split('/').reduce((at, k) => at[k], schema), v),
	if: (s, v, all) => valid(s, v) ? !all.then || valid(all.then, v) : !all.else || valid(all.else, v),
};
const silent = new Set(['$schema', '$id', '$defs', 'title', 'description', 'then', 'else']);
function valid(s, v) {
	if (typeof s === 'boolean')
		return s;
	return Object.keys(s).every(k => {
		if (!silent.has(k) && !keywords[k])
			throw new Error(`keyword ${k} is not implemented here`);
		return silent.has(k) || keywords[k](s[k], v, s);
	});
}
function findAjv(schema) {
	try {
		const Ajv = require('ajv/dist/2020');
		return new Ajv({ allErrors: true, strict: true, strictRequired: false, strictTypes: false }).compile(schema);
	} catch (e) {
		if (e.code !== 'MODULE_NOT_FOUND')
			throw e;
		return null;
	}
}

function load(file) {
	const own = JSON.parse(fs.readFileSync(file));
	return {
		schema: own,
		valid(v) {
			schema = own;
			return valid(own, v);
		},
		ajv: findAjv(own),
	};
}
module.exports = { load, same, has };
