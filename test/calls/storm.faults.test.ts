/** Storms: thousands of calls from several threads at the moment of their manager's death. */

import { once } from 'node:events';
import { postMessageToThread } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { type ManagerOptions, type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { fixture, managerThread, Thread } from '../support/threads.js';

const MOST_CALLS = 65_536;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options: ManagerOptions): Promise<SessionManager> {
  const manager = await startSessionManager({
    maxSessions: 200_000,
    maxBytes: 100_000_000,
    callTimeout: '30s',
    worker: fixture('manager-that-dies'),
    ...options,
  });
  cleanups.push(() => manager.stop());
  return manager;
}

async function joined(): Promise<Thread> {
  const thread = new Thread();
  cleanups.push(() => thread.end());
  await thread.ask('join');
  return thread;
}

const restarted = (manager: SessionManager) =>
  new Promise<void>((resolve) => {
    const stop = manager.on('restarted', () => {
      stop();
      resolve();
    });
  });

/** How each call ended, and how often each was told. */
function settledOnce(calls: Promise<unknown>[]): Promise<string[]> {
  return Promise.all(
    calls.map((call) =>
      call.then(
        () => 'done',
        ({ code, outcome }) => `${code} ${outcome}`,
      ),
    ),
  );
}

const countOf = (all: string[]) =>
  Object.fromEntries([...new Set(all)].map((each) => [each, all.filter((other) => other === each).length]));

test.each(['exit 0', 'throw', 'at store 5000'])(
  '18,000 calls from three threads while the manager dies (%s) are each done once',
  async (how) => {
    const manager = await start({});
    const threads = await Promise.all([joined(), joined()]);
    const heard = restarted(manager);
    const words = threads.map(() => new Int32Array(new SharedArrayBuffer(4)));
    const theirs = threads.map((thread, i) => thread.ask<string[]>('createAndBlock', 5000, words[i]));
    // Both have made their calls, and read no answer before the death.
    await Promise.all(words.map((word) => Atomics.waitAsync(word, 0, 0).value));
    const session = await manager.newSession({ data: { n: 0 } });
    const [, stores] = /^at store (\d+)$/.exec(how) ?? [];
    const order = stores === undefined ? { die: how } : { exitAtStore: Number(stores) };
    await postMessageToThread(managerThread(manager), order);
    const mine = [
      ...Array.from({ length: 4000 }, (_, n) => session.set({ n })),
      ...Array.from({ length: 4000 }, () => manager.newSession()),
    ];
    await heard;
    for (const word of words) {
      Atomics.store(word, 0, 2);
      Atomics.notify(word, 0);
    }
    const [outcomes, ...others] = await Promise.all([settledOnce(mine), ...theirs]);
    expect([outcomes, ...others].map((each) => countOf(each))).toEqual([
      { done: 8000 },
      { done: 5000 },
      { done: 5000 },
    ]);
    expect([session.data.n, session.version]).toEqual([3999, 4000]);
    expect(await manager.stats()).toMatchObject({ sessions: 14_001, created: 14_001, restarts: 1, connections: 3 });
  },
);

test('while there is no manager, more calls than may wait are refused at once and never done; all others are done', async () => {
  const manager = await start({});
  await manager.newSession();
  const died = once(process, 'worker');
  const heard = restarted(manager);
  await postMessageToThread(managerThread(manager), { die: 'exit 1' });
  // The next thread has been made, and does not run yet: none of these can be answered by now.
  await died;
  const calls = Array.from({ length: MOST_CALLS + 1000 }, () => manager.newSession());
  const refusals = calls.slice(MOST_CALLS);
  const first = await Promise.race([
    Promise.allSettled(refusals).then((all) => all.map((each) => each.status === 'rejected' && each.reason.code)),
    Promise.race(calls.slice(0, MOST_CALLS)).then(() => 'one of the others'),
  ]);
  expect(first).toEqual(Array(1000).fill('ERR_OVERLOADED'));
  await heard;
  expect(countOf(await settledOnce(calls))).toEqual({ done: MOST_CALLS, 'ERR_OVERLOADED not-applied': 1000 });
  expect(await manager.stats()).toMatchObject({ sessions: MOST_CALLS + 1, created: MOST_CALLS + 1, restarts: 1 });
});
