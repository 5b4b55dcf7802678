import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { afterEach, describe, expect, test } from 'vitest';
import {
  connectSessionManager,
  type ManagerOptions,
  type SessionManager,
  startSessionManager,
} from '../../dist/src/index.js';
import { fixture, nextEnding, Thread } from '../support/threads.js';

const small = { maxSessions: 1000, maxBytes: 1_000_000 } satisfies ManagerOptions;
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options: ManagerOptions = {}): Promise<SessionManager> {
  const manager = await startSessionManager({ ...small, ...options });
  cleanups.push(() => manager.stop());
  return manager;
}

function thread(): Thread {
  const started = new Thread();
  cleanups.push(() => started.end());
  return started;
}

async function joined(where?: unknown): Promise<Thread> {
  const started = thread();
  await started.ask('join', where);
  return started;
}

async function connectionsAre(manager: SessionManager, count: number): Promise<void> {
  while ((await manager.stats()).connections !== count);
}

describe('a manager is found', () => {
  test('by a worker with nothing passed; both read what the other wrote', async () => {
    const manager = await start();
    const mine = await manager.newSession({ data: { by: 'main' } });
    const worker = await joined();
    expect(await worker.ask('read', manager.getCookieData(mine).value)).toEqual({ by: 'main' });
    const { cookie } = await worker.ask<{ cookie: string }>('create', { data: { by: 'worker' } });
    expect(manager.getSession(cookie)?.data).toEqual({ by: 'worker' });
    expect((await manager.stats()).connections).toBe(2);
  });

  test('by a thread that is blocked for longer than callTimeout as soon as it has asked', async () => {
    const manager = await start({ callTimeout: '1s' });
    await thread().ask('joinAndBlock', 2000);
    expect((await manager.stats()).connections).toBe(2);
  });

  test.each([1, 2, 4])('by a thread %i levels below a worker', async (depth) => {
    const manager = await start();
    const top = new Worker(fixture('joins-from-a-thread-below'), { workerData: { depth } });
    const exited = once(top, 'exit');
    const [cookie] = await once(top, 'message');
    expect(manager.getSession(cookie)?.data).toEqual({ from: 'below' });
    await exited;
    await connectionsAre(manager, 1);
  });

  test.each([
    ['of a fixed size', { minThreads: 2, maxThreads: 2 }],
    ['that grows', { minThreads: 1, maxThreads: 3, concurrentTasksPerWorker: 1 }],
    ['whose idle threads end', { minThreads: 0, maxThreads: 2, idleTimeout: 0 }],
  ])('by the threads of a pool %s', async (_, size) => {
    const manager = await start();
    const cookie = manager.getCookieData(await manager.newSession({ data: { n: 1 } })).value;
    const pool = new Piscina({ filename: fileURLToPath(fixture('looks-up-in-a-pool')), ...size });
    for (let round = 0; round < 3; round++) {
      const found = await Promise.all(Array.from({ length: 12 }, () => pool.run(cookie)));
      expect(found.map(({ data }) => data)).toEqual(Array(12).fill({ n: 1 }));
    }
    await pool.destroy();
    await connectionsAre(manager, 1);
  });

  test('by the threads that a recycled pool starts anew', async () => {
    const manager = await start();
    const cookie = manager.getCookieData(await manager.newSession({ data: { n: 1 } })).value;
    const ids = new Set<number>();
    for (let round = 0; round < 4; round++) {
      const pool = new Piscina({ filename: fileURLToPath(fixture('looks-up-in-a-pool')), maxThreads: 1 });
      const { threadId, data } = await pool.run(cookie);
      expect(data).toEqual({ n: 1 });
      ids.add(threadId);
      await pool.destroy();
    }
    expect(ids.size).toBe(4);
    await connectionsAre(manager, 1);
  });

  test('by ticket, in a thread that was there before it; not by name', async () => {
    const early = thread();
    await expect(early.ask('join')).rejects.toMatchObject({ code: 'ERR_MANAGER_NOT_FOUND', outcome: 'not-applied' });
    const manager = await start();
    await expect(early.ask('join')).rejects.toMatchObject({ code: 'ERR_MANAGER_NOT_FOUND' });
    const ticket = manager.createTicket();
    expect(structuredClone(ticket).name).toBe('default');
    await early.ask('join', ticket);
    const cookie = manager.getCookieData(await manager.newSession({ data: { n: 2 } })).value;
    expect(await early.ask('read', cookie)).toEqual({ n: 2 });
  });

  test('under its own name among several', async () => {
    const one = await start({ name: 'one' });
    const two = await start({ name: 'two' });
    const cookieOne = one.getCookieData(await one.newSession({ data: { in: 'one' } })).value;
    const cookieTwo = two.getCookieData(await two.newSession({ data: { in: 'two' } })).value;
    const [a, b] = await Promise.all([joined('one'), joined('two')]);
    expect(await a.ask('read', cookieOne)).toEqual({ in: 'one' });
    expect(await a.ask('read', cookieTwo)).toBeUndefined();
    expect(await b.ask('read', cookieTwo)).toEqual({ in: 'two' });
    await expect(a.ask('join', 'three')).rejects.toMatchObject({ code: 'ERR_MANAGER_NOT_FOUND' });
  });

  test('that was started in a worker: by the threads below it, and by ticket above', async () => {
    const worker = new Worker(fixture('starts-a-manager'), { workerData: { name: 'deep' } });
    const exited = once(worker, 'exit');
    const [{ read, ticket, cookie }] = await once(worker, 'message');
    expect(read).toEqual({ from: 'a thread' });
    await expect(connectSessionManager('deep')).rejects.toMatchObject({ code: 'ERR_MANAGER_NOT_FOUND' });
    const manager = await connectSessionManager(ticket);
    expect(manager.getSession(cookie)?.data).toEqual({ from: 'a thread' });
    worker.postMessage('stop');
    expect(await once(worker, 'message')).toEqual(['stopped']);
    await expect(manager.newSession()).rejects.toMatchObject({ code: 'ERR_MANAGER_STOPPED' });
    await manager.disconnect();
    await exited;
  });
});

describe('names', () => {
  test('in use are refused, here and below, and free again after stop', async () => {
    const manager = await start({ name: 'taken' });
    const refused = { code: 'ERR_NAME_IN_USE', outcome: 'not-applied' };
    await expect(startSessionManager({ name: 'taken' })).rejects.toMatchObject(refused);
    const below = new Worker(fixture('starts-a-manager'), { workerData: { name: 'taken' } });
    const [error] = await once(below, 'error');
    expect(error).toMatchObject({ message: expect.stringContaining('already running') });
    await manager.stop();
    const again = await start({ name: 'taken' });
    expect((await again.stats()).sessions).toBe(0);
  });

  test('of two starts at once, one wins', async () => {
    const both = await Promise.allSettled([start({ name: 'race' }), startSessionManager({ name: 'race' })]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  });

  test('a thread that joins twice, even at once, gets the same proxy', async () => {
    const manager = await start();
    const worker = thread();
    expect(await worker.ask('joinTwice')).toBe(true);
    expect(await connectSessionManager()).toBe(manager);
    expect((await manager.stats()).connections).toBe(2);
  });

  test('of a manager that was stopped tell a joining thread so', async () => {
    const manager = await start();
    const worker = await joined();
    await worker.ask('disconnect');
    const ticket = manager.createTicket();
    await manager.stop();
    await expect(worker.ask('join')).rejects.toMatchObject({ code: 'ERR_MANAGER_STOPPED' });
    await expect(worker.ask('join', ticket)).rejects.toMatchObject({ code: 'ERR_MANAGER_STOPPED' });
  });
});

test('a main thread that is blocked delays a join, and no more', async () => {
  const manager = await start();
  const worker = thread();
  const word = new Int32Array(new SharedArrayBuffer(4));
  const joining = worker.ask('join');
  expect(Atomics.wait(word, 0, 0, 500)).toBe('timed-out');
  await joining;
  expect((await manager.stats()).connections).toBe(2);
});

describe('a session linked to a thread is purged when that thread', () => {
  test.each([
    ['exits', (worker: Thread) => worker.ask('exit').catch(() => {})],
    ['throws', (worker: Thread) => worker.ask('throwError').catch(() => {})],
    ['is terminated', (worker: Thread) => worker.end()],
    ['disconnects', (worker: Thread) => worker.ask('disconnect')],
  ])('%s', async (_, leave) => {
    const manager = await start();
    const worker = await joined();
    const linked = await worker.ask<{ cookie: string; id: string }>('create', { linked: true, data: { n: 1 } });
    const free = await worker.ask<{ cookie: string }>('create', { data: { n: 2 } });
    const session = manager.getSession(linked.cookie);
    const aborted = once(session?.signal as AbortSignal, 'abort');
    const ending = nextEnding(manager);
    await manager.stats();
    await leave(worker);
    expect(await ending).toEqual({ id: linked.id, reason: 'terminated' });
    await aborted;
    expect(session?.signal.reason).toBe('terminated');
    expect(manager.getSession(linked.cookie)).toBeUndefined();
    expect(manager.getSession(free.cookie)?.data).toEqual({ n: 2 });
    await connectionsAre(manager, 1);
    expect((await manager.stats()).ended.terminated).toBe(1);
  });

  test('and not when another does', async () => {
    const manager = await start();
    const [one, other] = await Promise.all([joined(), joined()]);
    const { cookie } = await one.ask<{ cookie: string }>('create', { linked: true });
    await other.end();
    await connectionsAre(manager, 2);
    expect(await one.ask('lives', cookie)).toBe(true);
  });
});

test('a signal aborts in every thread that holds the session, whoever closed it', async () => {
  const manager = await start();
  const threads = await Promise.all([joined(), joined(), joined()]);
  const session = await manager.newSession();
  const cookie = manager.getCookieData(session).value;
  const here = once(session.signal, 'abort');
  await Promise.all(threads.map((each) => each.ask('watch', cookie)));
  const heard = threads.map((each) => each.aborted());
  await threads[1]?.ask('close', cookie);
  expect(await Promise.all(heard)).toEqual(['closed', 'closed', 'closed']);
  await here;
  expect(session.signal.reason).toBe('closed');
});
