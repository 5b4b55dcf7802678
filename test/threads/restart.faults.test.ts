/**
 * The manager's thread dies in every way, and another takes its place: no call is lost or done twice, nobody notices
 * but by waiting.
 */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { postMessageToThread, setEnvironmentData, type Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { afterEach, describe, expect, test } from 'vitest';
import {
  type ManagerOptions,
  type SessionEvents,
  type SessionManager,
  startSessionManager,
} from '../../dist/src/index.js';
import { clockOffset, type JoinTicket, setClockOffset } from '../support/internals.js';
import { fixture, managerThread, nextEnding, outcomesOf, Thread } from '../support/threads.js';

const HOUR = 3_600_000;
const options = {
  maxSessions: 20_000,
  maxBytes: 20_000_000,
  worker: fixture('manager-that-dies'),
} satisfies ManagerOptions;
const cleanups: (() => unknown)[] = [];
const spawned = new Set<Worker>();
process.on('worker', (worker) => spawned.add(worker));
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  spawned.clear();
});

async function start(more: ManagerOptions = {}): Promise<SessionManager> {
  const manager = await startSessionManager({ ...options, ...more });
  cleanups.push(() => manager.stop());
  return manager;
}

const workerOf = (manager: SessionManager) =>
  [...spawned].find(({ threadId }) => threadId === managerThread(manager)) as Worker;

/** Kills the current owner; resolves when its successor is up. */
async function kill(manager: SessionManager, how = 'terminate', fifo?: string): Promise<SessionEvents['restarted']> {
  const restarted = nextRestart(manager);
  order(manager, how, fifo);
  return await restarted;
}

function order(manager: SessionManager, how: string, fifo?: string): void {
  const [, stores] = /^at store (\d+)$/.exec(how) ?? [];
  if (stores !== undefined) {
    postMessageToThread(managerThread(manager), { exitAtStore: Number(stores) }).catch(() => {});
    return;
  }
  if (how === 'terminate') void workerOf(manager).terminate();
  else postMessageToThread(managerThread(manager), { die: how, fifo }).catch(() => {});
}

function nextRestart(manager: SessionManager): Promise<SessionEvents['restarted']> {
  return new Promise((resolve) => {
    const stop = manager.on('restarted', (event) => {
      stop();
      resolve(event);
    });
  });
}

async function joined(): Promise<Thread> {
  const thread = new Thread();
  cleanups.push(() => thread.end());
  await thread.ask('join');
  return thread;
}

describe('a manager that dies', () => {
  const ways = ['throw', 'throw undefined', 'reject', 'exit 0', 'exit 1', 'out of memory', 'terminate', 'hang'];

  test.each(ways)(
    'by %s is replaced: calls under way in two threads are done once, and all hear of it',
    async (how) => {
      const resourceLimits =
        how === 'out of memory' ? { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 4 } : undefined;
      const manager = await start(resourceLimits && { resourceLimits });
      const thread = await joined();
      await thread.ask('hearRestarts');
      const heard = thread.restarted();
      const sessions = await Promise.all(Array.from({ length: 20 }, (_, n) => manager.newSession({ data: { n } })));
      const cookies = sessions.map((session) => manager.getCookieData(session).value);
      const restarted = kill(manager, how);
      const theirs = thread.ask<string[]>('createMany', 300);
      const mine = [
        ...sessions.flatMap((session) => [session.set({ more: 1 }), session.set({ even: 2 })]),
        ...Array.from({ length: 200 }, () => manager.newSession()),
      ];
      for (const cookie of cookies) expect(manager.getSession(cookie)?.alive).toBe(true);
      expect([...new Set([...(await outcomesOf(mine)), ...(await theirs)])]).toEqual(['done']);
      const { cause, ...event } = await restarted;
      expect(event).toEqual({ restarts: 1, recovered: expect.any(Number) });
      expect(await heard).toEqual({ cause: cause.message, ...event });
      const { sessions: live, created, restarts, connections } = await manager.stats();
      expect([live, created, restarts, connections]).toEqual([520, 520, 1, 2]);
      for (const [n, cookie] of cookies.entries()) {
        expect(manager.getSession(cookie)).toBe(sessions[n]);
        expect(sessions[n]?.data).toEqual({ n, more: 1, even: 2 });
        expect(sessions[n]?.version).toBe(2);
      }
    },
  );

  test('by hanging is noticed by a host that is held up itself for 250 of every 900 milliseconds', async () => {
    const manager = await start();
    const session = await manager.newSession({ data: { n: 0 } });
    const nothing = new Int32Array(new SharedArrayBuffer(4));
    const lagging = setInterval(() => Atomics.wait(nothing, 0, 0, 250), 900);
    cleanups.push(() => clearInterval(lagging));
    const before = performance.now();
    await kill(manager, 'hang');
    expect(performance.now() - before).toBeLessThan(6000);
    await session.set({ n: 1 });
    expect(session.data).toEqual({ n: 1 });
  });

  test('in a system call that never returns is replaced, and does no harm when it returns', async () => {
    const fifo = join(mkdtempSync(join(tmpdir(), 'coatcheck-')), 'fifo');
    execFileSync('mkfifo', [fifo]);
    const manager = await start();
    const former = workerOf(manager);
    const session = await manager.newSession({ data: { n: 0 } });
    const restarted = kill(manager, 'block', fifo);
    // The order has arrived when nothing is answered any more.
    const calls = [1, 2, 3].map((n) => session.set({ n }));
    expect((await restarted).recovered).toBe(1);
    expect(await outcomesOf(calls)).toEqual(['done', 'done', 'done']);
    const exited = once(former, 'exit');
    closeSync(openSync(fifo, 'w'));
    await exited;
    await session.set({ n: 4 });
    expect([session.data, session.version]).toEqual([{ n: 4 }, 4]);
  });

  test('ten times in a row loses nothing, if that is allowed', async () => {
    const manager = await start({ restarts: { most: 10, within: '1m' } });
    const thread = await joined();
    const session = await manager.newSession({ data: { n: 0 } });
    const cookie = manager.getCookieData(session).value;
    for (let n = 1; n <= 10; n++) {
      const restarted = kill(manager);
      const calls = [session.set({ [`mine ${n}`]: n }), thread.ask('set', cookie, { [`theirs ${n}`]: n })];
      expect(await outcomesOf(calls)).toEqual(['done', 'done']);
      expect((await restarted).restarts).toBe(n);
    }
    expect([session.version, Object.keys(session.data).length]).toEqual([20, 21]);
  });

  test('more often than is allowed has failed for good; lookups go on', async () => {
    const manager = await start({ restarts: { most: 1, within: '1m' } });
    const thread = await joined();
    const session = await manager.newSession({ data: { n: 0 } });
    const cookie = manager.getCookieData(session).value;
    await kill(manager);
    await session.set({ n: 1 });
    order(manager, 'terminate');
    for (let last = 'done'; last === 'done'; ) [last] = (await outcomesOf([session.set({ n: 2 })])) as [string];
    expect(await outcomesOf([manager.newSession(), manager.stats()])).toEqual(
      Array(2).fill('ERR_MANAGER_FAILED not-applied'),
    );
    for (let last = 'done'; last === 'done'; ) [last] = (await thread.ask<string[]>('createMany', 1)) as [string];
    expect(await thread.ask('createMany', 2)).toEqual(Array(2).fill('ERR_MANAGER_FAILED not-applied'));
    expect(manager.getSession(cookie)).toBe(session);
    expect(await thread.ask('lives', cookie)).toBe(true);
    const late = new Thread();
    cleanups.push(() => late.end());
    await expect(late.ask('join')).rejects.toMatchObject({ code: 'ERR_MANAGER_FAILED' });
  });
});

describe('after a restart', () => {
  test('a thread that was blocked all the while is served without its doing', async () => {
    const manager = await start();
    const thread = await joined();
    const word = new Int32Array(new SharedArrayBuffer(4));
    const created = thread.ask<string[]>('createAndBlock', 50, word);
    const { value } = Atomics.waitAsync(word, 0, 0);
    await value;
    for (let n = 0; n < 3; n++) await kill(manager);
    Atomics.store(word, 0, 2);
    Atomics.notify(word, 0);
    expect(new Set(await created)).toEqual(new Set(['done']));
    expect(new Set(await thread.ask<string[]>('createMany', 50))).toEqual(new Set(['done']));
    const { sessions, connections } = await manager.stats();
    expect([sessions, connections]).toEqual([100, 2]);
  });

  test('the threads of a pool are served', async () => {
    const manager = await start();
    const pool = new Piscina({ filename: fileURLToPath(fixture('creates-in-a-pool')), maxThreads: 2, minThreads: 2 });
    cleanups.push(() => pool.destroy());
    for (let round = 0; round < 3; round++) {
      const running = Array.from({ length: 20 }, (_, n) => pool.run({ round, n }));
      const restarted = kill(manager);
      for (const [n, cookie] of (await Promise.all(running)).entries()) {
        expect(manager.getSession(cookie)?.data).toEqual({ round, n });
      }
      await restarted;
    }
  });

  test('signals abort and listeners hear, in every thread', async () => {
    const manager = await start();
    const thread = await joined();
    const session = await manager.newSession();
    const cookie = manager.getCookieData(session).value;
    const here = once(session.signal, 'abort');
    await thread.ask('watch', cookie);
    const there = thread.aborted();
    const ending = nextEnding(manager);
    await manager.stats();
    for (let n = 0; n < 2; n++) await kill(manager);
    expect(session.signal.aborted).toBe(false);
    await thread.ask('close', cookie);
    expect(await ending).toEqual({ id: session.id, reason: 'closed' });
    expect(await there).toBe('closed');
    await here;
    expect(session.signal.reason).toBe('closed');
  });

  test('a linked session lives on, and ends with its thread', async () => {
    const manager = await start();
    const thread = await joined();
    const { cookie, id } = await thread.ask<{ cookie: string; id: string }>('create', { linked: true });
    const mine = await manager.newSession({ linked: true });
    for (let n = 0; n < 2; n++) await kill(manager);
    expect([manager.getSession(cookie)?.alive, mine.alive]).toEqual([true, true]);
    const ending = nextEnding(manager);
    await manager.stats();
    await thread.end();
    expect(await ending).toEqual({ id, reason: 'terminated' });
    expect(mine.alive).toBe(true);
  });

  test('a linked session is ended whose thread died while there was no manager', async () => {
    const manager = await start();
    const thread = await joined();
    const { cookie } = await thread.ask<{ cookie: string }>('create', { linked: true });
    const restarted = kill(manager);
    await thread.end();
    await restarted;
    while ((await manager.stats()).connections !== 1);
    expect(manager.getSession(cookie)).toBeUndefined();
    expect((await manager.stats()).ended.terminated).toBe(1);
  });

  test('a linked session is ended whose thread died before the successor listened to its port', async () => {
    const word = new Int32Array(new SharedArrayBuffer(4));
    setEnvironmentData('begins when told', word.buffer as never);
    const manager = await start({ worker: fixture('begins-when-told') });
    const thread = await joined();
    const { cookie } = await thread.ask<{ cookie: string }>('create', { linked: true });
    const restarted = nextRestart(manager);
    const spawning = once(process, 'worker');
    order(manager, 'terminate');
    await spawning;
    await thread.end();
    Atomics.store(word, 0, 1);
    Atomics.notify(word, 0);
    await restarted;
    // The port's other end may be closed a moment after the thread's end is known here.
    while ((await manager.stats()).connections !== 1);
    expect(manager.getSession(cookie)).toBeUndefined();
  });

  test('a thread joins, even if it asked when there was no manager', async () => {
    const manager = await start();
    const threads = [new Thread(), new Thread()];
    for (const thread of threads) cleanups.push(() => thread.end());
    const restarted = kill(manager);
    await Promise.all(threads.map((thread) => thread.ask('join')));
    await restarted;
    for (const thread of threads) expect(await thread.ask('createMany', 2)).toEqual(['done', 'done']);
    expect((await manager.stats()).connections).toBe(3);
  });

  test('what was counted goes on, and no name or number is given out twice', async () => {
    const manager = await start();
    const sessions = await Promise.all(Array.from({ length: 10 }, () => manager.newSession()));
    await Promise.all(sessions.slice(0, 4).map((session) => session.close()));
    await kill(manager);
    const thread = await joined();
    const linked = await thread.ask<{ cookie: string }>('create', { linked: true });
    await kill(manager);
    expect(manager.getSession(linked.cookie)?.alive).toBe(true);
    expect(await manager.closeAllSessions({ limit: 3 })).toBe(3);
    expect(await manager.stats()).toMatchObject({ created: 11, sessions: 4, ended: { closed: 7 }, restarts: 2 });
  });

  test('session time goes on, though the wall clock was set back by an hour: nobody lives longer for it', async () => {
    const manager = await start({ absoluteTimeout: '2h', idleTimeout: false });
    const { clock } = manager.createTicket() as unknown as JoinTicket;
    const early = await manager.newSession();
    // As if the wall clock had been an hour ahead so far, and was set right in this moment.
    setClockOffset(clock, clockOffset(clock) + HOUR);
    const before = await manager.newSession();
    const passed = before.createdAt.getTime() - early.createdAt.getTime();
    expect(passed).toBeGreaterThanOrEqual(HOUR);
    const offset = clockOffset(clock);
    await kill(manager);
    await kill(manager);
    const after = await manager.newSession();
    expect([clockOffset(clock), after.createdAt.getTime() >= before.createdAt.getTime()]).toEqual([offset, true]);
    expect(early.expiresAt?.getTime()).toBe(early.createdAt.getTime() + 2 * HOUR);
    setClockOffset(clock, offset + HOUR);
    expect([early.alive, before.alive, after.alive]).toEqual([false, true, true]);
  });

  test('stop settles, whenever it comes', async () => {
    for (const turns of [0, 1, 5, 50]) {
      const manager = await startSessionManager({ ...options, name: `stopped ${turns}` });
      await manager.newSession();
      order(manager, 'terminate');
      for (let n = 0; n < turns; n++) await new Promise((resolve) => setImmediate(resolve));
      await manager.stop();
      expect(await outcomesOf([manager.newSession()])).toEqual(['ERR_MANAGER_STOPPED not-applied']);
    }
  });
});

test('a record that two managers died of is set aside and named, and all others live', async () => {
  const manager = await start({ worker: fixture('manager-that-cannot-bear') });
  const sessions = await Promise.all(Array.from({ length: 10 }, (_, n) => manager.newSession({ data: { n } })));
  const poisoned = await manager.newSession({ data: { text: 'poison' } });
  const warned = once(process, 'warning');
  const { restarts, recovered, cause } = await kill(manager);
  expect([restarts, recovered, cause.message]).toEqual([3, 10, 'of poison']);
  expect(await warned).toMatchObject([{ code: 'COATCHECK_SET_ASIDE', message: expect.stringContaining(poisoned.id) }]);
  expect([poisoned.alive, ...sessions.map(({ alive }) => alive)]).toEqual([false, ...Array(10).fill(true)]);
  expect((await manager.stats()).ended.terminated).toBe(1);
});
