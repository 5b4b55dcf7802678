import { once } from 'node:events';
import { postMessageToThread, Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import { type ManagerOptions, type Session, type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { randomNumbers, useUntilItDies, wrongIn } from '../fixtures/ledger.js';
import { randomFrom } from '../support/random.js';
import { fixture, managerThread, outcomesOf, Thread } from '../support/threads.js';

const DEATHS = Number(process.env.COATCHECK_DEATHS ?? 40);
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
    else {
      const [, stores] = /^at store (\d+)$/.exec(how) ?? [];
      const order = stores === undefined ? { die: how } : { exitAtStore: Number(stores) };
      postMessageToThread(managerThread(manager), order).catch(() => {});
    }
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

test('at each of the first 60 atomic stores of a change, leaves sessions whole and readable', async () => {
  const outcomes = new Set<string>();
  for (let store = 1; store <= 60; store++) {
    const { manager, kill } = await start({ name: `store ${store}` });
    const sessions = await Promise.all(
      Array.from({ length: 8 }, (_, n) => manager.newSession({ data: { n, old: true } })),
    );
    const cookies = sessions.map((session) => manager.getCookieData(session).value);
    await postMessageToThread(managerThread(manager), { exitAtStore: store });
    const changes = sessions.flatMap((session, n) => [session.set({ old: false, n }), session.rotate()]);
    const more = Array.from({ length: 100 }, () => manager.newSession());
    const settled = await outcomesOf([...changes, ...more]);
    for (const outcome of settled) outcomes.add(outcome);
    for (const [n, session] of sessions.entries()) {
      const { data } = manager.getSession(cookies[n]) as Session;
      expect(session.data).toBe(data);
      expect(data).toEqual({ n, old: settled[n * 2] === 'done' ? false : expect.any(Boolean) });
      if (/not-applied/.test(settled[n * 2] as string)) expect(data).toEqual({ n, old: true });
    }
    kill('terminate');
    await manager.stop();
  }
  expect([...outcomes].sort()).toEqual(['ERR_MANAGER_FAILED not-applied', 'ERR_MANAGER_FAILED unknown']);
});

// By default fewer than the 200 of `COATCHECK_DEATHS=200`, which take a minute or two.
test(`${DEATHS} deaths at random moments under load from two threads harm no acknowledged session`, {
  timeout: 600_000,
}, async () => {
  const random = randomFrom('deaths');
  const below = new Worker(fixture('uses-until-the-manager-dies'));
  cleanups.push(() => below.terminate());
  let checked = 0;
  for (let death = 0; death < DEATHS; death++) {
    const { manager, kill } = await start({ name: `death ${death}` });
    below.postMessage({ ticket: manager.createTicket(), seed: random.below(2 ** 31) });
    await once(below, 'message');
    const how = random.pick([
      'terminate',
      'terminate',
      'terminate',
      'exit 0',
      'throw',
      `at store ${1 + random.below(400)}`,
    ]);
    let left = random.below(3000);
    const theirsWritten = once(below, 'message');
    const mine = await useUntilItDies(manager, 'main', randomNumbers(random.below(2 ** 31)), 16, () => {
      if (left-- === 0) kill(how);
    });
    const [{ ledger: theirs }] = await theirsWritten;
    const wrong = [
      ...mine.wrong,
      ...theirs.wrong,
      ...wrongIn(manager, mine.entries),
      ...wrongIn(manager, theirs.entries),
    ];
    below.postMessage({ entries: mine.entries });
    const [answer] = await once(below, 'message');
    expect({ death, how, wrong: [...wrong, ...answer.wrong] }).toEqual({ death, how, wrong: [] });
    expect(answer.later).toBe('ERR_MANAGER_FAILED not-applied');
    for (const refusal of [...mine.refusals, ...theirs.refusals]) {
      expect(refusal).toMatch(/^ERR_MANAGER_FAILED (not-applied|unknown)$/);
    }
    checked += mine.entries.length + theirs.entries.length;
    await manager.stop();
  }
  expect(checked).toBeGreaterThan(DEATHS);
});
