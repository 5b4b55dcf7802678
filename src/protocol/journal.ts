/**
 * A connection's journal: what became of the calls of its youngest batch, in memory that outlives the manager. The thread that joins reserves it, the manager's
 * thread writes it, a successor answers from it what was done already.
 *
 *   journal  first call (8 bytes) | count | done | …        then an entry for each call of the batch
 *   entry    answer | slot | generation | – | created at (8 bytes) | pinned | count
 *
 * What an answer holds is written before the one store that publishes the change, the number of calls that are `done` after it. So of all calls only the one
 * at `done` is in doubt, and the record that it left, or did not leave, decides that.
 */

import { MOST_CALLS } from './calls.js';
import { reserve } from './memory.js';

export const JOURNAL = { first: 0, count: 2, done: 3, entries: 16, entryWords: 8 } as const;

export const ENTRY = {
  /** A place in ANSWERS. */
  answer: 0,
  /** The session that the call changes, -1 before that is known. */
  slot: 1,
  generation: 2,
  createdAt: 4,
  /** `take`: the record that held the value; it stays until the next batch shows that the answer has arrived. */
  pinned: 6,
  /** `closeAllSessions` and `sweep`. */
  count: 7,
} as const;

/** Room for the largest batch. Memory is used as it is written to. */
export function reserveJournal(): SharedArrayBuffer {
  return reserve((JOURNAL.entries + MOST_CALLS * JOURNAL.entryWords) * 4);
}
