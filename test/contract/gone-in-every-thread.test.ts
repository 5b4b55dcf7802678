/**
 * Promise 2: once a call that ends a token has resolved in one thread, no lookup in another returns the session by it,
 * on any interleaving.
 */

import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { startSessionManager } from '../../dist/src/index.js';
import { createManualClock } from '../../dist/src/testing.js';
import type { ManualClock, Session, SessionManager } from '../support/internals.js';
import { fixture } from '../support/threads.js';

const ROUNDS = 100;
const [BEGUN, FOUND, ENDED, LOOKED, FAULTS] = [0, 1, 2, 3, 4] as const;

type Ending = (session: Session, manager: SessionManager, clock: ManualClock) => Promise<unknown> | undefined;
const endings: Record<string, Ending> = {
  close: (session) => session.close(),
  login: (session) => session.login('ann'),
  'rotate without grace': (session) => session.rotate({ grace: 0 }),
  'the second of two rotations': async (session) => {
    await session.rotate({ grace: '1h' });
    await session.rotate({ grace: '1h' });
  },
  closeAllSessions: (_, manager) => manager.closeAllSessions(),
  sessionTerminating: (session, manager) => manager.sessionTerminating(session.id),
  'the end of its time': (_, __, clock) => void clock.advance('30m'),
};

for (const [what, end] of Object.entries(endings)) {
  test(`after ${what} no thread finds the session by its token`, async () => {
    const clock = createManualClock();
    const name = `gone after ${what}`;
    const manager = await startSessionManager({ name, clock, maxSessions: 100, maxBytes: 2 ** 20 });
    const words = new Int32Array(new SharedArrayBuffer(64));
    const cookie = new Uint8Array(new SharedArrayBuffer(43));
    const workerData = { name, rounds: ROUNDS, words: words.buffer, cookie: cookie.buffer };
    const reader = new Worker(fixture('looks-up-without-end'), { workerData });
    const exited = once(reader, 'exit');
    const reached = async (word: number, round: number) => {
      while (Atomics.load(words, word) < round) await setImmediate();
    };
    for (let round = 1; round <= ROUNDS; round++) {
      const session = await manager.newSession({ data: { round } });
      cookie.set(Buffer.from(manager.getCookieData(session).value, 'latin1'));
      Atomics.store(words, BEGUN, round);
      Atomics.notify(words, BEGUN);
      await reached(FOUND, round);
      await end(session, manager, clock);
      Atomics.store(words, ENDED, round);
      await reached(LOOKED, round);
      await session.close();
    }
    expect(Atomics.load(words, FAULTS)).toBe(0);
    expect(await exited).toEqual([0]);
    await manager.stop();
  });
}
