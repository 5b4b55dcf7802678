/**
 * By how many bytes the resident memory of this process grows while connections or managers come and go. Run with
 * `--expose-gc`. As a program it takes what to do and how often, and prints what it found as JSON.
 */

import { pathToFileURL } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { connectSessionManager, startSessionManager } from '../../dist/src/index.js';

const MB = 1e6;
/** Rounds that are not measured, in which V8 and the C library fill their own caches. */
const WARM_UP = { connects: 2000, starts: 10 };
const name = 'resident';

/** A thread that joins and leaves in turn. */
async function connects(count) {
  const manager = await startSessionManager({ name });
  // V8 may let the young generation of a thread grow to 128 MB, whatever makes the garbage. Here it stays small.
  const resourceLimits = { maxYoungGenerationSizeMb: 8 };
  const thread = new Worker(new URL(import.meta.url), { workerData: { count }, resourceLimits });
  const found = await new Promise((resolve, reject) => {
    thread.once('message', resolve);
    thread.once('error', reject);
  });
  await manager.stop();
  return found;
}

async function connectInTurn(count) {
  for (let n = 0; n < WARM_UP.connects; n++) await connectOnce(n);
  const before = process.memoryUsage.rss();
  for (let n = 0; n < count; n++) await connectOnce(n);
  return { done: count, grown: process.memoryUsage.rss() - before };
}

async function connectOnce(n) {
  const manager = await connectSessionManager(name);
  if (n % 10 === 0) await manager.newSession({ data: { n }, linked: true });
  await manager.disconnect();
}

/** Managers of default size, each used for a moment. */
async function starts(count) {
  await warmUp();
  const before = process.memoryUsage.rss();
  for (let n = 0; n < count; n++) await startOnce(n);
  return { done: count, grown: process.memoryUsage.rss() - before };
}

async function startOnce(n) {
  const manager = await startSessionManager({ name });
  const session = await manager.newSession({ userId: 'me', data: { n } });
  await session.set({ more: n });
  await manager.stop();
}

/** Tables are collected here, so that the C library may give their memory out again. */
async function warmUp() {
  for (let n = 0; n < WARM_UP.starts; n++) await startOnce(n);
  globalThis.gc();
  // Ports hold what is theirs until they are closed.
  await new Promise((resolve) => setImmediate(resolve));
  globalThis.gc();
}

/**
 * A large table, empty and then with `count` sessions, in a process where the C library has memory to give out again.
 */
async function fills(count) {
  await warmUp();
  const before = process.memoryUsage.rss();
  const manager = await startSessionManager({ name, maxSessions: 3_000_000, whenFull: 'end-longest-idle' });
  const empty = process.memoryUsage.rss() - before;
  for (let n = 0; n < count; n++) await manager.newSession({ userId: `${n}`, data: { n } });
  const grown = process.memoryUsage.rss() - before;
  const { sessions } = await manager.stats();
  await manager.stop();
  return { done: sessions, empty, grown };
}

/** The most by which it may grow. 500 managers have 100 MB; 20 of them allow for garbage not collected yet. */
const MOST = {
  connects: () => 100 * MB,
  starts: (count) => 20 * MB + count * 160_000,
  fills: (count) => 30 * MB + count * 20_000,
};

const tries = { connects, starts, fills };

/** What is wrong with what was found, as texts. */
export function wrongWithResident(what, count, { done, grown, empty }) {
  const wrong = [];
  if (done !== count) wrong.push(`${done} ${what} instead of ${count}`);
  const most = MOST[what](count);
  if (grown > most) wrong.push(`${count} ${what}: resident memory grew by ${Math.round(grown / MB)} MB`);
  if (empty > 30 * MB) wrong.push(`an empty table holds ${Math.round(empty / MB)} MB`);
  return wrong;
}

if (!isMainThread && workerData?.count !== undefined) {
  parentPort.postMessage(await connectInTurn(workerData.count));
} else if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.log(JSON.stringify(await tries[process.argv[2]](Number(process.argv[3]))));
}
