/** Programs that answer in every way there is, over each server, with sessions and without; and what a client hears. */

import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { getRequestListener } from '@hono/node-server';
import express5 from 'express';
import express4 from 'express4';
import fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import onFinished from 'on-finished';
import { coatcheck as forExpress } from '../../dist/src/http/express.js';
import { coatcheck as forFastify } from '../../dist/src/http/fastify.js';
import { coatcheck as forHono } from '../../dist/src/http/hono.js';
import { coatcheck as forKoa } from '../../dist/src/http/koa.js';
import type { SessionManager } from '../../dist/src/index.js';

/** Of Connect, as everything that is used beside the sessions is. */
export type Use = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/** What a program is made of. */
export interface Program {
  /** Undefined for the same program without sessions. */
  readonly manager: SessionManager | undefined;
  readonly before: readonly Use[];
  readonly after: readonly Use[];
  /** Runs before the answer: changes the session. */
  readonly change: (session: Changeable | undefined) => Promise<unknown>;
  readonly answer: AnswerKind;
  readonly event: EventKind;
  /** Of the answer, as others see it: each is called once, in the end. */
  readonly hear: (what: 'close' | 'on-finished') => void;
}

export interface Changeable {
  update(change: (data: Readonly<Record<string, unknown>>) => Promise<Record<string, unknown>>): Promise<void>;
}

export interface Closing {
  close(done?: () => void): unknown;
}

export const answerKinds = [
  'plain',
  'piped',
  'piped and long',
  'ended in parts',
  'with early hints',
  'a static file',
  'from a source that fails at once',
] as const;
export type AnswerKind = (typeof answerKinds)[number];

/** What happens while the answer waits, or right after it was given where nothing waits. */
export const eventKinds = [
  'nothing else happens',
  'the client goes away',
  'the client closes its half',
  'the server is closed',
  'the handler throws afterwards',
] as const;
export type EventKind = (typeof eventKinds)[number];

const LONG = 50;
const FILE = fileURLToPath(new URL('../../package.json', import.meta.url));
const FOLDER = fileURLToPath(new URL('../..', import.meta.url));
const hints = { link: '</style.css>; rel=preload; as=style' };

const pieces = () => Readable.from(['a ', 'few ', 'pieces']);
const longPieces = () => Readable.from(Array.from({ length: LONG }, (_, i) => `${i},`.padEnd(4096, '.')));
const failing = () => createReadStream('/there/is/no/such/file');
const turn = () => new Promise(setImmediate);

function asText(response: ServerResponse): ServerResponse {
  response.setHeader('Content-Type', 'text/plain');
  return response;
}

/** On a response of node:http, whoever made it. */
const rawAnswers: Record<AnswerKind, (response: ServerResponse) => unknown> = {
  plain: (response) => asText(response).end('plain'),
  piped: (response) => pipeline(pieces(), asText(response)),
  'piped and long': (response) => pipeline(longPieces(), asText(response)),
  async 'ended in parts'(response) {
    response.writeHead(201, { 'Content-Type': 'text/plain' });
    response.write('in ');
    response.write('three ');
    await turn();
    response.end('parts');
  },
  'with early hints'(response) {
    response.writeEarlyHints(hints);
    response.end('hinted');
  },
  'a static file': (response) => pipeline(createReadStream(FILE), asText(response)),
  // `pipeline` of Node 24 does not listen to it where the client has gone already.
  'from a source that fails at once': (response) =>
    pipeline(
      failing().on('error', () => undefined),
      response,
    ).catch(() => undefined),
};

interface Started {
  readonly server: Closing;
  readonly port: number;
  stop(): Promise<unknown>;
}

export interface ServerKind {
  readonly name: string;
  readonly isHttp2?: boolean;
  start(program: Program): Promise<Started>;
}

async function listening(server: Server | ReturnType<typeof createHttp2Server>): Promise<Started> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    server,
    port,
    async stop() {
      if ('closeAllConnections' in server) server.closeAllConnections();
      if (server.listening) await new Promise((closed) => server.close(closed));
    },
  };
}

/** A program over node:http or its like: `answer` gives the answer, `fail` is told what the handler threw. */
function bare(name: string, create: (listener: never) => Server | ReturnType<typeof createHttp2Server>): ServerKind {
  return {
    name,
    isHttp2: name === 'HTTP/2',
    async start(program) {
      const { manager, before, after } = program;
      const uses = [...before, ...(manager === undefined ? [] : [forExpress(manager)]), ...after];
      const server = create((async (request: IncomingMessage, response: ServerResponse) => {
        try {
          for (const use of uses)
            await new Promise<void>((next, fail) => use(request, response, (error) => (error ? fail(error) : next())));
          await handle(program, server, request, response, () => rawAnswers[program.answer](response));
        } catch (error) {
          if (response.headersSent) response.destroy();
          else response.writeHead(500).end(String(error));
        }
      }) as never);
      return listening(server);
    },
  };
}

async function handle(
  program: Program,
  server: Closing,
  request: IncomingMessage,
  response: ServerResponse,
  answer: () => unknown,
  session: unknown = Reflect.get(request, 'session'),
): Promise<void> {
  response.once('close', () => program.hear('close'));
  onFinished(response, () => program.hear('on-finished'));
  await program.change(session as Changeable | undefined);
  const given = answer();
  if (program.event === 'the server is closed') setImmediate(() => server.close());
  await given;
  if (program.event === 'the handler throws afterwards') throw new Error('too late');
}

function expressKind(name: string, create: typeof express5): ServerKind {
  return {
    name,
    async start(program) {
      const app = create();
      app.set('env', 'test');
      const server = createServer(app);
      for (const use of program.before) app.use(use as never);
      if (program.manager !== undefined) app.use(forExpress(program.manager) as never);
      for (const use of program.after) app.use(use as never);
      const serve = create.static(FOLDER);
      app.use((request, response, next) => {
        const answers: Partial<Record<AnswerKind, () => unknown>> = {
          plain: () => response.send('plain'),
          piped: () => finished(pieces().pipe(response.type('text'))),
          'piped and long': () => finished(longPieces().pipe(response.type('text'))),
          'a static file'() {
            serve(Object.assign(request, { url: '/package.json' }), response, next);
            return finished(response);
          },
          'from a source that fails at once': () => finished(failing().once('error', next).pipe(response)),
        };
        const answer = answers[program.answer] ?? (() => rawAnswers[program.answer](response));
        handle(program, server, request, response, answer).catch(next);
      });
      return listening(server);
    },
  };
}

const koaKind: ServerKind = {
  name: 'Koa',
  async start(program) {
    const app = new Koa();
    app.silent = true;
    const used =
      (use: Use): Koa.Middleware =>
      async (context, next) => {
        await new Promise<void>((done, fail) => use(context.req, context.res, (e) => (e ? fail(e) : done())));
        await next();
      };
    for (const use of program.before) app.use(used(use));
    if (program.manager !== undefined) app.use(forKoa(program.manager));
    for (const use of program.after) app.use(used(use));
    const server = createServer();
    app.use(async (context) => {
      const send = (body: unknown) => () => {
        context.body = body;
        context.type = 'text';
      };
      const answers: Partial<Record<AnswerKind, () => unknown>> = {
        plain: send('plain'),
        piped: () => send(pieces())(),
        'piped and long': () => send(longPieces())(),
        async 'ended in parts'() {
          context.respond = false;
          await rawAnswers['ended in parts'](context.res);
        },
        'with early hints'() {
          context.res.writeEarlyHints(hints);
          send('hinted')();
        },
        'a static file': () => send(createReadStream(FILE))(),
        // Koa no longer listens to it when the handler has thrown.
        'from a source that fails at once': () => send(failing().on('error', () => undefined))(),
      };
      const session = Reflect.get(context, 'session');
      await handle(program, server, context.req, context.res, answers[program.answer] as () => unknown, session);
    });
    server.on('request', app.callback());
    return listening(server);
  },
};

function fastifyKind(name: string, isHijacked: boolean): ServerKind {
  return {
    name,
    async start(program) {
      const app = fastify();
      const using = (uses: readonly Use[]) => {
        for (const use of uses)
          app.addHook('onRequest', (request, reply, done) => use(request.raw, reply.raw, done as () => void));
      };
      using(program.before);
      if (program.manager !== undefined) await app.register(forFastify, { manager: program.manager });
      using(program.after);
      app.get('/', async (request, reply) => {
        const session = Reflect.get(request, 'session') as unknown;
        const { raw } = reply;
        if (isHijacked) {
          reply.hijack();
          try {
            await handle(program, app.server, request.raw, raw, () => rawAnswers[program.answer](raw), session);
          } catch (error) {
            if (raw.headersSent) raw.destroy();
            else raw.writeHead(500).end(String(error));
          }
          return;
        }
        const send = (body: unknown) => () => void reply.type('text/plain').send(body);
        const answers: Record<AnswerKind, () => unknown> = {
          plain: send('plain'),
          piped: () => send(pieces())(),
          'piped and long': () => send(longPieces())(),
          'ended in parts': () => send(pieces())(),
          'with early hints'() {
            raw.writeEarlyHints(hints);
            send('hinted')();
          },
          'a static file': () => send(createReadStream(FILE))(),
          'from a source that fails at once': () => send(failing())(),
        };
        await handle(program, app.server, request.raw, raw, answers[program.answer], session);
        return reply;
      });
      await app.listen({ port: 0, host: '127.0.0.1' });
      return {
        server: app.server,
        port: (app.server.address() as AddressInfo).port,
        stop() {
          app.server.closeAllConnections();
          return app.close();
        },
      };
    },
  };
}

export const serverKinds: readonly ServerKind[] = [
  bare('node:http', (listener) => createServer(listener)),
  bare('HTTP/2', (listener) => createHttp2Server(listener)),
  expressKind('Express 4', express4 as unknown as typeof express5),
  expressKind('Express 5', express5),
  koaKind,
  fastifyKind('Fastify', false),
  fastifyKind('hijacked Fastify', true),
];

/** Of Hono, as far as it answers with a text: its answers are made when the changes are done. */
export const honoKind: ServerKind = {
  name: 'Hono',
  start(program) {
    const app = new Hono();
    if (program.manager !== undefined) app.use(forHono(program.manager));
    app.get('/', async (context) => {
      await program.change(context.get('session'));
      return context.text('plain');
    });
    return listening(createServer(getRequestListener(app.fetch)));
  },
};

/** What a client heard. Undefined for what it did not. */
export interface Heard {
  readonly informational?: readonly string[];
  readonly status?: string;
  /** Lines in lower case, in order; without the date. */
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly isWhole?: boolean;
  /** How the connection ended, or the stream of HTTP/2. */
  readonly end: string;
}

export async function ask({ port }: Started, kind: ServerKind, event: EventKind): Promise<Heard> {
  return kind.isHttp2 ? askHttp2(port, event) : askHttp1(port, event);
}

function askHttp1(port: number, event: EventKind): Promise<Heard> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const chunks: Buffer[] = [];
    let end = 'closed';
    // Else the server sees to it.
    const connection = event === 'the server is closed' ? 'keep-alive' : 'close';
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: ${connection}\r\n\r\n`);
    if (event === 'the client closes its half') socket.end();
    if (event === 'the client goes away') socket.end(() => socket.destroy());
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      if (connection === 'keep-alive' && parsed(chunks).isWhole) socket.end();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      end = error.code ?? 'failed';
    });
    socket.on('close', () => resolve({ ...parsed(chunks), end }));
  });
}

/** An answer of HTTP/1.1 as it stands on the wire. */
function parsed(chunks: readonly Buffer[]): Omit<Heard, 'end'> {
  let rest = Buffer.concat(chunks);
  const informational: string[] = [];
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return rest.length === 0 ? {} : { informational, body: rest.toString('latin1'), isWhole: false };
    const [status = '', ...lines] = rest.toString('latin1', 0, end).split('\r\n');
    rest = rest.subarray(end + 4);
    if (/ 10\d /.test(status)) {
      informational.push([status, ...lines].join('\n'));
      continue;
    }
    const headers = lines.map((line) => line.replace(/^[^:]*/, (name) => name.toLowerCase())).filter(isKept);
    const length = /^content-length: (\d+)/m.exec(headers.join('\n'))?.[1];
    const framed = headers.includes('transfer-encoding: chunked')
      ? unchunked(rest)
      : { body: rest, isWhole: rest.length === Number(length) };
    return { informational, status, headers, body: textOf(framed.body, headers), isWhole: framed.isWhole };
  }
}

const isKept = (line: string) => !/^date:/i.test(line);

function unchunked(framed: Buffer): { body: Buffer; isWhole: boolean } {
  const bodies: Buffer[] = [];
  for (let rest = framed; ; ) {
    const end = rest.indexOf('\r\n');
    const size = Number.parseInt(rest.toString('latin1', 0, Math.max(end, 0)), 16);
    if (!(size > 0)) return { body: Buffer.concat(bodies), isWhole: size === 0 };
    bodies.push(rest.subarray(end + 2, end + 2 + size));
    rest = rest.subarray(end + 2 + size + 2);
  }
}

/** A long body by its length and its end. */
function shown(body: Buffer): string {
  const text = body.toString('latin1');
  return text.length < 100 ? text : `${text.length} bytes: …${text.slice(-10)}`;
}

function textOf(body: Buffer, headers: readonly string[]): string {
  const encoding = headers.find((line) => line.startsWith('content-encoding'))?.split(': ')[1];
  try {
    if (encoding === 'gzip') return shown(gunzipSync(body));
    if (encoding === 'br') return shown(brotliDecompressSync(body));
  } catch {
    return 'cut off';
  }
  return shown(body);
}

function askHttp2(port: number, event: EventKind): Promise<Heard> {
  return new Promise((resolve) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const stream = session.request({ ':path': '/', 'accept-encoding': 'gzip' });
    const informational: string[] = [];
    const chunks: Buffer[] = [];
    let status: string | undefined;
    let headers: string[] = [];
    let isWhole = false;
    let end = 'closed';
    if (event === 'the client goes away') stream.on('ready', () => setImmediate(() => stream.close(8)));
    stream.on('headers', (fields) => informational.push(linesOf(fields).join('\n')));
    stream.on('response', (fields) => {
      status = String(fields[':status']);
      headers = linesOf(fields).filter(isKept);
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      isWhole = true;
    });
    stream.on('error', (error: NodeJS.ErrnoException) => {
      end = error.message;
    });
    session.on('error', () => undefined);
    stream.on('close', () => {
      session.destroy();
      const body = textOf(Buffer.concat(chunks), headers);
      resolve(status === undefined ? { end } : { informational, status, headers, body, isWhole, end });
    });
  });
}

const linesOf = (fields: object) =>
  Object.entries(fields).flatMap(([name, value]) => [value].flat().map((each) => `${name}: ${each}`));
