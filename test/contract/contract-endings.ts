/** The contract of endings: by call, by time, all at once. Run by `contract.test.ts` over every host. */

import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { Session } from '../support/internals.js';
import { cookieOf, DAY, listed, listening, MINUTE, starting } from './contract.js';
import type { StartHost } from './hosts.js';

export function endingContract(where: string, startHost: StartHost): void {
  const start = starting(startHost);

  describe(`endings ${where}`, () => {
    test('a closed session is gone, told with its reason and note, and its signal aborts', async () => {
      const host = await start();
      const ended = await listening(host, 'ended');
      const [closed, wished, purged, purgedById] = await Promise.all(
        ['a', 'b', 'c', 'd'].map((userId) => host.manager.newSession({ userId })),
      );
      const aborted = once((closed as Session).signal, 'abort');
      await closed?.close('bye');
      await host.manager.sessionWantsToClose((wished as Session).id);
      await host.manager.sessionTerminating(purged as Session);
      await host.manager.sessionTerminating((purgedById as Session).id);
      await host.manager.sessionTerminating((purgedById as Session).id);
      const told = (await ended()).map(({ session, reason, note }) => [session.userId, reason, note]);
      expect(told).toEqual([
        ['a', 'closed', 'bye'],
        ['b', 'closed', undefined],
        ['c', 'terminated', undefined],
        ['d', 'terminated', undefined],
      ]);
      await aborted;
      expect((closed as Session).signal.reason).toBe('closed');
      expect(await listed(host.manager)).toEqual([]);
      const { sessions, created, ended: counts } = await host.manager.stats();
      expect([sessions, created, counts.closed, counts.terminated]).toEqual([0, 4, 2, 2]);
    });

    test('closeAllSessions ends what its filter picks and nothing else, and says how many', async () => {
      const { manager, clock } = await start();
      const make = (userId: string) => manager.newSession({ userId });
      const [ann1, ann2, bob1] = [await make('ann'), await make('ann'), await make('bob')];
      clock.advance(1);
      const middle = new Date(clock.now());
      const [ann3, bob2] = [await make('ann'), await make('bob')];
      const alive = () => [ann1, ann2, ann3, bob1, bob2].map((session) => session.alive);
      expect(await manager.closeAllSessions({ userId: 'nobody' })).toBe(0);
      expect(await manager.closeAllSessions({ userId: 'ann', limit: 0 })).toBe(0);
      expect(alive()).toEqual([true, true, true, true, true]);
      expect(await manager.closeAllSessions({ userId: 'ann', limit: 1 })).toBe(1);
      expect(alive()).toEqual([false, true, true, true, true]);
      expect(await manager.closeAllSessions({ userId: 'ann', except: ann3 })).toBe(1);
      expect(alive()).toEqual([false, false, true, true, true]);
      expect(await manager.closeAllSessions({ createdBefore: middle })).toBe(1);
      expect(alive()).toEqual([false, false, true, false, true]);
      expect(await manager.closeAllSessions({ except: bob2.id })).toBe(1);
      expect(alive()).toEqual([false, false, false, false, true]);
      expect(await listed(manager)).toEqual([bob2.id]);
      expect(await manager.closeAllSessions()).toBe(1);
      expect([await manager.closeAllSessions(), await listed(manager)]).toEqual([0, []]);
    });

    test('a user’s sessions are listed and closed by the user they have now', async () => {
      const { manager } = await start();
      const session = await manager.newSession({ userId: 'ann' });
      const other = await manager.newSession();
      await session.login('bob');
      await other.login('ann');
      expect(await listed(manager, { userId: 'ann' })).toEqual([other.id]);
      expect(await listed(manager, { userId: 'bob' })).toEqual([session.id]);
      expect(await manager.closeAllSessions({ userId: 'ann' })).toBe(1);
      expect([session.alive, other.alive]).toEqual([true, false]);
    });

    test('when closeAllSessions has resolved, none of a thousand is found, and every place can be used again', async () => {
      const host = await start();
      const many = await Promise.all(Array.from({ length: 1000 }, (_, n) => host.manager.newSession({ data: { n } })));
      const cookies = many.map((session) => cookieOf(host, session));
      expect(await host.manager.closeAllSessions()).toBe(1000);
      expect(cookies.filter((cookie) => host.manager.getSession(cookie) !== undefined)).toEqual([]);
      const next = await Promise.all(Array.from({ length: 1000 }, (_, n) => host.manager.newSession({ data: { n } })));
      expect(next.map(({ data }) => data.n)).toEqual(Array.from({ length: 1000 }, (_, n) => n));
      expect(many.filter(({ alive }) => alive)).toEqual([]);
    });

    test('of a thousand logins around a closeAllSessions of their user, none from before it survives, and all from after it do', async () => {
      const host = await start();
      const { manager } = host;
      const guests = await Promise.all(Array.from({ length: 500 }, () => manager.newSession()));
      const log = (from: number, to: number) => [
        ...guests.slice(from, to).map((guest) => guest.login('ann').then(() => guest)),
        ...Array.from({ length: to - from }, () => manager.newSession({ userId: 'ann' })),
      ];
      const bystander = await manager.newSession({ userId: 'bob' });
      const before = log(0, 250);
      const closed = manager.closeAllSessions({ userId: 'ann' });
      const after = log(250, 500);
      expect(await closed).toBe(500);
      // At the answer, not only in the end: and no lookup finds any of them.
      const survivors = (sessions: Session[]) => sessions.filter(({ alive }) => alive).length;
      expect(survivors(guests.slice(0, 250))).toBe(0);
      expect(survivors(await Promise.all(before))).toBe(0);
      expect(survivors(await Promise.all(after))).toBe(500);
      expect([await listed(manager, { userId: 'ann' }), bystander.alive]).toEqual([
        (await Promise.all(after)).map(({ id }) => id).sort(),
        true,
      ]);
    });
  });

  describe(`time ${where}`, () => {
    test('a session not seen for its idle timeout is gone at that millisecond, swept or not', async () => {
      const host = await start({ idleTimeout: 1000, absoluteTimeout: false });
      const ended = await listening(host, 'ended');
      const session = await host.manager.newSession();
      const cookie = cookieOf(host, session);
      host.clock.advance(999);
      expect(host.manager.getSession(cookie, { touch: false })).toBe(session);
      expect(host.manager.getSession(cookie)).toBe(session);
      host.clock.advance(999);
      expect([session.alive, session.expiresAt?.getTime()]).toEqual([true, host.clock.now() + 1]);
      host.clock.advance(1);
      expect([session.alive, host.manager.getSession(cookie), session.touch()]).toEqual([false, undefined, false]);
      expect([await listed(host.manager), host.manager.getSessionById(session.id)]).toEqual([[], undefined]);
      expect(await ended()).toEqual([]);
      expect(await host.manager.sweep()).toBe(1);
      expect((await ended()).map(({ reason }) => reason)).toEqual(['idle']);
      expect(await host.manager.sweep()).toBe(0);
    });

    test('looking without touching lengthens nothing', async () => {
      const host = await start({ idleTimeout: 1000 });
      const session = await host.manager.newSession();
      const cookie = cookieOf(host, session);
      host.clock.advance(600);
      expect(host.manager.getSession(cookie, { touch: false })).toBe(session);
      expect(host.manager.getSessionById(session.id)).toBe(session);
      expect(await listed(host.manager)).toEqual([session.id]);
      host.clock.advance(400);
      expect(host.manager.getSession(cookie)).toBeUndefined();
    });

    test('the absolute timeout ends the busiest session, and wins a tie', async () => {
      const host = await start({ idleTimeout: 1000, absoluteTimeout: 2000 });
      const ended = await listening(host, 'ended');
      const [busy, tied] = [await host.manager.newSession(), await host.manager.newSession()];
      host.clock.advance(1000 - 1);
      expect([busy.touch(), tied.touch()]).toEqual([true, true]);
      host.clock.advance(1);
      tied.touch();
      host.clock.advance(999);
      expect([busy.touch(), tied.alive]).toEqual([false, true]);
      host.clock.advance(1);
      expect(tied.alive).toBe(false);
      await host.manager.sweep();
      const reasons = Object.fromEntries((await ended()).map(({ session, reason }) => [session.id, reason]));
      expect(reasons).toEqual({ [busy.id]: 'idle', [tied.id]: 'expired' });
    });

    test('timeouts of one session stand before the manager’s, and false is never', async () => {
      const { manager, clock } = await start({ idleTimeout: '10m', absoluteTimeout: '1h' });
      const short = await manager.newSession({ idleTimeout: 5, absoluteTimeout: false });
      const aged = await manager.newSession({ idleTimeout: false, absoluteTimeout: 7 });
      const endless = await manager.newSession({ idleTimeout: false, absoluteTimeout: false });
      const usual = await manager.newSession();
      const alive = () => [short, aged, endless, usual].map((session) => session.alive);
      clock.advance(5);
      expect(alive()).toEqual([false, true, true, true]);
      clock.advance(2);
      expect(alive()).toEqual([false, false, true, true]);
      clock.advance('10m');
      expect(alive()).toEqual([false, false, true, false]);
      expect([await manager.sweep(), endless.expiresAt]).toEqual([3, undefined]);
      clock.advance('36500d');
      expect([await manager.sweep(), endless.alive]).toEqual([0, true]);
    });

    test('setIdleTimeout holds from now on, shorter, longer and never', async () => {
      const { manager, clock } = await start({ idleTimeout: 100, absoluteTimeout: false });
      const session = await manager.newSession();
      clock.advance(50);
      await session.setIdleTimeout(200);
      expect(session.expiresAt?.getTime()).toBe(clock.now() + 200);
      clock.advance(199);
      expect([session.alive, await manager.sweep()]).toEqual([true, 0]);
      await session.setIdleTimeout(false);
      clock.advance('365d');
      expect([session.alive, await manager.sweep()]).toEqual([true, 0]);
      await session.setIdleTimeout(10);
      clock.advance(10);
      expect([session.alive, await manager.sweep()]).toEqual([false, 1]);
    });

    test('when it was seen stays exact over 24.8 days, 49.7 days and years, by reader and by sweep', async () => {
      const { manager, clock } = await start({ idleTimeout: '60d', absoluteTimeout: false });
      const [seen, unseen] = [await manager.newSession(), await manager.newSession({ idleTimeout: '600d' })];
      for (const days of [24.8, 24.9, 24.9, 0.1, 10, 20, 24.85, 49, 55, 1]) {
        const until = clock.now() + Math.round(days * DAY);
        while (clock.now() < until) {
          clock.set(Math.min(until, clock.now() + 20 * DAY));
          expect(await manager.sweep()).toBe(0);
        }
        expect(seen.touch()).toBe(true);
        expect(seen.lastSeenAt.getTime()).toBe(clock.now());
      }
      const last = clock.now();
      expect(unseen.lastSeenAt).toEqual(unseen.createdAt);
      for (const days of [20, 20, 19]) {
        clock.advance(days * DAY);
        await manager.sweep();
        expect(seen.lastSeenAt.getTime()).toBe(last);
      }
      clock.advance(DAY - 1);
      expect([seen.alive, await manager.sweep()]).toEqual([true, 0]);
      clock.advance(1);
      expect([seen.alive, await manager.sweep()]).toEqual([false, 1]);
      clock.set(unseen.createdAt.getTime() + 600 * DAY - 1);
      expect([unseen.alive, await manager.sweep()]).toEqual([true, 0]);
      clock.advance(1);
      expect([unseen.alive, await manager.sweep()]).toEqual([false, 1]);
    });

    test('a sweep that finds a session seen again leaves it alone, and finds it when its time has come', async () => {
      const { manager, clock } = await start({ idleTimeout: '10m' });
      const sessions = await Promise.all(Array.from({ length: 100 }, () => manager.newSession()));
      for (let round = 0; round < 20; round++) {
        clock.advance(9 * MINUTE);
        for (const session of sessions.slice(0, 50)) session.touch();
        expect(await manager.sweep()).toBe(round === 1 ? 50 : 0);
      }
      clock.advance(10 * MINUTE);
      expect(await manager.sweep()).toBe(50);
    });
  });
}
