/**
 * What comes in the Cookie header, and what goes out in Set-Cookie and the headers that caches heed: a part of the
 * adapters' contract.
 */

import { describe, expect, test } from 'vitest';
import type { ManagerOptions } from '../../dist/src/index.js';
import { MINUTE, type Setting } from './contract.js';
import { everyday, setCookies } from './contract-life.js';
import { Browser } from './sites.js';

export function cookieContract({
  browse,
  callsDuring,
  clock,
  live,
  manager,
  site,
  start,
  startManager,
}: Setting): void {
  describe('the Cookie header', () => {
    test('S-31 the name is compared byte for byte', async () => {
      const running = await start(everyday);
      const visitor = new Browser(running);
      await visitor.visit('/login');
      const value = visitor.cookies.get('id');
      const asked = async (cookie: string) => (await running.ask('/', { headers: { cookie } })).body === '["ada",{}]';
      for (const cookie of [
        `id=${value}`,
        `a=b; id=${value}`,
        `id=${value};a=b`,
        ` \tid\t =\t ${value} `,
        `=x; id=${value}`,
        `x; id=${value}; y`,
        `__proto__=1; constructor=2; hasOwnProperty=3; id=${value}; toString=4`,
        `${Array.from({ length: 180 }, (_, i) => `c${i}=v`).join('; ')}; id=${value}`,
      ])
        expect([cookie, await asked(cookie)]).toEqual([cookie, true]);
      for (const cookie of [
        `ID=${value}`,
        `__Host-id=${value}`,
        `__Secure-id=${value}`,
        `%69d=${value}`,
        `$Version=1; $id=${value}`,
        `=id=${value}`,
        `id =x=${value}`,
        `"id"=${value}`,
        `id="${value}"`,
        `xid=${value}`,
        `\u00a0id=${value}`,
        `id`,
        `id==${value}`,
        `a="; id=${value}"`,
        `id=${value}, a=b`,
      ])
        expect([cookie, await asked(cookie)]).toEqual([cookie, false]);
    });

    test('S-32 of several cookies of the name exactly one may open a session', async () => {
      const running = await start(everyday);
      const [ada, eve] = [new Browser(running), new Browser(running)];
      await ada.visit('/login?as=ada');
      await eve.visit('/login?as=eve');
      const [a, e] = [ada.cookies.get('id'), eve.cookies.get('id')];
      const asked = async (cookie: string) => (await running.ask('/', { headers: { cookie } })).body;
      const stale = 'x'.repeat(43);
      for (const cookie of [`id=${stale}; id=${a}`, `id=${a}; id=${stale}`, `id=${a}; id=${a}`, `id=; id=${a}; id=y`])
        expect(await asked(cookie)).toBe('["ada",{}]');
      for (const cookie of [`id=${a}; id=${e}`, `id=${e}; id=${a}`, `id=${stale}; id=${e}; id=${a}`])
        expect(await asked(cookie)).toBe('[null,{}]');
      const many = Array.from({ length: 100 }, (_, i) => `id=${i}`).join('; ');
      expect(await asked(`${many}; id=${a}`)).toBe('[null,{}]');
      // An ambiguous visitor who logs in is somebody again.
      const answer = await running.ask('/login?as=bob', { headers: { cookie: `id=${a}; id=${e}` } });
      expect(setCookies(answer)).toHaveLength(1);
    });

    test('S-35 whatever a client sends, the answer is no error, and nothing is created', async () => {
      const running = await start(everyday);
      const sessions = await live();
      const strange = [
        `id=${'x'.repeat(8000)}`,
        'id=\u00ff\u00fe',
        'id=%00%0d%0a',
        `id=${'\u00e9'.repeat(43)}`,
        `id=${'A'.repeat(42)}=`,
        ';;;===;;;id',
        'id=;id=;id=',
        'id=__proto__',
        '$Path=/; id=constructor',
      ];
      const calls = await callsDuring(async () => {
        for (const cookie of strange) {
          const answer = await running.ask('/', { headers: { cookie } });
          expect([cookie, answer.status, answer.body, setCookies(answer)]).toEqual([cookie, 200, '[null,{}]', []]);
        }
        // What Node's parser refuses, others may hand on.
        if (site.name.startsWith('hono')) return;
        for (const cookie of ['id=\0', 'id=a\r\nSet-Cookie: x=y', 'id=\ud83d'.repeat(20), 'id=\u2000'])
          expect((await running.inject('/', { headers: { cookie } })).status).toBe(200);
      });
      expect([calls, await live()]).toEqual([0, sessions]);
    });

    test('S-49 unknown cookies create nothing', async () => {
      const running = await start(everyday);
      const sessions = await live();
      const calls = await callsDuring(async () => {
        for (let i = 0; i < 1000; i++) {
          const cookie = `id=${Buffer.alloc(32, `${i}`).toString('base64url')}`;
          const answer = await running.inject('/', { headers: { cookie } });
          expect([answer.status, answer.body, setCookies(answer)]).toEqual([200, '[null,{}]', []]);
        }
      });
      expect([calls, await live()]).toEqual([0, sessions]);
    });

    test('S-33 names that objects have of themselves are names like any other', async () => {
      const visitor = (
        await browse({
          ...everyday,
          '/own': async ({ session, query }) => {
            await session.set(JSON.parse(query.get('json') ?? '{}'));
          },
        })
      )();
      for (const name of ['constructor', 'prototype', 'toString', 'hasOwnProperty'])
        expect((await visitor.visit(`/own?json=${encodeURIComponent(`{"${name}":"x"}`)}`)).status).toBe(200);
      expect((await visitor.visit('/')).body).toBe(
        '[null,{"constructor":"x","prototype":"x","toString":"x","hasOwnProperty":"x"}]',
      );
      for (const name of ['__proto__', 'constructor', 'toString']) {
        await visitor.visit(`/login?as=${name}`);
        expect(JSON.parse((await visitor.visit('/')).body)[0]).toBe(name);
      }
      expect(Reflect.get({}, 'x')).toBeUndefined();
    });
  });

  describe('the Set-Cookie header', () => {
    test('S-05 a rolling cookie is renewed once in a tenth of its age, and never beyond the absolute timeout', async () => {
      const own = await startManager({ idleTimeout: '30m', absoluteTimeout: '2h' });
      const visitor = new Browser(await start(everyday, {}, own));
      await visitor.visit('/login');
      const began = clock.now();
      const renewals: number[] = [];
      for (let minute = 0; minute < 119; minute++) {
        clock.advance(MINUTE);
        for (let again = 0; again < 3; again++) {
          const answer = await visitor.visit('/');
          expect(answer.body).toBe('["ada",{}]');
          const age = /Max-Age=(\d+)/.exec(setCookies(answer)[0] ?? '')?.[1];
          if (age === undefined) continue;
          renewals.push(clock.now());
          expect(clock.now() + Number(age) * 1000).toBeLessThanOrEqual(began + 120 * MINUTE);
        }
      }
      expect(renewals.length).toBeGreaterThan(25);
      for (const [i, at] of renewals.entries()) expect(at - (renewals[i - 1] ?? 0)).toBeGreaterThanOrEqual(3 * MINUTE);
      clock.advance(MINUTE);
      expect((await visitor.visit('/')).body).toBe('[null,{}]');
    });

    test('one that is due is sent with an answer that never looked at the session, too, and with no other such answer', async () => {
      const own = await startManager({ idleTimeout: '30m', absoluteTimeout: '2h' });
      const visitor = new Browser(await start(everyday, {}, own));
      await visitor.visit('/login');
      for (const isDue of [false, true, false]) {
        if (isDue) clock.advance(4 * MINUTE);
        const answer = await visitor.visit('/untouched');
        expect([answer.body, setCookies(answer).length]).toEqual(['nothing was looked at', isDue ? 1 : 0]);
        expect([answer.headers.get('vary'), answer.headers.get('cache-control')]).toEqual(
          isDue ? ['Cookie', 'no-store'] : [null, null],
        );
      }
    });

    test.each([
      ...[true, false].flatMap((persistent) =>
        [
          { idleTimeout: '30m', absoluteTimeout: '2h' },
          { idleTimeout: '3h', absoluteTimeout: '2h' },
          { idleTimeout: false, absoluteTimeout: '2h' },
          { idleTimeout: '30m', absoluteTimeout: false },
        ].map((timeouts) => ({ ...timeouts, cookie: { secure: false, persistent } }) as ManagerOptions),
      ),
    ])('no cookie ends sooner than its session would if it were not used again, nor later: %j', async (options) => {
      const own = await startManager(options);
      const visitor = new Browser(await start(everyday, {}, own));
      let began = clock.now();
      let ends = Number.NaN;
      const visit = async (path: string) => {
        const [set] = setCookies(await visitor.visit(path));
        if (set === undefined) return;
        const session = own.getSession(visitor.cookies.get('id'), { touch: false });
        const age = /Max-Age=(\d+)/.exec(set)?.[1];
        expect([age !== undefined, /Expires/i.test(set)]).toEqual([options.cookie?.persistent === true, false]);
        ends = clock.now() + Number(age) * 1000;
        if (age !== undefined) expect(ends).toBe(session?.expiresAt?.getTime());
        if (options.absoluteTimeout !== false)
          expect(session?.expiresAt?.getTime()).toBeLessThanOrEqual(began + 120 * MINUTE);
      };
      await visit('/set?a=1');
      for (const path of ['/', '/rotate', '/set?b=2', '/', '/login', '/', '/rotate', '/', '/login', '/']) {
        clock.advance(9 * MINUTE);
        // A login begins both timeouts anew.
        if (path === '/login') began = clock.now();
        await visit(path);
        if (options.cookie?.persistent === true) expect(ends).toBeGreaterThan(clock.now());
      }
      expect((await visitor.visit('/')).body).toBe('["ada",{"a":"1","b":"2"}]');
      clock.set(began + 120 * MINUTE);
      if (options.absoluteTimeout !== false) expect((await visitor.visit('/')).body).toBe('[null,{}]');
    });

    test.each([
      [{ idleTimeout: false as const }, 'a session that only ends by its age'],
      [{ cookie: { secure: false, persistent: false } }, 'a cookie that ends with the browser'],
    ])('%j is never renewed: %s', async (options) => {
      const own = await startManager(options);
      const visitor = new Browser(await start(everyday, {}, own));
      await visitor.visit('/login');
      for (let i = 0; i < 10; i++) {
        clock.advance(20 * MINUTE);
        expect(setCookies(await visitor.visit('/'))).toEqual([]);
      }
    });

    test('after a rotation, whoever comes with the old token is given the same new one', async () => {
      const running = await start(everyday);
      const visitor = new Browser(running);
      await visitor.visit('/login');
      const old = visitor.cookie;
      await visitor.visit('/rotate');
      const fresh = visitor.cookie;
      expect(fresh).not.toBe(old);
      const late = new Browser(running);
      late.cookies.set('id', old.slice(3));
      expect((await late.visit('/')).body).toBe('["ada",{}]');
      expect(late.cookie).toBe(fresh);
      clock.advance(11_000);
      late.cookies.set('id', old.slice(3));
      expect((await late.visit('/')).body).toBe('[null,{}]');
    });

    test.each([
      {
        name: '__Secure-x',
        secure: true,
        path: '/a',
        domain: 'example.com',
        sameSite: 'none' as const,
        partitioned: true,
      },
      { name: 'x', secure: false, sameSite: 'strict' as const, persistent: false },
      {},
    ])('S-30 what is sent is the manager’s own cookie, attribute for attribute: %j', async (cookie) => {
      const own = await startManager({ cookie });
      const sent: string[] = [];
      const running = await start(
        {
          '/': async ({ session }) => {
            await session.set({ a: 1 });
            sent.push(own.getCookieData(session.current as never).toString());
          },
          '/logout': async ({ session }) => {
            await session.logout();
            sent.push(own.clearCookieData().toString());
          },
        },
        {},
        own,
      );
      const heard = [...setCookies(await running.ask('/')), ...setCookies(await running.ask('/logout'))];
      expect(heard).toEqual(sent);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
      for (const each of heard) expect(each).not.toMatch(/[\x00-\x1f\x7f]/);
    });

    test('cookies of the application stay as they are', async () => {
      const visitor = (
        await browse({
          '/': async ({ session }) => {
            await session.set({ a: 1 });
            return { headers: { 'Set-Cookie': ['one=1; Path=/', 'two=2'] } };
          },
        })
      )();
      expect(setCookies(await visitor.visit('/'))).toEqual(['one=1; Path=/', 'two=2', expect.stringMatching(/^id=/)]);
    });

    test('a signed cookie opens what it should, and a forged one nothing', async () => {
      const own = await startManager({ cookie: { secure: false, format: 'signed', keys: ['k'.repeat(32)] } });
      const visitor = new Browser(await start(everyday, {}, own));
      await visitor.visit('/login');
      expect((await visitor.visit('/')).body).toBe('["ada",{}]');
      visitor.cookies.set('id', `${visitor.cookies.get('id')?.slice(0, -1)}!`);
      expect((await visitor.visit('/')).body).toBe('[null,{}]');
    });
  });

  describe('S-22 caches', () => {
    test('keep no answer that sets the cookie, and give none to another', async () => {
      const routes = {
        ...everyday,
        '/public': ({ session }: { session: { userId: unknown } }) => ({
          headers: { 'Cache-Control': 'public, max-age=60', Vary: 'Accept-Encoding' },
          body: String(session.userId),
        }),
        '/vary-all': ({ session }: { session: { userId: unknown } }) => ({
          headers: { Vary: '*' },
          body: String(session.userId),
        }),
      };
      const visitor = (await browse(routes))();
      const heard = async (path: string) => {
        const { headers } = await visitor.visit(path);
        return [headers.get('cache-control'), headers.get('vary')];
      };
      expect(await heard('/untouched')).toEqual([null, null]);
      expect(await heard('/')).toEqual([null, 'Cookie']);
      expect(await heard('/login')).toEqual(['no-store', 'Cookie']);
      expect(await heard('/')).toEqual(['private', 'Cookie']);
      expect(await heard('/public')).toEqual(['public, max-age=60', 'Accept-Encoding, Cookie']);
      expect(await heard('/vary-all')).toEqual(['private', '*']);
      expect(await heard('/untouched')).toEqual([null, null]);
      clock.advance(10 * MINUTE);
      expect(await heard('/public')).toEqual(['no-store', 'Accept-Encoding, Cookie']);
      expect(await heard('/logout')).toEqual(['no-store', 'Cookie']);
    });

    test('a shared cache never serves one visitor the answer to another', async () => {
      const running = await start(everyday);
      const stored = new Map<string, { vary: string | null; cookie: string; body: string }[]>();
      const cached = async (browser: Browser, path: string) => {
        const { cookie } = browser;
        const hit = stored.get(path)?.find(({ vary, cookie: of }) => !/cookie/i.test(vary ?? '') || of === cookie);
        if (hit !== undefined) return hit.body;
        const { headers, body } = await browser.visit(path);
        if (!/no-store|private/.test(headers.get('cache-control') ?? '') && setCookies({ headers }).length === 0)
          stored.set(path, [...(stored.get(path) ?? []), { vary: headers.get('vary'), cookie, body }]);
        return body;
      };
      const browsers = ['ada', 'bob', undefined].map((user) => ({ user, browser: new Browser(running) }));
      for (const { user, browser } of browsers) if (user !== undefined) await browser.visit(`/login?as=${user}`);
      for (let round = 0; round < 3; round++)
        for (const { user, browser } of browsers) expect(JSON.parse(await cached(browser, '/'))[0]).toBe(user ?? null);
      expect(manager()).toBeDefined();
    });
  });
}
