/** What holds the manager for longer than a hang does, on an ordinary day: it is not taken for one. */

import { expect, onTestFinished, test } from 'vitest';
import { type ManagerOptions, type SessionManager, startSessionManager } from '../../dist/src/index.js';

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
