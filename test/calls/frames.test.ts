import { once } from 'node:events';
import { MessageChannel, postMessageToThread } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { startSessionManager } from '../../dist/src/index.js';
import { callOf, helloOf } from '../fixtures/frames.js';
import { ByteWriter, CALL, type Target, writeLogin } from '../support/internals.js';
import { managerThread } from '../support/threads.js';

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

test('a login as nobody, which no caller can send, is refused: a user without a name would be in no list that a session leaves', async () => {
  const manager = await startSessionManager({ maxSessions: 10, maxBytes: 10_000 });
  const session = await manager.newSession();
  const cookie = manager.getCookieData(session).value;
  const { port1, port2 } = new MessageChannel();
  await postMessageToThread(managerThread(manager), { coatcheck: 'join', name: 'default', port: port2 }, [port2]);
  port1.postMessage(callOf('greet', helloOf(), 'greeting'));
  await once(port1, 'message');

  const to = new ByteWriter(512);
  to.f64(1);
  to.u32(1);
  to.u8(CALL.login);
  const lengthAt = to.reserve(4);
  writeLogin(to, session as unknown as Target, new Int32Array(8).fill(7), new Uint8Array(0));
  to.view.setUint32(lengthAt, to.length - lengthAt - 4, true);
  port1.postMessage(callOf('execute', to.copy().buffer, 'login'));
  await once(port1, 'message');

  expect(manager.getSession(cookie)).toBe(session);
  expect(session.userId).toBeUndefined();
  port1.close();
  await manager.stop();
});
