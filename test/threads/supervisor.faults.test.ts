import { expect, test } from 'vitest';
import { type SessionManager, startSessionManager } from '../../dist/src/index.js';

test('a host that is blocked for longer than a start may take, as soon as it has asked for one, has its manager', async () => {
  const started: Promise<SessionManager> = startSessionManager({ name: 'awaited', maxSessions: 8, maxBytes: 100_000 });
  // As a task that takes so long does.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10_500);
  const manager = await started;
  expect((await manager.stats()).restarts).toBe(0);
  await manager.stop();
});
