/**
 * The manager's thread dies at many moments, for good or with a successor: whatever was acknowledged is there. The
 * ways in which it dies: `death.test.ts`, `restart.faults.test.ts`.
 */

import { once } from 'node:events';
import { postMessageToThread, Worker } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { type ManagerOptions, type Session, type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { randomNumbers, useUntilItDies, wrongIn } from '../fixtures/ledger.js';
import { randomFrom } from '../support/random.js';
import { fixture, managerThread, outcomesOf } from '../support/threads.js';

/** Fewer than the 200 of `COATCHECK_DEATHS=200`, which take a minute or two. */
const DEATHS = Number(process.env.COATCHECK_DEATHS ?? 40);
const options = {
  maxSessions: 20_000,
  maxBytes: 20_000_000,
  worker: fixture('manager-that-dies'),
} satisfies ManagerOptions;
const forGood = { restarts: { most: 0, within: '10s' } } satisfies ManagerOptions;
const cleanups: (() => unknown)[] = [];
const spawned = new Set<Worker>();
process.on('worker', (worker) => spawned.add(worker));
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  spawned.clear();
});

async function start(more: ManagerOptions): Promise<SessionManager> {
  const manager = await startSessionManager({ ...options, ...more });
  cleanups.push(() => manager.stop());
  return manager;
}

function kill(manager: SessionManager, how: string): void {
  const id = managerThread(manager);
  const [, stores] = /^at store (\d+)$/.exec(how) ?? [];
  if (how === 'terminate') void [...spawned].find(({ threadId }) => threadId === id)?.terminate();
  else postMessageToThread(id, stores === undefined ? { die: how } : { exitAtStore: Number(stores) }).catch(() => {});
}

test('at each of the first 60 atomic stores of a change, leaves sessions whole and readable', async () => {
  const outcomes = new Set<string>();
  for (let store = 1; store <= 60; store++) {
    const manager = await start({ ...forGood, name: `store ${store}` });
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
    kill(manager, 'terminate');
    await manager.stop();
  }
  expect([...outcomes].sort()).toEqual(['ERR_MANAGER_FAILED not-applied', 'ERR_MANAGER_FAILED unknown']);
});

test(`${DEATHS} deaths at random moments under load from two threads harm no acknowledged session`, {
  timeout: 600_000,
}, async () => {
  const random = randomFrom('deaths');
  const below = new Worker(fixture('uses-until-the-manager-dies'));
  cleanups.push(() => below.terminate());
  let checked = 0;
  for (let death = 0; death < DEATHS; death++) {
    const manager = await start({ ...forGood, name: `death ${death}` });
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
      if (left-- === 0) kill(manager, how);
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

test(`${DEATHS} deaths at random moments under load from two threads: no call is refused, no acknowledged session harmed`, {
  timeout: 600_000,
}, async () => {
  const random = randomFrom('restarts');
  const manager = await start({ maxSessions: 1_000_000, maxBytes: 2 ** 29, restarts: { most: DEATHS, within: '1h' } });
  const below = new Worker(fixture('uses-until-the-manager-dies'));
  cleanups.push(() => below.terminate());
  below.postMessage({ ticket: manager.createTicket(), seed: random.below(2 ** 31) });
  await once(below, 'message');
  const theirsWritten = once(below, 'message');
  let deaths = 0;
  let left = random.below(1000);
  manager.on('restarted', ({ restarts }) => {
    deaths = restarts;
    left = random.below(1500);
  });
  const acknowledged = () => {
    if (left-- !== 0) return;
    kill(manager, random.pick(['terminate', 'terminate', 'exit 0', 'throw', `at store ${1 + random.below(400)}`]));
  };
  // The last of them has no successor: then every call is refused, and what was acknowledged can be read in peace.
  const mine = await useUntilItDies(manager, 'main', randomNumbers(random.below(2 ** 31)), 16, acknowledged);
  const [{ ledger: theirs }] = await theirsWritten;
  const wrong = [
    ...mine.wrong,
    ...theirs.wrong,
    ...wrongIn(manager, mine.entries),
    ...wrongIn(manager, theirs.entries),
  ];
  below.postMessage({ entries: mine.entries });
  const [answer] = await once(below, 'message');
  expect([...wrong, ...answer.wrong]).toEqual([]);
  for (const refusal of [...mine.refusals, ...theirs.refusals]) {
    expect(refusal).toMatch(/^ERR_MANAGER_FAILED (not-applied|unknown)$/);
  }
  expect(deaths).toBe(DEATHS);
  expect(mine.entries.length).toBeGreaterThan(DEATHS);
});
