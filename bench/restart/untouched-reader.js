/**
 * A thread that looks sessions up without end, and counts how long each lookup took, in a histogram for what goes on
 * meanwhile: nothing, or a restart. `workerData`: the sessions' cookies; `board`, words shared with the bench: what
 * goes on, how many lookups found nothing, whether this thread is ready; `counts`: the histograms.
 */

import { workerData } from 'node:worker_threads';
import { connectSessionManager } from 'coatcheck';
import { BUCKETS, bucketOf, GOES_ON, MISSED, READY, STOP } from './histogram.js';

const { cookies, board, counts } = workerData;
const manager = await connectSessionManager();
for (const cookie of cookies) manager.getSession(cookie);
Atomics.store(board, READY, 1);
Atomics.notify(board, READY);
for (let next = 0, phase = Atomics.load(board, GOES_ON); phase !== STOP; phase = Atomics.load(board, GOES_ON)) {
  const before = performance.now();
  const session = manager.getSession(cookies[next]);
  const took = performance.now() - before;
  if (session === undefined) Atomics.add(board, MISSED, 1);
  next = (next + 1) % cookies.length;
  counts[phase * BUCKETS + bucketOf(took)]++;
}
await manager.disconnect();
