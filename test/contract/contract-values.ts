/**
 * The contract of what is handed in: data and tokens of any kind, whatever becomes of them afterwards. Run by
 * `contract.test.ts` over every host.
 */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anyValue, inherited, isSame } from '../support/any-data.js';
import type { Session } from '../support/internals.js';
import { cookieOf, refusedWith, starting } from './contract.js';
import type { StartHost } from './hosts.js';

/** What a careless caller may take for a text: `text` in every disguise. */
function disguises(text: string): unknown[] {
  const bomb = () => {
    throw new Error('nobody asks what it is as a text');
  };
  return [
    [text],
    { 0: text, length: 1 },
    Object(text),
    { toString: () => text, valueOf: () => text },
    { toString: bomb, valueOf: bomb, [Symbol.toPrimitive]: bomb },
    new Proxy({}, { get: bomb, has: bomb, getPrototypeOf: bomb, ownKeys: bomb }),
    new Proxy(Object(text), {}),
    Buffer.from(text),
    new TextEncoder().encode(text),
    Symbol(text),
    () => text,
    new Map([[text, text]]),
    42,
    42n,
    Number.NaN,
    true,
    null,
    undefined,
    new Date(0),
  ];
}

export function valueContract(where: string, startHost: StartHost): void {
  const start = starting(startHost);

  describe(`what is handed in ${where}`, () => {
    test('only a text opens a session: nothing else is looked at, however much it looks like one', async () => {
      const host = await start();
      const { manager } = host;
      const session = await manager.newSession();
      const keyed = await manager.putSession('a key', { data: {} });
      const before = await manager.stats();
      for (const token of disguises(cookieOf(host, session)) as never[]) {
        expect([manager.getSession(token), manager.getClaim(token)]).toEqual([undefined, undefined]);
        expect(await manager.loadSession(token)).toBeUndefined();
      }
      for (const id of disguises(session.id) as never[]) expect(manager.getSessionById(id)).toBeUndefined();
      for (const key of disguises('a key') as never[]) {
        expect(manager.getSessionByKey(key)).toBeUndefined();
        await expect(manager.closeSessionByKey(key)).rejects.toEqual(refusedWith('ERR_INVALID_OPTION'));
      }
      expect([session.alive, keyed.alive]).toEqual([true, true]);
      expect((await manager.stats()).created).toBe(before.created);
    });

    test('data is stored as it was when the call was made, whatever its owner does with it then', async () => {
      const { manager } = await start();
      const fresh = () => ({ list: [1], deep: { n: 1 }, map: new Map([['k', [1]]]), raw: new Uint8Array([1]) });
      const spoil = (data: ReturnType<typeof fresh>) => {
        data.list.push(2);
        data.deep.n = 2;
        data.map.get('k')?.push(2);
        data.raw[0] = 2;
        Object.assign(data, { more: true });
      };
      const given = Array.from({ length: 5 }, fresh);
      const session = await manager.newSession();
      const calls = [
        manager.newSession({ data: given[0] as object as never }),
        session.set(given[1] as object as never).then(() => session),
        session.replace(given[2] as object as never).then(() => session),
        session.login('ann', given[3] as object as never).then(() => session),
        manager.putSession('snapshot', { data: given[4] as object as never }),
      ];
      for (const data of given) spoil(data);
      for (const call of calls) expect((await call).data).toEqual(fresh());
    });

    test('what is handed in is left as it was, and may be frozen', async () => {
      const { manager } = await start();
      const freeze = <T>(value: T): T => {
        if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
          Object.freeze(value);
          for (const each of Object.values(value)) freeze(each);
        }
        return value;
      };
      const fresh = () => ({
        a: [1, { b: 'x' }],
        map: new Map([[{ k: 1 }, [2]]]),
        raw: Buffer.from('x'),
        at: new Date(5),
      });
      const session = await manager.newSession({ data: freeze(fresh()) });
      const patch = freeze(fresh());
      await session.set(patch);
      await session.login('ann', patch);
      await session.update((data) => freeze({ ...data, ...patch }));
      expect(patch).toEqual(fresh());
      expect(session.data).toEqual(fresh());
    });

    test('names that objects have of themselves are keys like any other, and __proto__ is refused, by every way in', async () => {
      const { manager } = await start();
      const before = inherited();
      const own = { constructor: 1, prototype: { constructor: 2 }, toString: 'x', hasOwnProperty: [3] };
      const hostile = JSON.parse('{ "__proto__": { "polluted": true } }');
      const ways: ((session: Session, data: never) => Promise<unknown>)[] = [
        (session, data) => session.set(data),
        (session, data) => session.set({ deep: [data] }),
        (session, data) => session.replace(data),
        (session, data) => session.update(() => data),
        (session, data) => session.login('ann', data),
        (_, data) => manager.newSession({ data }),
        (_, data) => manager.putSession('hostile', { data }),
      ];
      for (const way of ways) {
        const session = await manager.newSession();
        await expect(way(session, hostile as never)).rejects.toEqual(refusedWith('ERR_INVALID_DATA'));
        expect([session.data, session.userId, session.version]).toEqual([{}, undefined, 0]);
        await way(session, own as never);
      }
      expect(manager.getSessionByKey('hostile')?.data).toEqual(own);
      const session = await manager.newSession({ data: own });
      expect(await session.take('__proto__')).toBeUndefined();
      expect(await session.take('valueOf')).toBeUndefined();
      expect(await session.take('toString')).toBe('x');
      expect(Object.keys(session.data)).toEqual(['constructor', 'prototype', 'hasOwnProperty']);
      for (const user of ['__proto__', 'constructor', 'toString']) {
        await (await manager.newSession()).login(user);
        expect(await manager.closeAllSessions({ userId: user })).toBe(1);
      }
      expect([inherited(), Reflect.get({}, 'polluted')]).toEqual([before, undefined]);
    });

    test('a value that is read from memory and one that comes in an answer are the same', async () => {
      const { manager } = await start({ maxSessionBytes: 2 ** 20 });
      const session = await manager.newSession();
      await fc.assert(
        fc.asyncProperty(anyValue, async (value) => {
          await session.set({ value });
          const { value: read } = session.data;
          const taken = await session.take('value');
          expect([isSame(read, value), isSame(taken, value), isSame(taken, read)]).toEqual([true, true, true]);
        }),
        { numRuns: 100 },
      );
    });
  });
}
