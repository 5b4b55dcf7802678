import { postMessageToThread } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { randomFrom } from '../support/random.js';
import { fixture, managerThread, Thread } from '../support/threads.js';

/** Of calls that may never be answered. */
const SHORT = 250;
/**
 * Longer than this no call may take: one whose draw was said to be used may be sent once more before its time is up.
 */
const PATIENCE = 10_000;

let manager: SessionManager;
const uncaught: unknown[] = [];
const note = (error: unknown) => void uncaught.push(error);

beforeEach(() => {
  process.on('uncaughtException', note);
  process.on('unhandledRejection', note);
});

async function start(callTimeout: number): Promise<void> {
  const worker = fixture('answers-wrongly');
  manager = await startSessionManager({ maxSessions: 50_000, maxBytes: 50_000_000, callTimeout, worker });
}

afterEach(async () => {
  await manager.stop();
  process.off('uncaughtException', note);
  process.off('unhandledRejection', note);
  expect(uncaught.splice(0)).toEqual([]);
});

async function outcome(call: Promise<unknown>): Promise<string> {
  const since = performance.now();
  const settled = await call.then(
    () => 'done',
    ({ name, code, outcome }) => `${name} ${code} ${outcome}`,
  );
  const took = performance.now() - since;
  return took < PATIENCE ? settled : `${settled} after ${took}`;
}

test('however a manager answers, each call settles with its answer or a typed refusal, and nothing is thrown', async () => {
  const random = randomFrom('replies');
  await start(SHORT);
  const session = await manager.newSession({ data: { n: 0 }, userId: 'me' });
  const cookie = manager.getCookieData(session).value;
  const heard: unknown[] = [];
  for (const event of ['created', 'changed', 'ended', 'gap'] as const) manager.on(event, (told) => heard.push(told));
  await manager.stats();
  await postMessageToThread(managerThread(manager), { seed: 1 + random.below(2 ** 30) });
  const outcomes = new Set<string>();
  const lane = async () => {
    for (let round = 0; round < 100; round++) {
      const calls: Promise<unknown>[] = [
        manager.newSession(),
        session.set({ n: round }),
        manager.stats(),
        manager.sweep(),
        session.take('none'),
        session.rotate(),
        manager.closeAllSessions({ userId: 'nobody' }),
      ];
      for (const each of await Promise.all(calls.map(outcome))) outcomes.add(each);
    }
  };
  await Promise.all(Array.from({ length: 16 }, lane));
  for (const each of outcomes) expect(each).toMatch(/^(done|SessionError ERR_\w+ (not-applied|unknown))$/);
  expect(outcomes).toContain('done');
  expect(outcomes).toContain('SessionError ERR_TIMEOUT unknown');
  expect(outcomes).toContain('SessionError ERR_MANAGER_FAILED unknown');
  expect(heard.length).toBeGreaterThan(0);

  await postMessageToThread(managerThread(manager), { seed: 0 });
  // What was answered wrongly may have been done: the table says what is.
  await session.set({ n: 'last' });
  expect([session.data.n, session.alive, manager.getSessionById(session.id)]).toEqual(['last', true, session]);
  expect((await manager.stats()).restarts).toBe(0);
  expect(manager.getSession(cookie) ?? session).toBe(session);
});

test('whatever is posted to a supervisor and to a thread that has joined, they serve and are served', async () => {
  await start(PATIENCE);
  const threads = [new Thread(), new Thread()];
  for (const thread of threads) await thread.ask('join');
  for (const thread of threads) expect(await thread.ask('createMany', 5)).toEqual(Array(5).fill('done'));
  expect(await manager.stats()).toMatchObject({ connections: 3, restarts: 0, sessions: 10 });
  for (const thread of threads) await thread.end();
});
