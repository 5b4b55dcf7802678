import { once } from 'node:events';
import { postMessageToThread, Worker } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { fixture, managerThread, Thread } from '../support/threads.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(): Promise<SessionManager> {
  const manager = await startSessionManager({
    maxSessions: 1000,
    maxBytes: 1_000_000,
    worker: fixture('manager-that-dies'),
  });
  cleanups.push(() => manager.stop());
  return manager;
}

async function listening(how: string): Promise<Worker> {
  const worker = new Worker(fixture('listens-badly'), { workerData: { how } });
  cleanups.push(() => worker.terminate());
  await once(worker, 'message');
  return worker;
}

/** A session's life; resolves to what a listener hears of it. */
async function live(manager: SessionManager): Promise<[string, string][]> {
  const session = await manager.newSession();
  await session.set({ n: 1 });
  const { value: old } = manager.getCookieData(session);
  await session.rotate({ grace: 0 });
  expect(manager.getSession(old)).toBeUndefined();
  await manager.sweep();
  await session.close();
  expect(manager.getSessionById(session.id)).toBeUndefined();
  return ['created', 'changed', 'token-rotated', 'token-reused', 'ended'].map((event) => [event, session.id]);
}

test.each([
  ['throw', 11],
  ['throw undefined', 11],
  ['reject', 11],
  ['hang', 0],
  ['re-enter', 0],
  ['stop listening', 0],
])(
  'listeners that %s harm no other listener, no call and no manager, before and after a restart',
  async (how, thrown) => {
    const manager = await start();
    const worker = await listening(how);
    const heard: unknown[] = [await live(manager)];
    const restarted = new Promise<number>((resolve) => manager.on('restarted', ({ restarts }) => resolve(restarts)));
    await postMessageToThread(managerThread(manager), { die: 'exit 0' });
    heard.push([['restarted', await restarted]], await live(manager));
    worker.postMessage({});
    expect(await once(worker, 'message')).toEqual([{ heard: heard.flat(), thrown }]);
    expect(await manager.stats()).toMatchObject({ restarts: 1, sessions: 0, connections: 2 });
  },
);

test.each([
  ['throw', 1],
  ['throw undefined', 1],
  ['reject', 1],
  ['hang', 0],
  ['re-enter', 0],
  ['stop listening', 0],
])('listeners of a signal that %s harm no other listener and no ending', async (how, thrown) => {
  const manager = await start();
  const worker = await listening(how);
  const session = await manager.newSession();
  const other = await manager.newSession();
  worker.postMessage({ watch: session.id });
  expect(await once(worker, 'message')).toEqual(['watching']);
  const heard: string[] = [];
  session.signal.addEventListener('abort', () => heard.push(session.signal.reason));
  await session.close();
  expect([session.alive, other.alive, manager.getSessionById(session.id)]).toEqual([false, true, undefined]);
  worker.postMessage({});
  const [told] = await once(worker, 'message');
  expect(told.heard.filter(([event]: string[]) => event === 'closed')).toEqual([['closed', session.id]]);
  // The listeners of events were as bad: to both beginnings and the end.
  expect(told.thrown).toBe(thrown + 3 * thrown);
  expect([heard, (await manager.stats()).connections]).toEqual([['closed'], 2]);
});

test('a listener that ends its thread ends no more than that', async () => {
  const manager = await start();
  const worker = await listening('exit');
  const other = new Thread();
  cleanups.push(() => other.end());
  await other.ask('join');
  const exited = once(worker, 'exit');
  await live(manager);
  await exited;
  expect(await other.ask('createMany', 3)).toEqual(Array(3).fill('done'));
  while ((await manager.stats()).connections !== 2);
});
