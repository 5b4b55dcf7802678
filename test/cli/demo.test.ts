import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, runCommand, startCommand } from './command.js';
import { chrome, firefox, Visitor } from './visitor.js';

let demo: ChildProcess;
let ended: Promise<Ended>;
let url: string;

/** The demo on a free port, and where it says it is. */
async function startDemo(): Promise<{ child: ChildProcess; ended: Promise<Ended>; url: string }> {
  const started = startCommand('demo', '--port', '0');
  const found = new Promise<string>((resolve) => {
    let text = '';
    started.child.stdout?.on('data', (part: string) => {
      text += part;
      const at = /http:\/\/127\.0\.0\.1:\d+(?=\/\n)/.exec(text);
      if (at !== null) resolve(at[0]);
    });
  });
  const gone = started.ended.then(({ stderr }) => {
    throw new Error(`The demo has ended: ${stderr}`);
  });
  return { ...started, url: await Promise.race([found, gone]) };
}

beforeAll(async () => {
  ({ child: demo, ended, url } = await startDemo());
});

afterAll(async () => {
  demo.kill('SIGKILL');
  await ended;
});

const newVisitor = (userAgent?: string) => new Visitor(url, userAgent);

describe('the demo', () => {
  it('lists a user on two devices, and one can log the other out', async () => {
    const laptop = await newVisitor(firefox).login('ada');
    const desk = await newVisitor(chrome).login('ada');
    const { text } = await laptop.get('/devices');
    expect(text).toContain('Firefox on Linux, this one');
    expect(text).toContain('Chrome on Windows');

    const [own, other] = await laptop.devices();
    expect((await desk.devices())[0]).toBe(other);
    expect((await laptop.post('/devices/revoke', { id: other as string })).status).toBe(303);
    expect(await laptop.devices()).toEqual([own]);
    expect(await desk.isLoggedIn()).toBe(false);
    expect(await laptop.isLoggedIn()).toBe(true);
  });

  it('logs out everywhere else, and nobody else', async () => {
    const other = await newVisitor().login('grace h');
    const here = await newVisitor().login('grace');
    const elsewhere = [await newVisitor().login('grace'), await newVisitor().login('grace')];
    const { headers } = await here.post('/devices/revoke-others');
    expect(headers.get('location')).toBe('/devices');
    expect((await here.get('/devices')).text).toContain('2 other devices are logged out.');
    expect((await here.get('/devices')).text).not.toContain('logged out.');
    for (const gone of elsewhere) expect(await gone.isLoggedIn()).toBe(false);
    expect(await here.isLoggedIn()).toBe(true);
    expect(await other.isLoggedIn()).toBe(true);
  });

  it('closes none but the own sessions', async () => {
    const ada = await newVisitor().login('ada2');
    const eve = await newVisitor().login('eve');
    const [id] = await ada.devices();
    for (const wanted of [id as string, 's_0', '', '<b>'])
      expect((await eve.post('/devices/revoke', { id: wanted })).status).toBe(404);
    expect(await ada.isLoggedIn()).toBe(true);
  });

  it('logs out, and the cookie is worth nothing after', async () => {
    const visitor = await newVisitor().login('ada3');
    const { cookie } = visitor;
    expect((await visitor.post('/logout')).headers.get('location')).toBe('/');
    expect(visitor.cookie).toBeUndefined();
    visitor.cookie = cookie;
    expect(await visitor.isLoggedIn()).toBe(false);
  });

  it('logs in anew under a new token, and leaves nothing of another user', async () => {
    const visitor = await newVisitor().login('ada4');
    await visitor.get('/page/foyer');
    const before = visitor.cookie;
    await visitor.login('bob4');
    expect(visitor.cookie).not.toBe(before);
    const { text } = await visitor.get('/');
    expect(text).toContain('Welcome, <bdi>bob4</bdi>');
    expect(text).toContain('<dt>Visits</dt><dd>0</dd>');
    visitor.cookie = before;
    expect(await visitor.isLoggedIn()).toBe(false);
  });

  it('counts visits in the threads of the pool, each of which says its number', async () => {
    const visitor = await newVisitor().login('ada5');
    const threads = new Set<string>();
    for (let visit = 1; visit <= 6; visit += 1) {
      const { text } = await visitor.get('/page/bar');
      expect(text).toContain(visit === 1 ? 'Your first visit' : `${visit} visits so far`);
      threads.add(/>thread (\d+)</.exec(text)?.[1] ?? 'none');
    }
    expect(threads.size).toBeGreaterThan(1);
    expect([...threads].every((thread) => Number(thread) > 0)).toBe(true);
    expect((await visitor.get('/')).text).toContain('<dt>Visits</dt><dd>6</dd>');
  });

  it('loses no visit of those that come at once', async () => {
    const visitor = await newVisitor().login('ada6');
    await Promise.all(Array.from({ length: 40 }, () => visitor.get('/page/foyer')));
    expect((await visitor.get('/')).text).toContain('<dt>Visits</dt><dd>40</dd>');
  });

  it('makes no session for visitors who do not log in', async () => {
    const live = async () => /Live sessions<\/dt><dd>(\d+)/.exec((await newVisitor().get('/')).text)?.[1];
    const before = await live();
    for (const path of ['/', '/page/foyer', '/devices']) await newVisitor().get(path);
    expect(await live()).toBe(before);
    expect((await newVisitor().get('/page/foyer')).text).toContain('You have no ticket');
  });

  it('escapes what a client sends', async () => {
    const evil = `"><script>alert('x')</script>`;
    const visitor = await newVisitor(`<img src=x onerror=alert(1)>`).login(evil);
    for (const path of ['/', '/devices', '/page/foyer']) {
      const { text } = await visitor.get(path);
      expect(text).toContain('&lt;script&gt;alert(&#39;x&#39;)');
      expect(text).not.toMatch(/<script|<img/);
    }
  });
});

describe('the demo is safe', () => {
  it('tells browsers to run no script, to keep nothing and to let nobody frame it', async () => {
    for (const path of ['/', '/page/foyer', '/nowhere']) {
      const { headers, text } = await newVisitor().get(path);
      const policy = headers.get('content-security-policy') ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain('unsafe-inline');
      expect(text).not.toContain(' style="');
      expect(headers.get('cache-control')).toBe('no-store');
    }
  });

  it('sets a cookie that no script reads and that plain HTTP carries', async () => {
    const { headers } = await newVisitor().post('/login', { user: 'ada7' });
    const [cookie] = headers.getSetCookie();
    expect(cookie).toMatch(/; HttpOnly/i);
    expect(cookie).toMatch(/; SameSite=Lax/i);
    expect(cookie).not.toMatch(/; Secure/i);
  });

  it.each([
    { origin: 'http://evil.example' },
    { origin: 'null' },
    { origin: 'http://127.0.0.1:1' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ])('refuses forms of other sites: %j', async (headers) => {
    const visitor = await newVisitor().login('ada8');
    for (const path of ['/login', '/logout', '/devices/revoke', '/devices/revoke-others'])
      expect((await visitor.post(path, {}, headers as Record<string, string>)).status).toBe(403);
    expect(await visitor.isLoggedIn()).toBe(true);
  });

  it('takes forms of its own pages', async () => {
    const own = { origin: url, 'sec-fetch-site': 'same-origin' };
    expect((await newVisitor().post('/login', { user: 'ada9' }, own)).status).toBe(303);
  });

  it('answers to this machine’s own names only', async () => {
    expect(await statusFor('/', { host: 'evil.example' })).toBe(421);
    expect(await statusFor('/', { host: '127.0.0.1.evil.example' })).toBe(421);
    for (const host of ['localhost:3000', '127.0.0.1', '[::1]:80']) expect(await statusFor('/', { host })).toBe(200);
  });
});

describe('the demo answers bad requests', () => {
  it.each([
    ['GET', '/nowhere', 404],
    ['GET', '/page/cellar', 404],
    ['GET', '/page/%E0%A4%A', 404],
    ['GET', '/page/../devices', 404],
    ['GET', '//', 404],
    ['POST', '/', 405],
    ['GET', '/login', 405],
    ['PUT', '/page/foyer', 405],
    ['OPTIONS', '/devices', 405],
    ['HEAD', '/page/foyer', 200],
  ])('%s %s with %i', async (method, path, status) => {
    expect(await statusFor(path, {}, method)).toBe(status);
  });

  it.each([
    ['no name', ''],
    ['an empty name', 'user=+'],
    ['control characters', 'user=a%00b'],
    ['a name that is too long', `user=${'a'.repeat(65)}`],
  ])('with 400 for %s', async (_what, body) => {
    expect(await statusFor('/login', { 'content-type': 'application/x-www-form-urlencoded' }, 'POST', body)).toBe(400);
  });

  it('with 413 for a body that is too long, and 415 for one that is no form', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    expect(await statusFor('/login', form, 'POST', 'a'.repeat(20_000))).toBe(413);
    expect(await statusFor('/login', { 'content-type': 'application/json' }, 'POST', '{}')).toBe(415);
  });

  it('and goes on after connections that break off, bytes that are no text, and cookies that are none', async () => {
    const broken = request(`${url}/login`, { method: 'POST', headers: { 'content-length': '1000' } });
    broken.on('error', () => undefined);
    broken.write('user=');
    await once(broken, 'socket');
    broken.destroy();
    expect(
      await statusFor('/login', { 'content-type': 'application/x-www-form-urlencoded' }, 'POST', 'user=%ff%zz'),
    ).toBe(303);
    for (const value of ['%', '=', ';;;', 'a', `"${'x'.repeat(5000)}"`, '__proto__'])
      expect(await statusFor('/page/foyer', { cookie: `coatcheck-demo=${value}` })).toBe(200);
  });
});

/** For what fetch does not send: any host, any method, any path as it stands. */
function statusFor(
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
  body = '',
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const sent = request({ hostname, port, path, method, headers, agent: false }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode));
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

describe('the end of the demo', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('comes cleanly with %s', async (signal) => {
    const own = await startDemo();
    // A connection that is kept open does not keep the demo.
    expect((await fetch(`${own.url}/page/foyer`)).status).toBe(200);
    // Twice, as from a terminal and from npm.
    own.child.kill(signal);
    own.child.kill(signal);
    expect(await own.ended).toMatchObject({ status: 0, signal: null, stderr: '' });
  });

  it('comes with a clear word and status 1 where its port is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const address = taken.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const { status, stdout, stderr } = await runCommand(['demo', '--port', String(port)]);
    taken.close();
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toBe(`coatcheck: port ${port} is in use; choose another with --port, or --port 0 for a free one\n`);
  });

  it('leaves nothing on stderr after all this', async () => {
    demo.kill('SIGINT');
    expect(await ended).toMatchObject({ status: 0, stderr: '' });
  });
});
