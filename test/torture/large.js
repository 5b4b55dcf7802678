/**
 * Work of the largest size: whatever concerns many sessions at once is done with millions of them, while two threads go
 * on with short calls of their own. Reports for each operation how long it took, the longest that the manager's
 * heartbeat stood still, and the longest that any other call waited; apart from these, the longest pause of the
 * manager's garbage collector, and how late the other threads' own event loops were. Main thread. Returns what is
 * wrong, as texts.
 */

import { once } from 'node:events';
import { postMessageToThread, setEnvironmentData, Worker } from 'node:worker_threads';
import { startSessionManager } from '../../dist/src/index.js';
import { HEADER } from '../../dist/src/protocol/layout.js';
import { createManualClock } from '../../dist/src/testing.js';
import { PAUSES } from './pauses.js';

/** Milliseconds that no other call may wait. */
const MOST_WAIT = 500;
/** How many sessions are made at once. */
const AT_ONCE = 1024;
const THREADS = 2;
/** Sessions of the threads that go on, and what is left for those that they make and close. */
const OTHERS = 2000;

export async function tortureLarge(count) {
  const wrong = [];
  const pauses = new Float64Array(new SharedArrayBuffer(PAUSES.words * 8));
  setEnvironmentData('torture pauses', pauses.buffer);
  const clock = createManualClock(Date.UTC(2026, 0, 1));
  const options = {
    callTimeout: '120s',
    idleTimeout: '1h',
    absoluteTimeout: false,
    clock,
    worker: new URL('./large-manager.js', import.meta.url),
    maxBytes: 2 ** 30,
  };

  await underLoad('keys', { maxSessions: count + OTHERS, ...options }, async (manager, timed) => {
    await fill((n) => manager.putSession(`key ${n}`, { data: {} }));
    await timed('closeAllSessions, sessions under keys', async () => {
      // Some of the others' own are among them, which begin anew.
      atLeast('closed', await manager.closeAllSessions(), count);
    });
    const large = await manager.newSession({ data: Object.fromEntries(keys()) });
    await timed('three batches of 20,000 changes of 58 KB', async () => {
      for (let round = 0; round < 3; round++) {
        await Promise.all(Array.from({ length: 20_000 }, (_, n) => large.set({ n })));
      }
    });
    await large.close();
  });

  const full = { maxSessions: count, whenFull: 'end-longest-idle', ...options };
  await underLoad('full', full, async (manager, timed, kill) => {
    await fill((n) => manager.newSession({ userId: n % 3 === 0 ? `user ${n}` : 'ann' }), count - OTHERS);
    clock.advance(1000);
    await timed('the first evictions of a full table', () =>
      Promise.all(Array.from({ length: 2 * OTHERS }, () => manager.newSession())),
    );
    await timed('the list of one user', async () => {
      let listed = 0;
      for await (const _ of manager.getAllSessions({ userId: 'ann' })) listed++;
      atLeast('listed', listed, count / 2);
    });
    await timed('a successor, with most sessions of one user', kill, true);
    await timed('closeAllSessions of that user', async () => {
      atLeast('closed', await manager.closeAllSessions({ userId: 'ann' }), count / 2);
    });
    clock.advance('2h');
    await timed('a sweep of all others, whose time is over', async () => {
      await manager.sweep();
      // Some by the sweep of that second.
      atLeast('swept', (await manager.stats()).ended.idle, count / 4);
    });
  });

  const half = Math.floor(count / 2);
  await underLoad('linked', { maxSessions: count + OTHERS, ...options }, async (manager, timed) => {
    const thread = new Worker(new URL('./large-linked.js', import.meta.url), { workerData: { name: 'linked', half } });
    await once(thread, 'message');
    await timed('the death of a thread to which half are linked', async () => {
      await thread.terminate();
      while ((await manager.stats()).ended.terminated < half) await manager.sweep();
    });
    await fill((n) => manager.newSession({ data: { n } }), half);
    await timed('stop', () => manager.stop());
  });
  return wrong;

  function atLeast(what, number, least) {
    if (number < least) wrong.push(`${what}: ${number} of ${least}`);
  }

  /** Has sessions made, so many at once. */
  async function fill(make, sessions = count) {
    for (let made = 0; made < sessions; made += AT_ONCE) {
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, sessions - made) }, (_, i) => make(made + i)));
    }
  }

  /** A manager, threads that go on with it, and a way to have operations measured meanwhile. */
  async function underLoad(name, options, work) {
    const manager = await startSessionManager({ name, ...options });
    let restarts = 0;
    let isKilled = false;
    manager.on('restarted', ({ cause }) => {
      restarts++;
      if (!isKilled) wrong.push(`${name}: a healthy manager was replaced: ${cause.message}`);
    });
    const header = new Int32Array(manager.createTicket().memory.header);
    const watcher = new Worker(new URL('./watches-the-heart.js', import.meta.url), {
      workerData: { header: header.buffer, pauses: pauses.buffer },
    });
    const threads = Array.from(
      { length: THREADS },
      (_, n) =>
        new Worker(new URL('./large-load.js', import.meta.url), { workerData: { name, n, pauses: pauses.buffer } }),
    );
    await Promise.all([watcher, ...threads].map((thread) => once(thread, 'message')));
    const timed = async (what, operation, isDeath = false) => {
      pauses.fill(0);
      const began = performance.now();
      isKilled ||= isDeath;
      await operation();
      const took = performance.now() - began;
      report(what, took, isDeath);
    };
    const kill = async () => {
      const heard = new Promise((resolve) => manager.on('restarted', resolve));
      // Not awaited: whoever exits in the middle of it answers nobody.
      void postMessageToThread(Atomics.load(header, HEADER.threadId), { torture: 'exit' });
      await heard;
      // Until what had waited for the successor is answered.
      for (const until = pauses[PAUSES.calls] + 100; pauses[PAUSES.calls] < until; ) await manager.stats();
      if (restarts !== 1) wrong.push(`${name}: ${restarts} restarts`);
    };
    await work(manager, timed, kill);
    for (const thread of threads) thread.postMessage('end');
    await Promise.all(threads.map((thread) => once(thread, 'exit')));
    await watcher.terminate();
    await manager.stop();
  }

  function report(what, took, isDeath) {
    const { gap, looks, collected, calls } = PAUSES;
    const waits = Array.from({ length: THREADS }, (_, n) => pauses[PAUSES.waits + n]);
    const late = Array.from({ length: THREADS }, (_, n) => pauses[PAUSES.late + n]);
    const wait = Math.max(...waits);
    const ms = (value) => `${value.toFixed(0)} ms`;
    console.log(
      `${what.padEnd(48)} ${ms(took).padStart(9)}; heart still ${ms(pauses[gap])}, longest wait of ${pauses[calls]} other calls ${ms(wait)}` +
        ` (apart: collector ${ms(pauses[collected])}, watcher late ${ms(pauses[looks])}, callers late ${ms(Math.max(...late))})`,
    );
    if (pauses[calls] === 0) wrong.push(`${what}: nobody else made a call`);
    // A death is waited for: the restart has a bar of its own.
    if (isDeath) return;
    // What the machine took from the caller itself is not the manager's.
    const own = Math.max(...waits.map((each, n) => each - late[n]));
    if (own > MOST_WAIT) wrong.push(`${what}: another call waited for ${ms(wait)}`);
  }
}

/** Data of some 58 KB. */
function keys() {
  return Array.from({ length: 900 }, (_, n) => [`key${n}`, 'x'.repeat(55)]);
}
