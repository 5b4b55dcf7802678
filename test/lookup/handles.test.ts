import { AsyncResource } from 'node:async_hooks';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { type SessionManager, startSessionManager } from '../../dist/src/index.js';
import type { SessionHandle } from '../support/internals.js';

let sessions: SessionManager;

beforeEach(async () => {
  sessions = await startSessionManager({ maxSessions: 4, maxBytes: 100_000 });
});

afterEach(() => sessions.stop());

test('the signal of a session aborts, though its place was let again before the news came', async () => {
  const first = await sessions.newSession();
  const { signal } = first;
  await Promise.all([first.close(), sessions.newSession().then((second) => second.signal)]);
  await sessions.sweep();
  expect(signal.aborted).toBe(true);
});

test('a lookup refuses options that there are none of, whatever it is asked for', async () => {
  const cookie = sessions.getCookieData(await sessions.newSession()).value;
  const key = 'k'.repeat(30);
  for (const options of [
    { touched: false },
    { Touch: false },
    { touch: 0 },
    false,
    null,
    'touch',
    [false],
  ] as never[]) {
    const refusal = expect.objectContaining({ code: 'ERR_INVALID_OPTION' });
    for (const text of [cookie, undefined]) {
      expect(() => sessions.getSession(text, options)).toThrow(refusal);
      expect(() => sessions.getClaim(text, options)).toThrow(refusal);
      await expect(sessions.loadSession(text, options)).rejects.toEqual(refusal);
    }
    expect(() => sessions.getSessionByKey(key, options)).toThrow(refusal);
  }
  expect(sessions.getSession(cookie, {})).toBe(sessions.getSession(cookie, { touch: undefined as never }));
});

test('a listener that is told of a new session and its maker hold the same object', async () => {
  let told: unknown;
  sessions.on('created', ({ session }) => {
    told = sessions.getSessionById(session.id);
  });
  const made = await sessions.newSession();
  expect(told).toBe(made);
});

test('of many sessions made in one tick each is found as the very object that its maker was given', async () => {
  const many = await startSessionManager({ name: 'many', maxSessions: 200 });
  for (let round = 0; round < 3; round++) {
    const made = await Promise.all(Array.from({ length: 100 }, (_, n) => many.newSession({ data: { n } })));
    for (const session of made) {
      expect(many.getSession(many.getCookieData(session).value)).toBe(session);
      expect(many.getSessionById(session.id)).toBe(session);
    }
    await many.closeAllSessions();
    await many.sweep();
    expect(made.some((session) => session.alive)).toBe(false);
  }
  await many.stop();
});

test('data is the same object until it changes, whatever else of the session does', async () => {
  const session = await sessions.newSession({ data: { a: [1] } });
  const { data } = session;
  await session.setIdleTimeout('2h');
  await session.rotate();
  await session.login('ada');
  await session.take('nothing');
  expect(session.data).toBe(data);
  await session.set({ b: 2 });
  expect(session.data).not.toBe(data);
});

test('a thread that hears late of a token that it drew keeps the one that it was shown meanwhile', async () => {
  const session = await sessions.newSession();
  await session.login('ada');
  const { value: drawn } = sessions.getCookieData(session);
  await session.login('ada');
  const { value: shown } = sessions.getCookieData(session);
  expect(sessions.getSession(shown)).toBe(session);
  // As it is called when the answer to the first login arrives after another thread's login, and after a request with
  // the new cookie.
  (session as SessionHandle).learnDrawnToken(drawn);
  expect(sessions.getCookieData(session).value).toBe(shown);
  expect(sessions.getSession(shown)).toBe(session);
});

test('an update whose change writes the session itself ends, rather than trying for ever', async () => {
  const manager = await startSessionManager({ name: 'hurried', maxSessions: 4, maxBytes: 100_000, callTimeout: 300 });
  onTestFinished(() => manager.stop());
  const session = await manager.newSession({ data: { n: 0 } });
  let tries = 0;
  const updated = session.update(async (data) => {
    await session.set({ n: ++tries });
    return data;
  });
  await expect(updated).rejects.toMatchObject({ code: 'ERR_SESSION_CONFLICT', outcome: 'not-applied' });
  expect([tries >= 100, session.data.n]).toEqual([true, tries]);
  // Those that come behind it have their turn.
  await session.update((data) => ({ ...data, later: true }));
  expect(session.data).toEqual({ n: tries, later: true });
});

test('an update within an update of the same session is refused, as it would wait for itself', async () => {
  const session = await sessions.newSession({ data: { n: 1 } });
  const other = await sessions.newSession({ data: { n: 1 } });
  await expect(session.update(async (data) => session.update((inner) => inner).then(() => data))).rejects.toMatchObject(
    {
      code: 'ERR_INVALID_OPTION',
    },
  );
  await session.update(async (data) => {
    await other.update((theirs) => ({ ...theirs, n: 2 }));
    return { ...data, n: 2 };
  });
  expect([session.data, other.data]).toEqual([{ n: 2 }, { n: 2 }]);
});

test('what is no session is refused, however much it looks like one', async () => {
  const session = await sessions.newSession();
  for (const lookalike of [new Proxy(session, {}), Object.create(session), {}, null, Symbol('s')]) {
    expect(() => sessions.getCookieData(lookalike as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION' }),
    );
    await expect(sessions.sessionWantsToClose(lookalike as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
    });
  }
  expect(Object.keys(session)).toEqual([]);
});

test('what began within an update may update the same session once that update is over', async () => {
  const session = await sessions.newSession({ data: { n: 1 } });
  let later: (() => Promise<void>) | undefined;
  await session.update((data) => {
    // As a timer or a connection does that was made within: it goes on in the context of the update.
    later = AsyncResource.bind(() => session.update((inner) => ({ ...inner, n: (inner.n as number) * 10 })));
    return { ...data, n: 2 };
  });
  await later?.();
  expect(session.data).toEqual({ n: 20 });
  const timer = new Promise((resolve) => {
    void session.update((data) => {
      setTimeout(() => session.update((inner) => ({ ...inner, m: 1 })).then(resolve, resolve));
      return data;
    });
  });
  expect(await timer).toBeUndefined();
  expect(session.data).toEqual({ n: 20, m: 1 });
});

test('what began within an update that failed may update the same session as well', async () => {
  const session = await sessions.newSession({ data: { n: 1 } });
  let later: (() => Promise<void>) | undefined;
  const failed = session.update(() => {
    later = AsyncResource.bind(() => session.update((inner) => ({ ...inner, n: 2 })));
    throw new Error('no');
  });
  await expect(failed).rejects.toThrow('no');
  await later?.();
  expect(session.data).toEqual({ n: 2 });
});

test('an update within itself is refused also where updates of other sessions lie between', async () => {
  const [one, other] = await Promise.all([
    sessions.newSession({ data: { n: 1 } }),
    sessions.newSession({ data: { n: 1 } }),
  ]);
  let refused: unknown;
  await one.update(async (data) => {
    await other.update(async (theirs) => {
      refused = await one.update((inner) => inner).catch((error) => error.code);
      return { ...theirs, n: 2 };
    });
    return { ...data, n: 2 };
  });
  expect([refused, one.data, other.data]).toEqual(['ERR_INVALID_OPTION', { n: 2 }, { n: 2 }]);
});
