import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { postMessageToThread } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { connectSessionManager, startSessionManager } from '../../dist/src/index.js';
import { fixture, managerThread, Thread } from '../support/threads.js';
import { wrongWith } from '../torture/managers.js';

const AT_ONCE = 50;
/** A thousand in `npm run torture -- --managers 1000`. */
const IN_TURN = 200;

test(`${AT_ONCE} managers in one process keep their sessions apart, and each outlives its thread`, {
  timeout: 120_000,
}, async () => {
  const threadsBefore = readdirSync('/proc/self/task').length;
  const managers = await Promise.all(
    Array.from({ length: AT_ONCE }, async (_, n) => {
      const manager = await startSessionManager({
        name: `one of many ${n}`,
        maxSessions: 100,
        maxBytes: 100_000,
        worker: fixture('manager-that-dies'),
        // Fifty threads that start at once on two slow processors take longer than calls are given otherwise.
        callTimeout: '1m',
      });
      const sessions = await Promise.all([0, 1, 2].map((i) => manager.newSession({ data: { n, i } })));
      return { n, manager, sessions, cookies: sessions.map((session) => manager.getCookieData(session).value) };
    }),
  );
  const below = new Thread();
  await below.ask('join', 'one of many 7');
  expect(await below.ask('read', managers[7]?.cookies[1])).toEqual({ n: 7, i: 1 });
  expect(await below.ask('read', managers[8]?.cookies[1])).toBeUndefined();
  // All at once, and with calls under way.
  await Promise.all(
    managers.map(async ({ manager, sessions }) => {
      const restarted = new Promise((resolve) => manager.on('restarted', resolve));
      await postMessageToThread(managerThread(manager), { die: 'exit 0' });
      await Promise.all(sessions.map((session) => session.set({ late: true })));
      await restarted;
    }),
  );
  for (const { n, manager, sessions, cookies } of managers) {
    expect(await connectSessionManager(`one of many ${n}`)).toBe(manager);
    for (const [i, session] of sessions.entries()) {
      expect(manager.getSession(cookies[i])).toBe(session);
      expect([session.data, session.version]).toEqual([{ n, i, late: true }, 1]);
      expect(managers[(n + 1) % AT_ONCE]?.manager.getSession(cookies[i])).toBeUndefined();
    }
    const { sessions: live, restarts } = await manager.stats();
    expect([live, restarts]).toEqual([3, 1]);
  }
  expect(await below.ask('createMany', 2)).toEqual(['done', 'done']);
  await below.end();
  await Promise.all(managers.map(({ manager }) => manager.stop()));
  expect(readdirSync('/proc/self/task').length).toBeLessThanOrEqual(threadsBefore);
});

test(`${IN_TURN} managers in turn leave no memory, no descriptor and no thread behind`, {
  timeout: 180_000,
}, async () => {
  const program = fileURLToPath(new URL('../torture/managers.js', import.meta.url));
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--expose-gc', program, `${IN_TURN}`]);
  const found = JSON.parse(stdout);
  expect([stderr, found.started]).toEqual(['', IN_TURN]);
  expect(wrongWith(found)).toEqual([]);
});
