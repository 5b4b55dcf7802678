/**
 * What leaves a thread: messages in both directions, and the memory that all threads share. No token is in them, and
 * nothing of what lay in the memory they were made of.
 */

import { MessagePort } from 'node:worker_threads';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { type Session, type SessionManager, startSessionManager } from '../../dist/src/index.js';

/** Every buffer that was posted to a port of this thread, or came from one: the whole of it, whatever part is meant. */
const passed: Buffer[] = [];
const heard = new WeakSet<MessagePort>();
const { postMessage } = MessagePort.prototype;
let arrived = 0;

function note(value: unknown, into: Buffer[] = passed, depth = 0): void {
  if (typeof value === 'string') into.push(Buffer.from(value));
  if (typeof value !== 'object' || value === null || depth > 8) return;
  const buffer = ArrayBuffer.isView(value) ? value.buffer : value;
  if (buffer instanceof ArrayBuffer || buffer instanceof SharedArrayBuffer) into.push(copyOf(buffer));
  else for (const each of Object.values(value)) note(each, into, depth + 1);
}

const copyOf = (buffer: ArrayBufferLike) => Buffer.from(new Uint8Array(buffer).slice().buffer);

beforeAll(() => {
  MessagePort.prototype.postMessage = function (message: unknown, ...rest: never[]) {
    if (!heard.has(this)) {
      heard.add(this);
      this.addEventListener('message', (event) => {
        arrived++;
        note(Reflect.get(event, 'data'));
      });
    }
    note(message);
    return Reflect.apply(postMessage, this, [message, ...rest]);
  };
});
afterAll(() => {
  MessagePort.prototype.postMessage = postMessage;
});
beforeEach(() => {
  passed.length = 0;
  arrived = 0;
});

async function start(): Promise<SessionManager> {
  const manager = await startSessionManager({
    name: 'outgoing',
    maxSessions: 100,
    maxBytes: 2 ** 20,
    cookie: { secure: false },
    sweep: '0 0 0 29 2 *',
  });
  onTestFinished(() => manager.stop());
  return manager;
}

/** All that the threads share of a manager. */
function shared(manager: SessionManager): Buffer[] {
  const memory: Buffer[] = [];
  note(manager.createTicket(), memory);
  return memory;
}

/** Uses everything that sends something. */
async function useAll(manager: SessionManager, tokens: Set<string>): Promise<Session> {
  const keep = (session: Session) => tokens.add(manager.getCookieData(session).value);
  for (const event of ['created', 'changed', 'ended', 'token-rotated'] as const) manager.on(event, () => undefined);
  const session = await manager.newSession({ data: { n: 1 }, client: { ip: '::1', userAgent: 'one', label: 'home' } });
  const other = await manager.newSession({ userId: 'ann' });
  void session.signal;
  keep(other);
  keep(session);
  await session.set({ list: [1, 'two', 3n], raw: Buffer.from('four') });
  await session.replace({ m: 1 });
  await session.update((data) => ({ ...data, more: new Map([[1, 2]]) }));
  await session.take('m');
  await session.login('ann', { role: 'admin' });
  keep(session);
  await session.rotate({ grace: '1h' });
  keep(session);
  await session.setIdleTimeout('1h');
  await manager.loadSession([...tokens].at(-2));
  await manager.stats();
  for await (const _ of manager.getAllSessions({ userId: 'ann' }));
  await other.close('bye');
  await manager.closeAllSessions({ userId: 'nobody' });
  await manager.sweep();
  return session;
}

/** Where something stands, without showing it. */
const holds = (buffers: readonly Buffer[], what: string | Buffer) =>
  buffers.flatMap((buffer, n) => (buffer.includes(what, 0, 'latin1') ? [`${n} at ${buffer.indexOf(what)}`] : []));

test('no token is in a message, in the shared memory, or in a report of the process; only what is derived of it', async () => {
  const manager = await start();
  const tokens = new Set<string>();
  const session = await useAll(manager, tokens);
  expect([tokens.size, passed.length > 30, arrived > 10, session.alive]).toEqual([4, true, true, true]);
  const memory = shared(manager);
  // What is looked for would be found: the data is there in plain.
  expect([holds(passed, 'admin').length > 0, holds(memory, 'admin').length > 0]).toEqual([true, true]);
  Reflect.set(process.report, 'excludeNetwork', true);
  const report = Buffer.from(JSON.stringify(process.report.getReport()));
  for (const token of tokens)
    for (const form of [token, Buffer.from(token, 'base64url'), Buffer.from(token, 'utf16le')])
      expect([holds(passed, form), holds(memory, form), holds([report], form)]).toEqual([[], [], []]);
});

test('no message and no place in the shared memory holds what lay in the memory it was made of', async () => {
  const manager = await start();
  const canary = 'canary of another user';
  // In the pool that buffers are cut from, in what calls and answers are written with, and in cells of the table.
  const pooled = Array.from({ length: 2000 }, () => Buffer.from(canary));
  const former = await manager.newSession({ userId: canary, data: { [canary]: canary.repeat(500) } });
  await former.set({ more: canary.repeat(500) });
  await former.take(canary);
  await former.close(canary);
  expect([pooled.length, holds(passed, canary).length > 0]).toEqual([2000, true]);
  await manager.sweep();
  await manager.sweep();
  passed.length = 0;
  arrived = 0;
  const session = await useAll(manager, new Set());
  expect([passed.length > 30, arrived > 10]).toEqual([true, true]);
  expect([holds(passed, canary), holds(shared(manager), canary)]).toEqual([[], []]);
  expect(session.data).toEqual({ more: new Map([[1, 2]]), role: 'admin' });
});
