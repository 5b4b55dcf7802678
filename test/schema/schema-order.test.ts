/** With a schema, calls of a thread keep their order whatever they wait for, and each has settled by its deadline. */

import * as v from 'valibot';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type ManagerOptions, type Session, type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { anything, atMostOne, fits, HeldSchema, refuses, type Schema, schemaOf } from '../support/schemas.js';
import { outcomesOf, Thread } from '../support/threads.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(schema: Schema, options: ManagerOptions = {}): Promise<SessionManager> {
  const manager = await startSessionManager({ maxSessions: 1000, maxBytes: 16_000_000, schema, ...options });
  cleanups.push(() => manager.stop());
  return manager;
}

/** A schema of a library, as applications have them. */
const looseObject = v.looseObject({ n: v.optional(v.number()) }) as unknown as Schema;
/** One that answers later, and by itself. */
const later = schemaOf(async (data) => fits(data));

describe.each([
  ['that answers at once', anything],
  ['of valibot', looseObject],
  ['that answers later', later],
])('with a schema %s', (_, schema) => {
  let shared: SessionManager;
  let manager: SessionManager;
  let session: Session;
  beforeAll(async () => {
    shared = await startSessionManager({ name: 'shared', maxSessions: 1000, maxBytes: 16_000_000, schema });
  });
  afterAll(() => shared.stop());
  const begin = async (options?: ManagerOptions) => {
    manager = options === undefined ? shared : await start(schema, options);
    await manager.closeAllSessions();
    session = await manager.newSession({ data: { n: 0 } });
  };

  test('a take finds what was set before it', async () => {
    await begin();
    const [, taken] = await Promise.all([session.set({ flash: 'saved' }), session.take('flash')]);
    expect(taken).toBe('saved');
    expect(session.data).toEqual({ n: 0 });
  });

  test('a set before a close is done', async () => {
    await begin();
    expect(await outcomesOf([session.set({ n: 1 }), session.close()])).toEqual(['done', 'done']);
    expect(session.alive).toBe(false);
  });

  test('a set before a replace is replaced, one after it is kept', async () => {
    await begin();
    await Promise.all([session.set({ early: true }), session.replace({ n: 1 }), session.set({ late: true })]);
    expect(session.data).toEqual({ n: 1, late: true });
  });

  test('of a hundred sets the last one wins, and all count', async () => {
    await begin();
    await Promise.all(Array.from({ length: 100 }, (_, n) => session.set({ n, [`key ${n % 3}`]: n })));
    expect(session.data).toEqual({ n: 99, 'key 0': 99, 'key 1': 97, 'key 2': 98 });
    expect(session.version).toBe(100);
  });

  test('a login with a patch stands between the calls around it', async () => {
    await begin();
    await Promise.all([session.set({ n: 1 }), session.login('ada', { n: 2 }), session.set({ seen: true })]);
    expect(session.data).toEqual({ n: 2, seen: true });
    expect([session.userId, manager.getSession(manager.getCookieData(session).value)]).toEqual(['ada', session]);
  });

  test('a set before rotate, setIdleTimeout and an ending by id is done, one after them is refused', async () => {
    await begin();
    const calls = [session.set({ n: 1 }), session.rotate(), session.setIdleTimeout('1h')];
    calls.push(manager.sessionWantsToClose(session.id), session.set({ n: 2 }));
    expect(await outcomesOf(calls)).toEqual([...Array(4).fill('done'), 'ERR_SESSION_ENDED not-applied']);
  });

  test('a session is made before closeAllSessions ends it, and before stats counts it', async () => {
    await begin();
    const [made, stats, closed] = await Promise.all([
      manager.newSession(),
      manager.stats(),
      manager.closeAllSessions(),
    ]);
    expect([made.alive, stats.sessions, closed]).toEqual([false, 2, 2]);
  });

  test('a place is free for a session that is made after the close of another', async () => {
    await begin({ maxSessionsPerUser: 1, whenOverLimit: 'reject' });
    await session.login('ada');
    const calls = [session.set({ n: 1 }), session.close(), manager.newSession({ userId: 'ada' })];
    expect(await outcomesOf(calls)).toEqual(['done', 'done', 'done']);
  });

  test('what is put under a key comes between the sets around it', async () => {
    await begin();
    const keyed = await manager.putSession('a key', { data: { n: 0 } });
    const calls = [
      keyed.set({ gone: true }),
      manager.putSession('a key', { data: { n: 1 } }),
      keyed.set({ late: true }),
    ];
    await Promise.all(calls);
    expect(keyed.data).toEqual({ n: 1, late: true });
    const last = [keyed.set({ n: 2 }), manager.closeSessionByKey('a key'), keyed.set({ n: 3 })];
    expect(await outcomesOf(last)).toEqual(['done', 'done', 'ERR_SESSION_ENDED not-applied']);
  });

  test('what was called before stop is done', async () => {
    const manager = await startSessionManager({ maxSessions: 10, maxBytes: 100_000, schema });
    const made = await manager.newSession();
    expect(await outcomesOf([made.set({ n: 1 }), manager.newSession(), manager.stop()])).toEqual(Array(3).fill('done'));
  });

  test('updates count, whatever is called around them', async () => {
    await begin();
    const add = (data: Record<string, unknown>) => ({ ...data, n: Number(data.n) + 1 });
    await Promise.all([session.set({ a: 1 }), session.update(add), session.set({ b: 1 }), session.update(add)]);
    expect(session.data).toEqual({ n: 2, a: 1, b: 1 });
  });
});

test('calls that nothing has to wait for are sent as they are made', async () => {
  const manager = await start(anything);
  const sessions = await Promise.all([1, 2, 3].map((n) => manager.newSession({ data: { n } })));
  const before = (await manager.stats()).calls.count;
  const { MessagePort } = await import('node:worker_threads');
  const post = MessagePort.prototype.postMessage;
  let posted = 0;
  MessagePort.prototype.postMessage = function count(this: typeof MessagePort.prototype, ...args: [never]) {
    posted++;
    post.apply(this, args);
  };
  try {
    await Promise.all([
      ...sessions.map((session) => session.set({ n: 0 })),
      manager.newSession(),
      manager.newSession(),
    ]);
  } finally {
    MessagePort.prototype.postMessage = post;
  }
  expect([posted, (await manager.stats()).calls.count - before]).toEqual([1, 6]);
});

describe('with a schema that answers when it is told to', () => {
  const begin = async (held: HeldSchema, options?: ManagerOptions) => {
    const manager = await start(held.schema, options);
    const made = held.releaseAll(Promise.all([0, 0].map((n) => manager.newSession({ data: { n } }))));
    const [session, other] = (await made) as [Session, Session];
    return { manager, session, other };
  };

  test('the later of two calls wins, even if it was checked first', async () => {
    const held = new HeldSchema();
    const { session } = await begin(held);
    const calls = Promise.all([session.replace({ n: 1 }), session.replace({ n: 2 })]);
    await held.until(2);
    held.release(1);
    held.release(0);
    await calls;
    expect(session.data).toEqual({ n: 2 });
  });

  test('a patch is checked against what the one before it made', async () => {
    const held = new HeldSchema(atMostOne);
    const { session } = await begin(held);
    const calls = outcomesOf([session.set({ a: 1 }), session.set({ b: 1 })]);
    await held.until(1);
    expect(held.waiting.map(({ data }) => data)).toEqual([{ n: 0, a: 1 }]);
    held.release();
    await held.until(1);
    expect(held.waiting.map(({ data }) => data)).toEqual([{ n: 0, a: 1, b: 1 }]);
    held.release();
    expect(await calls).toEqual(['done', 'ERR_INVALID_DATA not-applied']);
    expect(session.data).toEqual({ n: 0, a: 1 });
  });

  test('another session’s calls do not wait, and those of all sessions do, and hold back later ones', async () => {
    const held = new HeldSchema(fits, (data) => data.slow === true);
    const { manager, session, other } = await begin(held);
    const slow = session.set({ slow: true });
    await other.set({ n: 1 });
    let closed: number | undefined;
    const all = manager.closeAllSessions().then((count) => {
      closed = count;
    });
    const late = outcomesOf([other.set({ n: 2 }), other.close()]);
    const made = manager.newSession({ data: { n: 3 } });
    const another = await manager.getSessionById(other.id);
    expect([closed, another?.data, session.data]).toEqual([undefined, { n: 1 }, { n: 0 }]);
    held.release();
    await Promise.all([slow, all]);
    expect([closed, (await made).alive, await late]).toEqual([2, true, ['ERR_SESSION_ENDED not-applied', 'done']]);
  });

  test('a session whose data is still being checked is made before closeAllSessions, which ends it', async () => {
    const held = new HeldSchema(fits, (data) => data.slow === true);
    const { manager, session } = await begin(held);
    const made = manager.newSession({ data: { slow: true } });
    const closed = manager.closeAllSessions();
    await held.until(1);
    expect(session.alive).toBe(true);
    held.release();
    expect([await closed, (await made).alive]).toEqual([3, false]);
  });

  test('what is refused lets those behind it go on, and counts for nothing', async () => {
    const held = new HeldSchema((data) => (data.n === 1 ? refuses('n') : fits(data)));
    const { session } = await begin(held);
    const calls = outcomesOf([
      session.replace({ n: 1 }),
      session.set({ a: 1 }),
      session.set({ n: 1 }),
      session.take('a'),
    ]);
    expect(await held.releaseAll(calls)).toEqual([
      'ERR_INVALID_DATA not-applied',
      'done',
      'ERR_INVALID_DATA not-applied',
      'done',
    ]);
    expect(session.data).toEqual({ n: 0 });
  });

  test('what is refused before its turn does not give it to those behind', async () => {
    const held = new HeldSchema((data) => (data.n === 1 ? refuses('n') : fits(data)));
    const { session } = await begin(held);
    const slow = outcomesOf([session.set({ slow: true })]);
    const bad = outcomesOf([session.replace({ n: 1 })]);
    const close = outcomesOf([session.close()]);
    await held.until(2);
    held.release(1);
    expect(await bad).toEqual(['ERR_INVALID_DATA not-applied']);
    held.release();
    expect([await slow, await close, session.alive]).toEqual([['done'], ['done'], false]);
  });

  test('what becomes of an object after it was handed in is not stored', async () => {
    const held = new HeldSchema((data) => (data.bad === true ? refuses('bad') : fits(data)));
    const { session } = await begin(held);
    const list = [1];
    const data: Record<string, unknown> = { list };
    const patch: Record<string, unknown> = { at: new Date(1), map: new Map([['a', list]]) };
    const calls = held.releaseAll(Promise.all([session.replace(data), session.set(patch)]));
    data.bad = patch.bad = true;
    list.push(2);
    (patch.at as Date).setTime(2);
    await calls;
    expect(session.data).toEqual({ list: [1], at: new Date(1), map: new Map([['a', [1]]]) });
  });
});

describe('with a schema that never answers', () => {
  const isStuck = (data: Record<string, unknown>) => data.stuck === true;
  const begin = async (callTimeout: number) => {
    const held = new HeldSchema(fits, isStuck);
    const manager = await start(held.schema, { callTimeout });
    const [session, other] = await Promise.all([0, 0].map((n) => manager.newSession({ data: { n } })));
    return { held, manager, session: session as Session, other: other as Session };
  };
  const TIMED_OUT = 'ERR_TIMEOUT not-applied';

  test('a call is refused by its deadline, those behind it go on, and what comes of it later is dropped', async () => {
    const { held, session, other } = await begin(3000);
    const began = performance.now();
    let refused = 0;
    const stuck = [session.set({ stuck: true }), session.replace({ stuck: true })].map((call) => outcomesOf([call]));
    for (const call of stuck) void call.then(() => refused++);
    // For a while: by then the call behind has a deadline of its own, later than theirs.
    while (performance.now() - began < 1000) await other.set({ n: 1 });
    expect(refused).toBe(0);
    const behind = outcomesOf([session.set({ n: 2 })]);
    expect((await Promise.all(stuck)).flat()).toEqual([TIMED_OUT, TIMED_OUT]);
    expect(await behind).toEqual(['done']);
    held.release();
    held.release();
    await session.set({ n: 3 });
    expect([session.data, session.version]).toEqual([{ n: 3 }, 2]);
  });

  test('every call that waits for it is refused by its own deadline, and none of them is done later', async () => {
    const { held, manager, session, other } = await begin(200);
    // In one moment, however busy the machine is.
    const now = performance.now();
    const clock = vi.spyOn(performance, 'now').mockReturnValue(now);
    const calls = [manager.newSession({ data: { stuck: true } }), session.set({ stuck: true })];
    calls.push(session.take('n') as never, session.rotate() as never, session.close() as never);
    calls.push(manager.closeAllSessions() as never, other.set({ n: 1 }) as never, manager.newSession());
    calls.push(manager.putSession('a key', { data: {} }), manager.stats() as never, manager.sweep() as never);
    clock.mockRestore();
    expect(new Set(await outcomesOf(calls))).toEqual(new Set([TIMED_OUT]));
    while (held.waiting.length > 0) held.release();
    const { created, sessions } = await manager.stats();
    expect([created, sessions, session.data, other.data]).toEqual([2, 2, { n: 0 }, { n: 0 }]);
  });

  test('a call that its own check waits for waits for no longer than that', async () => {
    let session: Session | undefined;
    const inner: Promise<string[]>[] = [];
    const schema = schemaOf(async (data) => {
      if (data.outer !== true) return fits(data);
      inner.push(outcomesOf([session?.update((now) => ({ ...now, inner: true })) as Promise<void>]));
      await inner[0];
      return fits(data);
    });
    const manager = await start(schema, { callTimeout: 300 });
    session = await manager.newSession();
    expect(await outcomesOf([session.set({ outer: true })])).toEqual([TIMED_OUT]);
    expect((await Promise.all(inner)).flat()).toEqual([expect.stringMatching(/^done$|^ERR_TIMEOUT/)]);
    await session.set({ n: 1 });
    expect(session.data).toMatchObject({ n: 1 });
  });

  test('stop ends it all, in the thread that started the manager', async () => {
    const held = new HeldSchema(fits, isStuck);
    const manager = await startSessionManager({
      maxSessions: 10,
      maxBytes: 100_000,
      schema: held.schema,
      callTimeout: 100,
    });
    const session = await manager.newSession();
    const calls = outcomesOf([session.set({ stuck: true }), manager.stop()]);
    expect(await calls).toEqual([TIMED_OUT, 'done']);
    expect(await outcomesOf([session.set({ n: 1 }), manager.newSession()])).toEqual([
      'ERR_MANAGER_STOPPED not-applied',
      'ERR_MANAGER_STOPPED not-applied',
    ]);
  });

  test('65,536 calls may wait and the next is refused at once; those before it are done in their turn', async () => {
    const { held, session, other } = await begin(60_000);
    const calls: Promise<unknown>[] = [session.set({ stuck: true }), session.close()];
    calls.push(...Array.from({ length: 65_534 }, () => session.take('n')));
    expect(await outcomesOf([session.close(), other.close()])).toEqual(Array(2).fill('ERR_OVERLOADED not-applied'));
    held.release();
    const [set, close, ...takes] = await outcomesOf(calls);
    expect([set, close, ...new Set(takes)]).toEqual(['done', 'done', 'ERR_SESSION_ENDED not-applied']);
  });

  test('64 MiB may wait and what is more is refused at once', async () => {
    const { held, session } = await begin(60_000);
    const filling = new Uint8Array(2 ** 20);
    const stuck = session.set({ stuck: true });
    const calls = Array.from({ length: 63 }, () => session.set({ filling }));
    expect(await outcomesOf([session.set({ filling })])).toEqual(['ERR_OVERLOADED not-applied']);
    const outcomes = await held.releaseAll(outcomesOf([stuck, ...calls]));
    expect(outcomes).toEqual(['done', ...Array(63).fill('ERR_SESSION_TOO_LARGE not-applied')]);
  });
});

describe('a rule over two keys', () => {
  test('is not broken by two patches of one thread', async () => {
    const manager = await start(schemaOf(atMostOne));
    const session = await manager.newSession();
    const calls = [session.set({ a: 1 }), session.set({ b: 1 })];
    expect(await outcomesOf(calls)).toEqual(['done', 'ERR_INVALID_DATA not-applied']);
    expect(session.data).toEqual({ a: 1 });
  });

  test.each(['set', 'login'] as const)('is checked again by %s where another thread has written', async (method) => {
    const held = new HeldSchema(atMostOne, (data) => data.a === 1);
    const manager = await start(held.schema);
    const session = await manager.newSession();
    const thread = new Thread();
    cleanups.push(() => thread.end());
    await thread.ask('joinWithRule');
    const { value } = manager.getCookieData(session);
    const call = outcomesOf([method === 'set' ? session.set({ a: 1 }) : session.login('ada', { a: 1 })]);
    await held.until(1);
    await thread.ask('set', value, { b: 1 });
    held.release();
    await held.until(1);
    expect(held.waiting.map(({ data }) => data)).toEqual([{ a: 1, b: 1 }]);
    held.release();
    expect(await call).toEqual(['ERR_INVALID_DATA not-applied']);
    expect([session.data, session.userId]).toEqual([{ b: 1 }, undefined]);
  });

  test('is not broken by two threads that write a key each, a hundred times', async () => {
    const manager = await start(schemaOf(atMostOne));
    const session = await manager.newSession({ data: { a: 0, b: 0 } });
    const seen: boolean[] = [];
    const stop = manager.on('changed', () => seen.push(session.data.a === 1 && session.data.b === 1));
    const threads = [new Thread(), new Thread()];
    cleanups.push(() => Promise.all(threads.map((thread) => thread.end())));
    await Promise.all(threads.map((thread) => thread.ask('joinWithRule')));
    const { value } = manager.getCookieData(session);
    const [a, b] = await Promise.all(
      threads.map((thread, n) => thread.ask<Record<string, number>>('toggle', value, 'ab'[n], 100)),
    );
    stop();
    expect(seen.filter((both) => both)).toEqual([]);
    expect(new Set([...Object.keys(a ?? {}), ...Object.keys(b ?? {})])).toEqual(new Set(['done', 'ERR_INVALID_DATA']));
    expect(seen.length).toBeGreaterThan(0);
  });
});
