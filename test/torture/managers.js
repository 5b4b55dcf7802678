/**
 * Managers started and stopped in turn, in this process, each used in between: what they leave behind, in memory,
 * descriptors and threads. Run with `--expose-gc`; as a program it takes how many and prints what it found as JSON.
 */

import { readdirSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { startSessionManager } from '../../dist/src/index.js';

/** What is loaded, compiled and reserved once, for whichever manager comes first. */
const WARM_UP = 20;
const options = { maxSessions: 64, maxBytes: 64 * 1024, sweep: '0 0 1 1 *' };

/**
 * Of so many managers: what each of them left, in bytes; descriptors and threads that are there in the end and were not
 * before.
 */
export async function startInTurn(count) {
  for (let n = 0; n < WARM_UP; n++) await useOne(n);
  const before = await held();
  for (let n = 0; n < count; n++) await useOne(n);
  const after = await held();
  const left = Object.fromEntries(Object.keys(before).map((what) => [what, after[what] - before[what]]));
  return { started: count, ...left };
}

async function useOne(n) {
  const manager = await startSessionManager(options);
  const session = await manager.newSession({ data: { n }, userId: 'me' });
  const aborted = new Promise((resolve) => session.signal.addEventListener('abort', resolve, { once: true }));
  manager.on('ended', () => {});
  await session.set({ more: n });
  if (manager.getSession(manager.getCookieData(session).value) !== session) throw new Error('a session is missing');
  await session.close();
  await aborted;
  await manager.stop();
}

async function held() {
  // What is freed late, such as ports and what their other threads shared, is freed by the third time.
  for (let round = 0; round < 3; round++) {
    globalThis.gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  const count = (folder) => readdirSync(`/proc/self/${folder}`).length;
  const isLinux = process.platform === 'linux';
  return { heapUsed, external, arrayBuffers, fds: isLinux ? count('fd') : 0, threads: isLinux ? count('task') : 0 };
}

/** What is wrong with what so many managers left, as texts. */
export function wrongWith({ started, heapUsed, external, arrayBuffers, fds, threads }) {
  const wrong = [];
  // Hidden classes, compiled code and the like still come and go; a manager that is kept would leave its table: 300,000
  // bytes.
  const most = 2 ** 20 + started * 512;
  for (const [what, bytes] of Object.entries({ heapUsed, external, arrayBuffers })) {
    if (bytes > most) wrong.push(`${what} grew by ${bytes} bytes`);
  }
  if (fds > 0) wrong.push(`${fds} descriptors are left open`);
  if (threads > 0) wrong.push(`${threads} threads are left`);
  return wrong;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.log(JSON.stringify(await startInTurn(Number(process.argv[2]))));
}
