/**
 * WebSocket upgrades that come through a framework: the 101 is written by whoever takes the socket, and only Hono's own
 * helper sends a cookie with it.
 */

import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { createAdaptorServer, upgradeWebSocket } from '@hono/node-server';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { coatcheck, sessionIn } from '../../dist/src/http/express.js';
import { coatcheck as forFastify } from '../../dist/src/http/fastify.js';
import { coatcheck as forHono } from '../../dist/src/http/hono.js';
import { type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { createManualClock } from '../../dist/src/testing.js';
import type { AnySession } from './sites.js';
import { wire } from './wire.js';

const EVERY = 15 * 60_000;
const GRACE = 60_000;

/** Told of the session of each request that is upgraded. */
type OnUpgrade = (session: AnySession) => unknown;

type Site = (manager: SessionManager, onUpgrade: OnUpgrade) => Promise<Server>;

const wss = () => new WebSocketServer({ noServer: true });

async function listening(server: Server): Promise<Server> {
  if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

/** What an ordinary request is answered: who is logged in, once that has been asked to log in. */
async function ordinary(session: AnySession, url: string | undefined): Promise<string> {
  if (url === '/login') await session.login('ada');
  return session.userId ?? 'nobody';
}

/** As express-ws does: the socket is upgraded first, and the app is given a response that leads nowhere. */
const expressSite: Site = (manager, onUpgrade) => {
  const app = express();
  app.use(coatcheck(manager));
  app.use(async (request, response) => {
    if (request.headers.upgrade === undefined) response.send(await ordinary(request.session, request.url));
    else await onUpgrade(request.session);
  });
  const server = createServer(app);
  const sockets = wss();
  server.on('upgrade', (request, socket, head) =>
    sockets.handleUpgrade(request, socket, head, () => app(request as never, new ServerResponse(request) as never)),
  );
  return listening(server);
};

/** As the documentation of `ws` does with express-session: `response` is an empty object. */
const bareSite: Site = (manager, onUpgrade) => {
  const withSession = coatcheck(manager);
  const server = createServer((request, response) =>
    withSession(request, response, async () => response.end(await ordinary(sessionIn(request), request.url))),
  );
  const sockets = wss();
  server.on('upgrade', (request, socket, head) =>
    withSession(request, {} as ServerResponse, async () => {
      await onUpgrade(sessionIn(request));
      sockets.handleUpgrade(request, socket, head, () => undefined);
    }),
  );
  return listening(server);
};

/** As @fastify/websocket does: the request is routed with a response that has the socket, and its handler upgrades. */
const fastifySite: Site = async (manager, onUpgrade) => {
  const app = fastify();
  const sockets = wss();
  const heads = new WeakMap<IncomingMessage, [Duplex, Buffer]>();
  app.register(forFastify, { manager });
  app.get('/*', async (request, reply) => {
    const upgraded = heads.get(request.raw);
    if (upgraded === undefined) return ordinary(request.session, request.url);
    reply.hijack();
    await onUpgrade(request.session);
    sockets.handleUpgrade(request.raw, ...upgraded, () => undefined);
  });
  app.server.on('upgrade', (request, socket, head) => {
    heads.set(request, [socket, head]);
    const response = new ServerResponse(request);
    response.assignSocket(socket as never);
    app.routing(request as never, response as never);
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return app.server;
};

function honoApp(manager: SessionManager, onUpgrade: OnUpgrade): Hono {
  const app = new Hono();
  app.use(forHono(manager));
  app.get('*', async (c, next) => {
    if (c.req.header('upgrade') === undefined) return c.text(await ordinary(c.var.session, c.req.path));
    await onUpgrade(c.var.session);
    return next();
  });
  app.get(
    '*',
    upgradeWebSocket(() => ({})),
  );
  return app;
}

/** As @hono/node-ws does: of the response to an upgrade nothing is sent but its status. */
const honoWithoutHeaders: Site = (manager, onUpgrade) => {
  const app = honoApp(manager, onUpgrade);
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  const sockets = wss();
  server.on('upgrade', async (request, socket, head) => {
    const headers = new Headers(Object.entries(request.headers) as [string, string][]);
    await app.request(`http://site${request.url}`, { headers }, { incoming: request, outgoing: undefined });
    sockets.handleUpgrade(request, socket, head, () => undefined);
  });
  return listening(server);
};

const honoSite: Site = (manager, onUpgrade) => {
  const { fetch } = honoApp(manager, onUpgrade);
  return listening(createAdaptorServer({ fetch, websocket: { server: wss() } }) as Server);
};

async function begin(site: Site, onUpgrade: OnUpgrade = () => undefined) {
  const clock = createManualClock(Date.UTC(2030, 0, 1));
  const rotation = { every: EVERY, grace: GRACE };
  const manager = await startSessionManager({ name: 'upgrades', clock, rotation, cookie: { secure: false } });
  const handlers = new EventEmitter();
  const server = await site(manager, async (session) => {
    await onUpgrade(session);
    handlers.emit('done');
  });
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await manager.stop();
  });
  const at = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const given = (sets: readonly string[]) => sets.map((set) => set.slice(0, set.indexOf(';')));
  const ask = async (path: string, cookie = '') => {
    const response = await fetch(`http://${at}${path}`, { headers: { cookie } });
    return { body: await response.text(), given: given(response.headers.getSetCookie()) };
  };
  /** The cookies that the 101 sets. */
  const upgrade = async (cookie = '') => {
    const handled = once(handlers, 'done');
    const socket = new WebSocket(`ws://${at}/socket`, { headers: { cookie } });
    const [{ headers }] = (await once(socket, 'upgrade')) as [IncomingMessage];
    socket.terminate();
    await handled;
    return given(headers['set-cookie'] ?? []);
  };
  const [cookie = ''] = (await ask('/login')).given;
  return { ask, clock, cookie, manager, port: (server.address() as AddressInfo).port, upgrade };
}

/** What each of these came to: its error's code, or 'done'. */
async function outcomes(...changes: (() => Promise<unknown>)[]): Promise<string[]> {
  const codes: string[] = [];
  for (const change of changes)
    codes.push(
      await change().then(
        () => 'done',
        ({ code, message }) => `${code}: ${message}`,
      ),
    );
  return codes;
}

const silent: Readonly<Record<string, Site>> = {
  'express with a made up response': expressSite,
  'node:http with no response': bareSite,
  'fastify with its socket': fastifySite,
  'hono whose headers are not sent': honoWithoutHeaders,
};

describe.each(Object.entries(silent))('an upgrade over %s', (_, site) => {
  test('renews no token: the next request does, also after the grace', async () => {
    const seen: unknown[] = [];
    const { ask, clock, cookie, upgrade } = await begin(site, (session) => seen.push(session.userId));
    clock.advance(EVERY);
    expect(await upgrade(cookie)).toEqual([]);
    expect(seen).toEqual(['ada']);
    clock.advance(2 * GRACE);
    const { body, given } = await ask('/', cookie);
    expect([body, given.length]).toEqual(['ada', 1]);
    expect(given).not.toEqual([cookie]);
  });

  test('begins no session, logs nobody in and rotates nothing: refused', async () => {
    const told: string[][] = [];
    const { ask, cookie, manager, upgrade } = await begin(site, async (session) => {
      told.push(
        await outcomes(
          () => session.set({ hat: 'felt' }),
          () => session.login('ada'),
          () => session.csrfToken(),
          () => session.rotate(),
        ),
      );
    });
    const no = expect.stringMatching(/^ERR_INVALID_OPTION: .*`the request` to be no upgrade/);
    expect(await upgrade()).toEqual([]);
    expect(await upgrade(cookie)).toEqual([]);
    expect(told).toEqual([
      [no, no, no, 'done'],
      ['done', no, 'done', no],
    ]);
    expect((await manager.stats()).sessions).toBe(1);
    expect(await ask('/', cookie)).toEqual({ body: 'ada', given: [] });
  });
});

describe('an upgrade over hono whose headers are sent', () => {
  test('renews a token that is due: the cookie goes out with the 101', async () => {
    const { ask, clock, cookie, upgrade } = await begin(honoSite);
    clock.advance(EVERY);
    const [fresh = ''] = await upgrade(cookie);
    expect(fresh).toMatch(/^id=/);
    expect(fresh).not.toBe(cookie);
    clock.advance(2 * GRACE);
    expect(await ask('/', fresh)).toEqual({ body: 'ada', given: [] });
  });

  test('logs in before the 101, and refuses to once that is out', async () => {
    let session: AnySession | undefined;
    const { ask, upgrade } = await begin(honoSite, async (its) => {
      session = its;
      await its.login('eve');
    });
    const [cookie] = await upgrade();
    expect((await ask('/', cookie)).body).toBe('eve');
    const codes = await outcomes(() => (session as AnySession).login('ada'));
    expect(codes).toEqual([expect.stringMatching(/^ERR_INVALID_OPTION/)]);
  });
});

test('a request that offers an upgrade that nobody takes is an ordinary one', async () => {
  const withSession = (manager: SessionManager) => coatcheck(manager);
  const { clock, cookie, port } = await begin((manager) =>
    listening(
      createServer((request, response) =>
        withSession(manager)(request, response, async () =>
          response.end(await ordinary(sessionIn(request), request.url)),
        ),
      ),
    ),
  );
  clock.advance(EVERY);
  const head = ['GET / HTTP/1.1', 'Host: x', 'Connection: Upgrade, close', 'Upgrade: h2c', `Cookie: ${cookie}`];
  expect(await wire(port, `${head.join('\r\n')}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\nSet-Cookie: id=/i);
});
