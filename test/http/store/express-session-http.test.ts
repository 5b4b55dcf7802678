/**
 * The store behind express-session and behind @fastify/session, over HTTP: what the store promises, as a browser meets
 * it.
 */

import { setImmediate } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { CoatcheckStore } from '../../../dist/src/http/store/express-session.js';
import { type SessionManager, startSessionManager } from '../../../dist/src/index.js';
import { createManualClock } from '../../../dist/src/testing.js';
import { Browser, expressSite, fastifySite, type Site } from './session-sites.js';

const clock = createManualClock(Date.now());
const options = { name: 'sites', clock, maxSessions: 1000, sweep: '0 0 0 29 2 *', idleTimeout: '20m' } as const;
const manager: SessionManager = await startSessionManager(options);
const store = new CoatcheckStore({ manager });
const open: Site[] = [];

afterEach(async () => {
  for (const site of open.splice(0)) await site.close();
});
afterAll(() => manager.stop());

describe.each([
  ['express-session', expressSite],
  ['@fastify/session', fastifySite],
])('with %s', (_, start) => {
  const starting = async (maxAge?: number) => {
    const site = await start(store, maxAge);
    open.push(site);
    return site;
  };

  test('what a visitor leaves is there at the next visit, and nobody else’s', async () => {
    const site = await starting();
    const [ada, bea] = [new Browser(site), new Browser(site)];
    expect((await ada.visit('/')).set).toBeUndefined();
    await ada.visit('/write?name=ada');
    await bea.visit('/write?name=bea');
    const [one, two] = [await ada.visit('/'), await bea.visit('/')];
    expect([one.data, two.data]).toEqual([{ name: 'ada' }, { name: 'bea' }]);
    expect(one.id).not.toBe(two.id);
    expect((await store.get(one.id)) as object).toMatchObject({ name: 'ada' });
    // What is left of it by another look at the clock.
    expect(Math.ceil((one.originalMaxAge ?? 0) / 1000)).toBe(600);
    expect(new Date(one.expires ?? 0).getTime()).toBeGreaterThan(Date.now());
    expect(one.set).toMatch(/; (?:Max-Age=\d+|Expires=)/);
  });

  test('a visit that reads keeps the session for as long again; one that comes too late finds none', async () => {
    const site = await starting();
    const browser = new Browser(site);
    const { id } = await browser.visit('/write?name=ada');
    for (let n = 0; n < 4; n++) {
      clock.advance('6m');
      expect((await browser.visit('/')).data).toEqual({ name: 'ada' });
    }
    clock.advance('10m');
    const late = await browser.visit('/');
    expect([late.data, late.id === id]).toEqual([{}, false]);
  });

  test('a cookie that ends with the browser: the session has the manager’s idle timeout', async () => {
    const site = await starting(0);
    const browser = new Browser(site);
    const { set } = await browser.visit('/write?name=ada');
    expect(set).not.toMatch(/Max-Age|Expires/);
    clock.advance('19m');
    expect((await browser.visit('/')).data).toEqual({ name: 'ada' });
    clock.advance('19m');
    expect((await browser.visit('/')).data).toEqual({ name: 'ada' });
    clock.advance('20m');
    expect((await browser.visit('/')).data).toEqual({});
  });

  test('an id that a browser presents is never adopted, though it is signed as it should be', async () => {
    const site = await starting();
    for (const id of ['chosen by somebody', '__proto__', 'constructor', '../../../etc/passwd']) {
      const browser = new Browser(site, site.cookieOf(id));
      const page = await browser.visit('/write?name=mallory');
      expect([page.status, page.id === id]).toEqual([200, false]);
      expect(browser.cookie).not.toBe(site.cookieOf(id));
      expect(await store.get(id)).toBeUndefined();
      expect((await new Browser(site, site.cookieOf(id)).visit('/')).data).toEqual({});
    }
  });

  test('a slow request that saves after a logout revives nothing, and is answered', async () => {
    const site = await starting();
    const browser = new Browser(site);
    const { id } = await browser.visit('/write?name=ada');
    const { cookie } = browser;
    const slow = new Browser(site, cookie).visit('/slow?name=back');
    while (site.waiting.length === 0) await setImmediate();
    await browser.visit('/logout');
    for (const goOn of site.waiting.splice(0)) goOn();
    expect(await slow).toMatchObject({ status: 200, id });
    expect([await store.get(id), manager.getSessionByKey(id)]).toEqual([undefined, undefined]);
    const after = await new Browser(site, cookie).visit('/');
    expect([after.data, after.id === id]).toEqual([{}, false]);
  });

  test('two requests at once are both answered; of what they leave the later is kept', async () => {
    const site = await starting();
    const browser = new Browser(site);
    const { id } = await browser.visit('/write?name=ada');
    const { cookie } = browser;
    const both = ['/slow?one=1', '/slow?two=2'].map((path) => new Browser(site, cookie).visit(path));
    while (site.waiting.length < 2) await setImmediate();
    for (const goOn of site.waiting.splice(0)) goOn();
    expect((await Promise.all(both)).map((page) => [page.status, page.id])).toEqual([
      [200, id],
      [200, id],
    ]);
    const { data } = await browser.visit('/');
    expect([
      { name: 'ada', one: '1' },
      { name: 'ada', two: '2' },
    ]).toContainEqual(data);
    const reads = await Promise.all(Array.from({ length: 20 }, () => new Browser(site, cookie).visit('/')));
    expect(reads.every((page) => page.id === id && page.data.name === 'ada')).toBe(true);
  });

  test('a renewed session has another id, and the old one is gone', async () => {
    const site = await starting();
    const browser = new Browser(site);
    const { id } = await browser.visit('/write?name=ada');
    const { cookie } = browser;
    await browser.visit('/renew');
    const renewed = await browser.visit('/write?name=bea');
    expect(renewed.id).not.toBe(id);
    expect([await store.get(id), (await new Browser(site, cookie).visit('/')).data]).toEqual([undefined, {}]);
    expect((await browser.visit('/reload')).status).toBe(200);
    expect((await browser.visit('/')).data).toEqual({ name: 'bea' });
  });

  test('hostile keys in data are data, or are left out', async () => {
    const site = await starting();
    const browser = new Browser(site);
    await browser.visit('/hostile');
    const { data } = await browser.visit('/');
    expect(JSON.stringify(data)).toBe('{"form":{"constructor":"c","toString":"t"}}');
    expect(Reflect.get({}, 'admin')).toBeUndefined();
  });
});

test('a store whose manager was stopped has no sessions, and says so to whoever would keep one', async () => {
  const stopped = await startSessionManager({ name: 'stopped', maxSessions: 10 });
  const site = await expressSite(new CoatcheckStore({ manager: stopped }));
  open.push(site);
  const browser = new Browser(site);
  const { id } = await browser.visit('/write?name=ada');
  await stopped.stop();
  const failing = new CoatcheckStore({ manager: stopped });
  const session = { cookie: { maxAge: 60_000 } };
  expect(await failing.get(id)).toBeUndefined();
  expect((await browser.visit('/')).data).toEqual({});
  for (const method of ['set', 'destroy'] as const) {
    await expect(failing[method](id, session)).rejects.toMatchObject({ code: 'ERR_MANAGER_STOPPED' });
  }
});

test('express-session’s own load makes a Session of it', async () => {
  await store.set('loaded', { cookie: { maxAge: 60_000, originalMaxAge: 60_000 }, name: 'ada' } as never);
  const load = (id: string) =>
    new Promise<Record<string, unknown> | undefined>((resolve, reject) => {
      store.load(id, (error, loaded) => (error ? reject(error) : resolve(loaded)));
    });
  const loaded = await load('loaded');
  expect([loaded?.id, loaded?.name, typeof loaded?.touch]).toEqual(['loaded', 'ada', 'function']);
  expect(await load('unknown')).toBeUndefined();
});
