/**
 * S-21: whatever a site does, no token stands anywhere but in Set-Cookie: not in what is printed, thrown, told, listed
 * or answered.
 */

import { inspect } from 'node:util';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  type CookieOptions,
  type SessionEvents,
  type SessionManager,
  startSessionManager,
} from '../../dist/src/index.js';
import { createManualClock } from '../../dist/src/testing.js';
import { pairFor } from '../support/jwt.js';
import { hearPrinted } from '../support/printed.js';
import type { Routes } from './contract.js';
import { everyday } from './contract-life.js';
import { type Answer, Browser, type Reply, sites } from './sites.js';

const formats: readonly (readonly [string, CookieOptions])[] = [
  ['opaque', {}],
  ['signed', { format: 'signed', keys: ['k'.repeat(32)] }],
  ['jwt by EdDSA', { format: 'jwt', keys: [pairFor('EdDSA').signs] }],
  ['jwt by ES256', { format: 'jwt', algorithm: 'ES256', keys: [pairFor('ES256').signs] }],
];
const events = [
  'created',
  'changed',
  'ended',
  'token-rotated',
  'token-reused',
] as const satisfies readonly (keyof SessionEvents)[];

/** All that was seen of the process and of its sites, but for Set-Cookie. */
const seen: string[] = [];
const deeply = { showHidden: true, depth: 20, getters: true, maxArrayLength: 100 } as const;
const see = (what: unknown) => {
  seen.push(typeof what === 'string' ? what : inspect(what, deeply));
  if (what instanceof Error) seen.push(String(what.stack), JSON.stringify({ ...what, message: what.message }));
};

beforeAll(() => {
  const stop = hearPrinted((_, text) => see(text));
  process.on('warning', see);
  return () => {
    stop();
    process.off('warning', see);
  };
});

/** The token in a cookie of any format. */
function tokenIn(cookie: string): string {
  const parts = cookie.split('.');
  if (parts.length < 3) return parts[0] ?? '';
  return String(JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString()).token);
}

describe.each(formats)('with cookies that are %s', (name, cookie) => {
  test.each(sites.map((site) => [site.name, site] as const))('no token is shown over %s', async (_, site) => {
    const clock = createManualClock(Date.UTC(2030, 0, 1));
    const rotation = { every: '15m', grace: '1m' };
    const manager: SessionManager = await startSessionManager({
      name: `secrets ${name} ${site.name}`,
      cookie: { secure: false, ...cookie },
      clock,
      rotation,
      idleTimeout: '1h',
      whenReused: 'end-session',
      maxSessionsPerUser: 3,
    });
    onTestFinished(() => manager.stop());
    const secrets = new Set<string>();
    for (const event of events) manager.on(event, see);

    const routes: Routes = {
      ...everyday,
      '/shown': async ({ session }) => {
        for (const each of [session, session.current, session.data, session.signal, await session.listOthers()])
          see(each);
        see(JSON.stringify([session, session.current]));
        const value = manager.getCookieData(session.current as never).value;
        const mistaken: (() => unknown)[] = [
          () => session.set({ f: () => value }),
          () => session.set({ [value]: () => undefined }),
          () => session.login(value.repeat(10)),
          () => session.closeOther(value),
          () => session.requireLogin({ within: value }),
          () => session.checkCsrf(value),
          () => session.rotate({ grace: value }),
          () => manager.sessionWantsToClose(value as never),
          () => manager.getSessionById(value as never),
          () => manager.getCookieData(value as never),
          () => manager.getClaimOf(value as never),
        ];
        for (const mistake of mistaken)
          try {
            see(await mistake());
          } catch (error) {
            // What a duration is not is shown as it came: nobody takes a token for one, and it is cut.
            see(error);
          }
        const claim = manager.getClaim(value);
        for (const each of [claim, JSON.stringify(claim), manager, manager.clearCookieData()]) see(each);
        return { body: await session.csrfToken() };
      },
      '/change': ({ session }) => session.checkCsrf(),
      '/lost': ({ session }) => void session.set({ f: () => undefined }),
      '/guarded': ({ session }) => ({ body: session.requireLogin({ within: 0 }) }),
    };
    const running = await site.start(
      manager,
      async (visit) => {
        try {
          return ((await routes[visit.path]?.(visit)) as Reply | undefined) ?? {};
        } catch (error) {
          see(error);
          throw error;
        }
      },
      { onLostWrite: see, bind: { userAgent: true, mismatch: 'report' }, onMismatch: see },
    );
    onTestFinished(() => running.close());
    const visitors = [new Browser(running), new Browser(running), new Browser(running)];
    const [ada, eve, late] = visitors as [Browser, Browser, Browser];
    const keep = (answer: Answer) => {
      for (const [header, text] of answer.headers) if (header !== 'set-cookie') see(`${header}: ${text}`);
      see(answer.body);
      for (const { cookies } of visitors) for (const value of cookies.values()) secrets.add(value).add(tokenIn(value));
    };
    const visit = async (browser: Browser, path: string, asked = {}) => keep(await browser.visit(path, asked));

    for (const path of ['/', '/set?a=1', '/login', '/shown', '/rotate', '/shown', '/lost', '/guarded'])
      await visit(ada, path);
    for (const path of ['/login', '/login?as=eve', '/change', '/shown']) await visit(eve, path, { method: 'POST' });
    late.cookies.set('id', ada.cookies.get('id') ?? '');
    clock.advance('15m');
    for (const path of ['/', '/guarded', '/shown']) await visit(ada, path, { headers: { 'user-agent': 'another' } });
    clock.advance('2m');
    await visit(late, '/');
    await manager.sweep();
    for (const path of ['/', '/set?a=1', '/logout']) await visit(ada, path);
    await visit(eve, '/logout');
    see(JSON.stringify(await manager.stats()));
    for await (const info of manager.getAllSessions()) see(info);

    expect(secrets.size).toBeGreaterThan(6);
    expect(seen.length).toBeGreaterThan(60);
    const all = seen.splice(0).join('\n');
    expect(all).toContain('ERR_LOGIN_TOO_OLD');
    expect(all).toContain('ERR_CSRF');
    for (const secret of secrets) if (all.includes(secret)) expect.fail(around(all, secret));
  });
});

/** Where it stands, without the secret itself. */
function around(text: string, secret: string): string {
  const at = text.indexOf(secret);
  return `a token stands in: ${text.slice(Math.max(0, at - 300), at)}<token>${text.slice(at + secret.length, at + secret.length + 300)}`;
}
