import { afterEach, expect, test } from 'vitest';
import { startSessionManager } from '../dist/src/index.js';
import { randomness } from '../dist/src/tokens.js';

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
