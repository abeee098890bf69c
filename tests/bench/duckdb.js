// SPDX-License-Identifier: Apache-2.0
//
// duckdb.js FILE ROUNDS - microseconds of CPU that DuckDB on one thread needs at
// least for FILE: "three columns", and "those that nl-observe reads".  Without the
// start of node and of DuckDB.  Where @duckdb/node-api is, NODE_PATH says.
'use strict';
const { DuckDBInstance } = require('@duckdb/node-api');
const [file, rounds] = process.argv.slice(2);

const types = {
	time: 'VARCHAR', event: 'VARCHAR', policy: 'VARCHAR', kind: 'VARCHAR', run: 'VARCHAR', seq: 'UINTEGER', depth: 'UINTEGER',
	err: 'VARCHAR', cmd: 'VARCHAR', attempts: 'UINTEGER', events: 'UINTEGER', dropped: 'UINTEGER', dur_s: 'DOUBLE', delay_s: 'DOUBLE',
	active: 'INTEGER', max: 'INTEGER', queued: 'INTEGER', waited_s: 'DOUBLE', held_s: 'DOUBLE',
};
function query(columns, more) {
	const schema = columns.map(c => `${c}: '${types[c]}'`).join(', ');
	return `SELECT policy, event, count(*), approx_quantile(dur_s, 0.99)${more}
		FROM read_json('${file}', format = 'newline_delimited', columns = {${schema}}) GROUP BY policy, event`;
}
const three = query(['policy', 'event', 'dur_s'], '');
const same = query(Object.keys(types), `, max(time), count(DISTINCT kind), min(run), sum(seq), count(*) FILTER (depth = 0),
	count(err), max(cmd), sum(attempts), sum(events), sum(dropped), sum(delay_s), max(active), max("max"), max(queued), sum(waited_s), sum(held_s)`);

async function least(connection, sql) {
	let best = Infinity;
	for (let i = 0; i < rounds; i++) {
		const before = process.cpuUsage();
		await connection.runAndReadAll(sql);
		const used = process.cpuUsage(before);
		best = Math.min(best, used.user + used.system);
	}
	return best;
}

(async () => {
	const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
	const connection = await instance.connect();
	console.log(await least(connection, three), await least(connection, same));
})().catch(e => { console.error(e.message); process.exit(1); });
