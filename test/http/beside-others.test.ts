/** A request that has a session already, or is answered past its framework: what becomes of ours. */

import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import express from 'express';
import expressSession from 'express-session';
import fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { describe, expect, onTestFinished, test } from 'vitest';
import { coatcheck } from '../../dist/src/http/express.js';
import { coatcheck as forFastify } from '../../dist/src/http/fastify.js';
import { coatcheck as forHono } from '../../dist/src/http/hono.js';
import { coatcheck as forKoa } from '../../dist/src/http/koa.js';
import { type SessionManager, startSessionManager } from '../../dist/src/index.js';

async function start(name: string): Promise<SessionManager> {
  const manager = await startSessionManager({ name, cookie: { secure: false, name } });
  onTestFinished(() => manager.stop());
  return manager;
}

async function listening(listener: Parameters<typeof createServer>[1]): Promise<string> {
  const server = createServer(listener as never);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('assigning `session` of a request, by which cookie-session and koa-session log out,', () => {
  /** What `visit` made of its session, after both assignments. */
  const assigned = (to: object, values: readonly unknown[]) =>
    values.map((value) => {
      try {
        return Reflect.set(to, 'session', value);
      } catch (error) {
        return [(error as { code: string }).code, /`session\.logout\(\)`/.test((error as Error).message)].join();
      }
    });
  const refused = ['ERR_INVALID_OPTION,true', 'ERR_INVALID_OPTION,true', 'ERR_INVALID_OPTION,true'];
  const values = [null, undefined, { userId: 'bob' }];

  test('is refused under Express, and its own session may be assigned again', async () => {
    const app = express();
    app.use(coatcheck(await start('assigned')));
    app.get('/', async (request, response) => {
      await request.session.login('ada');
      const { session } = request;
      response.json([...assigned(request, values), Reflect.set(request, 'session', session), request.session.userId]);
    });
    expect(await (await fetch(await listening(app))).json()).toEqual([...refused, true, 'ada']);
  });

  test('is refused under Koa', async () => {
    const app = new Koa();
    app.use(forKoa(await start('assigned')));
    app.use(async (context) => {
      await context.session.login('ada');
      context.body = [...assigned(context, values), context.session.userId];
    });
    expect(await (await fetch(await listening(app.callback()))).json()).toEqual([...refused, 'ada']);
  });

  test('is refused under Fastify', async () => {
    const app = fastify();
    await app.register(forFastify, { manager: await start('assigned') });
    app.get('/', async (request) => {
      await request.session.login('ada');
      return [...assigned(request, values), request.session.userId];
    });
    onTestFinished(() => app.close());
    expect((await app.inject('/')).json()).toEqual([...refused, 'ada']);
  });
});

describe('a session of another package that is there already', () => {
  test('is an error of Express, and the request is answered', async () => {
    const app = express();
    app.use(expressSession({ secret: 'x', resave: false, saveUninitialized: true }));
    app.use(coatcheck(await start('beside')));
    app.get('/', (_, response) => void response.send('reached'));
    app.use((error: { code: string }, _: unknown, response: express.Response, __: unknown) => {
      response.status(500).send(error.code);
    });
    const response = await fetch(await listening(app));
    expect([response.status, await response.text()]).toEqual([500, 'ERR_INVALID_OPTION']);
  });

  test('is an error of Koa, and the request is answered', async () => {
    const app = new Koa();
    app.silent = true;
    app.use((context, next) => {
      Reflect.set(context, 'session', { views: 1 });
      return next();
    });
    app.use(forKoa(await start('beside')));
    expect((await fetch(await listening(app.callback()))).status).toBe(500);
  });
});

describe('a manager within a manager under Fastify', () => {
  test('has its own session within its context, and the one around it has its own', async () => {
    const [outer, inner] = [await start('outer'), await start('inner')];
    const app = fastify();
    onTestFinished(() => app.close());
    app.register(forFastify, { manager: outer });
    const routes = async (context: typeof app, path: string) => {
      context.get(path, async ({ session }) => {
        await session.set({ [path]: true });
        return session.data;
      });
    };
    app.register(async (context) => {
      context.register(forFastify, { manager: inner });
      await routes(context as never, '/within');
    });
    app.register(async (context) => {
      context.register(forFastify, { manager: outer });
      await routes(context as never, '/again');
    });
    await routes(app as never, '/around');
    const [around, within, again] = await Promise.all(['/around', '/within', '/again'].map((path) => app.inject(path)));
    expect([around?.json(), around?.headers['set-cookie']]).toEqual([
      { '/around': true },
      expect.stringMatching(/^outer=/),
    ]);
    expect([within?.json(), within?.headers['set-cookie']]).toEqual([
      { '/within': true },
      expect.stringMatching(/^inner=/),
    ]);
    expect([again?.json(), again?.headers['set-cookie']]).toEqual([
      { '/again': true },
      expect.stringMatching(/^outer=/),
    ]);
    expect([(await outer.stats()).sessions, (await inner.stats()).sessions]).toEqual([2, 1]);
  });

  test('is refused where another plugin has the name', async () => {
    const app = fastify();
    onTestFinished(() => app.close());
    app.decorateRequest('session', null as never);
    app.register(forFastify, { manager: await start('outer') });
    await expect(app.ready()).rejects.toMatchObject({ code: 'FST_ERR_DEC_ALREADY_PRESENT' });
  });
});

describe('a handler of Hono that answers on the response of the server', () => {
  type Env = { Bindings: { outgoing: ServerResponse } };

  async function site() {
    const app = new Hono<Env>();
    app.use(forHono(await start('hono')));
    app.get('/awaited', async (c) => {
      await c.var.session.login('ada');
      c.env.outgoing.writeHead(200, { 'X-Own': 'yes' }).end('welcome');
      return RESPONSE_ALREADY_SENT;
    });
    app.get('/not-awaited', (c) => {
      void c.var.session.login('ada');
      c.env.outgoing.end('welcome');
      return RESPONSE_ALREADY_SENT;
    });
    app.get('/later', async (c) => {
      await c.var.session.login('ada');
      setImmediate(() => c.env.outgoing.end('welcome'));
      return RESPONSE_ALREADY_SENT;
    });
    app.get('/too-late', async (c) => {
      c.env.outgoing.writeHead(200);
      const code = await c.var.session.login('ada').catch((error) => error.code);
      c.env.outgoing.end(String(code));
      return RESPONSE_ALREADY_SENT;
    });
    app.get('/plain', async (c) => {
      await c.var.session.login('ada');
      return c.text('welcome');
    });
    return listening(getRequestListener(app.fetch));
  }

  test('sends the cookie with that, awaited or not, now or later; and only once where Hono answers', async () => {
    const at = await site();
    for (const path of ['/awaited', '/not-awaited', '/later', '/plain']) {
      const response = await fetch(at + path);
      expect([path, await response.text(), response.headers.getSetCookie()]).toEqual([
        path,
        'welcome',
        [expect.stringMatching(/^hono=/)],
      ]);
      expect([response.headers.get('vary'), response.headers.get('cache-control')]).toEqual(['Cookie', 'no-store']);
    }
  });

  test('is refused to log in once the head of that is out', async () => {
    const response = await fetch(`${await site()}/too-late`);
    expect([await response.text(), response.headers.getSetCookie()]).toEqual(['ERR_INVALID_OPTION', []]);
  });
});
