/**
 * How long is a manager with a million sessions away when it dies, and what do lookups in another thread notice of it?
 * `npm run bench:restart`, or with other numbers of sessions and deaths: `npm run bench:restart -- 100000 20`.
 */

import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { startSessionManager } from 'coatcheck';
import { shopData } from './data.js';
import { BUCKETS, GOES_ON, MISSED, NOTHING, OTHER, quantile, READY, RESTART, STOP } from './restart/histogram.js';
import { windowed } from './window.js';

const [sessions, deaths] = [Number(process.argv[2] ?? 1_000_000), Number(process.argv[3] ?? 20)];
if (!Number.isSafeInteger(sessions) || sessions < 1 || !Number.isSafeInteger(deaths) || deaths < 1) {
  console.error('usage: npm run bench:restart -- [sessions] [deaths]');
  process.exit(2);
}
/** Sessions that are looked up, and never touched by a call. */
const UNTOUCHED = Math.min(10_000, sessions);
/** How long lookups are watched before each death, in milliseconds. */
const BEFORE = 1000;
const MOST_AWAY = 1500;
const MOST_SLOWER = 3;

let reader;
let managerThread;
process.on('worker', (worker) => {
  if (worker !== reader) managerThread = worker;
});
const manager = await startSessionManager({
  maxSessions: Math.max(sessions, 1_000_000),
  restarts: { most: deaths, within: '1h' },
  callTimeout: '60s',
  idleTimeout: '8h',
});
console.log(`${sessions.toLocaleString('en')} sessions, ${deaths} deaths`);
const cookies = [];
let last;
await windowed(sessions, 256, async (i, done) => {
  last = await manager.newSession({ data: shopData, userId: `user ${i}` });
  if (i < UNTOUCHED) cookies.push(manager.getCookieData(last).value);
  done();
});
const [board, counts] = [
  new Int32Array(new SharedArrayBuffer(12)),
  new Uint32Array(new SharedArrayBuffer(BUCKETS * 12)),
];
board[GOES_ON] = OTHER;
reader = new Worker(new URL('./restart/untouched-reader.js', import.meta.url), {
  workerData: { cookies, board, counts },
});
await Atomics.waitAsync(board, READY, 0).value;

const away = [];
for (let death = 0; death < deaths; death++) {
  Atomics.store(board, GOES_ON, NOTHING);
  await pause(BEFORE);
  Atomics.store(board, GOES_ON, RESTART);
  const exited = once(managerThread, 'exit');
  const before = performance.now();
  void managerThread.terminate();
  await exited;
  await last.set({ visits: death });
  away.push(performance.now() - before);
  Atomics.store(board, GOES_ON, OTHER);
}
Atomics.store(board, GOES_ON, STOP);
await once(reader, 'exit');
const { restarts, sessions: alive } = await manager.stats();
if (restarts !== deaths || alive !== sessions) throw new Error(`${restarts} restarts, ${alive} sessions`);
await manager.stop();

away.sort((one, other) => one - other);
const of = (p) => away[Math.min(deaths - 1, Math.floor(deaths * p))];
const phase = (which) => counts.subarray(which * BUCKETS, (which + 1) * BUCKETS);
const lookups = (which) => phase(which).reduce((sum, count) => sum + count, 0);
console.log(
  `from death to an answered call: median ${of(0.5).toFixed(0)} ms (${of(0).toFixed(0)} to ${of(1).toFixed(0)})`,
);
for (const [name, which] of [
  ['before', NOTHING],
  ['meanwhile', RESTART],
]) {
  const [p50, p99, p999] = [0.5, 0.99, 0.999].map((p) => (quantile(phase(which), p) * 1000).toFixed(1));
  console.log(`lookups ${name}: ${lookups(which).toLocaleString('en')}, p50 ${p50}, p99 ${p99}, p99.9 ${p999} µs`);
}
const slower = quantile(phase(RESTART), 0.999) / quantile(phase(NOTHING), 0.999);
judge('from death to service, median', of(0.5) / 1000, MOST_AWAY / 1000, 's');
judge('lookups that found nothing', board[MISSED], 0, '');
judge('p99.9 of lookups meanwhile, against before', slower, MOST_SLOWER, '×');

function judge(what, value, most, unit) {
  const verdict = `at most ${most}: ${value <= most ? 'met' : 'MISSED'}`;
  console.log(`${what.padEnd(46)} ${value.toFixed(2).padStart(8)} ${unit.padEnd(2)} ${verdict}`);
  if (value > most) process.exitCode = 1;
}
