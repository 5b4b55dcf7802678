/**
 * The contract of limits: exact under many calls at once, and a refused call changes nothing. Run by `contract.test.ts`
 * over every host.
 */

import { describe, expect, test } from 'vitest';
import { cookieOf, listed, listening, refusedWith, seenOf, starting } from './contract.js';
import type { StartHost } from './hosts.js';

const KiB = 1024;
const outcomes = (settled: PromiseSettledResult<unknown>[]) => ({
  done: settled.filter(({ status }) => status === 'fulfilled').length,
  refused: settled.flatMap((each) => (each.status === 'rejected' ? [each.reason.code] : [])),
});

export function limitContract(where: string, startHost: StartHost): void {
  const start = starting(startHost);

  describe(`limits ${where}`, () => {
    test('maxSessions is exact under 200 concurrent calls, and a place that is freed is given again', async () => {
      const { manager } = await start({ maxSessions: 20 });
      const settled = await Promise.allSettled(Array.from({ length: 200 }, () => manager.newSession()));
      const { done, refused } = outcomes(settled);
      expect([done, refused]).toEqual([20, Array(180).fill('ERR_TABLE_FULL')]);
      const [first] = settled;
      if (first?.status === 'fulfilled') await first.value.close();
      await manager.newSession();
      await expect(manager.newSession()).rejects.toEqual(refusedWith('ERR_TABLE_FULL'));
      expect((await manager.stats()).sessions).toBe(20);
    });

    test('sessions whose time is over do not count, though nobody has swept', async () => {
      const { manager, clock } = await start({
        maxSessions: 5,
        maxSessionsPerUser: 5,
        whenOverLimit: 'reject',
        idleTimeout: 10,
      });
      const fill = () => Promise.all(Array.from({ length: 5 }, () => manager.newSession({ userId: 'ann' })));
      await fill();
      clock.advance(10);
      expect((await fill()).every(({ alive }) => alive)).toBe(true);
      await manager.closeAllSessions();
      await fill();
      expect((await manager.stats()).sessions).toBe(5);
    });

    test('all of maxBytes can be used, and not one byte more, under 200 concurrent calls', async () => {
      const { manager } = await start({ maxBytes: 100 * KiB, maxSessionBytes: 4 * KiB, maxSessions: 200 });
      const blank = await manager.newSession({ data: { text: '' } });
      const size = await fittingText(manager, 2 * KiB);
      await blank.close();
      const data = { text: 'x'.repeat(size) };
      const { done, refused } = outcomes(
        await Promise.allSettled(Array.from({ length: 200 }, () => manager.newSession({ data }))),
      );
      expect([done, new Set(refused)]).toEqual([50, new Set(['ERR_TABLE_FULL'])]);
      await expect(manager.newSession({ data: { a: 1 } })).rejects.toEqual(refusedWith('ERR_TABLE_FULL'));
      await manager.newSession();
    });

    test('data beyond maxSessionBytes is refused and nothing changes; what shrinks is never refused', async () => {
      const host = await start({ maxBytes: 4 * KiB, maxSessionBytes: 2 * KiB });
      const session = await host.manager.newSession({ data: { a: 'x'.repeat(1000), b: 1 } });
      const other = await host.manager.newSession({ data: { a: 'x'.repeat(2000) } });
      await host.manager.newSession({ data: { a: 'x'.repeat(1000) } });
      const cookie = cookieOf(host, session);
      const before = seenOf(session, other);
      const big = 'x'.repeat(2 * KiB);
      const whole = 'x'.repeat(1500);
      const attempts = [
        () => host.manager.newSession({ data: { big } }),
        () => session.set({ big }),
        () => session.set({ c: whole }),
        () => session.replace({ big }),
        () => session.login('ann', { big }),
      ];
      for (const attempt of attempts) await expect(attempt()).rejects.toEqual(refusedWith('ERR_SESSION_TOO_LARGE'));
      for (const attempt of [
        () => host.manager.newSession({ data: { whole } }),
        () => session.set({ a: `${whole}${'x'.repeat(400)}` }),
        () => session.login('ann', { a: 'x'.repeat(1990) }),
      ]) {
        await expect(attempt()).rejects.toEqual(refusedWith('ERR_TABLE_FULL'));
      }
      expect(seenOf(session, other)).toEqual(before);
      expect(host.manager.getSession(cookie)).toBe(session);
      await session.set({ a: 'y' });
      await other.take('a');
      await host.manager.newSession({ data: { whole } });
    });

    test('maxSessionsPerUser with reject is exact under 200 concurrent calls, logins among them', async () => {
      const { manager } = await start({ maxSessionsPerUser: 3, whenOverLimit: 'reject' });
      const guests = await Promise.all(Array.from({ length: 100 }, () => manager.newSession()));
      const calls = guests.flatMap((guest) => [guest.login('ann'), manager.newSession({ userId: 'ann' })]);
      const { done, refused } = outcomes(await Promise.allSettled(calls));
      expect([done, refused]).toEqual([3, Array(197).fill('ERR_SESSION_LIMIT')]);
      expect(await listed(manager, { userId: 'ann' })).toHaveLength(3);
      expect(guests.filter(({ alive, userId }) => alive && userId === undefined)).toHaveLength(98);
      await manager.newSession({ userId: 'bob' });
    });

    test('maxSessionsPerUser with end-oldest keeps the newest, and a login again counts as none', async () => {
      const host = await start({ maxSessionsPerUser: 3 });
      const ended = await listening(host, 'ended');
      const many = await Promise.all(Array.from({ length: 200 }, () => host.manager.newSession({ userId: 'ann' })));
      expect(many.map(({ alive }) => alive)).toEqual(many.map((_, n) => n >= 197));
      await many[197]?.login('ann');
      expect(many.slice(197).map(({ alive }) => alive)).toEqual([true, true, true]);
      const guest = await host.manager.newSession();
      await guest.login('ann');
      expect(many.slice(197).map(({ alive }) => alive)).toEqual([true, false, true]);
      expect(new Set((await ended()).map(({ reason }) => reason))).toEqual(new Set(['over-limit']));
      expect((await host.manager.stats()).ended['over-limit']).toBe(198);
    });

    test('a call refused for its size or for want of room ends no other session of the user', async () => {
      const host = await start({ maxSessionsPerUser: 1, maxSessions: 4, maxBytes: 4 * KiB, maxSessionBytes: 2 * KiB });
      const mine = await host.manager.newSession({ userId: 'ann' });
      const guest = await host.manager.newSession({ data: { a: 'x'.repeat(1900) } });
      await host.manager.newSession({ data: { a: 'x'.repeat(1900) } });
      const big = 'x'.repeat(1000);
      await expect(guest.login('ann', { big })).rejects.toEqual(refusedWith('ERR_SESSION_TOO_LARGE'));
      expect(mine.alive).toBe(true);
      await expect(host.manager.newSession({ userId: 'ann', data: { big } })).rejects.toEqual(
        refusedWith('ERR_TABLE_FULL'),
      );
      expect(mine.alive).toBe(true);
    });

    test('a full table ends the session that was really not seen for the longest, lookups counted', async () => {
      const host = await start({ maxSessions: 50, whenFull: 'end-longest-idle' });
      const ended = await listening(host, 'ended');
      const sessions = [];
      for (let n = 0; n < 50; n++) {
        sessions.push(await host.manager.newSession({ data: { n } }));
        host.clock.advance(1);
      }
      const cookies = sessions.map((session) => cookieOf(host, session));
      // Seen again in an order of its own: 7, 14, 21, … modulo 50.
      const order = cookies.map((_, n) => (n * 7 + 7) % 50);
      for (const n of order) {
        host.manager.getSession(cookies[n]);
        host.manager.getSession(cookies[(n + 1) % 50], { touch: false });
        host.clock.advance(1);
      }
      await Promise.all(Array.from({ length: 30 }, () => host.manager.newSession()));
      expect(sessions.flatMap(({ alive }, n) => (alive ? [] : [n])).sort()).toEqual(order.slice(0, 30).sort());
      expect(new Set((await ended()).map(({ reason }) => reason))).toEqual(new Set(['evicted']));
      expect((await host.manager.stats()).sessions).toBe(50);
    });

    test('data that grows ends the longest idle of the others, never the session itself', async () => {
      const { manager, clock } = await start({
        maxBytes: 8 * KiB,
        maxSessionBytes: 6 * KiB,
        whenFull: 'end-longest-idle',
      });
      const grows = await manager.newSession();
      clock.advance(1);
      const [first, second] = [await manager.newSession({ data: { a: 'x'.repeat(3000) } }), await manager.newSession()];
      clock.advance(1);
      const third = await manager.newSession({ data: { a: 'x'.repeat(3000) } });
      await grows.set({ text: 'x'.repeat(4000) });
      expect([grows, first, third].map(({ alive }) => alive)).toEqual([true, false, true]);
      await grows.set({ text: 'x'.repeat(6000) });
      expect([grows, second, third].map(({ alive }) => alive)).toEqual([true, false, false]);
      expect(grows.data).toEqual({ text: 'x'.repeat(6000) });
    });
  });
}

/** The length of a text that makes data of so many bytes in all. */
async function fittingText(manager: Awaited<ReturnType<StartHost>>['manager'], bytes: number): Promise<number> {
  const probe = await manager.newSession({ data: {} });
  let length = bytes;
  // Of the whole table a session of 4 KiB is the largest: so the largest text that fits tells what its frame costs.
  for (length = 4 * KiB; ; length--) {
    const fits = await probe.set({ text: 'x'.repeat(length) }).then(
      () => true,
      () => false,
    );
    if (fits) break;
  }
  await probe.close();
  return bytes - (4 * KiB - length);
}
