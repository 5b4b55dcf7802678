/**
 * What three threads really saw of a few sessions that all of them used at once, held against what one session allows.
 */

import { once } from 'node:events';
import { postMessageToThread, type Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { startSessionManager } from '../../dist/src/index.js';
import { randomFrom } from '../support/random.js';
import { fixture } from '../support/threads.js';
import { checkHistory } from './check.js';
import type { Operation } from './operations.js';
import { recordHistory, tally } from './record.js';

/** Operations of each thread. */
const MOST = Number(process.env.COATCHECK_OPERATIONS ?? 6000);
/** Managers that die, each in a history of its own. */
const DEATHS = 5;

test(`what three threads do to a few sessions at once, ${MOST} operations each, has an order that each session allows`, async () => {
  const random = randomFrom('recorded history');
  const manager = await startSessionManager({ name: 'recorded', maxSessions: 1000, maxBytes: 2 ** 22 });
  const history = await recordHistory(manager, { random, most: MOST });
  await manager.stop();

  const since = performance.now();
  const report = checkHistory(history);
  const took = performance.now() - since;
  const counts = tally(history);
  console.info(
    `recorded history: ${report.operations} operations on ${report.sessions} sessions, ${report.visited} states, ${took.toFixed(0)} ms`,
    counts,
  );
  expect(report.failures).toEqual([]);
  expect(report.operations).toBeGreaterThan(2 * MOST);
  // What a history never met, it proves nothing of.
  for (const what of [
    'find found',
    'find missed',
    'read done',
    'read ERR_SESSION_ENDED',
    'set done',
    'set ERR_SESSION_ENDED',
    'replace done',
    'replace ERR_SESSION_CONFLICT',
    'take done',
    'login done',
    'rotate done',
    'rotate ERR_TOKEN_UNKNOWN',
    'close done',
    'closeAll done',
  ]) {
    expect([what, counts[what] ?? 0]).toEqual([what, expect.toSatisfy((count: number) => count > 0)]);
  }

  // The same history with one read of another version, and the same without one set that was read later.
  const isDone = (what: Operation['do']) => (each: Operation) => each.do === what && each.outcome === 'done';
  const reads = history.filter(isDone('read'));
  const read = random.pick(reads);
  expect(
    checkHistory(history.map((each) => (each === read ? { ...each, version: 99_999 } : each))).failures,
  ).toHaveLength(1);
  const sets = history.filter(isDone('set'));
  const lastRead = new Map(reads.map(({ session, call }) => [session, call]));
  const isReadLater = ({ session, return: answered }: Operation) => (lastRead.get(session) ?? 0) > answered;
  const set = random.pick(sets.filter(isReadLater));
  expect(checkHistory(history.filter((each) => each !== set)).failures).toHaveLength(1);
});

test('so it has if the manager dies meanwhile: what was answered stays, and what was not took effect whole or not at all', async () => {
  const random = randomFrom('recorded history with a death');
  let unknown = 0;
  for (let death = 0; death < DEATHS; death++) {
    const worker = fixture('manager-that-dies');
    const spawned = once(process, 'worker');
    const manager = await startSessionManager({ name: `dies ${death}`, maxSessions: 1000, maxBytes: 2 ** 22, worker });
    const [thread] = (await spawned) as [Worker];
    const died = once(thread, 'exit');
    // In the midst of a call: one that dies between two leaves none whose outcome is unknown.
    const order = { exitAtStore: 1 + random.below(60) };
    const halfWay = () => void postMessageToThread(thread.threadId, order).catch(() => {});
    const history = await recordHistory(manager, { random, most: MOST, halfWay });
    await died;
    await manager.stop();
    const report = checkHistory(history);
    expect(report.failures).toEqual([]);
    unknown += report.unknown;
  }
  console.info(`recorded history with a death: ${unknown} calls of unknown outcome in ${DEATHS} deaths`);
});
