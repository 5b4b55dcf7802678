/** The store by itself, as express-session calls it: with callbacks and with promises, over the real manager thread. */

import { Cookie, Session } from 'express-session';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { CoatcheckStore, type StoredSession } from '../../../dist/src/http/store/express-session.js';
import type { SessionManager } from '../../../dist/src/index.js';
import { createManualClock } from '../../../dist/src/testing.js';
import { startSessionManager } from '../../support/internals.js';

const MINUTE = 60_000;
const clock = createManualClock(Date.now());
const options = { name: 'store', clock, maxSessions: 1000, sweep: '0 0 0 29 2 *', idleTimeout: '20m' } as const;
const manager: SessionManager = await startSessionManager(options);
const store = new CoatcheckStore({ manager });
let last = 0;
let id = '';

beforeEach(() => {
  id = `id ${++last}`;
});
afterAll(() => manager.stop());

/** What express-session hands to its store. */
function sessionOf(
  data: object,
  cookie: { maxAge?: number | null; [field: string]: unknown } = { maxAge: 30 * MINUTE },
): StoredSession {
  const made = new Session({ sessionID: id } as never, data as never);
  made.cookie = new Cookie(cookie as never);
  // It is what is left of `maxAge` by another look at the clock, which may be a millisecond later.
  if (cookie.maxAge && made.cookie.originalMaxAge) made.cookie.originalMaxAge = cookie.maxAge;
  return made;
}

const dataOf = async (key = id): Promise<{ deep?: object } | undefined> => {
  const got = await store.get(key);
  if (got === undefined) return undefined;
  const { cookie: _, ...data } = got;
  return data;
};

/** Either of the two styles, as a promise. */
const styles = {
  'by promise': (method: string, ...args: unknown[]): Promise<unknown> => Reflect.get(store, method).apply(store, args),
  'by callback': (method: string, ...args: unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const callback = (error: unknown, value: unknown) => (error === null ? resolve(value) : reject(error));
      expect(Reflect.get(store, method).call(store, ...args, callback)).toBeUndefined();
    }),
};

describe.each(Object.entries(styles))('%s', (_, call) => {
  test('an unknown id has no session, and is no error to get, touch or destroy', async () => {
    expect(await call('get', id)).toBeUndefined();
    expect(await call('touch', id, sessionOf({}))).toBeUndefined();
    expect(await call('destroy', id)).toBeUndefined();
    expect(await call('get', id)).toBeUndefined();
  });

  test('what is set is got, until it is destroyed', async () => {
    expect(await call('set', id, sessionOf({ user: 'ada', cart: [1, { two: 2 }] }))).toBeUndefined();
    expect(await call('get', id)).toMatchObject({ user: 'ada', cart: [1, { two: 2 }] });
    await call('set', id, sessionOf({ user: 'bea' }));
    expect(await dataOf()).toEqual({ user: 'bea' });
    await call('destroy', id);
    expect(await call('get', id)).toBeUndefined();
  });

  test('all, ids and length are about the sessions of the store, and clear destroys those alone', async () => {
    await call('clear');
    const other = await manager.newSession({ data: { id: 'x', cookie: {}, data: { not: 'ours' } } });
    const keyed = await manager.putSession(`another ${id}`, { data: { id: 'x', cookie: {}, data: {} } });
    const names = ['a', 'b', '__proto__'].map((name) => `${name} ${id}`);
    for (const name of names) await call('set', name, sessionOf({ name }));
    expect([await call('length'), ((await call('ids')) as string[]).sort()]).toEqual([3, [...names].sort()]);
    const all = (await call('all')) as (StoredSession & { id: string; name: string })[];
    expect(all.map((each) => [each.id, each.name]).sort()).toEqual(names.map((name) => [name, name]).sort());
    expect(all[0]?.cookie.originalMaxAge).toBe(30 * MINUTE);
    expect(await call('clear')).toBeUndefined();
    expect([await call('length'), await call('ids'), await call('all')]).toEqual([0, [], []]);
    expect([other.alive, keyed.alive]).toEqual([true, true]);
    await Promise.all([other.close(), keyed.close()]);
    for (const name of names) await call('set', name, sessionOf({ late: true }));
    expect(await call('length')).toBe(0);
  });

  test('what cannot be kept is an error, and keeps nothing', async () => {
    const circular: { self?: object } = {};
    circular.self = circular;
    for (const [data, error] of [
      [{ big: 1n }, { name: 'TypeError' }],
      [circular, { name: 'TypeError' }],
      [{ long: 'x'.repeat(70_000) }, { code: 'ERR_SESSION_TOO_LARGE' }],
    ] as const) {
      await expect(call('set', id, { ...sessionOf({}), ...data })).rejects.toMatchObject(error);
      expect(await call('get', id)).toBeUndefined();
    }
    await expect(call('set', id, null)).rejects.toBeInstanceOf(TypeError);
    await expect(call('set', '', sessionOf({}))).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  });
});

describe('data', () => {
  test('are each caller’s own: what one does to them is seen by nobody', async () => {
    const given = sessionOf({ deep: { list: [1] } });
    await store.set(id, given);
    const [one, two] = [await store.get(id), await store.get(id)] as unknown as { deep: { list: number[] } }[];
    one?.deep.list.push(2);
    Object.assign(one?.deep ?? {}, { more: true });
    expect([two?.deep, (await dataOf())?.deep]).toEqual([{ list: [1] }, { list: [1] }]);
    expect((given as unknown as { deep: object }).deep).toEqual({ list: [1] });
    const cookie = (await store.get(id))?.cookie as StoredSession['cookie'];
    cookie.path = '/elsewhere';
    expect((await store.get(id))?.cookie.path).toBe('/');
  });

  test('go through JSON, as in any store of express-session', async () => {
    const at = new Date('2026-01-02T03:04:05.678Z');
    await store.set(
      id,
      sessionOf({ at, gone: undefined, call: () => 1, nan: Number.NaN, own: { toJSON: () => 'own' } }),
    );
    expect(await dataOf()).toEqual({ at: at.toISOString(), nan: null, own: 'own' });
  });

  test('and ids are nothing but texts, whatever they are called', async () => {
    const data = JSON.parse(
      '{ "__proto__": { "polluted": 1 }, "constructor": 2, "hasOwnProperty": 3, "in": { "__proto__": 4 } }',
    );
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype']) {
      expect(await store.get(name)).toBeUndefined();
      await store.set(name, { cookie: {}, ...data, name });
      const got = (await store.get(name)) as unknown as Record<string, unknown>;
      const { cookie: _, ...rest } = got;
      expect(JSON.stringify(rest)).toBe(`{"constructor":2,"hasOwnProperty":3,"in":{},"name":"${name}"}`);
      expect([Object.getPrototypeOf(got), Reflect.get(got, 'polluted')]).toEqual([Object.prototype, undefined]);
    }
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
    expect((await store.ids()).filter((name) => name === '__proto__')).toEqual(['__proto__']);
  });

  test.each([
    '../../etc/passwd',
    'a\0b',
    '%2e%2e%2f',
    'ü𝄞',
    ' ',
    'x'.repeat(1024),
    "'; drop table",
    '\r\nSet-Cookie: a=b',
  ])('an id of any characters is one like any other (%#)', async (name) => {
    await store.set(name, sessionOf({ name }));
    expect([await dataOf(name), await store.get(`${name}/`), await store.get(name.slice(1))]).toEqual([
      { name },
      undefined,
      undefined,
    ]);
    await store.destroy(name);
    expect(await store.get(name)).toBeUndefined();
  });

  test.each([undefined, null, 7, {}, [], '', 'x'.repeat(1025), '\ud800'])(
    'what is no id has no session (%#)',
    async (none) => {
      expect(await store.get(none as never)).toBeUndefined();
      await expect(store.set(none as never, sessionOf({}))).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
    },
  );

  test('an id opens no session as a cookie does, and a cookie none as an id', async () => {
    id = 'i'.repeat(43);
    await store.set(id, sessionOf({}));
    const cookie = manager.getCookieData(await manager.newSession()).value;
    expect([manager.getSession(id), await store.get(cookie)]).toEqual([undefined, undefined]);
  });
});

describe('the cookie', () => {
  test('comes back with all its fields, and its expires is when the session ends', async () => {
    const cookie = { maxAge: 30 * MINUTE, path: '/shop', domain: 'a.example', secure: true, httpOnly: false };
    await store.set(id, sessionOf({}, { ...cookie, sameSite: 'strict', partitioned: true, priority: 'high' }));
    const got = (await store.get(id))?.cookie as StoredSession['cookie'];
    const { maxAge: _, ...fields } = cookie;
    const others = { ...fields, sameSite: 'strict', partitioned: true, priority: 'high', originalMaxAge: 30 * MINUTE };
    expect(got).toEqual({ ...others, expires: new Date(clock.now() + 30 * MINUTE) });
    expect(Object.getPrototypeOf(got)).toBe(Object.prototype);
  });

  test('that ends with the browser: the session has the manager’s idle timeout', async () => {
    for (const [n, cookie] of [{}, { maxAge: null }, { expires: false }, { expires: null }].entries()) {
      await store.set(`${id} ${n}`, sessionOf({}, cookie));
      expect(manager.getSessionByKey(`${id} ${n}`)?.idleTimeout).toBe(20 * MINUTE);
      const { expires } = (await store.get(`${id} ${n}`))?.cookie ?? {};
      expect(expires === null || expires === undefined || (expires as unknown) === false).toBe(true);
    }
    await store.set(id, {});
    expect([manager.getSessionByKey(id)?.idleTimeout, (await store.get(id))?.cookie]).toEqual([20 * MINUTE, {}]);
  });

  test('says by maxAge or by expires how long the session may stay idle, and a later set may say otherwise', async () => {
    await store.set(id, sessionOf({}, { maxAge: 5 * MINUTE }));
    expect(manager.getSessionByKey(id)?.idleTimeout).toBe(5 * MINUTE);
    await store.set(id, sessionOf({}, { expires: new Date(Date.now() + 40 * MINUTE) }));
    expect(manager.getSessionByKey(id)?.idleTimeout).toBeGreaterThan(39.9 * MINUTE);
    await store.set(id, { cookie: { maxAge: 7 * MINUTE } });
    expect(manager.getSessionByKey(id)?.idleTimeout).toBe(7 * MINUTE);
    await store.set(id, {
      cookie: { expires: new Date(Date.now() + 9 * MINUTE).toISOString(), originalMaxAge: 9 * MINUTE },
    });
    expect(manager.getSessionByKey(id)?.idleTimeout).toBe(9 * MINUTE);
    await store.set(id, sessionOf({}, {}));
    expect(manager.getSessionByKey(id)?.idleTimeout).toBe(20 * MINUTE);
    await store.set(id, { cookie: { expires: new Date(Number.NaN) } });
    expect(manager.getSessionByKey(id)?.idleTimeout).toBe(20 * MINUTE);
    await store.set(id, sessionOf({}, { maxAge: 1e15 }));
    expect(manager.getSessionByKey(id)?.alive).toBe(true);
  });

  test('that has expired ends the session, set or touched', async () => {
    for (const method of ['set', 'touch'] as const) {
      const name = `${id} ${method}`;
      await store.set(name, sessionOf({}));
      await store[method](name, sessionOf({}, { expires: new Date(Date.now() - 1) }));
      expect(await store.get(name)).toBeUndefined();
    }
  });

  test('of a fixed end stays as it was said, however often the session is set or touched', async () => {
    const cookie = { expires: new Date(Date.now() + 10 * MINUTE), originalMaxAge: null };
    await store.set(id, { cookie });
    for (let n = 0; n < 3; n++) {
      const got = await store.get(id);
      expect(got?.cookie).toEqual(cookie);
      await store.touch(id, { cookie });
      await store.set(id, got as StoredSession);
      const { expiresAt } = manager.getSessionByKey(id, { touch: false }) ?? {};
      expect(Math.abs((expiresAt?.getTime() ?? 0) - clock.now() - 10 * MINUTE)).toBeLessThan(1000);
    }
  });

  test('whatever it says, in whatever order it is set and touched, no session outlives the manager’s absolute timeout', async () => {
    const minutes = fc.constantFrom(-1, 0, 1, 5, 20, 60, 600, 1e6);
    const cookies = fc.record({ by: fc.constantFrom('maxAge', 'expires', 'both', 'neither'), minutes, more: minutes });
    const steps = fc.array(
      fc.record({
        do: fc.constantFrom('set', 'touch', 'get'),
        cookie: cookies,
        wait: fc.constantFrom(0, 1, 4, 19, 130),
      }),
      { minLength: 2, maxLength: 12 },
    );
    let ended = 0;
    await fc.assert(
      fc.asyncProperty(steps, async (planned) => {
        id = `id ${++last}`;
        await store.set(id, sessionOf({}, {}));
        const end = clock.now() + 8 * 60 * MINUTE;
        for (const { do: what, cookie, wait } of planned) {
          const { by, minutes, more } = cookie;
          const said = {
            ...(by === 'maxAge' || by === 'both' ? { maxAge: minutes * MINUTE, originalMaxAge: minutes * MINUTE } : {}),
            ...(by === 'expires' || by === 'both' ? { expires: new Date(Date.now() + more * MINUTE) } : {}),
          };
          if (what === 'get') await store.get(id);
          else await store[what](id, { cookie: said } as never);
          const found = manager.getSessionByKey(id, { touch: false });
          if (found === undefined) break;
          expect(found.expiresAt?.getTime()).toBeLessThanOrEqual(end);
          clock.advance(wait * MINUTE);
        }
        clock.set(Math.max(clock.now(), end));
        expect(await store.get(id)).toBeUndefined();
        await store.set(id, sessionOf({}, { maxAge: 600 * MINUTE }));
        if ((await store.get(id)) === undefined) ended++;
      }),
      { numRuns: 200 },
    );
    expect(ended).toBeGreaterThan(0);
  });

  test('lets no session grow older than the manager’s absolute timeout', async () => {
    await store.set(id, sessionOf({}, { maxAge: 30 * 24 * 60 * MINUTE }));
    const end = clock.now() + 8 * 60 * MINUTE;
    expect(manager.getSessionByKey(id)?.expiresAt?.getTime()).toBe(end);
    clock.advance('7h');
    await store.set(id, sessionOf({}, { maxAge: 30 * 24 * 60 * MINUTE }));
    expect(manager.getSessionByKey(id)?.expiresAt?.getTime()).toBe(end);
    clock.advance('1h');
    expect(await store.get(id)).toBeUndefined();
  });
});

describe('touch', () => {
  test('keeps the session for as long again, sends nothing and leaves the data as they are', async () => {
    await store.set(id, sessionOf({ n: 1 }, { maxAge: 10 * MINUTE }));
    const { version } = manager.getSessionByKey(id) ?? {};
    const { count } = (await manager.stats()).calls;
    for (let n = 0; n < 5; n++) {
      clock.advance('6m');
      await store.touch(id, sessionOf({ n: 'never written' }, { maxAge: 10 * MINUTE }));
      expect((await store.get(id))?.cookie.expires).toEqual(new Date(clock.now() + 10 * MINUTE));
    }
    expect([await dataOf(), manager.getSessionByKey(id)?.version]).toEqual([{ n: 1 }, version]);
    // The two calls for figures themselves.
    expect((await manager.stats()).calls.count - count).toBe(1);
    clock.advance('10m');
    expect(await store.get(id)).toBeUndefined();
    await store.touch(id, sessionOf({}));
    expect(await store.get(id)).toBeUndefined();
  });

  test('gives the session the timeout that its cookie asks for by now', async () => {
    await store.set(id, sessionOf({ n: 1 }, { maxAge: 10 * MINUTE }));
    await store.touch(id, sessionOf({}, { maxAge: 50 * MINUTE }));
    clock.advance('49m');
    expect(await dataOf()).toEqual({ n: 1 });
  });

  test('get is no touch', async () => {
    await store.set(id, sessionOf({}, { maxAge: 10 * MINUTE }));
    clock.advance('6m');
    await store.get(id);
    clock.advance('4m');
    expect(await store.get(id)).toBeUndefined();
  });
});

describe('a session that has ended', () => {
  const ends = {
    destroyed: () => store.destroy(id),
    closed: () => manager.getSessionByKey(id)?.close(),
    'closed with all others': () => manager.closeAllSessions(),
    terminated: () => manager.sessionTerminating(manager.getSessionByKey(id)?.id as never),
    'past its time': () => clock.advance('30m'),
    cleared: () => store.clear(),
  };

  test.each(Object.entries(ends))('is not revived when %s', async (_, end) => {
    await store.set(id, sessionOf({ n: 1 }));
    const late = await store.get(id);
    await end();
    await store.touch(id, late as StoredSession);
    await store.set(id, late as StoredSession);
    expect(await store.get(id)).toBeUndefined();
    await manager.sweep();
    await store.set(id, late as StoredSession);
    expect(await store.get(id)).toBeUndefined();
  });

  test('is not revived by a set that was sent before the destroy and one that is sent after it', async () => {
    const done = [store.set(id, sessionOf({})), store.destroy(id), store.set(id, sessionOf({}))];
    await Promise.all(done);
    expect(await store.get(id)).toBeUndefined();
  });
});

test('a user’s sessions are counted and closed as that user’s', async () => {
  const ours = new CoatcheckStore({ manager, userId: ({ user }) => user as string | undefined });
  for (const n of [1, 2]) await ours.set(`${id} ${n}`, sessionOf({ user: 'cleo' }));
  await ours.set(`${id} 3`, sessionOf({}));
  expect(await manager.closeAllSessions({ userId: 'cleo' })).toBe(2);
  expect([await ours.get(`${id} 1`), (await ours.get(`${id} 3`))?.cookie.path]).toEqual([undefined, '/']);
});

test('options are checked', () => {
  for (const wrong of [undefined, {}, { manager: {} }, { manager, prefix: 'x' }, { manager, userId: 'x' }]) {
    expect(() => new CoatcheckStore(wrong as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }));
  }
});
