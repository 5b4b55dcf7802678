/**
 * What only node:http knows of a response: heads in all forms, streams, informational answers, pipelines, clients that
 * leave. Over all that hand out the raw response.
 */

import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { Browser, type RawHandler, sites } from './sites.js';
import { ask, wire } from './wire.js';

let manager: SessionManager;
beforeAll(async () => {
  manager = await startSessionManager({ name: 'raw responses', cookie: { secure: false } });
});
afterAll(() => manager.stop());

const cookie = /\r\nSet-Cookie: id=[\w-]{43};/i;

for (const site of sites) {
  const { startRaw } = site;
  if (startRaw === undefined) continue;
  const start = async (handler: RawHandler) => {
    const running = await startRaw(manager, handler);
    onTestFinished(() => running.close());
    return running;
  };

  describe.each([
    ['changes are done', true],
    ['changes are under way', false],
  ])(`a raw response over ${site.name}, when %s`, (_, isAwaited) => {
    /** Runs after a change of the session. */
    const changing = (answer: (response: ServerResponse, request: IncomingMessage) => unknown) =>
      start(async (request, response, session) => {
        const change = session.set({ path: request.url });
        if (isAwaited) await change;
        await answer(response, request);
      });

    test.each<[string, (response: ServerResponse) => unknown]>([
      ['nothing but an end', (response) => response.end('body')],
      ['an object', (response) => response.writeHead(200, { 'X-A': '1', 'Set-Cookie': ['a=1', 'b=2'] }).end('body')],
      ['a reason and an object', (response) => response.writeHead(200, 'Fine', { 'X-A': '1' }).end('body')],
      [
        'a flat array',
        (response) => response.writeHead(200, ['X-A', '1', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']).end('body'),
      ],
      [
        'pairs',
        (response) =>
          response
            .writeHead(200, [
              ['X-A', '1'],
              ['Set-Cookie', 'a=1'],
              ['Set-Cookie', 'b=2'],
            ] as never)
            .end('body'),
      ],
      [
        'Headers',
        (response) =>
          response
            .writeHead(
              200,
              new Headers([
                ['X-A', '1'],
                ['Set-Cookie', 'a=1'],
                ['Set-Cookie', 'b=2'],
              ]) as never,
            )
            .end('body'),
      ],
      ['no headers', (response) => response.writeHead(200).end('body')],
      [
        'a write',
        (response) => {
          response.write('bo');
          response.end('dy');
        },
      ],
      [
        'a flush',
        (response) => {
          response.flushHeaders();
          response.end('body');
        },
      ],
    ])('S-34 a head by %s keeps what is in it, and gets the cookie', async (form, answer) => {
      const running = await changing((response) => {
        response.setHeader('X-Before', 'kept');
        response.setHeader('X-A', 'replaced');
        answer(response);
      });
      const heard = await ask(running.port);
      expect(heard).toMatch(/^HTTP\/1\.1 200 /);
      if (form.startsWith('a reason')) expect(heard).toMatch(/^HTTP\/1\.1 200 Fine\r\n/);
      expect(heard).toMatch(cookie);
      expect(heard.match(/Set-Cookie: id=/gi)).toHaveLength(1);
      expect(heard).toMatch(/\r\nX-Before: kept\r\n/i);
      expect(heard).toMatch(/\r\nCache-Control: no-store\r\n/i);
      expect(heard.replace(/\r\n[0-9a-f]+\r\n|\r\n/g, '')).toMatch(/body/);
      if (/array|pairs|Headers|an object$/.test(form)) {
        expect(heard.match(/\r\nX-A: 1\r\n/gi)).toHaveLength(1);
        expect(heard).not.toContain('replaced');
      }
      if (/flat|pairs|Headers|^an object/.test(form)) expect(heard).toMatch(/Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n/i);
    });

    test('a stream arrives whole, however often it is asked to wait', async () => {
      const running = await changing((response) =>
        pipeline(Readable.from(Array.from({ length: 200 }, (_, i) => `${i},`.padEnd(4096, '.'))), response),
      );
      const response = await fetch(`http://127.0.0.1:${running.port}/`);
      const numbers = (await response.text()).split(/,\.*/).slice(0, -1).map(Number);
      expect(numbers).toEqual(Array.from({ length: 200 }, (_, i) => i));
      expect(response.headers.getSetCookie()).toHaveLength(1);
    });

    test('informational answers pass', async () => {
      const running = await changing(async (response) => {
        response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
        response.writeProcessing();
        response.end('body');
      });
      const heard = await ask(running.port);
      expect(heard).toMatch(
        /^HTTP\/1\.1 103 .*\r\nLink: [^\r]*\r\n\r\nHTTP\/1\.1 102 Processing\r\n\r\nHTTP\/1\.1 200 /s,
      );
      expect(heard.match(/Set-Cookie/gi)).toHaveLength(1);
    });

    test('the body that a client offers is continued', async () => {
      const running = await changing((response, request) => {
        request.resume();
        response.end('body');
      });
      const heard = await wire(
        running.port,
        'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi',
      );
      expect(heard).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
    });

    test('HEAD has a head and no body', async () => {
      const running = await changing((response) => response.end('body'));
      const heard = await wire(running.port, 'HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      expect(heard).toMatch(cookie);
      expect(heard).toMatch(/\r\n\r\n$/);
    });

    test('requests in a pipeline are answered in their order, each with its own cookie', async () => {
      const running = await changing((response, request) => response.end(`<${request.url}>`));
      const paths = Array.from({ length: 10 }, (_, i) => `/${i}`);
      const heard = await wire(
        running.port,
        paths
          .map((path, i) => `GET ${path} HTTP/1.1\r\nHost: x\r\n${i === 9 ? 'Connection: close\r\n' : ''}\r\n`)
          .join(''),
      );
      expect(heard.match(/<[^>]*>/g)).toEqual(paths.map((path) => `<${path}>`));
      const cookies = heard.match(/id=[\w-]{43}/g) ?? [];
      expect([cookies.length, new Set(cookies).size]).toEqual([10, 10]);
      for (const [i, each] of cookies.entries())
        expect(manager.getSession(each.slice(3))?.data).toEqual({ path: `/${i}` });
    });

    test('what is done to a response that has been answered fails as it does without a session', async () => {
      const codes: unknown[] = [];
      const codeOf = (run: () => unknown) => {
        try {
          run();
          codes.push('done');
        } catch (error) {
          codes.push(Reflect.get(error as object, 'code'));
        }
      };
      const running = await changing((response) => {
        response.end('first');
        codes.push(response.headersSent, response.writableEnded, response.finished);
        codeOf(() => response.writeHead(500));
        codeOf(() => response.setHeader('X', '1'));
        codeOf(() => response.removeHeader('X'));
        response.statusCode = 500;
        codeOf(() => response.end());
      });
      const heard = await ask(running.port);
      expect(heard).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nfirst$/);
      const sent = 'ERR_HTTP_HEADERS_SENT';
      expect(codes).toEqual([true, true, true, sent, sent, sent, 'done']);
    });

    test('a handler that throws after it has answered changes nothing of its answer', async () => {
      const running = await changing((response) => {
        response.end('answered');
        if (!site.name.startsWith('fastify')) throw new Error('too late');
      });
      expect(await ask(running.port)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nanswered$/);
    });

    test('a client that has left harms nobody', async () => {
      const closed: unknown[] = [];
      const running = await changing(async (response) => {
        response.once('close', () => closed.push(1));
        response.write('x'.repeat(100_000));
        await new Promise(setImmediate);
        response.end('x'.repeat(100_000));
      });
      for (let i = 0; i < 10; i++) {
        const request = httpRequest({ port: running.port, host: '127.0.0.1' });
        request.on('error', () => undefined);
        request.end();
        if (i % 2 === 0) {
          const [response] = (await once(request, 'response')) as [IncomingMessage];
          response.on('error', () => undefined);
        }
        request.destroy();
      }
      const visitor = new Browser(running);
      expect((await visitor.visit('/')).body).toHaveLength(200_000);
      expect(visitor.cookie).toMatch(/^id=/);
    });

    test('callbacks are called', async () => {
      const called: string[] = [];
      const running = await changing(async (response) => {
        await new Promise<void>((resolve) => {
          response.write('a', () => called.push('written'));
          response.end('b', () => {
            called.push('ended');
            resolve();
          });
        });
      });
      expect(await ask(running.port)).toMatch(/a[\s\S]*b/);
      expect(called.sort()).toEqual(['ended', 'written']);
    });
  });

  test(`a change that begins only once the head of ${site.name} is out sets no cookie, and is refused`, async () => {
    let refused: unknown;
    const running = await start(async (_, response, session) => {
      response.write('begun');
      refused = await session.set({ a: 1 }).catch((error: { code: string }) => error.code);
      response.end();
    });
    expect(await ask(running.port)).not.toMatch(/Set-Cookie/i);
    expect(refused).toBe('ERR_INVALID_OPTION');
  });
}
