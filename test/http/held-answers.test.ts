/** Answers that wait for changes: each program is run with sessions and without, and has to behave the same. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import compression from 'compression';
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import helmet from 'helmet';
import { afterAll, afterEach, beforeAll, describe, onTestFinished, test } from 'vitest';
import { coatcheck, sessionIn } from '../../dist/src/http/express.js';
import { coatcheck as forFastify } from '../../dist/src/http/fastify.js';
import { type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { gate } from './contract.js';
import {
  type AnswerKind,
  answerKinds,
  ask,
  type Changeable,
  type EventKind,
  eventKinds,
  type Heard,
  honoKind,
  type ServerKind,
  serverKinds,
  type Use,
} from './held-programs.js';
import { ask as askRaw, wire } from './wire.js';

/** Turns of the event loop that a change takes, at least: whatever the client does is seen before it is done. */
const TURNS = 5;

/** How many answers wait at once while a server is closed. */
const ANSWERS = 200;

let manager: SessionManager;
const uncaught: unknown[] = [];
const hearUncaught = (error: unknown) => uncaught.push(error);
beforeAll(async () => {
  manager = await startSessionManager({ name: 'held answers', cookie: { secure: false } });
  process.on('uncaughtExceptionMonitor', hearUncaught);
});
afterEach(() => assert.deepEqual(uncaught.splice(0), []));
afterAll(() => {
  process.off('uncaughtExceptionMonitor', hearUncaught);
  return manager.stop();
});

const compress = compression({ threshold: 0 }) as unknown as Use;
const companions: Record<string, { before: Use[]; after: Use[] }> = {
  'nothing else': { before: [], after: [] },
  'compression before': { before: [compress], after: [] },
  'compression after': { before: [], after: [compress] },
  helmet: { before: [helmet() as Use], after: [] },
};

async function slowly(): Promise<Record<string, unknown>> {
  for (let i = 0; i < TURNS; i++) await new Promise(setImmediate);
  return { changed: true };
}

const change = (session: Changeable | undefined) => (session === undefined ? slowly() : session.update(slowly));

interface Cell {
  readonly answer: AnswerKind;
  readonly event: EventKind;
  readonly companion: string;
  readonly isAwaited: boolean;
}

interface Outcome {
  readonly heard: Heard;
  /** How often each was heard of. */
  readonly events: Readonly<Record<'close' | 'on-finished', number>>;
}

async function run(kind: ServerKind, cell: Cell, hasSessions: boolean): Promise<Outcome> {
  const { answer, event, companion, isAwaited } = cell;
  const events = { close: 0, 'on-finished': 0 };
  let closed = (): void => undefined;
  const over = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const started = await kind.start({
    manager: hasSessions ? manager : undefined,
    ...(companions[companion] as { before: Use[]; after: Use[] }),
    answer,
    event,
    async change(session) {
      const done = change(session);
      if (isAwaited) await done;
    },
    hear(what) {
      events[what]++;
      if (events.close > 0 && events['on-finished'] > 0) closed();
    },
  });
  try {
    const heard = await ask(started, kind, event);
    await over;
    return { heard, events };
  } finally {
    await started.stop();
  }
}

/** Without what the sessions add to it. */
function withoutSession({ heard: { headers, ...rest }, events }: Outcome): Outcome {
  if (headers === undefined) return { heard: rest, events };
  const kept = headers
    .filter((line) => !/^set-cookie: id=|^cache-control:/.test(line))
    .map((line) => (line.startsWith('vary: ') ? line.replace(/Cookie, |(?:, )?Cookie$/, '') : line))
    .filter((line) => line !== 'vary: ');
  return { heard: { ...rest, headers: kept.sort() }, events };
}

/**
 * Who goes away hears as much as there was time for. So does, also without sessions, whoever is cut off while
 * compression still works in a thread of its own.
 */
function compared(outcome: Outcome, { event, companion }: Cell): Partial<Outcome> {
  const isRace = companion.startsWith('compression') && /closes its half|throws/.test(event);
  return isRace || event === 'the client goes away' ? { events: outcome.events } : withoutSession(outcome);
}

describe.each(serverKinds.map((kind) => [kind.name, kind] as const))('over %s', (_, kind) => {
  for (const event of eventKinds) {
    // In HTTP/2 a request closes its half by itself.
    if (kind.isHttp2 && event === 'the client closes its half') continue;
    test.each(answerKinds)(`an answer %s is as it would be without a session, but later: ${event}`, async (answer) => {
      const cells = Object.keys(companions).flatMap((companion) =>
        [true, false].map((isAwaited) => ({ answer, event, companion, isAwaited })),
      );
      await Promise.all(
        cells.map(async (cell) => {
          const [without, held] = await Promise.all([run(kind, cell, false), run(kind, cell, true)]);
          assert.deepEqual({ cell, ...compared(held, cell) }, { cell, ...compared(without, cell) });
          const cookies = held.heard.headers?.filter((line) => line.startsWith('set-cookie: id='));
          if (cookies !== undefined) assert.equal(cookies.length, 1, JSON.stringify(cell));
        }),
      );
    });
  }
});

const calm = { before: [], after: [], answer: 'plain', event: 'nothing else happens', hear: () => undefined } as const;

test.each([...serverKinds, honoKind].map((kind) => [kind.name, kind] as const))(
  'over %s a server that is closed while 200 answers wait sends every one, each with a cookie of its own',
  async (_, kind) => {
    const { opened, open } = gate();
    const allCame = gate();
    let came = 0;
    const started = await kind.start({
      ...calm,
      manager,
      async change(session) {
        const number = ++came;
        if (came === ANSWERS) allCame.open();
        void session?.update(async () => {
          await opened;
          return { number };
        });
      },
    });
    const answers = Array.from({ length: ANSWERS }, () => ask(started, kind, 'the server is closed'));
    await allCame.opened;
    // Each handler has given its answer.
    await new Promise(setImmediate);
    started.server.close();
    open();
    const numbers = new Set<unknown>();
    for (const { body, headers } of await Promise.all(answers)) {
      assert.equal(body, 'plain');
      const cookies = headers?.filter((line) => line.startsWith('set-cookie: id=')) ?? [];
      assert.equal(cookies.length, 1);
      numbers.add(manager.getSession(/id=([\w-]{43})/.exec(cookies[0] ?? '')?.[1])?.data.number);
    }
    assert.equal(numbers.size, ANSWERS);
    await started.stop();
  },
);

/** A server of node:http, Connect's way. */
async function serving(answer: (request: IncomingMessage, response: ServerResponse) => unknown): Promise<number> {
  const withSession = coatcheck(manager);
  const server = createServer((request, response) => withSession(request, response, () => answer(request, response)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

describe('an answer that waits', () => {
  test('says of itself what it would say without a session, and is finished only when it was sent', async () => {
    const { opened, open } = gate();
    const said: unknown[] = [];
    const port = await serving((request, response) => {
      const change = sessionIn(request).update(async () => {
        await opened;
        return { a: 1 };
      });
      void change.then(() => said.push('changed'));
      response.once('finish', () => said.push('finished'));
      response.end('body', () => said.push('ended'));
      const { headersSent, writableEnded, finished, writableFinished, destroyed, socket } = response;
      said.push({ headersSent, writableEnded, finished, writableFinished, destroyed, isConnected: socket !== null });
      open();
    });
    assert.match(await askRaw(port), /\r\n\r\nbody$/);
    assert.deepEqual(said.splice(-2).sort(), ['ended', 'finished']);
    assert.deepEqual(said, [
      {
        headersSent: true,
        writableEnded: true,
        finished: true,
        writableFinished: false,
        destroyed: false,
        isConnected: true,
      },
      'changed',
    ]);
  });

  test('is held from its head on, however many come before it', async () => {
    const port = await serving((request, response) => {
      void sessionIn(request).set({ a: 1 });
      request.socket.cork();
      response.writeProcessing();
      response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
      response.end('body');
    });
    const [first = '', second = '', third = ''] = (await askRaw(port)).split('\r\n\r\n');
    assert.match(first, /^HTTP\/1\.1 102 [^\r]*$/);
    assert.match(second, /^HTTP\/1\.1 103 [^\r]*\r\nLink: [^\r]*$/);
    assert.match(third, /^HTTP\/1\.1 200 [\s\S]*\r\nSet-Cookie: id=/);
  });

  test('is given up at once when its connection fails', async () => {
    const { opened, open } = gate();
    const given = gate();
    const closed = gate();
    const port = await serving((request, response) => {
      void sessionIn(request).update(async () => {
        await opened;
        return { a: 1 };
      });
      response.once('close', closed.open);
      response.end('body');
      given.open();
    });
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await given.opened;
    socket.resetAndDestroy();
    await closed.opened;
    open();
  });

  test('may be asked for its head again when that was refused', async () => {
    const port = await serving((request, response) => {
      void sessionIn(request).set({ a: 1 });
      assert.throws(() => response.writeHead(99), { code: 'ERR_HTTP_INVALID_STATUS_CODE' });
      assert.equal(response.headersSent, false);
      response.writeHead(201).end('body');
    });
    const heard = await askRaw(port);
    assert.match(heard, /^HTTP\/1\.1 201 /);
    assert.equal(heard.match(/Set-Cookie: id=/g)?.length, 1);
  });
});

describe('an answer of Fastify’s inject, which belongs to no connection', () => {
  const injecting = async (answer: (request: FastifyRequest, reply: FastifyReply) => unknown) => {
    const app = fastify();
    await app.register(forFastify, { manager });
    app.get('/', async (request, reply) => {
      void request.session.set({ a: 1 });
      await answer(request, reply);
      return reply;
    });
    return app.inject('/');
  };

  test('waits for the change before its head is rendered', async () => {
    for (const body of ['text', Readable.from(['te', 'xt'])]) {
      const answer = await injecting((_, reply) => void reply.send(body));
      assert.deepEqual([answer.statusCode, answer.payload], [200, 'text']);
      assert.match(String(answer.headers['set-cookie']), /^id=/);
    }
  });

  test('is a 500 where it comes from a file that is not there', async () => {
    const answer = await injecting((_, reply) => void reply.send(createReadStream('/there/is/no/such/file')));
    assert.equal(answer.statusCode, 500);
  });

  test('is warned of where it was hijacked, and cannot wait', async () => {
    const warned = once(process, 'warning');
    const answer = await injecting(async (_, reply) => {
      reply.hijack();
      // By then the change is on its way.
      for (let i = 0; i < 20; i++) await undefined;
      reply.raw.end('text');
    });
    assert.equal(answer.payload, 'text');
    assert.match((await warned)[0].message, /went out before its session was changed/);
  });
});

describe('what is relied on of Node, and is not documented', () => {
  test('a response in a pipeline emits `socket` before any of its bytes reach the connection', async () => {
    const told: unknown[] = [];
    const responses: ServerResponse[] = [];
    const server = createServer((request, response) => {
      responses.push(response);
      if (request.url === '/1') return;
      told.push(response.socket);
      response.once('socket', (socket: Socket) => {
        told.push(socket === request.socket, socket.bytesWritten === bytes);
      });
      response.end('second');
      responses[0]?.end('first');
      const bytes = request.socket.bytesWritten;
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const last = 'Connection: close\r\n\r\n';
    const { port } = server.address() as AddressInfo;
    const heard = await wire(port, `GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n${last}`);
    assert.match(heard, /first[\s\S]*second/);
    assert.deepEqual(told, [null, true, true]);
  });
});
