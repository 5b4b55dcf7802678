/**
 * Cookies that are more than the token: signed ones, and JWTs, of which some differ each time they are made. A part of
 * the adapters' contract.
 */

import { describe, expect, test } from 'vitest';
import type { CookieOptions, ManagerOptions } from '../../dist/src/index.js';
import { createCookieFormat, resolveCookieOptions } from '../support/internals.js';
import { pairFor } from '../support/jwt.js';
import { gate, MINUTE, type Routes, type Setting } from './contract.js';
import { everyday, setCookies } from './contract-life.js';
import { Browser } from './sites.js';

type Keys = NonNullable<CookieOptions['keys']>;

const jwt = (algorithm: NonNullable<CookieOptions['algorithm']>) => ({
  name: `a JWT by ${algorithm}`,
  keys: ['a', 'b'].map((letter) => pairFor(algorithm, letter).signs),
  cookie: (keys: Keys): CookieOptions => ({ secure: false, format: 'jwt', algorithm, keys }),
});

const formats = [
  {
    name: 'a signed cookie',
    keys: ['a'.repeat(32), 'b'.repeat(32)],
    cookie: (keys: Keys): CookieOptions => ({ secure: false, format: 'signed', keys }),
  },
  jwt('EdDSA'),
  jwt('ES256'),
];

export function formatContract({ clock, start, shareManager, startManager }: Setting): void {
  describe.each(formats)('$name', ({ keys, cookie }) => {
    const [key = '', nextKey = ''] = keys;
    const routes: Routes = {
      ...everyday,
      '/form': async ({ session }) => ({ body: await session.csrfToken() }),
      '/others': async ({ session }) => ({ body: String(await session.closeOthers()) }),
      '/change': ({ session }) => session.checkCsrf(),
    };
    /** Of all tests that ask for no other. */
    const shared = shareManager({ cookie: cookie([key]) });
    const begin = async (more?: ManagerOptions) => {
      const manager = more === undefined ? shared() : await startManager({ cookie: cookie([key]), ...more });
      const running = await start(routes, {}, manager);
      return { manager, running, visitor: new Browser(running) };
    };

    test('is sent when the token changes, and by no other answer', async () => {
      const { visitor } = await begin();
      for (const path of ['/set?a=1', '/login', '/rotate', '/login']) {
        const before = visitor.cookie;
        expect(setCookies(await visitor.visit(path))).toHaveLength(1);
        expect(visitor.cookie).not.toBe(before);
        for (const read of ['/', '/untouched', '/form', '/set?b=2'])
          expect([read, setCookies(await visitor.visit(read))]).toEqual([read, []]);
      }
      expect((await visitor.visit('/')).body).toBe('["ada",{"a":"1","b":"2"}]');
    });

    test('is renewed as it rolls, and opens the same session', async () => {
      const { visitor } = await begin({ idleTimeout: '30m' });
      await visitor.visit('/login');
      let renewals = 0;
      for (let minute = 0; minute < 40; minute++) {
        clock.advance(MINUTE);
        renewals += setCookies(await visitor.visit('/')).length;
        expect(setCookies(await visitor.visit('/'))).toEqual([]);
      }
      expect(renewals).toBeGreaterThan(8);
      expect(renewals).toBeLessThan(15);
      expect((await visitor.visit('/')).body).toBe('["ada",{}]');
    });

    test('a token against forgery is good for as long as the session’s token is', async () => {
      const { running, visitor } = await begin();
      const post = async (browser: Browser, token: string) =>
        (await browser.visit('/change', { method: 'POST', headers: { 'x-csrf-token': token } })).status;
      const first = (await visitor.visit('/form')).body;
      const second = (await visitor.visit('/form')).body;
      for (const token of [first, second, first]) expect(await post(visitor, token)).toBe(200);
      clock.advance(10 * MINUTE);
      expect(setCookies(await visitor.visit('/'))).toHaveLength(1);
      for (const token of [first, second]) expect(await post(visitor, token)).toBe(200);
      const other = new Browser(running);
      await other.visit('/login');
      expect(await post(other, first)).toBe(403);
      await visitor.visit('/login');
      expect(await post(visitor, first)).toBe(403);
    });

    test('of a token that is renewed mid-session is sent to all who ask at once, and each opens it', async () => {
      const { manager, running, visitor } = await begin({ rotation: { every: '15m', grace: '1m' }, idleTimeout: '1h' });
      await visitor.visit('/login');
      const old = visitor.cookie;
      clock.advance(15 * MINUTE);
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => running.ask('/', { headers: { cookie: old } })),
      );
      clock.advance(MINUTE);
      for (const answer of answers) {
        const [set = ''] = setCookies(answer);
        const value = set.slice(3, set.indexOf(';'));
        expect(manager.getSession(value)?.userId).toBe('ada');
        expect(setCookies(await running.ask('/', { headers: { cookie: `id=${value}` } }))).toEqual([]);
      }
      expect((await running.ask('/', { headers: { cookie: old } })).body).toBe('[null,{}]');
    });

    test('S-04 of a login that came meanwhile is told to no request from before', async () => {
      const [began, goOn] = [gate(), gate()];
      const running = await start(
        {
          ...everyday,
          '/slow': async () => {
            began.open();
            await goOn.opened;
            return {};
          },
        },
        {},
        shared(),
      );
      const visitor = new Browser(running);
      await visitor.visit('/login');
      const answer = running.ask('/slow', { headers: { cookie: visitor.cookie } });
      await began.opened;
      await visitor.visit('/login');
      goOn.open();
      expect(setCookies(await answer)).toEqual([]);
      expect((await visitor.visit('/')).body).toBe('["ada",{}]');
    });

    test('that was signed with a key which does not sign any more is sent anew, once', async () => {
      const { visitor } = await begin({ cookie: cookie([nextKey, key]) });
      await visitor.visit('/login');
      const formatOf = (by: string) => createCookieFormat(resolveCookieOptions(cookie([by])));
      const token = formatOf(nextKey).tokenOf(visitor.cookies.get('id') ?? '', clock.now()) ?? '';
      const times = { issuedAt: clock.now(), endsAt: clock.now() + 60 * MINUTE };
      visitor.cookies.set('id', formatOf(key).valueOf(token, times));
      const sent: number[] = [];
      for (let i = 0; i < 3; i++) {
        const answer = await visitor.visit('/');
        expect(answer.body).toBe('["ada",{}]');
        sent.push(setCookies(answer).length);
      }
      expect(sent).toEqual([1, 0, 0]);
      expect(formatOf(nextKey).tokenOf(visitor.cookies.get('id') ?? '', clock.now())).toBe(token);
    });

    test('S-10 opens nothing when it is forged', async () => {
      const { manager, running, visitor } = await begin();
      await visitor.visit('/login');
      const value = visitor.cookies.get('id') ?? '';
      const forgeries = [`${value.slice(0, -1)}!`, `${value}A`, value.slice(1), value.toUpperCase()];
      for (const forged of forgeries) {
        visitor.cookies.set('id', forged);
        const answer = await visitor.visit('/logout');
        expect(answer.status).toBe(200);
      }
      // Several at once are no better, nor is one that could be anybody's beside another's.
      const eve = new Browser(running);
      await eve.visit('/login?as=eve');
      for (const cookie of [
        forgeries.map((forged) => `id=${forged}`).join('; '),
        `${eve.cookie}; id=${value}`,
        `id=${value}; ${eve.cookie}`,
      ])
        for (const path of ['/logout', '/others'])
          expect((await running.ask(path, { headers: { cookie } })).status).toBe(200);
      expect(manager.getSession(eve.cookies.get('id'))?.userId).toBe('eve');
      visitor.cookies.set('id', value);
      expect((await visitor.visit('/')).body).toBe('["ada",{}]');
    });
  });
}
