/**
 * Instants that callers give, where the system's clock was set back while a manager runs: a session's own time is the
 * measure.
 */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Session, type SessionFilter, type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { createManualClock } from '../../dist/src/testing.js';
import { reserveClock, toSessionTime } from '../support/internals.js';

const HOUR = 3_600_000;
let manager: SessionManager;
beforeEach(async () => {
  manager = await startSessionManager({ maxSessions: 100, maxBytes: 1_000_000 });
});
afterEach(async () => {
  vi.useRealTimers();
  await manager.stop();
});

/** Sets the wall clock of this thread back by an hour; it stands still from then on. */
function setBack(): void {
  const now = Date.now();
  vi.useFakeTimers({ toFake: ['Date'], now: now - HOUR });
}

async function listed(filter: SessionFilter, of = manager): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of of.getAllSessions(filter)) ids.push(id);
  return ids.sort();
}

const idsOf = (sessions: Session[]) => sessions.map(({ id }) => id).sort();

describe('after the system clock was set back by an hour', () => {
  test('all sessions created before now are listed and closed, the newest too', async () => {
    const before = [await manager.newSession()];
    setBack();
    before.push(await manager.newSession({ userId: 'ada' }));
    await vi.waitUntil(() => (before[1] as Session).createdAt.getTime() < performance.timeOrigin + performance.now());
    expect(await listed({ createdBefore: new Date() })).toEqual(idsOf(before));
    expect(await listed({ userId: 'ada', createdBefore: new Date() })).toEqual(idsOf(before.slice(1)));
    expect(await manager.closeAllSessions({ createdBefore: new Date() })).toBe(2);
  });

  test('an age is counted in session time: what is younger than it stays', async () => {
    await manager.newSession();
    setBack();
    await manager.newSession();
    expect(await listed({ createdBefore: new Date(Date.now() - HOUR / 2) })).toEqual([]);
    expect(await manager.closeAllSessions({ createdBefore: new Date(Date.now() - 60_000) })).toBe(0);
  });

  test("a session's createdAt picks those before it, and not itself", async () => {
    const older = await manager.newSession();
    const { createdAt } = older;
    setBack();
    let newer = await manager.newSession();
    while (newer.createdAt.getTime() === createdAt.getTime()) newer = await manager.newSession();
    expect(await listed({ createdBefore: newer.createdAt })).toContain(older.id);
    expect(await listed({ createdBefore: newer.createdAt })).not.toContain(newer.id);
    expect(await listed({ createdBefore: createdAt })).toEqual([]);
  });
});

describe('an instant', () => {
  const clock = reserveClock(0, false);
  const at = (wall: number) => vi.useFakeTimers({ toFake: ['Date'], now: wall });

  test('is taken as it is while the clocks agree', () => {
    at(1_000_000);
    for (const now of [999_950, 1_000_000, 1_000_100]) {
      for (const instant of [0, 999_999, 1_000_000, 1_000_001, 2_000_000]) {
        expect(toSessionTime(instant, clock, () => now)).toBe(instant);
      }
    }
  });

  test('is taken as it is where the wall clock is ahead: no session is spared for it', () => {
    at(2_000_000);
    for (const instant of [0, 999_999, 2_000_000]) expect(toSessionTime(instant, clock, () => 1_000_000)).toBe(instant);
  });

  test('makes no session younger, though its thread is stopped between two readings of the clocks', () => {
    at(500_000);
    const readings = [1_000_000, 1_005_000];
    expect(toSessionTime(400_000, clock, () => readings.shift() as number)).toBe(400_000 + 505_000);
  });
});

test('with a manual clock, instants are session time, whatever the system clock says', async () => {
  const clock = createManualClock(Date.now() + 24 * HOUR);
  const other = await startSessionManager({ name: 'by hand', maxSessions: 100, maxBytes: 1_000_000, clock });
  try {
    const session = await other.newSession();
    expect(await listed({ createdBefore: new Date() }, other)).toEqual([]);
    expect(await listed({ createdBefore: new Date(clock.now()) }, other)).toEqual([]);
    clock.advance(1);
    expect(await listed({ createdBefore: new Date(clock.now()) }, other)).toEqual([session.id]);
  } finally {
    await other.stop();
  }
});
