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
