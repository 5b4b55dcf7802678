import { once } from 'node:events';
import { MessageChannel, type MessagePort, postMessageToThread } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Session, type SessionManager, startSessionManager } from '../../dist/src/index.js';
import {
  ByteWriter,
  CALL,
  isCall,
  LAYOUT_VERSION,
  reserveConnectionMemory,
  writeNewSession,
  writeRotate,
  writeSetIdleTimeout,
} from '../support/internals.js';
import { randomFrom } from '../support/random.js';
import { fixture, managerThread } from '../support/threads.js';

let manager: SessionManager;
let live: Session;
let before: unknown;
const ports: MessagePort[] = [];

beforeEach(async () => {
  const worker = fixture('manager-that-shows-its-globals');
  manager = await startSessionManager({ maxSessions: 2000, maxBytes: 1_000_000, maxSessionBytes: 4096, worker });
  live = await manager.newSession({ data: { mine: true }, userId: 'me' });
  before = await globalsThere();
});

afterEach(async () => {
  // The manager goes on, and nobody else was harmed.
  expect((await manager.stats()).sessions).toBeGreaterThanOrEqual(1);
  expect(live.data).toEqual({ mine: true });
  await live.set({ mine: 'still' });
  expect(manager.getSession(manager.getCookieData(live).value)?.data).toEqual({ mine: 'still' });
  expect(live.version).toBe(1);
  expect(await globalsThere()).toEqual(before);
  for (const port of ports.splice(0)) port.close();
  await manager.stop();
});

async function globalsThere(): Promise<unknown> {
  const { port1, port2 } = new MessageChannel();
  await postMessageToThread(managerThread(manager), { showTo: port2 }, [port2]);
  const [shown] = await once(port1, 'message');
  port1.close();
  return shown;
}

/** A port to the manager, with no proxy before it. */
async function rawPort(): Promise<MessagePort> {
  const { port1, port2 } = new MessageChannel();
  await postMessageToThread(managerThread(manager), { coatcheck: 'join', name: 'default', port: port2 }, [port2]);
  ports.push(port1);
  return port1;
}

const hello = { layoutVersion: LAYOUT_VERSION, ...reserveConnectionMemory(), events: 0, watched: new Int32Array(0) };

async function greeted(): Promise<MessagePort> {
  const port = await rawPort();
  port.postMessage(call('greet', hello, 'greeting'));
  const [{ value }] = await once(port, 'message');
  expect(value.accepted).toBe(true);
  return port;
}

const raw = (value: unknown) => ({ type: 'RAW', value });
const call = (method: string, value: unknown, id: unknown) => {
  return { id, type: 'APPLY', path: [method], argumentList: [raw(value)] };
};

/**
 * Posts frames, then a call that is answered after them; returns the ids of all answers that came before that one's.
 */
async function answersTo(port: MessagePort, frames: readonly unknown[]): Promise<Map<unknown, unknown>> {
  const answers = new Map<unknown, unknown>();
  const answered = new Promise<void>((resolve) => {
    port.on('message', (message) => {
      if (message.id === 'last') resolve();
      else answers.set(message.id, message);
    });
  });
  for (const frame of frames) port.postMessage(frame);
  port.postMessage(call('execute', new ArrayBuffer(0), 'last'));
  await answered;
  return answers;
}

const types = ['GET', 'SET', 'APPLY', 'CONSTRUCT', 'ENDPOINT', 'RELEASE', 'apply', '', undefined, null, 0];
const paths = [
  [],
  ['execute'],
  ['greet'],
  ['execute', 'constructor'],
  ['greet', 'call'],
  ['constructor'],
  ['__proto__'],
  ['__proto__', 'polluted'],
  ['constructor', 'prototype', 'polluted'],
  ['toString'],
  [['execute']],
  [0],
  'execute',
  null,
  undefined,
  { 0: 'execute', length: 1 },
];
const values = [undefined, null, 0, Number.NaN, 'return process', {}, [], new ArrayBuffer(3), new Uint8Array(20), 10n];
const argumentLists = [
  ...values,
  [],
  [null],
  [raw(1), raw(2)],
  ...values.map((value) => [raw(value)]),
  [raw({ ...hello, words: new SharedArrayBuffer(17) })],
  [raw({ ...hello, journal: new SharedArrayBuffer(3) })],
  [raw({ ...hello, watched: [1, 2] })],
  [raw({ ...hello, layoutVersion: -1 })],
  [{ type: 'HANDLER', name: 'throw', value: { isError: true, value: { message: 'x' } } }],
  [{ type: 'HANDLER', name: 'proxy', value: null }],
  [{ type: 'HANDLER', name: 'toString', value: 1 }],
  { 0: raw(1), length: 1 },
];

describe('through the gate comes', () => {
  test('no read, no write, no constructor, no nested path', async () => {
    const port = await greeted();
    const frames = types
      .filter((type) => type !== 'APPLY')
      .flatMap((type) =>
        paths.map((path) => ({ type, path, argumentList: [raw('return process.pid')], value: raw(1) })),
      )
      .map((frame, id) => ({ ...frame, id: `${id}` }));
    const deep = paths
      .slice(3)
      .map((path, id) => ({ id: `deep ${id}`, type: 'APPLY', path, argumentList: [raw('x')] }));
    expect([...(await answersTo(port, [...frames, ...deep]))]).toEqual([]);
  });

  test('nothing that is no message of ours, whatever it is', async () => {
    const port = await greeted();
    const frames = [
      null,
      undefined,
      0,
      Number.NaN,
      '',
      'execute',
      'x'.repeat(2 ** 22),
      10n,
      true,
      [],
      [[[]]],
      new Date(0),
    ];
    const batch = call('execute', new ArrayBuffer(0), 'id');
    const wrong = [
      { ...batch, id: 7 },
      { ...batch, id: undefined },
      { ...batch, value: raw(1) },
      { ...batch, more: 1 },
      { ...batch, argumentList: [] },
      { ...batch, argumentList: [raw(1), raw(2)] },
      { ...batch, argumentList: [{ type: 'HANDLER', name: 'proxy', value: 1 }] },
      new Map([['type', 'APPLY']]),
      new Uint8Array(2 ** 22),
    ];
    expect([...(await answersTo(port, [...frames, ...wrong]))]).toEqual([]);
  });

  test('nothing large that would first be counted', () => {
    const uncounted = (value: object) =>
      new Proxy(value, {
        ownKeys() {
          throw new Error('counted');
        },
      });
    expect(isCall(uncounted(new Uint8Array(2 ** 22)))).toBe(false);
    expect(isCall(uncounted({ type: 'APPLY', path: ['execute'] }))).toBe(false);
    expect(isCall(call('execute', 1, 'id'))).toBe(true);
  });

  test('no port that is offered as a proxy', async () => {
    const port = await greeted();
    const { port1, port2 } = new MessageChannel();
    ports.push(port1);
    const frame = { ...call('execute', 0, 'x'), argumentList: [{ type: 'HANDLER', name: 'proxy', value: port2 }] };
    const { port: plain, answers } = { port, answers: [] as unknown[] };
    port1.on('message', (message) => answers.push(message));
    plain.postMessage(frame, [port2]);
    expect([...(await answersTo(port, []))]).toEqual([]);
    expect(answers).toEqual([]);
  });

  test('no harm in 20,000 random frames', async () => {
    const random = randomFrom('gate: frames');
    const port = await greeted();
    const frames = Array.from({ length: 20_000 }, (_, id) => ({
      ...(random.chance(0.9) ? { id: random.pick([`${id}`, `${id}`, id, null, {}]) } : {}),
      type: random.pick(random.chance(0.5) ? ['APPLY'] : types),
      path: random.pick(random.chance(0.5) ? [['execute'], ['greet']] : paths),
      argumentList: random.pick(argumentLists),
      ...(random.chance(0.2) ? { [random.pick(['value', '__proto__', 'constructor', 'then'])]: raw(1) } : {}),
    }));
    const answers = await answersTo(port, frames);
    const ours = frames.filter(({ type, path }) => type === 'APPLY' && ['execute', 'greet'].includes(String(path)));
    for (const id of answers.keys()) expect(ours.some((frame) => frame.id === id)).toBe(true);
  });
});

test('a port that has not greeted does nothing', async () => {
  const port = await rawPort();
  const { connections } = await manager.stats();
  const answers = await answersTo(port, [
    call('execute', batchOf([{ which: CALL.closeAllSessions, body: all() }]), 'a'),
  ]);
  expect((answers.get('a') as { value: ArrayBuffer }).value.byteLength).toBe(0);
  expect((await manager.stats()).connections).toBe(connections);
});

test('what is posted to the thread itself is ignored', async () => {
  const thread = managerThread(manager);
  const rubbish = [null, 0, 'join', [], { coatcheck: 'join' }, { coatcheck: 'join', port: 5 }, { coatcheck: 'leave' }];
  // The fixture reads a property of what comes, so null and undefined are packed.
  for (const value of rubbish) await postMessageToThread(thread, value ?? { coatcheck: null });
  expect((await manager.stats()).connections).toBe(1);
});

// ------------------------------------------------------------ batches

interface Body {
  readonly which: number;
  readonly body: Uint8Array;
  readonly length?: number;
}

function batchOf(calls: readonly Body[], count = calls.length, first = 1): ArrayBuffer {
  const to = new ByteWriter();
  to.f64(first);
  to.u32(count);
  for (const { which, body, length } of calls) {
    to.u8(which);
    to.u32(length ?? body.length);
    to.raw(body);
  }
  return to.copy().buffer;
}

const written = (write: (to: ByteWriter) => void): Uint8Array => {
  const to = new ByteWriter();
  write(to);
  return to.copy();
};
const all = () =>
  written((to) => {
    to.f64(Number.POSITIVE_INFINITY);
    to.f64(Number.POSITIVE_INFINITY);
    to.u8(0);
  });

describe('a batch', () => {
  test('with wrong numbers, lengths, slots or times is refused, call by call', async () => {
    const port = await greeted();
    const digest = new Int32Array(8).fill(7);
    const id = new Int32Array(4).fill(7);
    const empty = new Uint8Array(0);
    const newSession = (idle: number, absolute: number) =>
      written((to) => writeNewSession(to, { digest, id, idle, absolute, linked: false, user: empty, client: empty }));
    const target = { slot: 2 ** 32 - 1, generation: 3 };
    const rotate = (grace: number) =>
      written((to) => writeRotate(to, { target, from: digest, to: digest, grace, sealed: new Int32Array(12) }));
    const cases: [string, ArrayBuffer][] = [
      ['no header', new ArrayBuffer(3)],
      ['too many calls', batchOf([], 2 ** 32 - 1)],
      ['a length past the end', batchOf([{ which: CALL.stats, body: empty, length: 2 ** 32 - 1 }])],
      ...[Number.NaN, 0, -1, -Infinity].flatMap((time): [string, ArrayBuffer][] => [
        [`idle ${time}`, batchOf([{ which: CALL.newSession, body: newSession(time, 1000) }])],
        [`absolute ${time}`, batchOf([{ which: CALL.newSession, body: newSession(1000, time) }])],
        [
          `idle timeout ${time}`,
          batchOf([{ which: CALL.setIdleTimeout, body: written((to) => writeSetIdleTimeout(to, target, time)) }]),
        ],
      ]),
      ...[Number.NaN, -1, Infinity].map((grace): [string, ArrayBuffer] => [
        `grace ${grace}`,
        batchOf([{ which: CALL.rotate, body: rotate(grace) }]),
      ]),
      ['a filter with no number', batchOf([{ which: CALL.closeAllSessions, body: new Uint8Array(17).fill(255) }])],
      ['a filter cut short', batchOf([{ which: CALL.closeAllSessions, body: all().subarray(0, 16) }])],
      ...[0, 17, 255].map((which): [string, ArrayBuffer] => [`call ${which}`, batchOf([{ which, body: all() }])]),
    ];
    const answers = await answersTo(
      port,
      cases.map(([name, batch]) => call('execute', batch, name)),
    );
    for (const [name] of cases) {
      const { type, value } = answers.get(name) as { type: string; value: ArrayBuffer };
      if (type === 'RAW') expect([name, new Uint8Array(value).at(4)]).toEqual([name, 4]);
      else expect([name, type]).toEqual([name, 'HANDLER']);
    }
    expect(await manager.stats()).toMatchObject({ sessions: 1, created: 1 });
  });

  test('of 20,000 with random, cut and mutated calls harms nobody, and each is answered', async () => {
    const random = randomFrom('gate: batches');
    const port = await greeted();
    // Not those that every connection may use against all: `stop`, and a `closeAllSessions` that is whole.
    const kinds = Object.values(CALL).filter((which) => which !== CALL.stop && which !== CALL.closeAllSessions);
    const empty = new Uint8Array(0);
    const body = (which: number): Uint8Array => {
      if (which === CALL.newSession && random.chance(0.7)) {
        const digest = Int32Array.from({ length: 8 }, () => random.below(2 ** 32));
        const id = digest.slice(0, 4);
        const valid = written((to) => {
          writeNewSession(to, {
            digest,
            id,
            idle: 1e6,
            absolute: 1e7,
            linked: random.chance(0.5),
            user: empty,
            client: empty,
          });
          to.raw(random.bytes(random.below(40)));
        });
        if (random.chance(0.5)) valid[random.below(valid.length)] = random.below(256);
        return random.chance(0.2) ? valid.subarray(0, random.below(valid.length)) : valid;
      }
      return written((to) => {
        // No slot here has been allocated so often.
        to.u32(random.pick([0, 1, 5, 1999, 2000, 2 ** 31, 2 ** 32 - 1]));
        to.u32(random.pick([2 ** 20 + random.below(2 ** 20), 2 ** 32 - 1, 2 ** 31]));
        to.raw(random.bytes(random.below(120)));
      });
    };
    const batches = Array.from({ length: 20_000 }, () => {
      const calls = Array.from({ length: random.below(4) }, (): Body => {
        const which = random.chance(0.95) ? random.pick(kinds) : random.pick([0, 17, 200]);
        const bytes = body(which);
        return random.chance(0.05) ? { which, body: bytes, length: random.below(2 ** 32) } : { which, body: bytes };
      });
      const first = random.chance(0.9) ? random.below(2 ** 31) + 1 : random.pick([Number.NaN, -1, Infinity, 2 ** 60]);
      const batch = batchOf(calls, random.chance(0.95) ? calls.length : random.below(2 ** 32), first);
      return random.chance(0.05) ? batch.slice(0, random.below(batch.byteLength)) : batch;
    });
    const answers = await answersTo(
      port,
      batches.map((batch, n) => call('execute', batch, `${n}`)),
    );
    for (let n = 0; n < batches.length; n++) {
      const { type, value } = answers.get(`${n}`) as { type: string; value: unknown };
      expect(type === 'RAW' ? value instanceof ArrayBuffer : type === 'HANDLER').toBe(true);
    }
  });
});
