import { once } from 'node:events';
import { postMessageToThread, Worker } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { fixture, managerThread } from '../support/threads.js';

const options = { maxSessions: 100, maxBytes: 100_000, worker: fixture('manager-that-dies') };
const refused = { code: 'ERR_NAME_IN_USE', outcome: 'not-applied' };
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const again = () => startSessionManager(options);

/** Threads that Node made here while `work` ran. */
async function threadsMade(work: () => Promise<unknown>): Promise<number> {
  let made = 0;
  const count = () => made++;
  process.on('worker', count);
  await work();
  process.off('worker', count);
  return made;
}

async function serves(manager: SessionManager): Promise<void> {
  const session = await manager.newSession({ data: { n: 1 } });
  await session.set({ n: 2 });
  expect(manager.getSession(manager.getCookieData(session).value)).toBe(session);
}

test('of ten starts at once one wins, and the others start no thread', async () => {
  let starts: PromiseSettledResult<SessionManager>[] = [];
  const made = await threadsMade(async () => {
    starts = await Promise.allSettled(Array.from({ length: 10 }, again));
  });
  const [first, ...others] = starts;
  const { value: manager } = first as PromiseFulfilledResult<SessionManager>;
  cleanups.push(() => manager.stop());
  expect(others).toEqual(Array(9).fill({ status: 'rejected', reason: expect.objectContaining(refused) }));
  expect(made).toBe(1);
  await serves(manager);
});

test('while the first restarts, a second start is refused here and in a thread below, and the first comes back unharmed', async () => {
  const manager = await again();
  cleanups.push(() => manager.stop());
  const session = await manager.newSession({ data: { n: 1 } });
  const restarted = new Promise<number>((resolve) => manager.on('restarted', ({ restarts }) => resolve(restarts)));
  const spawned = once(process, 'worker');
  await postMessageToThread(managerThread(manager), { die: 'exit 0' });
  await spawned;
  // Its successor has been made, and serves nothing yet.
  await expect(again()).rejects.toMatchObject(refused);
  const below = new Worker(fixture('starts-a-manager'), { workerData: { name: 'default' } });
  const [error] = await once(below, 'error');
  expect(error).toMatchObject({ message: expect.stringContaining('already running') });
  expect(await restarted).toBe(1);
  await session.set({ n: 2 });
  expect([session.data, session.version]).toEqual([{ n: 2 }, 1]);
  await serves(manager);
});

test('while the first is being stopped, a second start is refused; when it has stopped, the name is free', async () => {
  const manager = await again();
  const session = await manager.newSession();
  const stopped = manager.stop();
  await expect(again()).rejects.toMatchObject(refused);
  await stopped;
  const next = await again();
  cleanups.push(() => next.stop());
  expect(next).not.toBe(manager);
  expect(session.alive).toBe(false);
  await serves(next);
});

test('a start that fails leaves the name free', async () => {
  const fails = startSessionManager({ ...options, worker: new URL('no-such-file.js', import.meta.url) });
  await expect(again()).rejects.toMatchObject(refused);
  await expect(fails).rejects.toMatchObject({ code: 'ERR_MANAGER_FAILED' });
  const manager = await again();
  cleanups.push(() => manager.stop());
  await serves(manager);
});
