/**
 * The package in Jest, which runs tests and what they import in a realm of its own: its Map, Date and Int32Array are
 * other classes than those of the values that Node itself makes. Copied beside the installed package by
 * check-package.js.
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { SessionError, startSessionManager } from 'coatcheck';
import { createManualClock } from 'coatcheck/testing';

const joiner = `const { workerData, parentPort } = require('node:worker_threads');
import('coatcheck').then(async ({ connectSessionManager }) => {
  const manager = await connectSessionManager();
  const session = manager.getSession(workerData);
  await session.set({ theirs: new Date(1) });
  parentPort.postMessage(session.data.words.join());
  await manager.disconnect();
});`;

test('a manager starts, keeps data of every kind, is joined from a Worker, and stops', async () => {
  const clock = createManualClock(new Date(1_000_000));
  const manager = await startSessionManager({ clock });
  const data = {
    at: new Date(0),
    map: new Map([['a', new Set([1])]]),
    words: Int32Array.of(1, -2),
    floats: Float64Array.of(0.5),
    bytes: Uint8Array.of(3),
    buffer: new ArrayBuffer(2),
    big: 2n ** 70n,
    list: [{ deep: [null] }],
  };
  const session = await manager.newSession({ data, userId: 'ada' });
  const cookie = manager.getCookieData(session).value;
  const found = manager.getSession(cookie);
  expect(found).toBe(session);
  expect(found.data).toEqual(data);

  const worker = new Worker(joiner, { eval: true, workerData: cookie });
  expect(await once(worker, 'message')).toEqual(['1,-2']);
  await once(worker, 'exit');
  expect(found.data.theirs.getTime()).toBe(1);

  const refusal = await session.set({ method() {} }).catch((error) => error);
  expect(refusal).toBeInstanceOf(SessionError);
  expect(refusal.code).toBe('ERR_INVALID_DATA');
  clock.advance('1s');
  expect(await manager.closeAllSessions({ createdBefore: new Date(clock.now()) })).toBe(1);
  expect(session.alive).toBe(false);
  await manager.stop();
});
