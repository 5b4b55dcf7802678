/** A signal, and a listener, hear of the end: though their call was refused, and though no manager is left to tell. */

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { postMessageToThread } from 'node:worker_threads';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type ManagerOptions, type Session, type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { createManualClock } from '../../dist/src/testing.js';
import { EndDetector, EVENT_BITS, Events, HEADER, Refused, STATUS, type WatchedSession } from '../support/internals.js';
import { randomFrom } from '../support/random.js';
import { fixture, managerThread, outcomesOf, Thread } from '../support/threads.js';
import { Mortal } from '../threads/failpoints.js';

/** Calls that may wait in one thread. */
const MOST_CALLS = 65_536;
/** By when what is to be heard has been heard, in milliseconds: else the test fails. */
const PATIENCE = 10_000;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(worker: string, options: ManagerOptions = {}): Promise<SessionManager> {
  const manager = await startSessionManager({
    maxSessions: 5000,
    maxBytes: 16_000_000,
    worker: fixture(worker),
    ...options,
  });
  cleanups.push(() => manager.stop());
  return manager;
}

async function joined(): Promise<Thread> {
  const thread = new Thread();
  cleanups.push(() => thread.end());
  await thread.ask('join');
  return thread;
}

/** The reason with which a signal aborts. */
async function reasonOf(signal: AbortSignal): Promise<unknown> {
  if (!signal.aborted) await once(signal, 'abort', { signal: AbortSignal.timeout(PATIENCE) });
  return signal.reason;
}

/** Blocks the manager's thread, and returns how to let it go on. */
async function block(manager: SessionManager): Promise<() => void> {
  const words = new Int32Array(new SharedArrayBuffer(4));
  const release = () => {
    Atomics.store(words, 0, 2);
    Atomics.notify(words, 0);
  };
  cleanups.push(release);
  await postMessageToThread(managerThread(manager), { blockAt: 'once', words });
  expect(Atomics.wait(words, 0, 0, PATIENCE)).not.toBe('timed-out');
  return release;
}

/** So many calls wait that the next is refused. */
async function overload(manager: SessionManager, first: () => Promise<unknown> = () => manager.sweep()) {
  const calls = [first(), ...Array.from({ length: MOST_CALLS - 1 }, () => manager.sweep())];
  expect(await outcomesOf([manager.stats()])).toEqual(['ERR_OVERLOADED not-applied']);
  return Promise.allSettled(calls);
}

/** Until the manager answers again. */
async function answered(manager: SessionManager): Promise<void> {
  while ((await outcomesOf([manager.stats()]))[0] !== 'done');
}

describe('whose call is refused', () => {
  const blocks = 'manager-that-blocks';

  test('a signal for overload: it aborts when the session ends', async () => {
    const manager = await start(blocks, { callTimeout: '30s' });
    const session = await manager.newSession();
    const release = await block(manager);
    const calls = overload(manager);
    const { signal } = session;
    release();
    await calls;
    const [ending] = await Promise.all([reasonOf(signal), session.close()]);
    expect(ending).toBe('closed');
  });

  test('a signal for overload, whose session has ended by the time it is asked for again: it aborts with the reason', async () => {
    const manager = await start(blocks, { callTimeout: '30s' });
    const session = await manager.newSession();
    const release = await block(manager);
    const calls = overload(manager, () => manager.sessionTerminating(session));
    const { signal } = session;
    release();
    expect(await reasonOf(signal)).toBe('terminated');
    await calls;
  });

  test('a signal whose session ends before its call is done: it aborts with the reason', async () => {
    const manager = await start(blocks, { callTimeout: '30s' });
    const session = await manager.newSession();
    const release = await block(manager);
    const ending = manager.sessionTerminating(session);
    const { signal } = session;
    release();
    await ending;
    expect(await reasonOf(signal)).toBe('terminated');
  });

  test('a signal as it took too long: it aborts when the session ends in another thread', async () => {
    const manager = await start(blocks, { callTimeout: 150 });
    const thread = await joined();
    const session = await manager.newSession();
    const cookie = manager.getCookieData(session).value;
    const release = await block(manager);
    const { signal } = session;
    expect(await outcomesOf([manager.stats()])).toEqual(['ERR_TIMEOUT not-applied']);
    release();
    await answered(manager);
    await thread.ask('close', cookie);
    expect(await reasonOf(signal)).toBe('closed');
  });

  test('a thousand signals for overload: all abort', async () => {
    const manager = await start(blocks, { callTimeout: '30s' });
    const sessions = await Promise.all(Array.from({ length: 3000 }, () => manager.newSession()));
    const release = await block(manager);
    const calls = overload(manager);
    const signals = sessions.map(({ signal }) => signal);
    release();
    await calls;
    const reasons = Promise.all(signals.map(reasonOf));
    await manager.closeAllSessions();
    expect(new Set(await reasons)).toEqual(new Set(['closed']));
  });

  test('a signal, whose slot is allocated again meanwhile: it aborts, and the signal of the next session does not', async () => {
    const manager = await start(blocks, { callTimeout: '30s', maxSessions: 1 });
    const session = await manager.newSession();
    const release = await block(manager);
    let next: Promise<Session> | undefined;
    const calls = overload(manager, () => {
      const closed = session.close();
      next = manager.newSession();
      return closed;
    });
    const { signal } = session;
    release();
    const successor = (await next) as Session;
    const theirs = successor.signal;
    await calls;
    expect(await reasonOf(signal)).toBe('closed');
    await manager.stats();
    expect(theirs.aborted).toBe(false);
    await successor.close();
    expect(await reasonOf(theirs)).toBe('closed');
  });

  test.each(['overload', 'a timeout'])('a listener for %s: it hears what happens afterwards', async (why) => {
    const manager = await start(blocks, { callTimeout: why === 'overload' ? '30s' : 150 });
    const release = await block(manager);
    const calls = why === 'overload' ? overload(manager) : undefined;
    let heard = 0;
    manager.on('created', () => heard++);
    if (why !== 'overload') expect(await outcomesOf([manager.stats()])).toEqual(['ERR_TIMEOUT not-applied']);
    release();
    await calls;
    await answered(manager);
    for (const until = performance.now() + PATIENCE; heard === 0 && performance.now() < until; ) {
      await manager.newSession().then((session) => session.close());
    }
    expect(heard).toBeGreaterThan(0);
  });

  test('a listener, though the manager dies meanwhile: its successor knows', async () => {
    const manager = await start('manager-that-dies');
    const thread = await joined();
    const session = await manager.newSession();
    const cookie = manager.getCookieData(session).value;
    const restarted = new Promise((resolve) => manager.on('restarted', resolve));
    await postMessageToThread(managerThread(manager), { die: 'hang' });
    const calls = overload(manager);
    const { signal } = session;
    const ended = new Promise((resolve) => manager.on('ended', resolve));
    await restarted;
    await calls;
    await thread.ask('close', cookie);
    expect(await reasonOf(signal)).toBe('closed');
    expect(await ended).toMatchObject({ reason: 'closed', session: { id: session.id } });
  });
});

describe('what the manager is told of listeners', () => {
  const names = Object.keys(EVENT_BITS) as (keyof typeof EVENT_BITS)[];
  const settle = async () => {
    for (let turns = 0; turns < 10; turns++) await Promise.resolve();
  };

  /** Calls are done in their order, late ones too, and answered in any; `fates` says what becomes of each. */
  function managerThat(fates: () => 'done' | 'refused' | 'late' | 'lost' | 'slow', shuffled = (n: number) => n - n) {
    let applied = 0;
    let calls = 0;
    /** Calls that are still to be done. */
    const waiting: (() => () => void)[] = [];
    const subscribe = (events: number): Promise<Refused | undefined> => {
      calls++;
      const fate = fates();
      if (fate === 'refused') return Promise.resolve(new Refused('ERR_OVERLOADED', 'not-applied'));
      return new Promise((resolve) => {
        const work = () => {
          if (fate !== 'lost') applied = events;
          const isUnknown = fate === 'late' || fate === 'lost';
          return () => resolve(isUnknown ? new Refused('ERR_TIMEOUT', 'unknown') : undefined);
        };
        if (fate === 'slow' || waiting.length > 0) waiting.push(work);
        else work()();
      });
    };
    const answerAll = () => {
      const answers = waiting.splice(0).map((work) => work());
      while (answers.length > 0) for (const answer of answers.splice(shuffled(answers.length), 1)) answer();
    };
    const events = new Events(subscribe as never, () => {});
    return { events, answerAll, applied: () => applied, calls: () => calls };
  }

  test('is in the end what they listen to, whatever becomes of each call and however they change meanwhile', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const random = randomFrom('listeners');
    for (let round = 0; round < 300; round++) {
      let isCalm = false;
      const fates = ['done', 'refused', 'late', 'lost', 'slow'] as const;
      const told = managerThat(
        () => (isCalm ? 'done' : random.pick(fates)),
        (count) => random.below(count),
      );
      const stops = new Map<string, () => void>();
      for (let step = 0; step < 20; step++) {
        const name = random.pick(names);
        const stop = stops.get(name);
        if (stop === undefined)
          stops.set(
            name,
            told.events.on(name, () => {}),
          );
        else stops.delete(name);
        stop?.();
        if (random.chance(0.3)) told.answerAll();
        if (random.chance(0.3)) await vi.advanceTimersByTimeAsync(random.below(50));
      }
      isCalm = true;
      for (let n = 0; n < 3; n++) {
        told.answerAll();
        await settle();
        await vi.advanceTimersByTimeAsync(2000);
      }
      let wanted = 0;
      for (const name of stops.keys()) wanted |= EVENT_BITS[name as keyof typeof EVENT_BITS];
      expect(told.applied()).toBe(wanted);
      const calls = told.calls();
      await vi.advanceTimersByTimeAsync(60_000);
      expect(told.calls()).toBe(calls);
    }
  });

  test('is told again where a call that was given up may have been done late', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const fates = ['late', 'refused'] as const;
    let next = 0;
    const told = managerThat(() => fates[next++] ?? 'done');
    told.events.on('created', () => {})();
    expect(told.applied()).toBe(EVENT_BITS.created);
    await vi.advanceTimersByTimeAsync(2000);
    expect(told.applied()).toBe(0);
  });

  test('is the newest of what was told, though an older call is answered after it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const fates = ['slow', 'slow', 'refused'] as const;
    let next = 0;
    const told = managerThat(
      () => fates[next++] ?? 'done',
      (count) => count - 1,
    );
    told.events.on('created', () => {})();
    told.events.on('created', () => {});
    told.answerAll();
    expect(told.applied()).toBe(0);
    await vi.advanceTimersByTimeAsync(2000);
    expect(told.applied()).toBe(EVENT_BITS.created);
  });

  test('is told at growing intervals, and no more once nobody listens or the connection is closed', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    for (const how of ['nobody listens', 'closed']) {
      const told = managerThat(() => 'refused');
      const stop = told.events.on('created', () => {});
      await vi.advanceTimersByTimeAsync(60_000);
      const calls = told.calls();
      expect(calls).toBeGreaterThan(30);
      expect(calls).toBeLessThan(80);
      if (how === 'closed') told.events.end();
      else stop();
      const after = told.calls();
      await vi.advanceTimersByTimeAsync(60_000);
      expect(told.calls()).toBe(after);
    }
  });
});

describe('after the manager has failed for good', () => {
  const once0 = { restarts: { most: 0, within: '1m' } } satisfies ManagerOptions;

  /** Kills the manager; resolves when this thread has been told. */
  async function fail(manager: SessionManager): Promise<void> {
    postMessageToThread(managerThread(manager), { die: 'exit 0' }).catch(() => {});
    while (!(await outcomesOf([manager.stats()])).join().startsWith('ERR_MANAGER_FAILED'));
  }

  test('a signal aborts when time ends the session; one that was seen meanwhile, later', async () => {
    const manager = await start('manager-that-dies', once0);
    const [idle, old, seen] = await Promise.all([
      manager.newSession({ idleTimeout: 500 }),
      manager.newSession({ absoluteTimeout: 500 }),
      manager.newSession({ idleTimeout: 500 }),
    ]);
    const signals = [idle.signal, old.signal, seen.signal];
    const reasons = signals.map(reasonOf);
    await fail(manager);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false, false]);
    const isEarly = () => seen.touch() && !(signals[0] as AbortSignal).aborted;
    const again = setInterval(isEarly, 50);
    cleanups.push(() => clearInterval(again));
    expect(await Promise.all(reasons.slice(0, 2))).toEqual(['idle', 'expired']);
    expect([seen.alive, seen.signal.aborted]).toEqual([true, false]);
    clearInterval(again);
    expect(await reasons[2]).toBe('idle');
    expect([idle, old, seen].map(({ alive }) => alive)).toEqual([false, false, false]);
  });

  test('a signal that is asked for only then aborts as well', async () => {
    const manager = await start('manager-that-dies', once0);
    const session = await manager.newSession({ idleTimeout: 700 });
    await fail(manager);
    const { signal } = session;
    expect(signal.aborted).toBe(false);
    expect(await reasonOf(signal)).toBe('idle');
  });

  test('a signal aborts when the manual clock has ended the session, in every thread', async () => {
    const clock = createManualClock();
    const manager = await start('manager-that-dies', { ...once0, clock, idleTimeout: '30m' });
    const thread = await joined();
    const session = await manager.newSession();
    const cookie = manager.getCookieData(session).value;
    const here = reasonOf(session.signal);
    await thread.ask('watch', cookie);
    const there = thread.aborted();
    await fail(manager);
    clock.advance('29m');
    expect([session.touch(), session.signal.aborted]).toEqual([true, false]);
    clock.advance('29m');
    expect([session.alive, session.signal.aborted]).toEqual([true, false]);
    clock.advance('1m');
    expect(await Promise.all([here, there])).toEqual(['idle', 'idle']);
  });

  test('a signal whose session had ended, which the dead manager could tell nobody, aborts at once with the reason', async () => {
    const mortal = await Mortal.start({ restarts: { most: 0, within: '1m' } });
    cleanups.push(() => mortal.end());
    const { manager } = mortal;
    const session = await manager.newSession();
    const { signal } = session;
    await manager.stats();
    await mortal.dieAt('close: told', 'exit 0', () => manager.sessionTerminating(session).catch(() => {}));
    expect(await reasonOf(signal)).toBe('terminated');
  });

  test('signals abort as stopped in every thread when the manager is stopped after all', async () => {
    const manager = await start('manager-that-dies', once0);
    const thread = await joined();
    const session = await manager.newSession();
    const here = reasonOf(session.signal);
    await thread.ask('watch', manager.getCookieData(session).value);
    const there = thread.aborted();
    await fail(manager);
    await manager.stop();
    expect(await Promise.all([here, there])).toEqual(['stopped', 'stopped']);
  });

  test('signals keep no process alive', async () => {
    const index = new URL('../../dist/src/index.js', import.meta.url);
    const script = `import { once } from 'node:events';
      import { startSessionManager } from ${JSON.stringify(index.href)};
      import { postMessageToThread } from 'node:worker_threads';
      const manager = await startSessionManager({
        maxSessions: 100,
        maxBytes: 100000,
        restarts: { most: 0, within: '1m' },
        worker: new URL(${JSON.stringify(fixture('manager-that-dies').href)}),
      });
      const session = await manager.newSession();
      session.signal.addEventListener('abort', () => console.log('aborted'));
      await manager.stats();
      postMessageToThread(manager.createTicket().threadId, { die: 'exit 0' }).catch(() => {});
      for (let code; code !== 'ERR_MANAGER_FAILED'; ) code = await manager.stats().then(() => '', (error) => error.code);
      console.log(session.signal.aborted);`;
    const ended = await new Promise((resolve) => {
      const args = ['--input-type=module', '--eval', script];
      execFile(process.execPath, args, { timeout: PATIENCE }, (error, stdout) => resolve({ error, stdout }));
    });
    expect(ended).toEqual({ error: null, stdout: 'false\n' });
  });

  test('a session that lives longer than a timer can wait is looked at no more often than it must be', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const DAY = 86_400_000;
    const header = new Int32Array(HEADER.words);
    header[HEADER.status] = STATUS.failed;
    let now = 0;
    let looks = 0;
    let isOver = false;
    const session = {
      slot: 0,
      generation: 0,
      get alive() {
        looks++;
        return now < 60 * DAY;
      },
      get expiresAt() {
        return new Date(60 * DAY);
      },
      markEnded() {},
      detach() {},
    } satisfies WatchedSession;
    const endDetector = new EndDetector({
      header,
      now: () => now,
      isClockManual: false,
      watched: () => (isOver ? [] : [session]),
      ended: () => {
        isOver = true;
      },
      stopped: () => {},
    });
    endDetector.watch(session);
    for (; now < 60 * DAY; ) {
      expect(isOver).toBe(false);
      now += DAY / 4;
      await vi.advanceTimersByTimeAsync(DAY / 4);
    }
    expect([isOver, looks]).toEqual([true, 4]);
    expect(vi.getTimerCount()).toBe(0);
    endDetector.end();
  });
});

describe('in a thread that is told nothing any more', () => {
  test('signals abort as disconnected when it leaves its manager, and those asked for only then as well', async () => {
    const manager = await start('manager-that-dies');
    const thread = await joined();
    const [watched, other, ended] = await Promise.all([
      manager.newSession(),
      manager.newSession(),
      manager.newSession({ idleTimeout: 1 }),
    ]);
    const [watchedCookie, otherCookie] = [watched, other].map((each) => manager.getCookieData(each).value);
    await reasonOf(ended.signal);
    await thread.ask('watch', watchedCookie);
    const aborted = thread.aborted();
    await thread.ask('disconnect');
    expect(await thread.ask('signalOf', watchedCookie)).toBe('disconnected');
    expect(await aborted).toBe('disconnected');
    expect(await thread.ask('signalOf', otherCookie)).toBe('disconnected');
    // The session lives, there as well.
    expect([watched.alive, await thread.ask('lives', watchedCookie)]).toEqual([true, true]);
  });

  test('signals abort as stopped when another thread has stopped the manager', async () => {
    const manager = await start('manager-that-dies');
    const thread = await joined();
    const session = await manager.newSession();
    const here = reasonOf(session.signal);
    await thread.ask('watch', manager.getCookieData(session).value);
    const there = thread.aborted();
    await manager.stop();
    expect(await Promise.all([here, there])).toEqual(['stopped', 'stopped']);
  });

  test.each([0, 5])(
    'signals abort as disconnected when its port is closed by a manager, restarted up to %i times, that lives on',
    async (most) => {
      const manager = await start('manager-that-closes-ports', { restarts: { most, within: '1m' } });
      const thread = await joined();
      const session = await manager.newSession();
      await thread.ask('watch', manager.getCookieData(session).value);
      const there = thread.aborted();
      await postMessageToThread(managerThread(manager), { closePort: 1 });
      expect(await there).toBe('disconnected');
      expect([session.alive, (await manager.stats()).restarts]).toEqual([true, 0]);
    },
  );
});
