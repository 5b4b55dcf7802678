/** Recent logins, forged requests, failures: a part of the adapters' contract. */

import { describe, expect, onTestFinished, test } from 'vitest';
import { HttpRefusal } from '../../dist/src/http/express.js';
import { MINUTE, type Routes, type Setting } from './contract.js';
import { everyday, setCookies } from './contract-life.js';
import type { AnySession, Browser, Visit } from './sites.js';

export function guardContract({ browse, callsDuring, clock, start, startManager }: Setting): void {
  describe('requireLogin', () => {
    const routes: Routes = {
      ...everyday,
      '/own': ({ session }) => ({ body: session.requireLogin() }),
      '/sensitive': ({ session }) => ({ body: session.requireLogin({ within: '10m' }) }),
      '/wrong': ({ session }) => {
        try {
          return { body: session.requireLogin({ within: 'soon' }) };
        } catch (error) {
          return { body: String(Reflect.get(error as object, 'code')) };
        }
      },
      '/code': ({ session }) => {
        try {
          return { body: session.requireLogin({ within: 600_000 }) };
        } catch (error) {
          return { body: error instanceof HttpRefusal ? error.code : 'other' };
        }
      },
    };

    test('lets in who is logged in, and for what is sensitive, who has logged in lately', async () => {
      const visitor = (await browse(routes))();
      const statuses = async () => [(await visitor.visit('/own')).status, (await visitor.visit('/sensitive')).status];
      expect(await statuses()).toEqual([401, 401]);
      expect((await visitor.visit('/code')).body).toBe('ERR_LOGIN_REQUIRED');
      await visitor.visit('/set?hat=felt');
      expect(await statuses()).toEqual([401, 401]);
      await visitor.visit('/login');
      expect(await statuses()).toEqual([200, 200]);
      clock.advance(10 * MINUTE);
      expect(await statuses()).toEqual([200, 200]);
      clock.advance(1);
      expect(await statuses()).toEqual([200, 401]);
      expect((await visitor.visit('/code')).body).toBe('ERR_LOGIN_TOO_OLD');
      await visitor.visit('/login');
      expect(await statuses()).toEqual([200, 200]);
      expect((await visitor.visit('/wrong')).body).toBe('ERR_INVALID_OPTION');
    });

    test.each<[string, unknown]>([
      ['a text', '10m'],
      ['a number', 600_000],
      ['another name', { maxAge: '10m' }],
      ['the name in capitals', { Within: '10m' }],
      ['a setting that is missing', { within: undefined }],
    ])('is refused with %s for its options, as a guard that is off would let everybody in', async (_, options) => {
      const told: unknown[] = [];
      const check = (session: AnySession) => session.requireLogin(options as never);
      const route = ({ session }: Visit) => {
        try {
          told.push(check(session));
        } catch (error) {
          told.push(Reflect.get(error as object, 'code'));
        }
      };
      const visitor = (await browse({ ...everyday, '/guarded': route }))();
      await visitor.visit('/login');
      await visitor.visit('/guarded');
      expect(told).toEqual(['ERR_INVALID_OPTION']);
    });

    test('and so are options of `logout`, `listOthers` and `closeOthers` that there are none of', async () => {
      const told: unknown[] = [];
      const codeOf = (call: Promise<unknown>) =>
        call.then(
          () => 'done',
          ({ code }) => code,
        );
      const route = async ({ session }: Visit) => {
        const calls = [
          session.logout({ clearsitedata: true } as never),
          session.logout('bye' as never),
          session.listOthers({ limits: 1 } as never),
          (session.closeOthers as (filter: unknown) => Promise<number>)({ except: 'x' }),
        ];
        told.push(...(await Promise.all(calls.map(codeOf))), session.userId);
      };
      const visitor = (await browse({ ...everyday, '/wrongly': route }))();
      await visitor.visit('/login');
      await visitor.visit('/wrongly');
      expect(told).toEqual([...Array(4).fill('ERR_INVALID_OPTION'), 'ada']);
    });

    test('sends no message', async () => {
      const visitor = (await browse(routes))();
      await visitor.visit('/login');
      expect(await callsDuring(() => visitor.visit('/sensitive'))).toBe(0);
    });
  });

  describe('checkCsrf', () => {
    const routes: Routes = {
      ...everyday,
      '/form': async ({ session }) => ({ body: await session.csrfToken() }),
      '/change': ({ session, query }) => session.checkCsrf(query.get('token') ?? undefined),
    };
    const post = async (browser: Browser, token: string, headers = {}) =>
      (await browser.visit('/change', { method: 'POST', headers: { 'x-csrf-token': token, ...headers } })).status;

    test('lets a request change something only if it shows a token of its own session', async () => {
      const newBrowser = await browse(routes);
      const [ada, eve] = [newBrowser(), newBrowser()];
      const formOf = async (browser: Browser) => (await browser.visit('/form')).body;
      // Who has no session gets one with the first form.
      const [first, of] = [await formOf(ada), await formOf(eve)];
      expect(first).toMatch(/^[\w-]{86}$/);
      expect(await post(ada, first)).toBe(200);
      expect(await post(ada, await formOf(ada))).toBe(200);
      expect(await formOf(ada)).not.toBe(await formOf(ada));
      expect((await ada.visit(`/change?token=${first}`, { method: 'POST' })).status).toBe(200);
      const wrong = [
        of,
        '',
        'x',
        first.slice(1),
        `${first}A`,
        'A'.repeat(86),
        first.toLowerCase(),
        ada.cookie.slice(3),
      ];
      for (const token of wrong) expect(await post(ada, token)).toBe(403);
      expect((await ada.visit('/change', { method: 'POST' })).status).toBe(403);
      for (const method of ['PUT', 'PATCH', 'DELETE'])
        expect((await ada.visit('/change', { method })).status).toBe(403);
      for (const method of ['GET', 'HEAD']) expect((await ada.visit('/change', { method })).status).toBe(200);
      expect(await post(newBrowser(), first)).toBe(403);
      await ada.visit('/login');
      expect(await post(ada, first)).toBe(403);
      expect(await post(ada, await formOf(ada))).toBe(200);
    });

    test('refuses what another site sends, whatever it shows', async () => {
      const visitor = (await browse(routes))();
      const token = (await visitor.visit('/form')).body;
      expect(await post(visitor, token, { 'sec-fetch-site': 'same-origin' })).toBe(200);
      expect(await post(visitor, token, { 'sec-fetch-site': 'cross-site' })).toBe(403);
    });

    test('stores nothing: a form for a session that is there sends no message', async () => {
      const visitor = (await browse(routes))();
      await visitor.visit('/login');
      expect(
        await callsDuring(async () => {
          await post(visitor, (await visitor.visit('/form')).body);
        }),
      ).toBe(0);
    });
  });

  describe('what goes wrong', () => {
    const routes: Routes = {
      ...everyday,
      '/throws': async ({ session }) => {
        await session.login('ada');
        throw new Error('the handler’s own');
      },
      '/stores-wrong': ({ session }) => session.set({ f: () => undefined }),
      '/stores-wrong-hastily': ({ session }) => void session.set({ f: () => undefined }),
      '/stores-much': ({ session }) => session.set({ text: 'x'.repeat(100_000) }),
    };

    test('a handler that throws is answered 500, and what it did holds', async () => {
      const visitor = (await browse(routes))();
      const answer = await visitor.visit('/throws');
      expect([answer.status, setCookies(answer)]).toEqual([500, [expect.stringMatching(/^id=/)]]);
      expect((await visitor.visit('/')).body).toBe('["ada",{}]');
    });

    test('data that cannot be stored is refused to the handler', async () => {
      const visitor = (await browse(routes))();
      expect((await visitor.visit('/stores-wrong')).status).toBe(500);
      expect((await visitor.visit('/stores-much')).status).toBe(413);
      expect((await visitor.visit('/')).body).toBe('[null,{}]');
    });

    test('what is no data is refused, and begins no session', async () => {
      const wrong = [null, undefined, 1, 'text', [1], new Map(), { a: Symbol('a') }] as never[];
      const visitor = (
        await browse({
          '/': async ({ session }) => {
            const codes: unknown[] = [];
            const codeOf = (change: Promise<void>) =>
              change.then(
                () => codes.push('done'),
                ({ code }) => codes.push(code),
              );
            for (const each of wrong) {
              await codeOf(session.set(each));
              await codeOf(session.update(() => each));
              if (each !== undefined) await codeOf(session.login('ada', each));
            }
            await codeOf(session.update('x' as never));
            for (const user of [undefined, '', 1, 'x'.repeat(1000), ['ada']])
              await codeOf(session.login(user as never));
            return { body: [...new Set(codes)].sort().join() };
          },
        })
      )();
      const answer = await visitor.visit('/');
      expect([answer.body, setCookies(answer)]).toEqual(['ERR_INVALID_DATA,ERR_INVALID_OPTION', []]);
    });

    test('a change that failed while nobody waited for it is told', async () => {
      const lost: unknown[] = [];
      const visitor = (await browse(routes, { onLostWrite: (error) => lost.push(error) }))();
      expect((await visitor.visit('/stores-wrong-hastily')).status).toBe(200);
      expect(lost).toEqual([expect.objectContaining({ code: 'ERR_INVALID_DATA' })]);
      await visitor.visit('/stores-wrong');
      expect(lost).toHaveLength(1);
    });

    test('a listener that throws is not hidden, and harms no answer and no ending', async () => {
      const uncaught: unknown[] = [];
      const own = process.rawListeners('uncaughtException') as (() => void)[];
      process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => uncaught.push(error));
      onTestFinished(() => {
        process.removeAllListeners('uncaughtException');
        for (const listener of own) process.on('uncaughtException', listener);
      });
      /** What has been thrown by the next turn, as what only promises wait for is answered before. */
      const told = () => new Promise((resolve) => setImmediate(() => resolve(uncaught.splice(0))));
      const error = new Error('the listener’s own');
      const throws = () => {
        throw error;
      };
      const lossy = (await browse(routes, { onLostWrite: throws }))();
      expect((await lossy.visit('/stores-wrong-hastily')).status).toBe(200);
      expect((await lossy.visit('/set?a=1')).status).toBe(200);
      expect((await lossy.visit('/')).body).toBe('[null,{"a":"1"}]');
      expect(await told()).toEqual([error]);
      for (const [mismatch, later] of [
        ['report', 'ada'],
        ['refuse', 'ada'],
        ['end', null],
      ] as const) {
        const bound = (await browse(routes, { bind: { userAgent: true, mismatch }, onMismatch: throws }))();
        const as = (agent: string, path = '/') => bound.visit(path, { headers: { 'user-agent': agent } });
        await as('one', '/login?as=ada');
        const { status, body } = await as('two');
        expect([status, JSON.parse(body)[0]]).toEqual([200, mismatch === 'report' ? 'ada' : null]);
        expect(JSON.parse((await as('one')).body)[0]).toBe(later);
        expect(await told()).toEqual([error]);
      }
    });

    test('a full table is 503, and a stopped manager neither hangs nor throws', async () => {
      const own = await startManager({ maxSessions: 1 });
      const running = await start(everyday, {}, own);
      expect((await running.ask('/set?a=1')).status).toBe(200);
      expect((await running.ask('/set?a=1')).status).toBe(503);
      await own.stop();
      expect((await running.ask('/set?a=1')).status).toBe(503);
      expect((await running.ask('/')).status).toBe(200);
    });

    test('HEAD is answered as GET is', async () => {
      const visitor = (await browse(everyday))();
      const answer = await visitor.visit('/set?a=1', { method: 'HEAD' });
      expect([answer.status, answer.body, setCookies(answer)]).toEqual([200, '', [expect.stringMatching(/^id=/)]]);
    });
  });
}
