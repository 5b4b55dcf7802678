import { expect, onTestFinished, test } from 'vitest';
import { startSessionManager } from '../../dist/src/index.js';
import { Thread } from '../support/threads.js';

test('forty threads come, watch and go: nothing is kept for them, nobody else is harmed', async () => {
  const manager = await startSessionManager({ maxSessions: 1000, maxBytes: 1_000_000 });
  onTestFinished(() => manager.stop());
  const session = await manager.newSession({ data: { n: 1 } });
  const cookie = manager.getCookieData(session).value;
  const joined = async () => {
    const thread = new Thread();
    onTestFinished(() => thread.end());
    await thread.ask('join');
    return thread;
  };
  for (let round = 0; round < 10; round++) {
    const threads = await Promise.all([joined(), joined(), joined(), joined()]);
    await Promise.all(threads.map((each) => each.ask('watch', cookie)));
    await Promise.all(threads.map((each) => each.ask('create', { linked: true })));
    await Promise.all(threads.map((each) => each.end()));
  }
  while ((await manager.stats()).connections !== 1);
  while ((await manager.stats()).sessions !== 1);
  expect(session.data).toEqual({ n: 1 });
  expect((await manager.stats()).ended.terminated).toBe(40);
});
