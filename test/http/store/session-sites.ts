/**
 * The same small site twice, on 127.0.0.1: with express-session and with @fastify/session, each with a store of ours;
 * and a browser that visits it.
 */

import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import fastifyCookie from '@fastify/cookie';
import fastifySession from '@fastify/session';
import express from 'express';
import session from 'express-session';
import fastify from 'fastify';
import type { CoatcheckStore } from '../../../dist/src/http/store/express-session.js';

const SECRET = 'a secret that is as long as it has to be';
const MAX_AGE = 600_000;

/** What the site's pages need of a request's session, by either middleware. */
interface Visit {
  readonly id: string;
  readonly session: Record<string, unknown> & {
    cookie: { maxAge: number | null; originalMaxAge: number | null; expires?: Date | null };
    destroy(done: (error?: unknown) => void): void;
    regenerate(done: (error?: unknown) => void): void;
    reload(done: (error?: unknown) => void): void;
    save(done: (error?: unknown) => void): void;
  };
  readonly query: Readonly<Record<string, string>>;
}

export interface Site {
  readonly url: string;
  /** Pages that were asked for as `/slow` and wait to go on. */
  readonly waiting: (() => void)[];
  /** The cookie that carries an id, as the middleware would sign it. */
  cookieOf(id: string): string;
  close(): Promise<unknown>;
}

const promised = (start: (done: (error?: unknown) => void) => void) =>
  new Promise<void>((resolve, reject) => start((error) => (error ? reject(error) : resolve())));

/** What each page does; what it returns is sent as JSON. */
function pages(waiting: (() => void)[]): Record<string, (visit: Visit) => unknown> {
  const shown = ({ id, session: { cookie, ...data } }: Visit) => ({
    id,
    data: JSON.parse(JSON.stringify(data)),
    originalMaxAge: cookie.originalMaxAge,
    expires: cookie.expires,
  });
  return {
    '/': shown,
    '/write': (visit) => {
      Object.assign(visit.session, visit.query);
      return shown(visit);
    },
    '/slow': async (visit) => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      Object.assign(visit.session, visit.query);
      return { id: visit.id };
    },
    '/hostile': (visit) => {
      visit.session.form = JSON.parse('{ "__proto__": { "admin": true }, "constructor": "c", "toString": "t" }');
      return {};
    },
    '/logout': (visit) => promised((done) => visit.session.destroy(done)).then(() => ({})),
    '/renew': (visit) => promised((done) => visit.session.regenerate(done)).then(() => ({})),
    '/reload': (visit) => promised((done) => visit.session.reload(done)).then(() => ({})),
  };
}

const signed = (id: string) => `${id}.${createHmac('sha256', SECRET).update(id).digest('base64').replace(/=+$/, '')}`;

export async function expressSite(store: CoatcheckStore, maxAge: number | undefined = MAX_AGE): Promise<Site> {
  const waiting: (() => void)[] = [];
  const app = express();
  app.use(
    session({
      store,
      secret: SECRET,
      name: 'sid',
      resave: false,
      saveUninitialized: false,
      rolling: true,
      cookie: maxAge === 0 ? {} : { maxAge },
    }),
  );
  for (const [path, page] of Object.entries(pages(waiting))) {
    app.get(path, async (request, response) => {
      const visit = { id: request.sessionID, session: request.session, query: request.query } as unknown as Visit;
      response.json(await page(visit));
    });
  }
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    waiting,
    cookieOf: (id) => `sid=${encodeURIComponent(`s:${signed(id)}`)}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

export async function fastifySite(store: CoatcheckStore, maxAge: number | undefined = MAX_AGE): Promise<Site> {
  const waiting: (() => void)[] = [];
  const app = fastify({ forceCloseConnections: true });
  await app.register(fastifyCookie);
  await app.register(fastifySession, {
    store: store as never,
    secret: SECRET,
    cookieName: 'sid',
    saveUninitialized: false,
    rolling: true,
    cookie: { secure: false, ...(maxAge === 0 ? {} : { maxAge }) },
  });
  for (const [path, page] of Object.entries(pages(waiting))) {
    app.get(path, (request) => {
      const { sessionId } = request.session as unknown as { sessionId: string };
      return page({ id: sessionId, session: request.session, query: request.query } as unknown as Visit);
    });
  }
  return {
    url: await app.listen({ port: 0, host: '127.0.0.1' }),
    waiting,
    cookieOf: (id) => `sid=${encodeURIComponent(signed(id))}`,
    close: () => app.close(),
  };
}

export interface Page {
  readonly status: number;
  readonly id: string;
  readonly data: Record<string, unknown>;
  readonly originalMaxAge: number | null;
  readonly expires?: string | null;
  /** What this response set. */
  readonly set: string | undefined;
}

/** Keeps its cookie, as a browser does. */
export class Browser {
  readonly site: Site;
  cookie: string;

  constructor(site: Site, cookie = '') {
    this.site = site;
    this.cookie = cookie;
  }

  async visit(path: string): Promise<Page> {
    const response = await fetch(this.site.url + path, { headers: { cookie: this.cookie } });
    const [set] = response.headers.getSetCookie();
    if (set !== undefined) this.cookie = set.split(';')[0] as string;
    return { status: response.status, set, ...((await response.json()) as object) } as Page;
  }
}
