/** One site that several threads serve, each with a server of its own: what one does to a session holds in all. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { fixture } from '../support/threads.js';
import { Browser, type Running } from './sites.js';

const name = 'served by threads';
const workers: Worker[] = [];
let manager: SessionManager;
/** Goes to the threads in turn. */
let site: Running;
let asked = 0;

beforeAll(async () => {
  manager = await startSessionManager({ name, cookie: { secure: false } });
  for (let i = 0; i < 2; i++) workers.push(new Worker(fixture('serves-over-http'), { workerData: name }));
  const ports = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0] as number));
  const ask: Running['ask'] = async (path, { method = 'GET', headers = {} } = {}) => {
    const port = ports[asked++ % ports.length];
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers });
    return { status: response.status, headers: response.headers, body: await response.text() };
  };
  site = { ask, inject: ask, port: 0, close: async () => undefined };
});

afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.terminate()));
  await manager.stop();
});

describe('a site that two threads serve', () => {
  test('what one has stored, the other has in the next request, and what one has ended is gone in both', async () => {
    const visitor = new Browser(site);
    for (let i = 0; i < 20; i++) {
      await visitor.visit(`/set?n=${i}`);
      expect((await visitor.visit('/')).body).toBe(`[null,{"n":"${i}"}]`);
      await visitor.visit('/');
    }
    await visitor.visit('/login?as=ada');
    const { cookie } = visitor;
    expect((await visitor.visit('/')).body).toBe('["ada",{"n":"19","secret":"of ada"}]');
    await visitor.visit('/logout');
    for (let i = 0; i < 4; i++) {
      const answer = await site.ask('/', { headers: { cookie } });
      expect([answer.body, answer.headers.getSetCookie()]).toEqual(['[null,{}]', []]);
    }
  });

  test('a token that one thread has rotated is known in the other', async () => {
    const visitor = new Browser(site);
    await visitor.visit('/login?as=ada');
    for (let i = 0; i < 5; i++) {
      const { cookie } = visitor;
      await visitor.visit('/rotate');
      expect(visitor.cookie).not.toBe(cookie);
      const late = new Browser(site);
      late.cookies.set('id', cookie.slice(3));
      await late.visit('/');
      expect(late.cookie).toBe(visitor.cookie);
    }
  });

  test('a form that one thread has made is taken in the other', async () => {
    const visitor = new Browser(site);
    await visitor.visit('/login?as=ada');
    for (let i = 0; i < 3; i++) {
      const token = (await visitor.visit('/form')).headers.get('x-form') ?? '';
      const headers = { 'x-csrf-token': token };
      expect((await visitor.visit('/', { method: 'POST', headers })).status).toBe(200);
    }
  });

  test('S-01 two that log in with one planted cookie in two threads at once get nothing of one another', async () => {
    for (let round = 0; round < 50; round++) {
      const planted = new Browser(site);
      await planted.visit('/set?a=1');
      const users = ['ada', 'eve'].map((user) => ({ user, browser: new Browser(site) }));
      for (const { browser } of users) browser.cookies.set('id', planted.cookies.get('id') ?? '');
      await Promise.all(users.map(({ user, browser }) => browser.visit(`/login?as=${user}`)));
      for (const { user, browser } of users) {
        const [userId, data] = JSON.parse((await browser.visit('/')).body);
        expect([userId, data.secret]).toEqual([user, `of ${user}`]);
      }
      expect((await planted.visit('/')).body).toBe('[null,{}]');
    }
  });
});
