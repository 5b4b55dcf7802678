/**
 * A thread that makes short calls, one after the other and some at once, and notes the longest that any waited. Until
 * it is posted `end`.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { connectSessionManager } from '../../dist/src/index.js';
import { PAUSES } from './pauses.js';

const { name, n } = workerData;
const pauses = new Float64Array(workerData.pauses);
const raise = (place, value) => {
  if (value > pauses[place]) pauses[place] = value;
};
const manager = await connectSessionManager(name);
let isOver = false;
parentPort.once('message', () => {
  isOver = true;
});

// How late this thread's own event loop is: what its calls wait for that, they do not wait for the manager.
const TICK = 5;
let ticked = performance.now();
const ticking = setInterval(() => {
  const now = performance.now();
  raise(PAUSES.late + n, now - ticked - TICK);
  ticked = now;
}, TICK);

/** A call that may be refused, as others close sessions and end the manager; how long it took is noted. */
async function call(make) {
  const began = performance.now();
  await make().catch(() => {});
  raise(PAUSES.waits + n, performance.now() - began);
  pauses[PAUSES.calls]++;
}

async function use() {
  while (!isOver) {
    let session;
    await call(async () => {
      session = await manager.newSession({ data: { n }, userId: `load ${n}` });
    });
    if (session === undefined) {
      await new Promise(setImmediate);
      continue;
    }
    for (let change = 0; change < 20; change++) await call(() => session.set({ change }));
    await call(() => session.take('change'));
    await call(() => session.close());
  }
}

parentPort.postMessage('ready');
await Promise.all(Array.from({ length: 4 }, use));
clearInterval(ticking);
