/** How a session over HTTP begins, and changes hands: a part of the adapters' contract. */

import { describe, expect, test } from 'vitest';
import type { SessionId } from '../../dist/src/index.js';
import { gate, type Routes, type Setting } from './contract.js';
import { Browser } from './sites.js';

/** A site that is enough for most. */
export const everyday: Routes = {
  '/': ({ session }) => ({ body: JSON.stringify([session.userId ?? null, session.data]) }),
  '/untouched': () => ({ body: 'nothing was looked at' }),
  '/set': async ({ session, query }) => {
    await session.set(Object.fromEntries(query));
  },
  '/login': async ({ session, query }) => {
    await session.login(query.get('as') ?? 'ada');
    return { body: String(session.id) };
  },
  '/logout': async ({ session }) => {
    await session.logout();
  },
  '/rotate': async ({ session }) => {
    await session.rotate();
  },
  '/id': ({ session }) => ({ body: String(session.id) }),
};

export const setCookies = ({ headers }: { headers: Headers }): string[] => headers.getSetCookie();

export function lifeContract({ browse, callsDuring, live, manager, start }: Setting): void {
  describe('beginning', () => {
    test('an anonymous visitor costs nothing: no session, no message, no cookie', async () => {
      const visitor = (await browse(everyday))();
      const sessions = await live();
      const calls = await callsDuring(async () => {
        const answer = await visitor.visit('/');
        expect([answer.status, answer.body, setCookies(answer)]).toEqual([200, '[null,{}]', []]);
        expect(setCookies(await visitor.visit('/logout'))).toHaveLength(1);
        await visitor.visit('/rotate');
      });
      expect([calls, await live()]).toEqual([0, sessions]);
    });

    test('what takes away where there is nothing begins nothing', async () => {
      const visitor = (
        await browse({
          '/': async ({ session }) => {
            await session.set({ a: undefined });
            await session.set({});
            return {
              body: JSON.stringify([await session.take('a'), await session.closeOthers(), await session.listOthers()]),
            };
          },
        })
      )();
      const calls = await callsDuring(async () => {
        expect((await visitor.visit('/')).body).toBe('[null,0,[]]');
      });
      expect(calls).toBe(0);
    });

    test('the first change begins the session, and its cookie comes with the answer', async () => {
      const visitor = (await browse(everyday))();
      const answer = await visitor.visit('/set?hat=felt');
      expect(setCookies(answer)).toEqual([
        expect.stringMatching(/^id=[\w-]{43}; Max-Age=1800; Path=\/; HttpOnly; SameSite=Lax$/),
      ]);
      expect((await visitor.visit('/')).body).toBe('[null,{"hat":"felt"}]');
    });

    test('changes that nobody waits for are done before the answer is there, and begin one session together', async () => {
      const visitor = (
        await browse({
          ...everyday,
          '/hasty': ({ session }) => {
            void session.set({ a: 1 });
            void session.update((data) => ({ ...data, b: 2 }));
            void session.set({ c: 3 });
            return { status: 303, headers: { Location: '/' } };
          },
        })
      )();
      const sessions = await live();
      for (let round = 0; round < 5; round++) {
        expect((await visitor.visit('/hasty')).status).toBe(303);
        expect((await visitor.visit('/')).body).toMatch(/^\[null,{"a":1,("b":2,"c":3|"c":3,"b":2)}\]$/);
        expect(await live()).toBe(sessions + 1);
      }
    });

    test('a handler that changes nothing sends no message and no cookie', async () => {
      const visitor = (await browse(everyday))();
      await visitor.visit('/set?hat=felt');
      const calls = await callsDuring(async () => {
        for (let i = 0; i < 20; i++) {
          const answer = await visitor.visit(i % 2 === 0 ? '/' : '/untouched');
          expect([answer.status, setCookies(answer)]).toEqual([200, []]);
        }
      });
      expect(calls).toBe(0);
    });

    test('two requests of one browser that set different keys both succeed', async () => {
      const visitor = (await browse(everyday))();
      await visitor.visit('/set?a=0');
      await Promise.all(Array.from({ length: 10 }, (_, i) => visitor.visit(`/set?key${i}=${i}`)));
      const [, data] = JSON.parse((await visitor.visit('/')).body);
      expect(Object.keys(data)).toHaveLength(11);
    });

    test('of several requests that take a key one gets it', async () => {
      const visitor = (
        await browse({ ...everyday, '/take': async ({ session }) => ({ body: String(await session.take('once')) }) })
      )();
      await visitor.visit('/set?once=gold');
      const taken = await Promise.all(Array.from({ length: 8 }, async () => (await visitor.visit('/take')).body));
      expect(taken.filter((body) => body === 'gold')).toHaveLength(1);
    });
  });

  describe('login and logout', () => {
    test('S-01 login makes a new session under a new token, and the one before it opens nothing', async () => {
      const running = await start(everyday);
      const visitor = new Browser(running);
      await visitor.visit('/set?hat=felt');
      const attacker = new Browser(running);
      for (const [name, value] of visitor.cookies) attacker.cookies.set(name, value);
      const before = (await visitor.visit('/id')).body;
      const { body: id } = await visitor.visit('/login');
      expect(id).not.toBe(before);
      expect(visitor.cookie).not.toBe(attacker.cookie);
      expect((await visitor.visit('/')).body).toBe('["ada",{"hat":"felt"}]');
      expect((await attacker.visit('/')).body).toBe('[null,{}]');
      expect(manager().getSessionById(before as SessionId)).toBeUndefined();
    });

    test('S-01 two that log in with one planted cookie at the same time get nothing of one another', async () => {
      const running = await start({
        ...everyday,
        '/login': async ({ session, query }) => {
          const user = query.get('as') ?? '';
          await session.login(user, { secret: `of ${user}` });
        },
      });
      for (let round = 0; round < 20; round++) {
        const planted = new Browser(running);
        await planted.visit('/set?a=1');
        const [ada, eve] = [new Browser(running), new Browser(running)];
        for (const each of [ada, eve]) each.cookies.set('id', planted.cookies.get('id') ?? '');
        await Promise.all([ada.visit('/login?as=ada'), eve.visit('/login?as=eve')]);
        expect(JSON.parse((await ada.visit('/')).body)).toEqual(['ada', expect.objectContaining({ secret: 'of ada' })]);
        expect(JSON.parse((await eve.visit('/')).body)).toEqual(['eve', expect.objectContaining({ secret: 'of eve' })]);
        expect((await planted.visit('/')).body).toBe('[null,{}]');
      }
    });

    test('S-02 a token that the client made up, or that has ended, is never taken on', async () => {
      const visitor = (await browse(everyday))();
      await visitor.visit('/login');
      const ended = visitor.cookies.get('id') ?? '';
      await visitor.visit('/logout');
      for (const presented of [ended, 'x'.repeat(43), 'A'.repeat(43), '0']) {
        visitor.cookies.set('id', presented);
        expect((await visitor.visit('/')).body).toBe('[null,{}]');
        await visitor.visit('/login');
        expect(visitor.cookies.get('id')).toMatch(/^[\w-]{43}$/);
        expect(visitor.cookies.get('id')).not.toBe(presented);
      }
    });

    test('S-07 who logs in after another user has another id, and finds nothing of theirs', async () => {
      const visitor = (await browse(everyday))();
      await visitor.visit('/login?as=ada');
      await visitor.visit('/set?letter=private');
      const ada = (await visitor.visit('/id')).body;
      await visitor.visit('/login?as=bob');
      expect((await visitor.visit('/')).body).toBe('["bob",{}]');
      expect((await visitor.visit('/id')).body).not.toBe(ada);
      expect(manager().getSessionById(ada as SessionId)).toBeUndefined();
    });

    test('whoever logs in again keeps the session, under a new token', async () => {
      const visitor = (await browse(everyday))();
      await visitor.visit('/login?as=ada');
      await visitor.visit('/set?letter=private');
      const before = [visitor.cookie, (await visitor.visit('/id')).body];
      await visitor.visit('/login?as=ada');
      expect((await visitor.visit('/')).body).toBe('["ada",{"letter":"private"}]');
      expect((await visitor.visit('/id')).body).toBe(before[1]);
      expect(visitor.cookie).not.toBe(before[0]);
    });

    test('a login that is sent twice at once leaves the browser logged in', async () => {
      let both = gate();
      let come = 0;
      const visitor = (
        await browse({
          ...everyday,
          '/twice': async ({ session }) => {
            if (++come % 2 === 0) both.open();
            await both.opened;
            await session.login('ada');
          },
        })
      )();
      await visitor.visit('/login?as=ada');
      await visitor.visit('/set?letter=private');
      for (let round = 0; round < 10; round++) {
        both = gate();
        const answers = await Promise.all([visitor.visit('/twice'), visitor.visit('/twice')]);
        expect(answers.map(({ status }) => status)).toEqual([200, 200]);
        expect((await visitor.visit('/')).body).toBe('["ada",{"letter":"private"}]');
      }
    });

    test('a login that is refused leaves everything as it was', async () => {
      const visitor = (
        await browse({
          ...everyday,
          '/wrong': ({ session }) =>
            session.login('').then(
              () => ({ body: 'in' }),
              (error: { code: string }) => ({ body: error.code }),
            ),
        })
      )();
      await visitor.visit('/set?hat=felt');
      const sessions = await live();
      expect((await visitor.visit('/wrong')).body).toBe('ERR_INVALID_OPTION');
      expect((await visitor.visit('/')).body).toBe('[null,{"hat":"felt"}]');
      expect(await live()).toBe(sessions);
    });

    test('logout ends the session, and the browser forgets its cookie', async () => {
      const visitor = (await browse(everyday))();
      await visitor.visit('/login');
      const cookie = visitor.cookies.get('id');
      const answer = await visitor.visit('/logout');
      expect(setCookies(answer)).toEqual(['id=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax']);
      expect(visitor.cookie).toBe('');
      expect(manager().getSession(cookie)).toBeUndefined();
      expect((await visitor.visit('/')).body).toBe('[null,{}]');
    });

    test('Clear-Site-Data is sent if it is asked for', async () => {
      const visitor = (
        await browse({
          '/all': ({ session }) => session.logout({ clearSiteData: true }),
          '/some': ({ session }) => session.logout({ clearSiteData: ['cache'] }),
          '/none': ({ session }) => session.logout(),
          '/wrong': ({ session }) =>
            session.logout({ clearSiteData: ['cash\r\nX: y'] as never }).catch(({ code }) => ({ body: code })) as never,
        })
      )();
      const sent = async (path: string) => (await visitor.visit(path)).headers.get('clear-site-data');
      expect(await sent('/all')).toBe('"cache", "cookies", "storage"');
      expect(await sent('/some')).toBe('"cache"');
      expect(await sent('/none')).toBeNull();
      expect((await visitor.visit('/wrong')).body).toBe('ERR_INVALID_OPTION');
    });

    test('after logout a request may begin anew', async () => {
      const visitor = (
        await browse({
          ...everyday,
          '/bye': async ({ session }) => {
            void session.logout();
            void session.set({ flash: 'goodbye' });
          },
        })
      )();
      await visitor.visit('/login');
      const before = visitor.cookie;
      expect(setCookies(await visitor.visit('/bye'))).toHaveLength(1);
      expect(visitor.cookie).not.toBe(before);
      expect((await visitor.visit('/')).body).toBe('[null,{"flash":"goodbye"}]');
    });

    test('the sessions of a user are listed and ended, and nobody else’s', async () => {
      const routes: Routes = {
        ...everyday,
        '/others': async ({ session }) => ({ body: JSON.stringify((await session.listOthers()).map(({ id }) => id)) }),
        '/close': async ({ session, query }) => ({ body: String(await session.closeOther(query.get('id'))) }),
        '/close-all': async ({ session }) => ({ body: String(await session.closeOthers()) }),
      };
      const newBrowser = await browse(routes);
      const [one, two, three, other] = [newBrowser(), newBrowser(), newBrowser(), newBrowser()];
      const own = `grace ${Math.random()}`;
      for (const each of [one, two, three]) await each.visit(`/login?as=${own}`);
      await other.visit('/login?as=mallory');
      const idOf = async (browser: Browser) => (await browser.visit('/id')).body;
      expect(JSON.parse((await one.visit('/others')).body).sort()).toEqual([await idOf(two), await idOf(three)].sort());
      for (const id of [await idOf(one), await idOf(other), '', 'x', '__proto__'])
        expect((await one.visit(`/close?id=${id}`)).body).toBe('false');
      expect((await one.visit(`/close?id=${await idOf(two)}`)).body).toBe('true');
      expect((await two.visit('/')).body).toBe('[null,{}]');
      expect((await one.visit('/close-all')).body).toBe('1');
      expect((await three.visit('/')).body).toBe('[null,{}]');
      expect((await one.visit('/')).body).toBe(`["${own}",{}]`);
      expect((await other.visit('/')).body).toBe('["mallory",{}]');
    });
  });
}
