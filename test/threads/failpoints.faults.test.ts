/**
 * Every step of the manager × every way to end there: each call is done once and answered, what was acknowledged holds,
 * nothing is left behind.
 */

import { once } from 'node:events';
import { afterAll, describe, expect, test } from 'vitest';
import type { Session, SessionInfo, SessionManager } from '../../dist/src/index.js';
import { STEPS, type Step } from '../support/internals.js';
import { Thread } from '../support/threads.js';
import { Mortal, WAYS, type Way } from './failpoints.js';

/** Managers at once, where not 4: to hang takes longer than to end, and if in a system call no processor. */
const AT_ONCE: Partial<Record<Way, number>> = { 'blocking in a system call': 12, 'hanging busy': 8 };
const TIMEOUT = 300_000;
let runs = 0;

afterAll(() => console.log(`failpoints: ${STEPS.length} steps × ${WAYS.length} ways, ${runs} deaths`));

const stepsOf = (...kinds: RegExp[]) => STEPS.filter((step) => kinds.some((kind) => kind.test(step)));
const ofStop = stepsOf(/^stop:/);
const ofSuccessor = stepsOf(/^recovery:/, /^running:/, /^connect: (greeted|taken over)/);
const ofThread = stepsOf(/^connect: (entered|told)/, /^disconnect:/);
const ofUse = STEPS.filter((step) => ![...ofStop, ...ofSuccessor, ...ofThread].includes(step));

describe.each(WAYS)('a manager that ends by %s', (way) => {
  test('at any step of a call or a sweep is replaced: each call is done once and answered', { timeout: TIMEOUT }, () =>
    share(way, ofUse, async (step, mortal) => {
      await mortal.dieAt(step, way, () => useAll(mortal));
      await emptyAndWhole(mortal);
    }),
  );

  test('at any step of taking over is replaced once more', { timeout: TIMEOUT }, () =>
    share(way, ofSuccessor, async (step, mortal) => {
      const { manager } = mortal;
      const kept = await Promise.all(Array.from({ length: 5 }, (_, n) => manager.newSession({ data: { n } })));
      const cookies = kept.map((session) => manager.getCookieData(session).value);
      await mortal.dieAt(step, way, async () => {
        mortal.kill();
        await Promise.all(kept.map((session, n) => session.set({ again: n })));
      });
      for (const [n, cookie] of cookies.entries()) {
        expect(manager.getSession(cookie)?.data, step).toEqual({ n, again: n });
      }
      await emptyAndWhole(mortal);
    }),
  );

  test('while a thread joins or leaves is replaced, and the thread notices nothing', { timeout: TIMEOUT }, () =>
    share(way, ofThread, async (step, mortal) => {
      await mortal.dieAt(step, way, () => joinAndLeave(mortal));
      await emptyAndWhole(mortal);
    }),
  );

  test('while it stops is stopped all the same', { timeout: TIMEOUT }, async () => {
    await Promise.all(
      ofStop.map(async (step) => {
        const mortal = await Mortal.start({ callTimeout: '3s' });
        const session = await mortal.manager.newSession();
        await mortal.dieAt(step, way, () => mortal.manager.stop());
        await mortal.end();
        await expect(mortal.manager.newSession()).rejects.toMatchObject({ code: 'ERR_MANAGER_STOPPED' });
        expect(session.signal.aborted || !session.alive || way !== 'exit 0').toBe(true);
        runs++;
      }),
    );
  });
});

/** Has each step come to its end in one of some managers that live on. */
async function share(
  way: Way,
  steps: readonly Step[],
  run: (step: Step, mortal: Mortal) => Promise<void>,
): Promise<void> {
  const left = [...steps];
  await Promise.all(
    Array.from({ length: Math.min(AT_ONCE[way] ?? 4, steps.length) }, async () => {
      const mortal = await Mortal.start();
      for (let step = left.shift(); step !== undefined; step = left.shift()) {
        await run(step, mortal).catch((error) => {
          throw new Error(`at \`${step}\`: ${error.message}`, { cause: error });
        });
        runs++;
      }
      await mortal.end();
    }),
  );
}

/** Comes through every step of the calls, and finds after each call what it should. */
async function useAll({ manager, clock }: Mortal): Promise<void> {
  const made: Session[] = [];
  for (const name of ['one', 'two', 'three']) {
    made.push(await manager.newSession({ data: { name, long: name.repeat(40) }, userId: 'ada' }));
    clock.advance(1);
  }
  const [one, two, three] = made as [Session, Session, Session];
  const first = manager.getCookieData(one).value;
  await one.set({ a: 1, b: 2 });
  expect(one.data).toMatchObject({ name: 'one', a: 1, b: 2 });
  await one.replace({ a: 3 }, { ifVersion: 1 });
  await expect(one.replace({ a: 4 }, { ifVersion: 1 })).rejects.toMatchObject({ code: 'ERR_SESSION_CONFLICT' });
  expect(one.data).toEqual({ a: 3 });
  expect(await one.take('a')).toBe(3);
  expect(one.data).toEqual({});
  expect(one.version).toBe(3);
  await one.rotate({ grace: '1h' });
  expect(manager.getSession(first)).toBe(one);
  const second = manager.getCookieData(one).value;
  await one.login('bea', { late: true });
  expect([first, second].map((cookie) => manager.getSession(cookie))).toEqual([undefined, undefined]);
  expect(manager.getSession(manager.getCookieData(one).value)).toBe(one);
  expect([one.userId, one.data, one.version]).toEqual(['bea', { late: true }, 4]);
  await two.setIdleTimeout('1s');
  expect(await listed(manager, 'ada')).toEqual([two.id, three.id]);
  // More than one step of the manager does.
  await three.set({ long: 'x'.repeat(4000) });
  await Promise.all(Array.from({ length: 400 }, (_, n) => three.set({ n })));
  expect([three.data.n, three.version]).toEqual([399, 401]);
  await three.close();
  expect(three.alive).toBe(false);
  clock.advance('2s');
  expect(two.alive).toBe(false);
  await manager.sweep().catch((error) => expect(error).toMatchObject({ code: 'ERR_MANAGER_RESTARTED' }));
  await Promise.all(Array.from({ length: 60 }, () => manager.newSession({ userId: 'crowd' })));
  expect(await manager.closeAllSessions({ userId: 'crowd' })).toBe(60);
  await useKeys(manager);
  expect(await listed(manager)).toEqual([one.id]);
  expect(await manager.closeAllSessions()).toBe(1);
  for (let sweeps = 0; sweeps < 3; sweeps++) await manager.sweep().catch(() => {});
}

let keys = 0;

/** The same of sessions under a key: made, replaced and another user's, ended, and refused from then on. */
async function useKeys(manager: SessionManager): Promise<void> {
  const [key, unknown] = [`key ${++keys}`, `unknown ${keys}`];
  const session = await manager.putSession(key, { data: { a: 1 }, userId: 'dan' });
  expect(manager.getSessionByKey(key)).toBe(session);
  expect(await manager.putSession(key, { data: { a: 2 }, userId: 'eve' })).toBe(session);
  expect([session.data, session.version, session.userId]).toEqual([{ a: 2 }, 1, 'eve']);
  expect([await listed(manager, 'dan'), await listed(manager, 'eve')]).toEqual([[], [session.id]]);
  await manager.closeSessionByKey(key);
  await manager.closeSessionByKey(unknown);
  for (const late of [key, unknown]) {
    await expect(manager.putSession(late, { data: {} })).rejects.toMatchObject({ code: 'ERR_SESSION_ENDED' });
    expect(manager.getSessionByKey(late)).toBeUndefined();
  }
}

async function joinAndLeave({ manager, name }: Mortal): Promise<void> {
  const thread = new Thread();
  await thread.ask('join', name);
  const made = await thread.ask<{ id: string; cookie: string }>('create', { linked: true, data: { linked: true } });
  const session = manager.getSession(made.cookie) as Session;
  const ended = once(session.signal, 'abort');
  await thread.ask('disconnect');
  await ended;
  await thread.end();
}

/** After all is closed and swept nothing may be left: no session, no cell, no slot. */
async function emptyAndWhole({ manager }: Mortal): Promise<void> {
  await manager.closeAllSessions();
  for (let sweeps = 0; sweeps < 3; sweeps++) await manager.sweep();
  const { sessions, bytesUsed } = await manager.stats();
  expect({ sessions, bytesUsed }).toEqual({ sessions: 0, bytesUsed: 0 });
  expect(await listed(manager)).toEqual([]);
}

async function listed(manager: SessionManager, userId?: string): Promise<SessionInfo['id'][]> {
  const ids = [];
  for await (const { id } of manager.getAllSessions(userId === undefined ? {} : { userId })) ids.push(id);
  return ids;
}
