/** Tokens that are renewed mid-session, as the option `rotation` has it: a part of the adapters' contract. */

import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { type HttpOptions, sessionOf } from '../../dist/src/http/express.js';
import type { ManagerOptions } from '../../dist/src/index.js';
import { gate, type Routes, type Setting } from './contract.js';
import { everyday, setCookies } from './contract-life.js';
import { type Answer, Browser } from './sites.js';

const GRACE = 60_000;
const EVERY = 900_000;

export function rotationContract({ clock, start, startManager }: Setting): void {
  describe('rotation', () => {
    async function begin(more: ManagerOptions = {}, routes: Routes = everyday, options: HttpOptions = {}) {
      // Swept by the tests' own calls alone.
      const sweep = '0 0 0 29 2 *';
      const rotation = { every: EVERY, grace: GRACE };
      const manager = await startManager({ idleTimeout: '1h', rotation, sweep, ...more });
      const running = await start(routes, options, manager);
      const visitor = new Browser(running);
      await visitor.visit('/login', { headers: { 'user-agent': 'one' } });
      const old = visitor.cookie;
      const calls = async () => (await manager.stats()).calls.count;
      const as = (cookie: string, path = '/', asked: { method?: string; headers?: Record<string, string> } = {}) =>
        running.ask(path, { ...asked, headers: { ...asked.headers, cookie } });
      const given = (answer: Answer) => setCookies(answer).map((set) => set.slice(0, set.indexOf(';')));
      return { as, calls, given, manager, old, running, visitor };
    }
    const inside = '["ada",{}]';
    const outside = '[null,{}]';

    test('a token that is not due is left as it is: no message, no cookie', async () => {
      const { calls, old, visitor } = await begin();
      clock.advance(120_000);
      const before = await calls();
      for (let i = 0; i < 5; i++) {
        const answer = await visitor.visit('/');
        expect([answer.body, setCookies(answer)]).toEqual([inside, []]);
      }
      expect([(await calls()) - before, visitor.cookie]).toEqual([1, old]);
    });

    test('a token that is due is renewed by an answer that never looked at the session, too', async () => {
      const { given, old, visitor } = await begin();
      clock.advance(EVERY);
      expect(given(await visitor.visit('/untouched'))).toEqual([visitor.cookie]);
      expect(visitor.cookie).not.toBe(old);
      expect((await visitor.visit('/')).body).toBe(inside);
    });

    test('of many requests at once with a token that is due, one renews it and all are given the same new one', async () => {
      const { as, calls, given, old, visitor } = await begin();
      clock.advance(EVERY);
      const before = await calls();
      const answers = await Promise.all(Array.from({ length: 20 }, () => as(old)));
      expect((await calls()) - before).toBe(2);
      expect(new Set(answers.map(({ body }) => body))).toEqual(new Set([inside]));
      const cookies = new Set(answers.flatMap(given));
      expect(cookies.size).toBe(1);
      for (const answer of answers) {
        expect(given(answer)).toHaveLength(1);
        expect(answer.headers.get('cache-control')).toBe('no-store');
      }
      const [fresh = ''] = cookies;
      expect(fresh).not.toBe(old);
      visitor.keep(answers[0] as Answer);
      const next = await visitor.visit('/');
      expect([next.body, given(next)]).toEqual([inside, []]);
    });

    test('a lost response locks nobody out: within the grace the old token is given the same new one again', async () => {
      const { as, given, old } = await begin();
      clock.advance(EVERY);
      const [fresh] = given(await as(old));
      clock.advance(GRACE - 1);
      const again = await as(old, '/untouched');
      expect([again.status, given(again)]).toEqual([200, [fresh]]);
      clock.advance(1);
      const late = await as(old);
      expect([late.body, given(late)]).toEqual([outside, []]);
      expect((await as(fresh as string)).body).toBe(inside);
    });

    test('a form from before the renewal and one from after it are taken with the cookie of either, within the grace', async () => {
      const { as, given, old } = await begin(
        {},
        {
          ...everyday,
          '/form': async ({ session }) => ({ body: await session.csrfToken() }),
          '/change': ({ session }) => session.checkCsrf(),
        },
      );
      const post = async (cookie: string, token: string) =>
        (await as(cookie, '/change', { method: 'POST', headers: { 'x-csrf-token': token } })).status;
      const before = (await as(old, '/form')).body;
      clock.advance(EVERY);
      const answer = await as(old, '/form');
      const [fresh = ''] = given(answer);
      for (const cookie of [old, fresh])
        for (const form of [before, answer.body]) expect(await post(cookie, form)).toBe(200);
    });

    /** A request that is at work while others are answered. */
    async function slow(more: ManagerOptions = {}) {
      const [began, goOn] = [gate(), gate()];
      const site = await begin(more, {
        ...everyday,
        '/slow': async ({ session }) => {
          began.open();
          await goOn.opened;
          return { body: String(session.userId) };
        },
      });
      const ask = async () => {
        const answer = site.as(site.old, '/slow');
        await began.opened;
        return async () => {
          goOn.open();
          return answer;
        };
      };
      return { ...site, ask };
    }

    test('a request that renewed the token and then took longer than the grace is given it all the same', async () => {
      const { ask, as, given, manager } = await slow({ whenReused: 'end-session' });
      clock.advance(EVERY);
      const finish = await ask();
      clock.advance(2 * GRACE);
      const answer = await finish();
      expect([answer.body, given(answer).length]).toEqual(['ada', 1]);
      await manager.sweep();
      expect((await as(given(answer)[0] as string)).body).toBe(inside);
    });

    test('a request whose token was renewed by another, longer ago than the grace, is given none, and is no reuse', async () => {
      const { ask, as, given, manager, visitor } = await slow({ whenReused: 'end-session' });
      const reused: unknown[] = [];
      manager.on('token-reused', (event) => reused.push(event));
      clock.advance(EVERY - 1);
      const finish = await ask();
      clock.advance(1);
      await visitor.visit('/');
      clock.advance(2 * GRACE);
      const answer = await finish();
      expect([answer.body, given(answer)]).toEqual(['ada', []]);
      await manager.sweep();
      await manager.stats();
      expect(reused).toEqual([]);
      expect((await as(visitor.cookie)).body).toBe(inside);
    });

    test('S-04 a request that renewed the token says nothing of it once the session has moved on by login, or ended', async () => {
      for (const path of ['/login', '/logout']) {
        const { ask, given, visitor } = await slow();
        clock.advance(EVERY);
        const finish = await ask();
        await visitor.visit('/');
        await visitor.visit(path);
        const answer = await finish();
        expect(given(answer)).toEqual([]);
        expect((await visitor.visit('/')).body).toBe(path === '/login' ? inside : outside);
      }
    });

    test("with whenReused: 'end-session', an old token that comes back after its grace ends the session for both", async () => {
      const { as, given, manager, old, visitor } = await begin({ whenReused: 'end-session' });
      clock.advance(EVERY);
      await visitor.visit('/');
      expect((await as(old)).body).toBe(inside);
      clock.advance(GRACE);
      const reuse = await as(old);
      expect([reuse.body, given(reuse)]).toEqual([outside, []]);
      expect((await visitor.visit('/')).body).toBe(inside);
      await manager.sweep();
      const answer = await visitor.visit('/');
      expect([answer.body, setCookies(answer)]).toEqual([outside, []]);
    });

    describe('a form that was loaded before the token was replaced', () => {
      const routes: Routes = {
        ...everyday,
        '/form': async ({ session }) => ({ body: await session.csrfToken() }),
        '/post': ({ session }) => session.checkCsrf(),
        '/post-and-rotate': async ({ session }) => {
          session.checkCsrf();
          await session.rotate({ grace: GRACE });
        },
      };
      const post = async (browser: Browser, form: string, path = '/post') =>
        (await browser.visit(path, { method: 'POST', headers: { 'x-csrf-token': form } })).status;

      test('counts within the grace, however often it is sent', async () => {
        const { old, visitor } = await begin({}, routes);
        const form = (await visitor.visit('/form')).body;
        clock.advance(EVERY);
        await visitor.visit('/');
        expect(visitor.cookie).not.toBe(old);
        expect([await post(visitor, form), await post(visitor, form)]).toEqual([200, 200]);
        clock.advance(GRACE - 1);
        expect(await post(visitor, form)).toBe(200);
        expect(await post(visitor, (await visitor.visit('/form')).body)).toBe(200);
        clock.advance(1);
        expect(await post(visitor, form)).toBe(403);
        expect(await post(visitor, (await visitor.visit('/form')).body)).toBe(200);
      });

      test('counts when sending it was what replaced the token', async () => {
        const { old, visitor } = await begin({}, routes);
        const form = (await visitor.visit('/form')).body;
        for (const status of [200, 200]) expect(await post(visitor, form, '/post-and-rotate')).toBe(status);
        expect(visitor.cookie).not.toBe(old);
        // Of the token before the last one.
        expect(await post(visitor, form)).toBe(403);
      });

      test('is another’s, or none, whatever its session went through', async () => {
        const { running, visitor } = await begin({}, routes);
        const eve = new Browser(running);
        await eve.visit('/login?as=eve');
        const form = (await eve.visit('/form')).body;
        const own = (await visitor.visit('/form')).body;
        clock.advance(EVERY);
        for (const browser of [visitor, eve]) await browser.visit('/');
        expect([await post(visitor, form), await post(visitor, 'A'.repeat(86))]).toEqual([403, 403]);
        expect(await post(visitor, own)).toBe(200);
        // A login leaves no grace.
        await visitor.visit('/login');
        expect(await post(visitor, own)).toBe(403);
      });
    });

    test('a request that may not have the session renews nothing', async () => {
      const { as, manager, old, running } = await begin({}, everyday, { bind: { userAgent: true } });
      const other = new Browser(running);
      await other.visit('/login?as=eve', { headers: { 'user-agent': 'two' } });
      clock.advance(EVERY);
      const rotated: unknown[] = [];
      manager.on('token-rotated', (event) => rotated.push(event));
      // Of two sessions at once, and from another browser.
      expect((await as(`${old}; ${other.cookie}`)).body).toBe(outside);
      expect((await as(old, '/', { headers: { 'user-agent': 'two' } })).body).toBe(outside);
      // There is no response to send it with.
      const upgrade = { headers: { cookie: other.cookie, 'user-agent': 'two' }, socket: {} };
      expect((await sessionOf(manager, upgrade as unknown as IncomingMessage))?.userId).toBe('eve');
      await manager.stats();
      expect(rotated).toEqual([]);
      expect(setCookies(await as(old, '/', { headers: { 'user-agent': 'one' } }))).toHaveLength(1);
    });
  });
}
