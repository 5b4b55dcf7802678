import { postMessageToThread, type Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import { type ManagerOptions, type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { fixture, managerThread, outcomesOf, Thread } from '../support/threads.js';

const options = {
  maxSessions: 20_000,
  maxBytes: 20_000_000,
  worker: fixture('manager-that-dies'),
  // Dead for good: what a successor does is another file's matter.
  restarts: { most: 0, within: '10s' },
} satisfies ManagerOptions;
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A manager, and how to kill it. */
async function start(more: ManagerOptions = {}): Promise<{ manager: SessionManager; kill(how: string): void }> {
  const spawned: Worker[] = [];
  const note = (worker: Worker) => void spawned.push(worker);
  process.on('worker', note);
  const manager = await startSessionManager({ ...options, ...more });
  process.off('worker', note);
  const worker = spawned.find(({ threadId }) => threadId === managerThread(manager)) as Worker;
  const kill = (how: string) => {
    if (how === 'terminate') void worker.terminate();
    else postMessageToThread(managerThread(manager), { die: how }).catch(() => {});
  };
  return { manager, kill };
}

describe('a manager that dies', () => {
  const ways = ['throw', 'throw undefined', 'reject', 'exit 0', 'exit 1', 'out of memory', 'terminate'];

  test.each(ways)('by %s is noticed in every thread: no call hangs, lookups go on', async (how) => {
    const resourceLimits =
      how === 'out of memory' ? { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 4 } : undefined;
    const { manager, kill } = await start(resourceLimits && { resourceLimits });
    const thread = new Thread();
    cleanups.push(() => thread.end());
    await thread.ask('join');
    const mine = await manager.newSession({ data: { by: 'main' } });
    const cookie = manager.getCookieData(mine).value;
    const theirs = await thread.ask<{ cookie: string }>('create', { data: { by: 'thread' } });
    kill(how);
    // Until it dies calls succeed; those under way when it does are refused, and so is every later one.
    const outcomes = new Set<string>();
    for (let last = 'done'; last === 'done'; ) {
      const calls = await outcomesOf([
        manager.newSession(),
        mine.touch() ? mine.set({ more: 1 }) : Promise.reject(mine),
      ]);
      for (const outcome of calls) outcomes.add(outcome);
      last = calls.at(-1) as string;
    }
    outcomes.delete('done');
    for (const outcome of outcomes) expect(outcome).toMatch(/^ERR_MANAGER_FAILED (not-applied|unknown)$/);
    for (let last = 'done'; last === 'done'; ) [last] = (await thread.ask<string[]>('createMany', 1)) as [string];
    expect(await thread.ask('createMany', 3)).toEqual(Array(3).fill('ERR_MANAGER_FAILED not-applied'));
    const uses = [
      manager.newSession(),
      manager.stats(),
      manager.sweep(),
      mine.set({ n: 1 }),
      mine.close(),
      mine.rotate(),
    ];
    expect(await outcomesOf(uses)).toEqual(Array(6).fill('ERR_MANAGER_FAILED not-applied'));
    for (const [of, by] of [
      [cookie, 'main'],
      [theirs.cookie, 'thread'],
    ] as const) {
      expect(manager.getSession(of)?.data).toMatchObject({ by });
      expect(await thread.ask('read', of)).toMatchObject({ by });
    }
    expect([mine.alive, mine.touch(), manager.getSessionById(mine.id) === mine]).toEqual([true, true, true]);
    const listed: string[] = [];
    for await (const info of manager.getAllSessions()) listed.push(info.id);
    expect(listed).toContain(mine.id);
    await manager.stop();
    expect(mine.alive).toBe(true);
  });

  test('settles what was pending in all threads, and leaves its name free', async () => {
    const { manager, kill } = await start();
    const threads = [new Thread(), new Thread()];
    await Promise.all(threads.map((thread) => thread.ask('join')));
    const calls = threads.map((thread) => thread.ask<string[]>('createMany', 5000));
    kill('terminate');
    const mine = outcomesOf(Array.from({ length: 5000 }, () => manager.newSession()));
    for (const outcome of [...(await mine), ...(await Promise.all(calls)).flat()]) {
      expect(outcome).toMatch(/^done$|^ERR_MANAGER_FAILED (not-applied|unknown)$/);
    }
    await Promise.all(threads.map((thread) => thread.end()));
    await manager.stop();
    const { manager: next } = await start();
    expect((await next.stats()).sessions).toBe(0);
    await next.stop();
  });

  test('tells a thread that joins afterwards', async () => {
    const { manager, kill } = await start();
    kill('exit 0');
    while ((await outcomesOf([manager.stats()]))[0] === 'done');
    const thread = new Thread();
    cleanups.push(() => thread.end());
    await expect(thread.ask('join')).rejects.toMatchObject({ code: 'ERR_MANAGER_FAILED', outcome: 'not-applied' });
    await manager.stop();
  });

  test('while it starts is told with its cause', async () => {
    const start = startSessionManager({ ...options, worker: new URL('no-such-file.js', import.meta.url) });
    await expect(start).rejects.toMatchObject({
      code: 'ERR_MANAGER_FAILED',
      cause: { code: expect.stringMatching(/MODULE_NOT_FOUND$/) },
    });
  });

  test('by its starter, as it greets wrongly, is told with that for its cause, not with how its thread ended then', async () => {
    const start = startSessionManager({ ...options, worker: fixture('greets-wrongly') });
    await expect(start).rejects.toMatchObject({
      code: 'ERR_MANAGER_FAILED',
      cause: { message: 'the other end of the port is no session manager' },
    });
  });
});
