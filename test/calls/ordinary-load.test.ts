/**
 * What a busy application does on an ordinary day: large batches, many values taken, threads that idle. Nobody else is
 * harmed by it.
 */

import { MessagePort } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { type ManagerOptions, type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { MOST_IN_FLIGHT } from '../support/internals.js';
import { Thread } from '../support/threads.js';

let names = 0;

async function start(options: ManagerOptions = {}): Promise<SessionManager> {
  const manager = await startSessionManager({ name: `ordinary ${++names}`, maxSessions: 2000, ...options });
  onTestFinished(() => manager.stop());
  return manager;
}

test('a batch that takes longer than a hang does is done, and its manager lives', async () => {
  const manager = await start({ callTimeout: '60s' });
  const causes: string[] = [];
  manager.on('restarted', ({ cause }) => causes.push(cause.message));
  const data = Object.fromEntries(Array.from({ length: 900 }, (_, n) => [`key${n}`, 'x'.repeat(55)]));
  const session = await manager.newSession({ data });
  const began = performance.now();
  // A hang is noticed after a second.
  for (let round = 0; performance.now() - began < 2500; round++) {
    await Promise.all(Array.from({ length: 5000 }, (_, n) => session.set({ n, round })));
  }
  expect([session.data.n, causes]).toEqual([4999, []]);
}, 120_000);

test('no more calls are under way than their journal has entries for, and each is done once and in its order', async () => {
  const manager = await start();
  const session = await manager.newSession({ data: { n: -1 } });
  const sent: number[] = [];
  const { postMessage } = MessagePort.prototype;
  MessagePort.prototype.postMessage = function note(this: MessagePort, ...args: Parameters<typeof postMessage>) {
    const [message] = args as [{ argumentList?: { value: ArrayBuffer }[] }];
    const batch = message.argumentList?.[0]?.value;
    if (batch !== undefined) sent.push(new DataView(batch).getUint32(8, true));
    postMessage.apply(this, args);
  };
  onTestFinished(() => {
    MessagePort.prototype.postMessage = postMessage;
  });
  const told: number[] = [];
  const calls = Array.from({ length: 20_000 }, (_, n) => session.set({ n }).then(() => told.push(n)));
  const underWay = sent.reduce((sum, each) => sum + each, 0);
  expect(underWay).toBeGreaterThan(0);
  expect(underWay).toBeLessThanOrEqual(MOST_IN_FLIGHT);
  await Promise.all(calls);
  expect(sent.reduce((sum, each) => sum + each, 0)).toBe(20_000);
  expect([session.data.n, session.version, told]).toEqual([
    19_999,
    20_000,
    Array.from({ length: 20_000 }, (_, n) => n),
  ]);
});

test('values are taken out of a table that is nearly full, and a thread that idles afterwards keeps nothing of them', async () => {
  const manager = await start({ maxBytes: 4 * 2 ** 20, maxSessionBytes: 64 * 1024 });
  const data = { flash: 'now', text: 'x'.repeat(60_000) };
  const cookies: string[] = [];
  for (let n = 0; n < 60; n++) cookies.push(manager.getCookieData(await manager.newSession({ data })).value);
  const thread = new Thread();
  await thread.ask('join', manager.createTicket());
  expect(await thread.ask('takeAll', cookies, 'flash')).toEqual(Array(60).fill('now'));
  expect(await thread.ask('takeAll', cookies, 'text')).toEqual(Array(60).fill(data.text));
  // As much as was taken, while the other thread makes no call.
  for (let n = 0; n < 60; n++) await manager.newSession({ data });
  await thread.end();
});

test('what one call after another takes needs no room for what was taken before', async () => {
  const manager = await start({ maxSessions: 1, maxBytes: 64 * 1024, maxSessionBytes: 64 * 1024 });
  const keys = Array.from({ length: 1000 }, (_, n) => `key${n}`);
  const session = await manager.newSession({ data: Object.fromEntries(keys.map((key) => [key, key.repeat(6)])) });
  const taken = await Promise.all(keys.map((key) => session.take(key)));
  expect(taken).toEqual(keys.map((key) => key.repeat(6)));
  expect(session.data).toEqual({});
});

test('data with a million keys at its top level holds its manager for long, and gets it not replaced', async () => {
  const manager = await start({ maxSessionBytes: 16 * 2 ** 20, maxBytes: 64 * 2 ** 20, callTimeout: '60s' });
  const causes: string[] = [];
  manager.on('restarted', ({ cause }) => causes.push(cause.message));
  const data = Object.fromEntries(Array.from({ length: 1_000_000 }, (_, n) => [`k${n}`, n % 100]));
  const session = await manager.newSession({ data });
  await session.set(data);
  await session.set({ k7: 'seven' });
  expect([session.data.k7, session.data.k999999, causes]).toEqual(['seven', 99, []]);
}, 120_000);
