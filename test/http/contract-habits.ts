/** What handlers do that are written for express-session: a part of the adapters' contract. */

import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { SessionError } from '../../dist/src/index.js';
import { assign } from '../fixtures/assigns-to-a-session.cjs';
import type { Setting } from './contract.js';
import { everyday, setCookies } from './contract-life.js';
import type { AnySession } from './sites.js';

export function habitContract({ browse }: Setting): void {
  describe('a handler that is written for express-session', () => {
    /** What `use` makes of the session of a visitor who has logged in, and of one who has none. */
    async function told(use: (session: AnySession) => unknown): Promise<unknown[]> {
      const results: unknown[] = [];
      const visitor = (await browse({ ...everyday, '/use': ({ session }) => void results.push(use(session)) }))();
      expect(setCookies(await visitor.visit('/use'))).toEqual([]);
      await visitor.visit('/login');
      await visitor.visit('/use');
      expect((await visitor.visit('/')).body).toBe('["ada",{}]');
      return results;
    }

    test.each([
      ['cart', [1]],
      ['userId', 1],
      ['data', {}],
      ['id', 'x'],
      ['current', undefined],
      ['login', true],
      ['set', {}],
      ['cookie', {}],
      ['toString', 'x'],
      ['__proto__', {}],
      [Symbol('cart'), 1],
    ])('that assigns to `%s` is told of `set`, in sloppy code as well', async (name, value) => {
      for (const error of await told((session) => assign(session, name, value))) {
        expect(error).toBeInstanceOf(SessionError);
        expect(error).toMatchObject({ code: 'ERR_INVALID_OPTION', message: expect.stringContaining('session.set(') });
      }
    });

    test('that assigns to a name of the client’s does not tell it on', async () => {
      const name = 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg';
      for (const error of await told((session) => assign(session, name, 1))) expect(inspect(error)).not.toContain(name);
    });

    test.each(['regenerate', 'save', 'reload', 'destroy'])('that calls `%s` is told of what there is', async (name) => {
      const call = (session: AnySession) => {
        const method = Reflect.get(session, name) as (done: () => void) => void;
        try {
          return method(() => undefined);
        } catch (error) {
          return error;
        }
      };
      for (const error of await told(call)) {
        expect(error).toBeInstanceOf(SessionError);
        expect(error).toMatchObject({ message: expect.stringMatching(/`login\(\)`.*`logout\(\)`/) });
      }
    });

    test('that reads what is not there reads undefined, as do tools that probe', async () => {
      const names = ['cart', 'cookie', 'then', 'toJSON', 'asymmetricMatch', '$$typeof', 'nodeType'];
      const symbols = [Symbol.iterator, Symbol.asyncIterator, Symbol.toStringTag, Symbol.toPrimitive, Symbol('any')];
      const read = (session: AnySession) => [...names, ...symbols].map((name) => Reflect.get(session, name));
      for (const values of await told(read)) expect(new Set(values as unknown[])).toEqual(new Set([undefined]));
      const probe = async (session: AnySession) => [await session, inspect(session), 'cart' in session, { ...session }];
      for (const probed of await Promise.all(await told(probe)))
        expect(probed).toEqual([expect.anything(), expect.stringContaining('SessionOfRequest'), false, {}]);
    });
  });
}
