import { once } from 'node:events';
import { MessageChannel, postMessageToThread } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { fixture, managerThread, Thread } from '../support/threads.js';

/** Events that may lie unread before more are dropped. */
const MOST_UNREAD = 16_384;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(worker: string): Promise<SessionManager> {
  const manager = await startSessionManager({ maxSessions: 2000, maxBytes: 2_000_000, worker: fixture(worker) });
  cleanups.push(() => manager.stop());
  return manager;
}

/** A thread that listens and does not read; `wake` lets it read, and resolves to what it heard. */
async function blocked() {
  const thread = new Thread();
  cleanups.push(() => thread.end());
  await thread.ask('join');
  const word = new Int32Array(new SharedArrayBuffer(4));
  const told = thread.ask<{ heard: number; missed: number; gaps: number }>('listenAndBlock', word);
  await Atomics.waitAsync(word, 0, 0).value;
  const wake = () => {
    Atomics.store(word, 0, 2);
    Atomics.notify(word, 0);
    return told;
  };
  return { thread, wake };
}

/** Has sessions made and ended: two events for each. */
async function happen(manager: SessionManager, events: number): Promise<void> {
  for (let left = events / 2; left > 0; left -= 1000) {
    const sessions = await Promise.all(Array.from({ length: Math.min(left, 1000) }, () => manager.newSession()));
    expect(await manager.closeAllSessions()).toBe(sessions.length);
  }
}

async function memoryOf(manager: SessionManager): Promise<{ heap: number; external: number }> {
  const { port1, port2 } = new MessageChannel();
  await postMessageToThread(managerThread(manager), { memoryTo: port2 }, [port2]);
  const [memory] = await once(port1, 'message');
  port1.close();
  return memory;
}

function restarted(manager: SessionManager): Promise<void> {
  return new Promise((resolve) => {
    const stop = manager.on('restarted', () => {
      stop();
      resolve();
    });
  });
}

test('a thread that never reads costs a bounded number of events; when it reads again it is told how many it missed', async () => {
  const manager = await start('manager-that-shows-its-globals');
  const { thread, wake } = await blocked();
  await happen(manager, MOST_UNREAD);
  const before = await memoryOf(manager);
  await happen(manager, 60_000);
  const after = await memoryOf(manager);
  expect(after.heap - before.heap).toBeLessThan(2 ** 20);
  expect(after.external - before.external).toBeLessThan(2 ** 20);
  expect(await wake()).toEqual({ heard: MOST_UNREAD, missed: 60_000, gaps: 1 });
  // From then on it hears all again.
  expect(await thread.ask('createMany', 5)).toEqual(Array(5).fill('done'));
});

test.each([
  ['before it is too far behind', 6000],
  ['after that', 30_000],
])(
  'a manager that dies %s takes no count with it: what was missed under each is told by the last',
  async (_, first) => {
    const manager = await start('manager-that-dies');
    const { wake } = await blocked();
    await happen(manager, first);
    for (let deaths = 0; deaths < 2; deaths++) {
      const again = restarted(manager);
      await postMessageToThread(managerThread(manager), { die: 'exit 0' });
      await again;
      await happen(manager, 12_000);
    }
    const { heard, missed, gaps } = await wake();
    expect([heard, missed, gaps]).toEqual([MOST_UNREAD, first + 24_000 - MOST_UNREAD, 1]);
  },
);
