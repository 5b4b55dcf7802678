/**
 * Tokens that are renewed mid-session: once for all who ask, for nobody's loss; and what becomes of a session whose
 * token comes back too late.
 */

import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import type { ManagerOptions, SessionEvents, SessionManager } from '../../dist/src/index.js';
import { startSessionManager } from '../../dist/src/index.js';
import { createManualClock } from '../../dist/src/testing.js';
import { allOf, applied, BareRules, few, silentNotifier } from '../contract/bare-rules.js';
import { digestOf, drawToken, Endings, seal } from '../support/internals.js';
import { nextEnding, Thread } from '../support/threads.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(more: ManagerOptions = {}) {
  const clock = createManualClock(Date.UTC(2026, 0, 1));
  const rotation = { every: '15m', grace: '1m' };
  // Swept by the tests' own calls alone.
  const sweep = '0 0 0 29 2 *';
  const manager = await startSessionManager({ maxSessions: 100, idleTimeout: '1h', clock, rotation, sweep, ...more });
  cleanups.push(() => manager.stop());
  const session = await manager.newSession({ data: { cart: 1 } });
  return { manager, clock, session, cookie: manager.getCookieData(session).value };
}

async function calls(manager: SessionManager): Promise<number> {
  return (await manager.stats()).calls.count;
}

test('while the manager’s thread is being replaced no request waits for a new token, and the next one gets it', async () => {
  const spawned = once(process, 'worker');
  const { manager, clock, session, cookie } = await start();
  const [thread] = (await spawned) as [Worker];
  clock.advance('15m');
  let restarts = 0;
  manager.on('restarted', () => restarts++);
  await manager.stats();
  // Behind what this thread does when it learns of the death.
  await Promise.all([once(thread, 'exit'), thread.terminate()]);
  const claim = manager.getClaim(cookie);
  await claim?.renew();
  expect([restarts, claim?.isNews, claim?.session]).toEqual([0, false, session]);
  await session.set({ cart: 2 });
  await claim?.renew();
  expect([claim?.isNews, manager.getSession(cookie)]).toEqual([true, session]);
});

describe('a token', () => {
  test('that is older than `every` is renewed when it is loaded, and honoured for its grace', async () => {
    const { manager, clock, session, cookie } = await start();
    clock.advance('15m');
    expect(await manager.loadSession(cookie)).toBe(session);
    const renewed = manager.getCookieData(session).value;
    expect(renewed).not.toBe(cookie);
    expect([session.tokenIssuedAt.getTime(), session.data]).toEqual([clock.now(), { cart: 1 }]);
    clock.advance(59_999);
    expect([manager.getSession(cookie), manager.getSession(renewed)]).toEqual([session, session]);
    clock.advance(1);
    expect([manager.getSession(cookie), manager.getSession(renewed)]).toEqual([undefined, session]);
  });

  test('that is not due is left as it is, without a message, and a lookup renews none', async () => {
    const { manager, clock, session, cookie } = await start();
    const before = await calls(manager);
    clock.advance('14m');
    expect(await manager.loadSession(cookie)).toBe(session);
    clock.advance('14m');
    expect(manager.getSession(cookie)).toBe(session);
    expect(await manager.loadSession('nobody’s')).toBeUndefined();
    expect(await manager.loadSession(undefined)).toBeUndefined();
    expect([await calls(manager), manager.getCookieData(session).value]).toEqual([before + 1, cookie]);
  });

  test('is renewed once for many that load it at once, in two threads', async () => {
    const { manager, clock, session, cookie } = await start();
    const rotated: SessionEvents['token-rotated'][] = [];
    manager.on('token-rotated', (event) => rotated.push(event));
    const thread = new Thread();
    cleanups.push(() => thread.end());
    await thread.ask('join');
    clock.advance('15m');
    const [there, ...here] = await Promise.all([
      thread.ask('load', cookie, 50),
      ...Array.from({ length: 50 }, () => manager.loadSession(cookie)),
    ]);
    expect(new Set(here)).toEqual(new Set([session]));
    const renewed = manager.getCookieData(session).value;
    expect(there).toEqual([renewed]);
    await manager.stats();
    expect(rotated.length).toBe(1);
  });

  test('whose renewal was lost on the way is shown again within its grace, and gets the same new one', async () => {
    const { manager, clock, session, cookie } = await start();
    clock.advance('15m');
    await manager.loadSession(cookie);
    const renewed = manager.getCookieData(session).value;
    const thread = new Thread();
    cleanups.push(() => thread.end());
    await thread.ask('join');
    clock.advance('50s');
    expect(await thread.ask('load', cookie, 1)).toEqual([renewed]);
    expect(await manager.loadSession(cookie)).toBe(session);
    expect(manager.getCookieData(session).value).toBe(renewed);
  });

  test('that cannot be renewed, as the manager is gone, is as good as before', async () => {
    const { manager, clock, session, cookie } = await start({ callTimeout: '1s' });
    clock.advance('15m');
    const renewing = manager.loadSession(cookie);
    await session.login('ann');
    // The login, which came later, has ended both: the token that was shown, and the one that was to follow it.
    expect(await renewing).toBeUndefined();
    const after = manager.getCookieData(session).value;
    clock.advance('15m');
    await manager.stop();
    await expect(manager.loadSession(after)).resolves.toBeUndefined();
  });
});

describe('a token that comes back after its grace', () => {
  test('is reported, and no more is done to its session', async () => {
    const { manager, clock, session, cookie } = await start();
    const reused: string[] = [];
    manager.on('token-reused', (event) => reused.push(event.session.id));
    await session.rotate({ grace: 0 });
    expect(manager.getSession(cookie)).toBeUndefined();
    await manager.sweep();
    clock.advance(1);
    await manager.stats();
    expect([reused, session.alive]).toEqual([[session.id], true]);
  });

  test('ends its session for everybody where that is wanted', async () => {
    const { manager, session, cookie } = await start({ whenReused: 'end-session' });
    const thread = new Thread();
    cleanups.push(() => thread.end());
    await thread.ask('join');
    const ending = nextEnding(manager);
    await session.rotate({ grace: 0 });
    const renewed = manager.getCookieData(session).value;
    expect(await thread.ask('lives', cookie)).toBe(false);
    expect(session.alive).toBe(true);
    await manager.sweep();
    expect([session.alive, manager.getSession(renewed)]).toEqual([false, undefined]);
    expect(await thread.ask('lives', renewed)).toBe(false);
    expect(await ending).toEqual({ id: session.id, reason: 'closed' });
    expect((await manager.stats()).ended.closed).toBe(1);
  });

  test('does no harm to the next session in the place of the one it belonged to', () => {
    const rules = new BareRules({ ...few, maxSessions: 1 });
    const [from, to, next] = [drawToken(), drawToken(), drawToken()];
    const first = rules.made(digestOf(from));
    const call = { target: first, from: digestOf(from), to: digestOf(to), grace: 0, sealed: seal(from, to) };
    applied(() => rules.rules.rotate(call, rules.by()));
    const { lookup } = rules.reader();
    const endings = new Endings(rules.sessions, silentNotifier, rules.now, true);
    // A reader that was stopped between its two stores: the generation stands there, the bit comes when the slot has
    // its next session.
    expect(lookup.byCookie(from, false)).toBeUndefined();
    const { reports } = rules.table.view;
    const late = reports[0] as number;
    expect(late).not.toBe(0);
    rules.rules.close(first, false, new Uint8Array(0));
    const second = rules.made(digestOf(next));
    expect(reports[0]).toBe(0);
    Atomics.store(reports, 0, late);
    Atomics.add(rules.table.view.header, 9, 1);
    allOf(endings.tidying());
    expect(lookup.byCookie(next, false)).toMatchObject(second);
  });
});
