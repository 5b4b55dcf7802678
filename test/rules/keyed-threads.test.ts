/**
 * Sessions under a caller's own key, over the threads: what the proxy checks and gives, and a key that one thread
 * closes while another puts.
 */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { Thread } from '../support/threads.js';

let manager: SessionManager;
const threads: Thread[] = [];
beforeAll(async () => {
  manager = await startSessionManager({ name: 'keyed', maxSessions: 1000 });
  threads.push(new Thread(), new Thread());
  await Promise.all(threads.map((thread) => thread.ask('join', 'keyed')));
});
afterAll(async () => {
  await Promise.all(threads.map((thread) => thread.end()));
  await manager.stop();
});

test('what one thread puts is found by its key in every thread, with all that was said of it', async () => {
  const client = { ip: '::1', userAgent: 'browser', label: 'desk' };
  const data = { list: [1] };
  const session = await manager.putSession('all of it', { data, userId: 'ann', client, idleTimeout: '5m' });
  expect(session).toBe(manager.getSessionByKey('all of it'));
  expect([session.data, session.userId, session.client, session.idleTimeout]).toEqual([data, 'ann', client, 300_000]);
  expect(await threads[0]?.ask('readByKey', 'all of it')).toEqual(data);
  expect(await manager.putSession('all of it', { data: {}, idleTimeout: false })).toBe(session);
  expect([session.data, session.userId, session.client, session.idleTimeout]).toEqual([{}, undefined, {}, false]);
  expect(manager.getSessionById(session.id)).toBe(session);
  await manager.closeSessionByKey('all of it', 'done');
  expect([session.alive, manager.getSessionByKey('all of it')]).toEqual([false, undefined]);
  expect(await threads[0]?.ask('readByKey', 'all of it')).toBeUndefined();
});

test('its lookup counts as being seen unless it is told otherwise', async () => {
  const session = await manager.putSession('seen', { data: {} });
  const before = session.lastSeenAt.getTime();
  while (Date.now() <= before + 1);
  manager.getSessionByKey('seen', { touch: false });
  expect(session.lastSeenAt.getTime()).toBe(before);
  manager.getSessionByKey('seen');
  expect(session.lastSeenAt.getTime()).toBeGreaterThan(before);
});

test('that has ended before its caller hears of it is told as ended, and as done', async () => {
  const put = manager.putSession('short', { data: {} });
  const closed = manager.closeSessionByKey('short');
  await expect(put).rejects.toMatchObject({ code: 'ERR_SESSION_ENDED', outcome: 'applied' });
  await closed;
});

test('it has no token: no cookie, no login, no rotation', async () => {
  const session = await manager.putSession('no token', { data: { a: 1 } });
  const refused = { code: 'ERR_TOKEN_UNKNOWN', message: expect.stringContaining('no token') };
  expect(() => manager.getCookieData(session)).toThrow(expect.objectContaining(refused));
  await expect(session.rotate()).rejects.toMatchObject(refused);
  await expect(session.login('ann')).rejects.toMatchObject(refused);
  expect([session.alive, session.userId, session.data]).toEqual([true, undefined, { a: 1 }]);
  await session.set({ b: 2 });
  expect(await session.take('a')).toBe(1);
  expect(session.data).toEqual({ b: 2 });
});

test.each([
  ['', 'empty'],
  ['k'.repeat(1025), '1024 bytes'],
  ['ü'.repeat(513), '1024 bytes'],
  ['\ud800', 'well-formed'],
  [undefined, 'a text'],
  [{ toString: () => 'key' }, 'a text'],
])('what is no key is refused where one is wanted, and never shown (%#)', async (key, text) => {
  const refused = { code: 'ERR_INVALID_OPTION', message: expect.stringContaining(text) };
  await expect(manager.putSession(key as never, { data: {} })).rejects.toMatchObject(refused);
  await expect(manager.closeSessionByKey(key as never)).rejects.toMatchObject(refused);
  expect(manager.getSessionByKey(key as never)).toBeUndefined();
});

test('keys of up to 1024 bytes, of any characters, are told apart', async () => {
  const keys = ['k'.repeat(1024), 'ü'.repeat(512), '\0', ' ', '__proto__', 'é', 'e\u0301', '𝄞'];
  for (const key of keys) await manager.putSession(key, { data: { key } });
  expect(keys.map((key) => manager.getSessionByKey(key)?.data)).toEqual(keys.map((key) => ({ key })));
});

test.each([
  [undefined, 'ERR_INVALID_OPTION'],
  [{}, 'ERR_INVALID_OPTION'],
  [{ data: {}, linked: true }, 'ERR_INVALID_OPTION'],
  [{ data: {}, idleTimout: 5 }, 'ERR_INVALID_OPTION'],
  [{ data: { call() {} } }, 'ERR_INVALID_DATA'],
  [{ data: 'text' }, 'ERR_INVALID_DATA'],
])('what is no good is refused, and makes no session (%#)', async (init, code) => {
  await expect(manager.putSession('refused', init as never)).rejects.toMatchObject({ code, outcome: 'not-applied' });
  expect(manager.getSessionByKey('refused')).toBeUndefined();
});

test('a destroy in one thread and a late set in another: whichever comes first, nothing is left', async () => {
  const [one, two] = threads as [Thread, Thread];
  const outcomes = new Set<unknown>();
  for (let round = 0; round < 200; round++) {
    const id = `round ${round}`;
    await one.ask('storeSet', id, { round });
    const late = round % 2 === 0 ? one : two;
    const [, answer] = await Promise.all([
      (late === one ? two : one).ask('storeDestroy', id),
      late.ask('put', id, { late: true }),
      late.ask('storeSet', id, { late: true }),
    ]);
    outcomes.add(answer);
    expect(manager.getSessionByKey(id)).toBeUndefined();
    await late.ask('storeSet', id, { late: true });
    expect([manager.getSessionByKey(id), await one.ask('readByKey', id)]).toEqual([undefined, undefined]);
  }
  // Both orders were met, or the race was none.
  expect(outcomes).toEqual(new Set(['done', 'ERR_SESSION_ENDED']));
});
