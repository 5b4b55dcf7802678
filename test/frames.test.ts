import { once } from 'node:events';
import { MessageChannel, postMessageToThread } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { startSessionManager } from '../dist/src/index.js';
import { callOf } from './fixtures/frames.js';
import { randomFrom } from './random.js';
import { managerThread } from './threads.js';
import { sendFrames } from './torture/frames.js';

const FRAMES = 100_000;

test(`frames: ${FRAMES} of every shape leave the manager, and every session of others, as they were`, async () => {
  const { seed } = randomFrom('frames');
  const { sent, answers, calls, strange, wrong } = await sendFrames(FRAMES, seed);
  expect({ sent, wrong }).toEqual({ sent: FRAMES, wrong: [] });
  // They reached the rules of sessions, and the one who used these went on meanwhile.
  expect(answers).toBeGreaterThan(FRAMES / 2);
  expect(strange).toBeGreaterThan(1000);
  expect(calls).toBeGreaterThan(10);
});

test.each([
  ['in a call', (port: unknown) => callOf('execute', port, 'x')],
  [
    'in a proxy',
    (port: unknown) => ({ ...callOf('execute', 0, 'x'), argumentList: [{ type: 'HANDLER', value: port }] }),
  ],
  ['alone', (port: unknown) => port],
])('a port that is sent along %s is closed, not kept', async (_, frame) => {
  const manager = await startSessionManager({ maxSessions: 10, maxBytes: 10_000 });
  const { port1, port2 } = new MessageChannel();
  await postMessageToThread(managerThread(manager), { coatcheck: 'join', name: 'default', port: port2 }, [port2]);
  const { port1: mine, port2: sent } = new MessageChannel();
  const closed = once(mine, 'close');
  port1.postMessage(frame(sent), [sent]);
  await closed;
  expect((await manager.stats()).restarts).toBe(0);
  port1.close();
  await manager.stop();
});
