/** One small site in every framework that there is an adapter for, so that one contract can be held to all of them. */

import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import express5 from 'express';
import express4 from 'express4';
import fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { coatcheck as forExpress, type HttpOptions, type RequestSession } from '../../dist/src/http/express.js';
import { coatcheck as forFastify } from '../../dist/src/http/fastify.js';
import { coatcheck as forHono } from '../../dist/src/http/hono.js';
import { coatcheck as forKoa } from '../../dist/src/http/koa.js';
import type { SessionManager } from '../../dist/src/index.js';
import { injectInto } from './in-memory.js';

export type AnySession = RequestSession<Record<string, unknown>>;

/** A request as the site's handler is given it, whatever the framework. */
export interface Visit {
  readonly session: AnySession;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly header: (name: string) => string | undefined;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string;
}

export type Handler = (visit: Visit) => Reply | Promise<Reply>;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
}

export interface Running {
  /** Over HTTP on 127.0.0.1; for a site without a server, as a Request. */
  ask(path: string, asked?: Asked): Promise<Answer>;
  /** Without a socket. */
  inject(path: string, asked?: Asked): Promise<Answer>;
  /** Where it listens; 0 for a site without a server. */
  readonly port: number;
  close(): Promise<void>;
}

/** Answers on the raw response, for what only node:http knows. Absent where there is no such thing. */
export type RawHandler = (request: IncomingMessage, response: ServerResponse, session: AnySession) => unknown;

export interface Site {
  readonly name: string;
  start(manager: SessionManager, handler: Handler, options?: HttpOptions): Promise<Running>;
  readonly startRaw?: (manager: SessionManager, handler: RawHandler) => Promise<Running>;
}

function visitOf(session: unknown, url: string, header: Visit['header']): Visit {
  const { pathname, searchParams } = new URL(url, 'http://site');
  return { session: session as AnySession, path: pathname, query: searchParams, header };
}

const headerOf = (request: IncomingMessage) => (name: string) => request.headers[name]?.toString();

function finish(response: ServerResponse, { status = 200, headers = {}, body = '' }: Reply): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(body);
}

async function listening(listener: RequestListener): Promise<Running> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    ask: (path, asked) => askOver(port, path, asked),
    inject: (path, asked) => injectInto(listener, path, asked),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function askOver(port: number, path: string, { method = 'GET', headers = {} }: Asked = {}): Promise<Answer> {
  return answerOf(await fetch(`http://127.0.0.1:${port}${path}`, { method, headers, redirect: 'manual' }));
}

async function answerOf(response: Response): Promise<Answer> {
  return { status: response.status, headers: response.headers, body: await response.text() };
}

async function injectFastify(
  app: ReturnType<typeof fastify>,
  path: string,
  { method = 'GET', headers = {} }: Asked = {},
): Promise<Answer> {
  const answer = await app.inject({ method: method as 'GET', url: path, headers });
  const pairs = Object.entries(answer.headers).flatMap(([name, value]) =>
    [value].flat().map((each): [string, string] => [name, String(each)]),
  );
  return { status: answer.statusCode, headers: new Headers(pairs), body: answer.payload };
}

function expressSite(name: string, create: () => unknown): Site {
  const start = (manager: SessionManager, handler: RawHandler, options?: HttpOptions) => {
    const app = create() as {
      (request: IncomingMessage, response: ServerResponse): void;
      use(middleware: unknown): void;
      set(name: string, value: unknown): void;
    };
    app.set('env', 'test');
    app.use(forExpress(manager, options));
    app.use((request: IncomingMessage & { session: AnySession }, response: ServerResponse, next: never) =>
      Promise.resolve()
        .then(() => handler(request, response, request.session))
        .catch(next),
    );
    return listening(app);
  };
  return {
    name,
    start: (manager, handler, options) => start(manager, answering(handler), options),
    startRaw: start,
  };
}

const answering =
  (handler: Handler): RawHandler =>
  async (request, response, session) =>
    finish(response, await handler(visitOf(session, request.url ?? '/', headerOf(request))));

/** What stands in for a framework: the middleware, and a 500 or what the error says. */
function bareSite(): Site {
  const start = (manager: SessionManager, handler: RawHandler, options?: HttpOptions) => {
    const withSession = forExpress(manager, options);
    return listening((request, response) =>
      withSession(request, response, async (error) => {
        try {
          if (error !== undefined) throw error;
          await handler(request, response, Reflect.get(request, 'session') as AnySession);
        } catch (thrown) {
          if (response.headersSent) response.destroy();
          else finish(response, { status: Number(Reflect.get(thrown as object, 'status') ?? 500) });
        }
      }),
    );
  };
  return {
    name: 'node:http',
    start: (manager, handler, options) => start(manager, answering(handler), options),
    startRaw: start,
  };
}

const koaSite: Site = {
  name: 'koa 3',
  start(manager, handler, options) {
    const app = new Koa();
    app.silent = true;
    app.use(forKoa(manager, options));
    app.use(async (context) => {
      const visit = visitOf(context.session, context.url, headerOf(context.req));
      const { status = 200, headers = {}, body = '' } = await handler(visit);
      context.status = status;
      for (const [name, value] of Object.entries(headers)) context.set(name, value);
      context.body = body;
    });
    return listening(app.callback());
  },
  startRaw(manager, handler) {
    const app = new Koa();
    app.silent = true;
    app.use(forKoa(manager));
    app.use(async (context) => {
      context.respond = false;
      // Koa's own default is 404.
      context.res.statusCode = 200;
      await handler(context.req, context.res, context.session as AnySession);
    });
    return listening(app.callback());
  },
};

const fastifySite: Site = {
  name: 'fastify 5',
  async start(manager, handler, options) {
    const app = fastify();
    app.register(forFastify, { manager, ...options });
    app.all('/*', async (request, reply) => {
      const visit = visitOf(request.session, request.url, headerOf(request.raw));
      const { status = 200, headers = {}, body = '' } = await handler(visit);
      return reply.code(status).headers(headers).send(body);
    });
    return runningFastify(app as never);
  },
  async startRaw(manager, handler) {
    const app = fastify();
    app.register(forFastify, { manager });
    app.all('/*', async (request, reply) => {
      reply.hijack();
      await handler(request.raw, reply.raw, request.session as AnySession);
    });
    return runningFastify(app as never);
  },
};

async function runningFastify(app: ReturnType<typeof fastify>): Promise<Running> {
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  return {
    port,
    ask: (path, asked) => askOver(port, path, asked),
    inject: (path, asked) => injectFastify(app, path, asked),
    async close() {
      app.server.closeAllConnections();
      await app.close();
    },
  };
}

function honoApp(manager: SessionManager, handler: Handler, options?: HttpOptions): Hono {
  const app = new Hono();
  app.use(forHono(manager, options));
  app.all('*', async (c) => {
    const visit = visitOf(c.get('session'), c.req.url, (name) => c.req.header(name));
    const { status = 200, headers = {}, body = '' } = await handler(visit);
    const hasBody = status !== 204 && status !== 304;
    const pairs = Object.entries(headers).flatMap(([name, value]) =>
      [value].flat().map((each): [string, string] => [name, each]),
    );
    return new Response(hasBody ? body : null, { status, headers: pairs });
  });
  app.onError((error, c) => ('getResponse' in error ? (error.getResponse as () => Response)() : c.text('failed', 500)));
  return app;
}

const honoNodeSite: Site = {
  name: 'hono (node server)',
  start: (manager, handler, options) => listening(getRequestListener(honoApp(manager, handler, options).fetch)),
};

const honoFetchSite: Site = {
  name: 'hono (fetch)',
  async start(manager, handler, options) {
    const app = honoApp(manager, handler, options);
    const ask = async (path: string, asked: Asked = {}) =>
      answerOf(await app.request(path, { method: asked.method ?? 'GET', headers: asked.headers ?? {} }));
    return { port: 0, ask, inject: ask, close: async () => undefined };
  },
};

export const sites: readonly Site[] = [
  expressSite('express 4', express4 as never),
  expressSite('express 5', express5 as never),
  bareSite(),
  koaSite,
  fastifySite,
  honoNodeSite,
  honoFetchSite,
];

/** As much of a browser as matters here: it keeps a cookie, and sends it. */
export class Browser {
  readonly #running: Running;
  readonly #by: 'ask' | 'inject';
  /** By name. */
  readonly cookies = new Map<string, string>();

  constructor(running: Running, by: 'ask' | 'inject' = 'ask') {
    this.#running = running;
    this.#by = by;
  }

  get cookie(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  async visit(path: string, { method, headers = {} }: Asked = {}): Promise<Answer> {
    const { cookie } = this;
    const answer = await this.#running[this.#by](path, {
      ...(method === undefined ? {} : { method }),
      headers: cookie === '' ? headers : { cookie, ...headers },
    });
    this.keep(answer);
    return answer;
  }

  keep({ headers }: Answer): void {
    for (const set of headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]*)=([^;]*)/.exec(set) ?? [];
      if (/;\s*Max-Age=0(?:;|$)/i.test(set)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
  }
}
