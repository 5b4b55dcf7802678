import { afterEach, expect, onTestFinished, test } from 'vitest';
import { startSessionManager } from '../../dist/src/index.js';
import { randomness } from '../support/internals.js';

const { fill } = randomness;

afterEach(() => {
  randomness.fill = fill;
});

test('a source of random numbers that only repeats itself ends a call with an error, and no session shares a token', async () => {
  const sessions = await startSessionManager({ maxSessions: 100, maxBytes: 10_000, callTimeout: '300ms' });
  randomness.fill = (bytes) => bytes.fill(7);
  // What was drawn before is used up first: in the end there is one session of the repeated bytes.
  const made = await Promise.allSettled(Array.from({ length: 95 }, () => sessions.newSession()));
  const refused = made.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
  expect(refused.length).toBeGreaterThan(0);
  for (const { reason } of refused)
    expect(reason).toMatchObject({ code: 'ERR_SESSION_CONFLICT', outcome: 'not-applied' });
  const cookies = made.flatMap((each) =>
    each.status === 'fulfilled' ? [sessions.getCookieData(each.value).value] : [],
  );
  expect(new Set(cookies).size).toBe(cookies.length);
  randomness.fill = fill;
  await sessions.stop();
});

test('a source of random numbers that fails has every call that draws refused with its error, and nothing is changed', async () => {
  const sessions = await startSessionManager({ maxSessions: 1000, maxBytes: 100_000 });
  onTestFinished(() => sessions.stop());
  const session = await sessions.newSession({ data: { n: 1 } });
  const cookie = sessions.getCookieData(session).value;
  const error = new Error('no entropy');
  randomness.fill = () => {
    throw error;
  };
  // What was drawn before is used up first.
  const made: unknown[] = [];
  const drawsThrow = async (draw: () => Promise<unknown>) => {
    for (;;) {
      const outcome = await draw().catch((reason: unknown) => reason);
      if (outcome === error) return;
      made.push(outcome);
    }
  };
  await drawsThrow(() => sessions.newSession());
  for (const draw of [
    () => sessions.newSession(),
    () => sessions.putSession('key', { data: {} }),
    () => session.login('ann'),
    () => session.rotate(),
  ])
    await expect(draw()).rejects.toBe(error);
  expect(made.length).toBeLessThan(4096 / 32);
  expect([session.userId, sessions.getCookieData(session).value]).toEqual([undefined, cookie]);
  expect((await sessions.stats()).sessions).toBe(made.length + 1);
  // In one tick with calls that draw nothing, which are done.
  const [, drawn] = await Promise.allSettled([session.set({ n: 2 }), sessions.newSession(), session.set({ m: 3 })]);
  expect([drawn?.status, session.data]).toEqual(['rejected', { n: 2, m: 3 }]);
  randomness.fill = fill;
  await session.login('ann');
  expect(sessions.getSession(cookie)).toBeUndefined();
  expect(sessions.getSession(sessions.getCookieData(session).value)).toBe(session);
});

test('a source of nothing but zeros gives one session its token, and no second one', async () => {
  const sessions = await startSessionManager({ maxSessions: 1000, maxBytes: 100_000, callTimeout: '300ms' });
  onTestFinished(() => sessions.stop());
  randomness.fill = (bytes) => void bytes.fill(0);
  const cookies: string[] = [];
  for (;;) {
    const made = await sessions.newSession().catch((reason: { code: string }) => reason.code);
    if (typeof made === 'string') {
      expect(made).toBe('ERR_SESSION_CONFLICT');
      break;
    }
    cookies.push(sessions.getCookieData(made).value);
  }
  expect(cookies.filter((cookie) => /^A+$/.test(cookie)).length).toBeLessThanOrEqual(1);
  expect(new Set(cookies).size).toBe(cookies.length);
  expect((await sessions.stats()).sessions).toBe(cookies.length);
});
