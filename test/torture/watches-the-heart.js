/** A thread that looks at a manager's heartbeat each millisecond, and notes how long it stood still. */

import { parentPort, workerData } from 'node:worker_threads';
import { HEADER } from '../../dist/src/protocol/layout.js';
import { PAUSES } from './pauses.js';

const header = new Int32Array(workerData.header);
const pauses = new Float64Array(workerData.pauses);
const never = new Int32Array(new SharedArrayBuffer(4));
const raise = (place, value) => {
  if (value > pauses[place]) pauses[place] = value;
};
parentPort.postMessage('ready');
let beat = Atomics.load(header, HEADER.heartbeat);
let since = performance.now();
let looked = since;
for (;;) {
  Atomics.wait(never, 0, 0, 1);
  const now = performance.now();
  raise(PAUSES.looks, now - looked);
  looked = now;
  const seen = Atomics.load(header, HEADER.heartbeat);
  if (seen === beat) continue;
  raise(PAUSES.gap, now - since);
  beat = seen;
  since = now;
}
