/**
 * The long campaign: manager deaths under load from three threads, for as many minutes as it is given. Prints its seed and what it really did, and fails if anything
 * went wrong or if it did less than it says. `npm run torture -- --minutes 20 --seed 7`. With `--http` it is the adapters' campaign instead: see `http.js`.
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Command, InvalidArgumentError } from 'commander';
import { startSessionManager } from '../../dist/src/index.js';
import { randomNumbers } from '../fixtures/ledger.js';
import { Deaths, MEMORY } from './deaths.js';
import { Histories } from './histories.js';
import { tortureHttp } from './http.js';
import { Load } from './load.js';
import { LoadThread } from './threads.js';

/** What a campaign must have done for each minute that it says it took: deaths, lookups, histories checked in which the manager died. */
const LEAST = { deaths: 150, lookups: 10_000_000, histories: 4 };
const CALL_TIMEOUT = 5000;
const USERS = 24;
/** Cycles between two exchanges of cookies, two full checks, and two starts of a bare Worker. */
const EVERY = 10;
/** Cycles between the beginnings of two histories. */
const RECORD_EVERY = 20;

const number = (least) => (text) => {
  const value = Number(text);
  if (!(value >= least)) throw new InvalidArgumentError(`a number from ${least} on`);
  return value;
};
const { minutes, seed, http, schedules } = new Command('torture')
  .option('--minutes <number>', 'how long', number(0.05), 1)
  .option('--seed <number>', 'what to draw from', number(0), Math.floor(Math.random() * 2 ** 31))
  .option('--http', 'requests instead of deaths')
  .option('--schedules <number>', 'with --http: how many for each adapter', number(1), 20_000)
  .parse()
  .opts();
if (http) {
  console.log(`torture: ${schedules} schedules for each adapter, --seed ${seed}`);
  const wrong = await tortureHttp(schedules, seed);
  for (const text of wrong.slice(0, 20)) console.log(`WRONG: ${text}`);
  console.log(`${wrong.length === 0 ? 'passed' : 'FAILED'}: ${wrong.length} wrong, --seed ${seed}`);
  process.exit(wrong.length === 0 ? 0 : 1);
}
console.log(`torture: ${minutes} minutes, --seed ${seed}`);

const random = randomNumbers(seed);
const draw = () => Math.floor(random() * 2 ** 31);
const deaths = new Deaths(random);
const manager = await startSessionManager({
  name: 'torture',
  maxSessions: 50_000,
  maxBytes: 100_000_000,
  idleTimeout: false,
  absoluteTimeout: false,
  callTimeout: CALL_TIMEOUT,
  restarts: { most: 1_000_000, within: '1s' },
  resourceLimits: { maxOldGenerationSizeMb: MEMORY, maxYoungGenerationSizeMb: 16 },
  worker: deaths.worker,
});
let restarted = 0;
manager.on('restarted', () => restarted++);

const wrong = [];
const threads = await Promise.all(
  ['left', 'right'].map((name) => {
    const workerData = { name, managerName: 'torture', seed: draw(), users: USERS, callTimeout: CALL_TIMEOUT };
    return LoadThread.start(workerData, wrong);
  }),
);
const load = new Load(manager, {
  name: 'main',
  random: randomNumbers(draw()),
  users: USERS,
  callTimeout: CALL_TIMEOUT,
});
const histories = await Histories.begin(manager, threads, deaths);
const took = { service: [], bare: [] };

const until = performance.now() + minutes * 60_000;
for (let cycle = 1; performance.now() < until; cycle++) {
  if (cycle % RECORD_EVERY === 1 && !histories.isUnderWay) histories.record(draw);
  const how = deaths.choose();
  const death = await deaths.kill(how);
  await manager.stats();
  // A hang is noticed by its heartbeat alone, and is no measure of the restart.
  if (!deaths.isHang(how)) took.service.push(performance.now() - death);
  load.checkAll();
  if (cycle % EVERY !== 0) continue;
  await exchange();
  await Promise.all(threads.map((thread) => thread.ask('check')));
  took.bare.push(await startBareWorker());
  if (process.stdout.isTTY) process.stdout.write(`\r${restarted} deaths, ${total('lookups')} lookups `);
}

await histories.end();
await Promise.all(threads.map((thread) => thread.ask('end')));
await load.end();
load.checkAll();
wrong.push(...load.wrong, ...histories.wrong);
const stats = await manager.stats();
await manager.stop();
await Promise.all(threads.map(({ exited }) => exited));
report();

/** Each thread is shown sessions of another. */
async function exchange() {
  const [left, right] = threads;
  const mine = load.share(200);
  load.borrow(await left.ask('share', 200));
  await left.ask('borrow', await right.ask('share', 200));
  await right.ask('borrow', mine);
}

async function startBareWorker() {
  const before = performance.now();
  const worker = new Worker(new URL('./bare-worker.js', import.meta.url));
  const exited = once(worker, 'exit');
  await once(worker, 'message');
  const after = performance.now();
  await exited;
  return after - before;
}

function total(what) {
  return load.counts[what] + threads.reduce((sum, { counts }) => sum + counts[what], 0);
}

function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

function report() {
  const refused = {};
  for (const { counts } of [load, ...threads]) {
    for (const [what, count] of Object.entries(counts.refused)) refused[what] = (refused[what] ?? 0) + count;
  }
  const lookups = total('lookups');
  const ratio = quantile(took.service, 0.99) / quantile(took.bare, 0.99);
  console.log(
    `\ndeaths          ${deaths.count} (${deaths.toString()}), restarts ${stats.restarts}, heard of ${restarted}`,
  );
  console.log(
    `calls           ${total('calls')}: created ${total('created')}, closed ${total('closed')}; sessions at the end ${stats.sessions}`,
  );
  console.log(`refused         ${JSON.stringify(refused)}, unknown ${total('unknown')}`);
  console.log(`lookups         ${lookups}`);
  const { histories: checked, withDeaths, operations, unknown } = histories.counts;
  console.log(
    `histories       ${checked} checked, ${withDeaths} with deaths in them: ${operations} operations, ${unknown} of unknown outcome`,
  );
  for (const [what, values] of Object.entries(took)) {
    const [p50, p99] = [0.5, 0.99].map((part) => quantile(values, part).toFixed(1));
    console.log(
      `${what === 'service' ? 'death to service' : 'bare Worker'} p50 ${p50} ms, p99 ${p99} ms (${values.length})`,
    );
  }
  console.log(`ratio of p99    ${ratio.toFixed(2)} (at most 3)`);
  for (const text of wrong.slice(0, 20)) console.log(`WRONG: ${text}`);
  const isRecorded = withDeaths >= Math.max(1, LEAST.histories * minutes);
  const less = deaths.count < LEAST.deaths * minutes || lookups < LEAST.lookups * minutes || !isRecorded;
  if (less) {
    console.log(
      `LESS than it says: at least ${LEAST.deaths} deaths, ${LEAST.lookups} lookups and ${LEAST.histories} histories with deaths a minute`,
    );
  }
  console.log(`${wrong.length === 0 && !less ? 'passed' : 'FAILED'}: ${wrong.length} wrong, --seed ${seed}`);
  process.exitCode = wrong.length === 0 && !less ? 0 : 1;
}
