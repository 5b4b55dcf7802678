/**
 * Manager deaths under load from three threads, for some minutes. A process of its own, as Node itself may come to an
 * end meanwhile: run with `minutes` and `seed`, it tells the process that forked it, again and again, all that it has
 * done so far.
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { startSessionManager } from '../../dist/src/index.js';
import { randomNumbers } from '../fixtures/ledger.js';
import { Deaths, MEMORY } from './deaths.js';
import { Histories } from './histories.js';
import { Load } from './load.js';
import { LoadThread } from './threads.js';

const CALL_TIMEOUT = 5000;
const USERS = 24;
/** Cycles between two exchanges of cookies, two full checks, and two starts of a bare Worker. */
const EVERY = 10;
/** Cycles between the beginnings of two histories. */
const RECORD_EVERY = 20;
/** How long a restart is waited for, in milliseconds, by the slowest machine. */
const RESTART_WITHIN = 60_000;

const [minutes, seed] = process.argv.slice(2).map(Number);
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
let hearRestart = () => {};
manager.on('restarted', (event) => {
  restarted++;
  hearRestart(event);
});

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
  const restart = nextRestart();
  const death = await deaths.kill(how);
  await manager.stats();
  took.service.push(performance.now() - death);
  // The next death is for its successor, and comes when this one is over.
  const event = await restart;
  if (event === undefined) {
    wrong.push(`no restart within ${RESTART_WITHIN} ms of a death by: ${how}`);
    break;
  }
  const complaint = deaths.tellCause(how, event.cause);
  if (complaint !== undefined) wrong.push(complaint);
  load.checkAll();
  if (cycle % EVERY !== 0) continue;
  await exchange();
  await Promise.all(threads.map((thread) => thread.ask('check')));
  took.bare.push(await startBareWorker());
  tell();
}

await histories.end();
await Promise.all(threads.map((thread) => thread.ask('end')));
await load.end();
load.checkAll();
const { restarts } = await manager.stats();
await manager.stop();
await Promise.all(threads.map(({ exited }) => exited));
if (restarts !== deaths.count) wrong.push(`${deaths.count} deaths, but ${restarts} restarts`);
if (restarted < restarts) wrong.push(`${restarts} restarts, of which ${restarted} were heard of`);
tell();
process.disconnect();

/** What is told of the next restart; undefined if there is none in time. */
function nextRestart() {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, RESTART_WITHIN);
    hearRestart = (event) => {
      clearTimeout(late);
      resolve(event);
    };
  });
}

function tell() {
  const counted = [load, ...threads].map(({ counts }) => counts);
  const { ways, hangsNoticed } = deaths;
  const { user, system } = process.cpuUsage();
  process.send({
    ways,
    hangsNoticed,
    cpuMinutes: (user + system) / 60e6,
    counted,
    histories: histories.counts,
    took,
    wrong: [...wrong, ...load.wrong, ...histories.wrong],
  });
}

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
