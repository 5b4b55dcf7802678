/** The middleware beside others that patch the response, beside itself, and over HTTP/2. */

import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import compression from 'compression';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import express4 from 'express4';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { coatcheck, sessionIn } from '../../dist/src/http/express.js';
import { type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { collectGarbage } from './rubbish.js';
import { ask } from './wire.js';

/** How many go away, one after another. */
const CLIENTS = 300;

let manager: SessionManager;
beforeAll(async () => {
  manager = await startSessionManager({ name: 'companions', cookie: { secure: false } });
});
afterAll(() => manager.stop());

describe('with others that patch the response', () => {
  test.each([
    ['before', true],
    ['after', false],
  ])('compression that is used %s it compresses, and the cookie is there', async (_, isBefore) => {
    const app = express();
    const uses = [compression({ threshold: 0 }), coatcheck(manager)];
    for (const use of isBefore ? uses : uses.reverse()) app.use(use);
    app.get('/', (request, response) => {
      void request.session.set({ a: 1 });
      response.type('text').send('long '.repeat(10_000));
    });
    const port = await listening(app);
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
    expect(response.headers.get('content-encoding')).toMatch(/gzip|br|deflate/);
    expect(response.headers.get('vary')?.split(', ').sort()).toEqual(['Accept-Encoding', 'Cookie']);
    expect(response.headers.getSetCookie()).toEqual([expect.stringMatching(/^id=/)]);
    expect(await response.text()).toBe('long '.repeat(10_000));
  });

  test.each([
    ['before', true],
    ['after', false],
  ])('an answer that a middleware used %s it defers waits for what is changed meanwhile', async (_, isBefore) => {
    const defer: RequestHandler = (_request, response, next) => {
      const { end } = response;
      response.end = (...args: unknown[]) => {
        setImmediate(() => end.apply(response, args as never));
        return response;
      };
      next();
    };
    const app = express();
    const uses = [defer, coatcheck(manager)];
    for (const use of isBefore ? uses : uses.reverse()) app.use(use);
    app.get('/', (request, response) => {
      void request.session.data;
      response.send('deferred');
      void request.session.update(async () => {
        for (let i = 0; i < 5; i++) await new Promise((next) => setImmediate(next));
        return { a: 1 };
      });
    });
    const heard = await ask(await listening(app));
    expect(heard).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\ndeferred$/);
    expect(manager.getSession(/Set-Cookie: id=([\w-]{43})/.exec(heard)?.[1])?.data).toEqual({ a: 1 });
  });

  test('of two managers each has its own cookie, and the inner one its own session', async () => {
    const admin = await startSessionManager({ name: 'admin', cookie: { secure: false, name: 'admin' } });
    onTestFinished(() => admin.stop());
    const app = express();
    app.use(coatcheck(manager));
    app.use(async (request, _, next) => {
      await request.session.set({ of: 'site' });
      next();
    });
    app.use('/admin', coatcheck(admin));
    app.get('/admin', async (request, response) => {
      await request.session.set({ of: 'admin' });
      response.end();
    });
    const heard = await ask(await listening(app), '/admin');
    expect(manager.getSession(/Set-Cookie: id=([\w-]{43})/.exec(heard)?.[1])?.data).toEqual({ of: 'site' });
    expect(admin.getSession(/Set-Cookie: admin=([\w-]{43})/.exec(heard)?.[1])?.data).toEqual({ of: 'admin' });
  });

  test('the site around keeps its own session where a middleware between it and an inner one patches the response', async () => {
    const inner = await startSessionManager({ name: 'inner', cookie: { secure: false, name: 'inner' } });
    onTestFinished(() => inner.stop());
    const app = express();
    app.use(coatcheck(manager));
    app.use((request, _, next) => {
      void request.session.set({ of: 'site' });
      next();
    });
    app.use(compression({ threshold: 0 }), coatcheck(inner));
    app.get('/', (request, response) => {
      void request.session.set({ of: 'inner' });
      response.send('both');
    });
    const heard = await ask(await listening(app));
    expect(manager.getSession(/Set-Cookie: id=([\w-]{43})/.exec(heard)?.[1])?.data).toEqual({ of: 'site' });
    expect(inner.getSession(/Set-Cookie: inner=([\w-]{43})/.exec(heard)?.[1])?.data).toEqual({ of: 'inner' });
  });

  test.each([
    ['awaited', true],
    ['left alone', false],
  ])(
    'S-35 over HTTP/2, with several Cookie headers, a change that is %s comes with its cookie',
    async (_, isAwaited) => {
      const warnings: string[] = [];
      const hear = (warning: Error) => warnings.push(warning.message);
      process.on('warning', hear);
      onTestFinished(() => void process.off('warning', hear));
      const withSession = coatcheck(manager);
      const server = createHttp2Server((request, response) =>
        withSession(request as never, response as never, async () => {
          const session = sessionIn(request as never);
          const change = session.update(({ n = 0 }) => ({ n: Number(n) + 1 }));
          if (isAwaited) await change;
          response.setHeader('set-cookie', ['own=1']);
          if (request.url === '/head') response.writeHead(201, { 'x-a': '1' });
          response.write('bo');
          response.end('dy');
        }),
      ).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      onTestFinished(() => {
        client.close();
        server.close();
      });
      let cookie: string[] = [];
      for (const path of ['/', '/head', '/']) {
        const stream = client.request({ ':path': path, cookie: ['a=b', ...cookie] as never });
        const [headers] = await once(stream, 'response');
        let body = '';
        for await (const chunk of stream) body += chunk;
        expect([headers[':status'], headers['x-a'], body]).toEqual(
          path === '/' ? [200, undefined, 'body'] : [201, '1', 'body'],
        );
        const sent: string[] = headers['set-cookie'];
        expect(sent).toHaveLength(cookie.length === 0 ? 2 : 1);
        if (cookie.length === 0) cookie = [sent[1]?.split(';')[0] ?? ''];
      }
      expect(manager.getSession(cookie[0]?.slice(3))?.data).toEqual({ n: 3 });
      expect(warnings).toEqual([]);
    },
  );

  test('a middleware that is used twice gives one session', async () => {
    const app = express();
    app.use(coatcheck(manager), coatcheck(manager));
    app.get('/', async (request, response) => {
      await request.session.set({ a: 1 });
      response.end();
    });
    expect((await ask(await listening(app))).match(/Set-Cookie/g)).toHaveLength(1);
  });

  describe.each([
    ['express 4', express4],
    ['express 5', express],
  ])('in %s', (_, make) => {
    test('an application that is mounted within has its sessions, also where the one around it answers', async () => {
      const outer = make();
      const inner = make();
      inner.use(coatcheck(manager));
      inner.get('/', (request, _response, next) => {
        void request.session.set({ from: 'within' });
        next(new Error('answered by the one around'));
      });
      outer.use('/inner', inner);
      outer.use(((_error, _request, response, _next) => {
        response.status(418).send('around');
      }) as ErrorRequestHandler);
      const heard = await ask(await listening(outer), '/inner');
      expect(heard).toMatch(/^HTTP\/1.1 418 /);
      expect(manager.getSession(/Set-Cookie: id=([\w-]{43})/.exec(heard)?.[1])?.data).toEqual({ from: 'within' });
    });

    test('an application without sessions beside it answers as it did', async () => {
      const other = make();
      other.get('/', (_request, response) => void response.send('plain'));
      const heard = await ask(await listening(other));
      expect(heard).toMatch(/\r\n\r\nplain$/);
      expect(heard).not.toMatch(/Set-Cookie|Vary|Cache-Control/);
    });

    test('of clients that go away before they are answered, next to nothing is kept', async () => {
      const app = make();
      const seen: WeakRef<object>[] = [];
      app.use(coatcheck(manager));
      const left: Promise<unknown>[] = [];
      app.get('/', (request, response) => {
        seen.push(new WeakRef(response));
        left.push(once(response, 'close'));
        request.socket.destroy();
      });
      const port = await listening(app);
      for (let i = 0; i < CLIENTS; i++) await ask(port).catch(() => undefined);
      await Promise.all(left.splice(0));
      await new Promise((next) => setImmediate(next));
      collectGarbage();
      expect(seen).toHaveLength(CLIENTS);
      expect(seen.filter((response) => response.deref() !== undefined).length).toBeLessThan(CLIENTS / 2);
    });
  });
});

async function listening(app: RequestListener): Promise<number> {
  const server = createServer(app).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
