import { expect, test } from 'vitest';
import { startSessionManager } from '../../dist/src/index.js';
import { createManualClock } from '../../dist/src/testing.js';

test('timeouts of years are exact to the millisecond, however long nobody looked', async () => {
  const clock = createManualClock(Date.UTC(2026, 0, 1));
  const sessions = await startSessionManager({
    clock,
    idleTimeout: '730d',
    absoluteTimeout: false,
    sweep: '0 0 1 1 *',
  });
  const session = await sessions.newSession();
  const cookie = sessions.getCookieData(session).value;
  // Nothing sweeps meanwhile: what is looked up is all that happens.
  for (const pause of ['365d', '60d', '729d', '25d', '100d']) {
    clock.advance(pause);
    expect(sessions.getSession(cookie)).toBe(session);
    expect(session.lastSeenAt.getTime()).toBe(clock.now());
  }
  clock.advance(730 * 86_400_000 - 1);
  expect(sessions.getSession(cookie, { touch: false })).toBe(session);
  clock.advance(1);
  expect(sessions.getSession(cookie)).toBeUndefined();
  expect(await sessions.sweep()).toBe(1);
  expect((await sessions.stats()).ended.idle).toBe(1);
  await sessions.stop();
});
