/** Has three threads use a few sessions of one manager at once, and puts together what they recorded. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { SessionManager } from '../../dist/src/index.js';
import { randomNumbers } from '../fixtures/ledger.js';
import { CookieBoard, useAndRecord } from '../fixtures/recorded-use.js';
import type { Random } from '../support/random.js';
import { fixture } from '../support/threads.js';
import type { Operation } from './operations.js';

export interface Recording {
  readonly random: Random;
  /** Operations that each thread records. */
  readonly most: number;
  /** Sessions at a time. By default so few that nearly every call meets others of the same session. */
  readonly entries?: number;
  /** Calls that one thread has under way at a time. */
  readonly users?: number;
  /** Called when this thread has recorded half of its operations. */
  readonly halfWay?: () => void;
}

/** This thread, and two that join. */
const NAMES = ['main', 'one', 'two'] as const;

/**
 * Resolves when all calls of all threads have settled. The sessions are the history's own: it begins with each of them.
 */
export async function recordHistory(manager: SessionManager, recording: Recording): Promise<Operation[]> {
  const { random, most, entries = 4, users = 4, halfWay } = recording;
  const board = new CookieBoard(NAMES.length, entries);
  const workers = NAMES.slice(1).map((name, i) => {
    const workerData = { ticket: manager.createTicket(), name, nth: i + 1, threads: NAMES.length, users };
    return new Worker(fixture('uses-and-records'), { workerData });
  });
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const parts = workers.map(async (worker): Promise<Operation[]> => {
    worker.postMessage({ board: board.memory, entries, seed: random.below(2 ** 31), most });
    const [{ operations }] = await once(worker, 'message');
    return operations;
  });
  let isHalf = false;
  const own = useAndRecord(manager, {
    name: NAMES[0],
    nth: 0,
    board,
    users,
    random: randomNumbers(random.below(2 ** 31)),
    isEnough(recorded: number) {
      if (!isHalf && recorded >= most / 2) {
        isHalf = true;
        halfWay?.();
      }
      return recorded >= most;
    },
  });
  const history = (await Promise.all([own, ...parts])).flat();
  await Promise.all(workers.map((worker) => worker.terminate()));
  return history;
}

/** How often each thing was done, with each of its outcomes. */
export function tally(history: readonly Operation[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const operation of history) {
    const seen = operation.do === 'find' ? (operation.found ? 'found' : 'missed') : operation.outcome;
    const what = `${operation.do} ${seen}`;
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return counts;
}
