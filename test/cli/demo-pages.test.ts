/** The demo's pages, an idea each, over HTTP and at a time that is moved by hand. */

import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createManualClock } from '../../dist/src/testing.js';
import { type Demo, startDemo } from '../support/internals.js';
import { csrfIn, Visitor } from './visitor.js';

const clock = createManualClock(new Date());
let demo: Demo;
let site: string;

beforeAll(async () => {
  demo = await startDemo(0, { clock });
  site = demo.url.replace(/\/$/, '');
});

afterAll(() => demo.stop());

const visitorAs = (user: string) => new Visitor(site).login(user);

describe('the safe', () => {
  test('opens to whoever has just logged in, and asks for another login a minute later', async () => {
    const visitor = await visitorAs('ada');
    expect((await visitor.get('/safe')).text).toContain('The safe is open.');
    clock.advance('1m');
    expect((await visitor.get('/safe')).status).toBe(200);
    clock.advance('1s');
    const closed = await visitor.get('/safe');
    expect(closed).toMatchObject({ status: 401 });
    expect(closed.text).toContain('The safe is closed.');
    // All else is as open as before.
    expect(await visitor.isLoggedIn()).toBe(true);
    expect((await visitor.get('/devices')).status).toBe(200);
  });

  test('opens again after a login, which keeps the session under a new token', async () => {
    const visitor = await visitorAs('ada again');
    await visitor.get('/page/foyer');
    const [id] = await visitor.devices();
    const before = visitor.cookie;
    clock.advance('5m');
    const login = await visitor.post('/login', { user: 'ada again', next: '/safe' });
    expect(login.headers.get('location')).toBe('/safe');
    expect(visitor.cookie).not.toBe(before);
    const opened = await visitor.get('/safe');
    expect(opened.status).toBe(200);
    expect(opened.text).toContain('You have logged in again.');
    expect(await visitor.devices()).toEqual([id]);
    visitor.cookie = before;
    expect(await visitor.isLoggedIn()).toBe(false);
  });

  test('is not shown to strangers, and its form leads nowhere else', async () => {
    expect((await new Visitor(site).get('/safe')).headers.get('location')).toBe('/?ended');
    for (const next of ['https://evil.example', '//evil.example', '/safe/../..', '/devices']) {
      const { headers } = await new Visitor(site).post('/login', { user: 'eve', next });
      expect(headers.get('location')).toBe('/');
    }
  });
});

describe('a note', () => {
  test('is shown once', async () => {
    const visitor = await visitorAs('grace');
    expect((await visitor.post('/note', { text: 'mind the <b>umbrella</b>' })).headers.get('location')).toBe('/note');
    expect((await visitor.get('/note')).text).toContain('mind the &lt;b&gt;umbrella&lt;/b&gt;');
    expect((await visitor.get('/note')).text).not.toContain('umbrella&lt;');
  });

  test('is shown by whichever page comes next, and waits while the pool counts visits', async () => {
    const visitor = await visitorAs('grace 2');
    await visitor.post('/note', { text: 'a glove' });
    await visitor.get('/page/foyer');
    expect((await visitor.get('/devices')).text).toContain('a glove');
    expect((await visitor.get('/')).text).not.toContain('a glove');
  });

  test('goes to one of several pages that ask at once', async () => {
    const visitor = await visitorAs('grace 3');
    await visitor.post('/note', { text: 'a scarf' });
    const pages = await Promise.all(Array.from({ length: 8 }, () => visitor.get('/note')));
    expect(pages.filter(({ text }) => text.includes('a scarf'))).toHaveLength(1);
  });

  test.each([
    ['no text', ''],
    ['a text that is too long', 'x'.repeat(201)],
  ])('is not taken with %s', async (_what, text) => {
    expect((await (await visitorAs('grace 4')).post('/note', { text })).status).toBe(400);
  });
});

describe('every form of a session', () => {
  test('carries its token, on each page', async () => {
    const visitor = await visitorAs('lin');
    for (const path of ['/', '/devices', '/safe', '/note', '/live', '/page/foyer', '/page/bar']) {
      const { text } = await visitor.get(path);
      const forms = text.split('<form').slice(1);
      expect(forms.length).toBeGreaterThan(0);
      for (const form of forms) expect(csrfIn(form.slice(0, form.indexOf('</form>')))).toBeDefined();
    }
  });

  test.each(['/login', '/logout', '/devices/revoke', '/devices/revoke-others', '/note'])(
    'is refused without it, and with that of another session: %s',
    async (path) => {
      const visitor = await visitorAs('lin 2');
      const elsewhere = await visitorAs('lin 2');
      const form = { user: 'eve', text: 'a note', id: (await elsewhere.devices())[0] as string };
      const foreign = csrfIn((await elsewhere.get('/note')).text) as string;
      expect((await visitor.postBare(path, form)).status).toBe(403);
      expect((await visitor.postBare(path, { ...form, csrf: foreign })).status).toBe(403);
      expect((await visitor.get('/')).text).toContain('Welcome, <bdi>lin 2</bdi>');
      expect(await elsewhere.isLoggedIn()).toBe(true);
    },
  );

  test('is taken with the token as a header, as a script or curl would send it', async () => {
    const visitor = await visitorAs('lin 3');
    const csrf = csrfIn((await visitor.get('/note')).text) as string;
    expect((await visitor.postBare('/logout', {}, { 'x-csrf-token': csrf })).status).toBe(303);
    expect(await visitor.isLoggedIn()).toBe(false);
  });
});

describe('the front door', () => {
  test('removes the cookie of a session that has ended', async () => {
    const visitor = await visitorAs('hedy');
    const elsewhere = await visitorAs('hedy');
    await elsewhere.post('/devices/revoke-others');
    expect((await visitor.get('/devices')).headers.get('location')).toBe('/?ended');
    expect((await visitor.get('/?ended')).text).toContain('your session has ended');
    expect(visitor.cookie).toBeUndefined();
  });

  test('is open again to whoever was away for longer than the idle timeout', async () => {
    const visitor = await visitorAs('hedy 2');
    clock.advance('31m');
    expect(await visitor.isLoggedIn()).toBe(false);
    expect(await (await visitor.login('hedy 2')).isLoggedIn()).toBe(true);
  });
});

describe('the live page', () => {
  const liveSite = () => `${site.replace('http', 'ws')}/live/socket`;

  /** Opened, with its first message heard; or refused, with the status. */
  async function openLive(headers: Record<string, string>): Promise<WebSocket | number> {
    const socket = new WebSocket(liveSite(), { headers });
    return new Promise((resolve, reject) => {
      socket.once('message', () => resolve(socket));
      socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
      socket.once('error', reject);
    });
  }

  async function liveAs(visitor: Visitor): Promise<WebSocket> {
    const socket = await openLive({ cookie: visitor.cookie ?? '', origin: site });
    if (typeof socket === 'number') throw new Error(`refused with ${socket}`);
    return socket;
  }

  async function ending(socket: WebSocket): Promise<string> {
    const [code, reason] = await once(socket, 'close');
    return `${code} ${reason}`;
  }

  test('allows its one script and its socket, and nothing else', async () => {
    const { headers, text } = await (await visitorAs('mary')).get('/live');
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain(`connect-src ${site.replace('http', 'ws')}`);
    expect(policy).toMatch(/script-src 'sha256-[\w+/=]+'/);
    expect(policy).not.toContain('unsafe');
    expect(text.match(/<script/g)).toHaveLength(1);
  });

  test('is closed when its session is logged out, revoked, or times out', async () => {
    const visitor = await visitorAs('mary 2');
    const elsewhere = await visitorAs('mary 2');
    const [own, other] = [await liveAs(visitor), await liveAs(elsewhere)];
    // Listened for beforehand: a socket may end before the answer is heard.
    const [ownEnding, otherEnding] = [ending(own), ending(other)];
    await visitor.post('/devices/revoke-others');
    expect(await otherEnding).toBe('4001 closed');
    expect(own.readyState).toBe(WebSocket.OPEN);
    await visitor.post('/logout');
    expect(await ownEnding).toBe('4001 closed');

    const idle = await liveAs(await visitorAs('mary 3'));
    clock.advance('31m');
    expect(await ending(idle)).toBe('4001 idle');
  });

  test('goes on while its session is only given a new token', async () => {
    const visitor = await visitorAs('mary 4');
    const socket = await liveAs(visitor);
    await visitor.post('/login', { user: 'mary 4' });
    await once(socket, 'message');
    expect(socket.readyState).toBe(WebSocket.OPEN);
    socket.terminate();
  });

  test('has a dozen sockets of one session closed at once', async () => {
    const visitor = await visitorAs('mary 5');
    const sockets = await Promise.all(Array.from({ length: 12 }, () => liveAs(visitor)));
    const endings = Promise.all(sockets.map(ending));
    await visitor.post('/logout');
    expect(new Set(await endings)).toEqual(new Set(['4001 closed']));
  });

  test('is refused to strangers, to pages of other sites, and by other names', async () => {
    const { cookie = '' } = await visitorAs('mary 6');
    expect(await openLive({})).toBe(401);
    expect(await openLive({ cookie: 'coatcheck-demo=none' })).toBe(401);
    expect(await openLive({ cookie, origin: 'http://evil.example' })).toBe(403);
    expect(await openLive({ cookie, origin: 'http://127.0.0.1:1' })).toBe(403);
    expect(await openLive({ cookie, host: 'evil.example' })).toBe(421);
  });
});

test('the end of the demo says goodbye to its sockets, and waits for nobody', async () => {
  const own = await startDemo(0, { clock }).catch((error: unknown) => error);
  // One manager of a name in a process: a second demo is refused, and leaves the first alone.
  expect(own).toMatchObject({ code: 'ERR_NAME_IN_USE' });
  const visitor = await visitorAs('last');
  const socket = new WebSocket(`${site.replace('http', 'ws')}/live/socket`, {
    headers: { cookie: visitor.cookie ?? '' },
  });
  await once(socket, 'message');
  const closed = once(socket, 'close');
  await demo.stop();
  expect((await closed)[0]).toBe(1001);
});
