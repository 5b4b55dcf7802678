import { afterEach, beforeEach, expect, test } from 'vitest';
import { type SessionManager, startSessionManager } from '../../dist/src/index.js';

let manager: SessionManager;

beforeEach(async () => {
  manager = await startSessionManager({ maxSessions: 100, maxBytes: 1_000_000 });
});

afterEach(() => manager.stop());

test('a getter in the data may make calls of its own, and each call carries its own data', async () => {
  const inner = await manager.newSession({ data: { whose: 'inner' } });
  let nested: Promise<void> | undefined;
  const outer = await manager.newSession({
    data: {
      before: 'outer',
      get between() {
        nested = inner.set({ whose: 'inner, changed' });
        return 'read';
      },
      after: 'outer',
    },
  });
  await nested;
  expect(outer.data).toEqual({ before: 'outer', between: 'read', after: 'outer' });
  expect(inner.data).toEqual({ whose: 'inner, changed' });
});

test('a getter that calls and then throws takes back its own call only', async () => {
  const inner = await manager.newSession({ data: { n: 1 } });
  let nested: Promise<void> | undefined;
  const refused = manager.newSession({
    data: {
      get bad() {
        nested = inner.set({ n: 2 });
        throw new Error('no');
      },
    },
  });
  await expect(refused).rejects.toMatchObject({ code: 'ERR_INVALID_DATA' });
  await nested;
  expect(inner.data).toEqual({ n: 2 });
  expect((await manager.stats()).sessions).toBe(1);
});
