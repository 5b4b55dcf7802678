/** Sessions that are bound to a client, and proxies that are trusted: a part of the adapters' contract. */

import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { HttpOptions } from '../../dist/src/http/express.js';
import type { Routes, Setting } from './contract.js';
import { everyday, setCookies } from './contract-life.js';
import { type Answer, Browser, type Running } from './sites.js';

export function bindingContract({ browse, live, manager, site, startManager, start }: Setting): void {
  const refusedBy = async (options: unknown, manager?: Parameters<typeof start>[2]) =>
    start(everyday, options as HttpOptions, manager).then(
      () => 'taken',
      (error: { code: string }) => error.code,
    );

  test('wrong options are refused when the middleware is made', async () => {
    for (const options of [
      { trustProxy: 'everybody' },
      { trustProxy: ['10.0.0.0/64'] },
      { trustProxy: 1 },
      { trustProxy: true },
      { bind: { ip: true } },
      { bind: { userAgnet: true } },
      { bind: { ip: 'exact', mismatch: 'report' } },
      { secure: true },
      { scure: 'auto' },
      { onMismatch: 1 },
      null,
    ])
      if (!(site.name.startsWith('fastify') && options === null))
        expect([options, await refusedBy(options)]).toEqual([options, 'ERR_INVALID_OPTION']);
    const secure = await startManager({ cookie: {} });
    expect(await refusedBy({ secure: 'auto' }, secure)).toBe('ERR_INVALID_OPTION');
  });

  // Without a server there is no address of anybody.
  const hasAddresses = site.name !== 'hono (fetch)';

  describe('a bound session', () => {
    const from = (browser: Browser, address: string, userAgent = 'one') =>
      browser.visit('/', { headers: { 'x-forwarded-for': address, 'user-agent': userAgent } });
    const loggedIn = async (options: HttpOptions, address = '203.0.113.7') => {
      const visitor = (await browse(everyday, options))();
      await visitor.visit('/login', { headers: { 'x-forwarded-for': address, 'user-agent': 'one' } });
      return visitor;
    };
    const isIn = async (answer: Promise<{ body: string }>) => (await answer).body === '["ada",{}]';

    test('to a browser: another one has no session', async () => {
      const visitor = await loggedIn({ bind: { userAgent: true } });
      expect(await isIn(from(visitor, 'x'))).toBe(true);
      expect(await isIn(from(visitor, 'x', 'two'))).toBe(false);
      expect(await isIn(from(visitor, 'x', ''))).toBe(false);
      expect(await isIn(from(visitor, 'x'))).toBe(true);
    });

    test('to a browser with a very long name', async () => {
      const visitor = (await browse(everyday, { bind: { userAgent: true } }))();
      const long = 'x'.repeat(1000);
      await visitor.visit('/login', { headers: { 'user-agent': long } });
      expect(await isIn(from(visitor, 'x', long))).toBe(true);
      expect(await isIn(from(visitor, 'x', 'x'.repeat(250)))).toBe(false);
    });

    test.runIf(hasAddresses)('S-12 to an address, and only a trusted proxy may tell it', async () => {
      const visitor = await loggedIn({ bind: { ip: 'exact' }, trustProxy: 'loopback' });
      expect(await isIn(from(visitor, '203.0.113.7'))).toBe(true);
      expect(await isIn(from(visitor, '203.0.113.7:4711'))).toBe(true);
      expect(await isIn(from(visitor, '::ffff:203.0.113.7'))).toBe(true);
      // What the client itself put before it does not count.
      expect(await isIn(from(visitor, '198.51.100.1, 203.0.113.7'))).toBe(true);
      expect(await isIn(from(visitor, '203.0.113.7, 127.0.0.1'))).toBe(true);
      for (const address of [
        '203.0.113.8',
        '203.0.113.7, 198.51.100.1',
        'unknown',
        '203.0.113.7, x',
        '2001:db8::1',
        '',
      ])
        expect([address, await isIn(from(visitor, address))]).toEqual([address, false]);
    });

    test.runIf(hasAddresses)('S-12 without a trusted proxy, whatever is forwarded is ignored', async () => {
      const visitor = await loggedIn({ bind: { ip: 'exact' } });
      for (const address of ['203.0.113.7', '198.51.100.1', 'x, y, z', ','.repeat(5000)])
        expect(await isIn(from(visitor, address))).toBe(true);
    });

    test.runIf(hasAddresses)('to a network: /24 of IPv4, /64 of IPv6', async () => {
      const options: HttpOptions = { bind: { ip: 'prefix' }, trustProxy: ['127.0.0.0/8', '::1'] };
      const four = await loggedIn(options);
      expect(await isIn(from(four, '203.0.113.250'))).toBe(true);
      expect(await isIn(from(four, '203.0.114.7'))).toBe(false);
      const six = await loggedIn(options, '2001:db8:1:2:3:4:5:6');
      expect(await isIn(from(six, '[2001:db8:1:2::1]:443'))).toBe(true);
      expect(await isIn(from(six, '2001:db8:1:3:3:4:5:6'))).toBe(false);
    });

    test('S-12 begun without a User-Agent is for requests without one', async () => {
      const running = await start(everyday, { bind: { userAgent: true } });
      const visitor = new Browser(running);
      const bare = async (path: string) => {
        const answer = await askWithoutUserAgent(running, path, visitor.cookie);
        visitor.keep(answer);
        return answer;
      };
      await bare('/login');
      expect(await isIn(bare('/'))).toBe(true);
      expect(await isIn(from(visitor, 'x', 'two'))).toBe(false);
      expect(await isIn(bare('/'))).toBe(true);
    });

    test('S-12 to an address: none is begun for a client whose address is not known', async () => {
      const lost: unknown[] = [];
      const options: HttpOptions = {
        bind: { ip: 'exact' },
        trustProxy: 'loopback',
        onLostWrite: (error) => lost.push((error as { code: unknown }).code),
      };
      const routes: Routes = {
        ...everyday,
        '/hasty': ({ session }) => void session.set({ hat: 'felt' }),
        '/form': async ({ session }) => ({ body: await session.csrfToken() }),
      };
      const newBrowser = await browse(routes, options);
      const headers = { 'x-forwarded-for': 'unknown' };
      const before = await live();
      for (const path of ['/login', '/set?hat=felt', '/form']) {
        const answer = await newBrowser().visit(path, { headers });
        expect([path, answer.status, setCookies(answer)]).toEqual([path, 403, []]);
      }
      expect(lost).toEqual([]);
      const hasty = await newBrowser().visit('/hasty', { headers });
      expect([hasty.status, setCookies(hasty), lost]).toEqual([200, [], ['ERR_CLIENT_UNKNOWN']]);
      expect(await live()).toBe(before);
    });

    test('S-12 to what is not known of its client: one that was begun elsewhere is nobody’s', async () => {
      const bindings: HttpOptions[] = [
        { bind: { userAgent: true } },
        { bind: { ip: 'exact' }, trustProxy: 'loopback' },
      ];
      for (const options of bindings) {
        const session = await manager().newSession({ userId: 'ada' });
        const visitor = (await browse(everyday, options))();
        const { name, value } = manager().getCookieData(session);
        visitor.cookies.set(name, value);
        expect(await isIn(from(visitor, '203.0.113.7'))).toBe(false);
        expect(session.alive).toBe(true);
      }
    });

    test('S-12 with `report`, a session is begun for a client whose address is not known, and reported each time', async () => {
      const told: unknown[] = [];
      const visitor = await loggedIn(
        {
          bind: { ip: 'exact', mismatch: 'report' },
          trustProxy: 'loopback',
          onMismatch: ({ differs }) => told.push(differs),
        },
        'unknown',
      );
      expect(await isIn(from(visitor, 'unknown'))).toBe(true);
      expect(told).toEqual([['ip']]);
    });

    test('may be ended instead, or only reported', async () => {
      const told: unknown[] = [];
      const onMismatch = ({ differs, session }: { differs: unknown; session: { userId?: string | undefined } }) =>
        told.push([session.userId, differs]);
      const reported = await loggedIn({ bind: { userAgent: true, mismatch: 'report' }, onMismatch });
      expect(await isIn(from(reported, 'x', 'two'))).toBe(true);
      expect(told).toEqual([['ada', ['userAgent']]]);
      const ended = await loggedIn({ bind: { userAgent: true, mismatch: 'end' }, onMismatch });
      expect(await isIn(from(ended, 'x', 'two'))).toBe(false);
      expect(await isIn(from(ended, 'x'))).toBe(false);
      expect(told).toHaveLength(2);
    });
  });

  test.runIf(hasAddresses)("`secure: 'auto'` believes a trusted proxy, and nobody else", async () => {
    const sent = async (options: HttpOptions, proto?: string) => {
      const visitor = (await browse(everyday, options))();
      const headers: Record<string, string> = proto === undefined ? {} : { 'x-forwarded-proto': proto };
      const [set = ''] = setCookies(await visitor.visit('/login', { headers }));
      const [cleared = ''] = setCookies(await visitor.visit('/logout', { headers }));
      expect(/; Secure$/.test(cleared)).toBe(/; Secure$/.test(set));
      return /; Secure(?:;|$)/.test(set);
    };
    expect(await sent({ secure: 'auto', trustProxy: 'loopback' }, 'https')).toBe(true);
    expect(await sent({ secure: 'auto', trustProxy: 'loopback' }, 'HTTPS, http')).toBe(true);
    expect(await sent({ secure: 'auto', trustProxy: 'loopback' }, 'http')).toBe(false);
    expect(await sent({ secure: 'auto', trustProxy: 'loopback' })).toBe(false);
    expect(await sent({ secure: 'auto' }, 'https')).toBe(false);
    expect(await sent({ trustProxy: 'loopback' }, 'https')).toBe(false);
  });
}

/** Not by `fetch`, which always sends a User-Agent. */
async function askWithoutUserAgent(running: Running, path: string, cookie: string): Promise<Answer> {
  const { port } = running;
  if (port === 0) return running.ask(path, { headers: { cookie } });
  const [reply] = (await once(get({ port, path, host: '127.0.0.1', headers: { cookie } }), 'response')) as [
    IncomingMessage,
  ];
  const headers = new Headers(reply.headers['set-cookie']?.map((set): [string, string] => ['set-cookie', set]));
  return { status: reply.statusCode ?? 0, headers, body: await text(reply) };
}
