/** Asks every question, of every peer, in one run, and prints one table. bench/README.md says what the numbers mean. */

import { cpus } from 'node:os';
import Table from 'cli-table3';
import { openCoatcheck } from './peers/coatcheck.js';
import { openConnectRedis } from './peers/connect-redis.js';
import { openMemoryStore } from './peers/memory-store.js';

const questions = ['get-repeated', 'get-at-first-sight', 'alone', 'new-session', 'set'];

const asked = process.argv.slice(2);
const chosen = asked.length === 0 ? questions : questions.filter((name) => asked.includes(name));
if (chosen.length === 0 || asked.some((name) => !questions.includes(name))) {
  console.error(`usage: npm run bench -- [question …]\nquestions: ${questions.join(', ')}`);
  process.exit(2);
}

const coatcheck = await openCoatcheck();
const memoryStore = openMemoryStore();
const redis = await openConnectRedis();
const stores = redis === undefined ? [memoryStore] : [memoryStore, redis];

console.log(`Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'an unknown processor'}`);
if (redis === undefined) console.log('connect-redis is left out: there is no redis-server on PATH');

const table = new Table({
  head: ['', 'coatcheck µs', 'peer', 'peer µs', 'ratio: median (min–max)', 'bar', ''],
  colAligns: ['left', 'right', 'left', 'right', 'left', 'left', 'left'],
  style: { head: [], border: [] },
});
for (const name of chosen) {
  process.stderr.write(`${name} …\n`);
  const { question, ask } = await import(`./questions/${name}.js`);
  table.push([{ content: question, colSpan: 7 }]);
  for (const row of await ask({ coatcheck, stores })) table.push(cells(row));
}
console.log(table.toString());

for (const peer of [coatcheck, ...stores]) await peer.close();

function cells({ what, ours, peer, theirs, ratio, times, bar, met }) {
  const { median, min, max } = ratio;
  const sign = times === 'faster' ? 'at least' : 'at most';
  return [
    what,
    digits(ours),
    peer,
    digits(theirs),
    `${digits(median)} × ${times} (${digits(min)}–${digits(max)})`,
    bar === undefined ? '' : `${sign} ${bar}`,
    met === undefined ? '' : met ? 'met' : 'MISSED',
  ];
}

function digits(number) {
  return number.toPrecision(number >= 100 ? 4 : 3).replace(/\.0+$/, '');
}
