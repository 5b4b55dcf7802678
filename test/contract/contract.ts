/**
 * The contract of sessions: what holds wherever the rules run. Time is moved by hand; `contract.test.ts` runs it over
 * every host.
 */

import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import {
  drawToken,
  type ManagerOptions,
  randomness,
  type Session,
  type SessionEvents,
  type SessionFilter,
  type SessionManager,
} from '../support/internals.js';
import type { Host, StartHost } from './hosts.js';

export const MINUTE = 60_000;
export const DAY = 24 * 60 * MINUTE;

export const refusedWith = (code: string) => expect.objectContaining({ name: 'SessionError', code });

export function cookieOf({ manager }: Host, session: Session): string {
  return manager.getCookieData(session).value;
}

/** The ids of all that is listed, in no order. */
export async function listed(manager: SessionManager, filter?: SessionFilter): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of manager.getAllSessions(filter)) ids.push(id);
  return ids.sort();
}

/** Starts a host for one test, and stops it afterwards. */
export function starting(start: StartHost) {
  return async (options?: ManagerOptions): Promise<Host> => {
    const host = await start(options);
    onTestFinished(() => host.manager.stop());
    return host;
  };
}

/** Collects events of one name, and returns them once the manager has told all that came before. */
export async function listening<E extends keyof SessionEvents>({ manager }: Host, event: E) {
  const heard: SessionEvents[E][] = [];
  manager.on(event, (each) => heard.push(each));
  // Calls and notices keep their order: an answered call says that everything before it was heard.
  const settled = async () => {
    await manager.stats();
    await new Promise(setImmediate);
    return heard;
  };
  await settled();
  return settled;
}

/** Everything that a caller can see of some sessions. */
export const seenOf = (...sessions: Session[]) =>
  sessions.map((session) => [{ ...session.data }, JSON.stringify(session)]);

export function sessionContract(where: string, startHost: StartHost): void {
  const start = starting(startHost);
  const { fill } = randomness;
  afterEach(() => {
    randomness.fill = fill;
  });

  /** Fills each block of randomness with one byte, told by its number from 1, and begins such a block. */
  function force(byteOf: (draw: number) => number): () => number {
    let draws = 0;
    randomness.fill = (bytes) => void bytes.fill(byteOf(++draws));
    while (draws === 0) drawToken();
    return () => draws;
  }

  describe(`tokens ${where}`, () => {
    test('a token in use is drawn again, and no live session loses its own', async () => {
      const host = await start();
      // Blocks of equal bytes, the second like the first: every token but one of each is a repeat.
      const draws = force((draw) => Math.max(2, draw));
      const many = await Promise.all(Array.from({ length: 8 }, () => host.manager.newSession()));
      const cookies = many.map((session) => cookieOf(host, session));
      expect(new Set(cookies).size).toBe(8);
      expect(new Set(many.map(({ id }) => id)).size).toBe(8);
      expect(draws()).toBeGreaterThan(8);
      expect(cookies.map((cookie) => host.manager.getSession(cookie))).toEqual(many);
      const [first] = many as [Session];
      for (const [i, change] of [() => first.login('ann'), () => first.rotate()].entries()) {
        force((draw) => (draw === 1 ? 3 : 100 * i + draw));
        await change();
        expect(cookies).not.toContain(cookieOf(host, first));
        expect(host.manager.getSession(cookieOf(host, first))).toBe(first);
      }
      expect(cookies.slice(1).map((cookie) => host.manager.getSession(cookie))).toEqual(many.slice(1));
    });

    test('undefined, rubbish, another token and an ended session are all a miss', async () => {
      const host = await start();
      const session = await host.manager.newSession();
      const cookie = cookieOf(host, session);
      const other = `${cookie.slice(1)}${cookie[0] === 'A' ? 'B' : 'A'}`;
      for (const rubbish of [
        undefined,
        '',
        'x',
        other,
        `${cookie} `,
        'é'.repeat(43),
        'a'.repeat(100_000),
        session.id,
      ]) {
        expect(host.manager.getSession(rubbish)).toBeUndefined();
      }
      expect(host.manager.getSession(cookie)).toBe(session);
      expect(host.manager.getSessionById(session.id)).toBe(session);
      await session.close();
      expect(host.manager.getSession(cookie)).toBeUndefined();
      expect(host.manager.getSessionById(session.id)).toBeUndefined();
    });

    test('login ends the old token at once, names the user and starts both timeouts anew', async () => {
      const host = await start({ idleTimeout: '10m', absoluteTimeout: '1h' });
      const session = await host.manager.newSession({ data: { cart: 1 } });
      const before = cookieOf(host, session);
      host.clock.advance('9m');
      await session.login('ann', { role: 'admin' });
      expect(host.manager.getSession(before)).toBeUndefined();
      const after = cookieOf(host, session);
      expect(host.manager.getSession(after)).toBe(session);
      expect([session.userId, session.data]).toEqual(['ann', { cart: 1, role: 'admin' }]);
      const now = host.clock.now();
      expect([session.authenticatedAt?.getTime(), session.tokenIssuedAt.getTime()]).toEqual([now, now]);
      expect(session.expiresAt?.getTime()).toBe(now + 10 * MINUTE);
      for (let minute = 0; minute < 59; minute += 1) {
        host.clock.advance('1m');
        expect(session.touch()).toBe(true);
      }
      host.clock.advance(MINUTE - 1);
      expect(host.manager.getSession(after)).toBe(session);
      host.clock.advance(1);
      expect(host.manager.getSession(after)).toBeUndefined();
    });

    test('a rotated token is honoured for its grace to the millisecond, then misses, and is reported by the sweep', async () => {
      const host = await start();
      const reused = await listening(host, 'token-reused');
      const session = await host.manager.newSession();
      const before = cookieOf(host, session);
      await session.rotate({ grace: '10s' });
      const after = cookieOf(host, session);
      expect(after).not.toBe(before);
      host.clock.advance(9_999);
      expect(host.manager.getSession(before)).toBe(session);
      expect(cookieOf(host, session)).toBe(after);
      await host.manager.sweep();
      expect(await reused()).toEqual([]);
      host.clock.advance(1);
      expect(host.manager.getSession(before)).toBeUndefined();
      expect(host.manager.getSession(after)).toBe(session);
      expect(await reused()).toEqual([]);
      await host.manager.sweep();
      expect((await reused()).map((event) => event.session.id)).toEqual([session.id]);
    });

    test('a token that came back is never reported of the next session in its place', async () => {
      const host = await start({ maxSessions: 1 });
      const reused = await listening(host, 'token-reused');
      const session = await host.manager.newSession();
      const before = cookieOf(host, session);
      await session.rotate({ grace: 0 });
      expect(host.manager.getSession(before)).toBeUndefined();
      await session.close();
      const next = await host.manager.newSession();
      await host.manager.sweep();
      expect(await reused()).toEqual([]);
      expect(next.alive).toBe(true);
    });

    test('a token rotated out ends at the next rotation, and at login, though its grace is not over', async () => {
      const host = await start();
      const session = await host.manager.newSession();
      const first = cookieOf(host, session);
      await session.rotate({ grace: '1h' });
      const second = cookieOf(host, session);
      await session.rotate({ grace: '1h' });
      expect(host.manager.getSession(first)).toBeUndefined();
      expect(host.manager.getSession(second)).toBe(session);
      await session.login('ann');
      expect(host.manager.getSession(second)).toBeUndefined();
    });
  });

  describe(`data ${where}`, () => {
    test('set changes the keys given and no others, and removes those that are undefined', async () => {
      const { manager } = await start();
      const session = await manager.newSession({ data: { a: 1, b: 2, c: 3 } });
      await Promise.all([session.set({ a: 10 }), session.set({ b: undefined }), session.set({ d: [1, { e: 2 }] })]);
      expect(session.data).toEqual({ a: 10, c: 3, d: [1, { e: 2 }] });
      expect(session.version).toBe(3);
    });

    test('replace with ifVersion refuses what somebody wrote before, and changes nothing then', async () => {
      const { manager } = await start();
      const session = await manager.newSession({ data: { n: 0 } });
      const { version } = session;
      await session.set({ n: 1 });
      await expect(session.replace({ n: 9 }, { ifVersion: version })).rejects.toEqual(
        refusedWith('ERR_SESSION_CONFLICT'),
      );
      expect(session.data).toEqual({ n: 1 });
      await session.replace({ only: true }, { ifVersion: session.version });
      expect(session.data).toEqual({ only: true });
    });

    test('of fifty updates none is lost, and of fifty takers one gets the value', async () => {
      const { manager } = await start();
      const session = await manager.newSession({ data: { n: 0, once: 'code' } });
      const add = () => session.update((data) => ({ ...data, n: (data.n as number) + 1 }));
      const sets = Array.from({ length: 50 }, (_, i) => session.set({ [`k${i % 5}`]: i }));
      await Promise.all([...Array.from({ length: 50 }, add), ...sets]);
      expect(session.data.n).toBe(50);
      expect(session.data.k4).toBe(49);
      const taken = await Promise.all(Array.from({ length: 50 }, () => session.take('once')));
      expect(taken.filter((value) => value !== undefined)).toEqual(['code']);
      expect(session.data).not.toHaveProperty('once');
    });

    test('an ended session never comes back: every late change is refused', async () => {
      const host = await start();
      const session = await host.manager.newSession({ data: { a: 1 } });
      const cookie = cookieOf(host, session);
      // The rotation has drawn its tokens before the end; all of them travel behind it.
      const late = [
        session.close(),
        session.set({ a: 2 }),
        session.replace({ a: 3 }),
        session.take('a'),
        session.login('ann'),
        session.rotate(),
        session.setIdleTimeout('1h'),
      ];
      const [closed, ...others] = await Promise.allSettled(late);
      expect(closed).toEqual({ status: 'fulfilled', value: undefined });
      for (const other of others) expect(other).toMatchObject({ reason: refusedWith('ERR_SESSION_ENDED') });
      expect(host.manager.getSession(cookie)).toBeUndefined();
      expect([await listed(host.manager), session.alive, session.touch()]).toEqual([[], false, false]);
      await expect(session.close()).resolves.toBeUndefined();
    });

    test('a handle of a session that ended never reaches the next one in its place', async () => {
      const { manager } = await start({ maxSessions: 1 });
      const first = await manager.newSession({ data: { whose: 'first' } });
      await first.close();
      const second = await manager.newSession({ data: { whose: 'second' } });
      await expect(first.set({ whose: 'nobody' })).rejects.toEqual(refusedWith('ERR_SESSION_ENDED'));
      await expect(first.login('eve')).rejects.toEqual(refusedWith('ERR_SESSION_ENDED'));
      await first.close();
      await manager.sessionTerminating(first);
      expect(() => first.data).toThrow(refusedWith('ERR_SESSION_ENDED'));
      expect([second.alive, second.data, second.userId]).toEqual([true, { whose: 'second' }, undefined]);
    });
  });
}
