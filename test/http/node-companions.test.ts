/** The middleware beside others that patch the response, beside itself, and over HTTP/2. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import compression from 'compression';
import express from 'express';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { coatcheck, sessionIn } from '../../dist/src/http/express.js';
import { type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { ask } from './wire.js';

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
    const server = createServer(app).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
    expect(response.headers.get('content-encoding')).toMatch(/gzip|br|deflate/);
    expect(response.headers.get('vary')?.split(', ').sort()).toEqual(['Accept-Encoding', 'Cookie']);
    expect(response.headers.getSetCookie()).toEqual([expect.stringMatching(/^id=/)]);
    expect(await response.text()).toBe('long '.repeat(10_000));
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
    const server = createServer(app).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const heard = await ask((server.address() as AddressInfo).port, '/admin');
    expect(manager.getSession(/Set-Cookie: id=([\w-]{43})/.exec(heard)?.[1])?.data).toEqual({ of: 'site' });
    expect(admin.getSession(/Set-Cookie: admin=([\w-]{43})/.exec(heard)?.[1])?.data).toEqual({ of: 'admin' });
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
    const server = createServer(app).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    expect((await ask((server.address() as AddressInfo).port)).match(/Set-Cookie/g)).toHaveLength(1);
  });
});
