/**
 * A connection's journal: the outcome of the calls whose answers may not have arrived, in memory that outlives the
 * manager. The thread that joins reserves it, the manager's thread writes it, and a successor answers repeated calls
 * from it.
 *
 *   journal  done | …           the number of the call that was answered last, modulo 2^32; then a ring of entries
 *   entry    answer | slot | generation | call | created at (8 bytes) | pinned | count
 *
 * A call's entry stands at the call's number modulo MOST_IN_FLIGHT. A thread has at most that many calls in flight, so
 * an entry is overwritten only after the answer that it holds has arrived (see CONNECTION.settled).
 *
 * The content of an answer is written before the one store that publishes the change, and `done` after it. The calls of
 * a connection are done in order, so after a manager's death only the call begun last is in doubt. It was done if its
 * record was published, and was not done if there is no such record.
 */

import { MOST_IN_FLIGHT } from './calls.js';
import { reserve } from './memory.js';

export const JOURNAL = { done: 0, entries: 8, entryWords: 8 } as const;

export const ENTRY = {
  /** A place in ANSWERS. */
  answer: 0,
  /** The session that the call changes; -1 before that is known; or CLOSING_MANY. */
  slot: 1,
  generation: 2,
  /** The call's number, modulo 2^32. */
  call: 3,
  /** When the session was created; for `closeAllSessions`: when the call was begun. */
  createdAt: 4,
  /** `take`: the record that holds the value; it stays until the answer has arrived. */
  pinned: 6,
  /** `closeAllSessions`: sessions ended so far; `sweep`: its answer. */
  count: 7,
} as const;

/**
 * In an entry's `slot`: a `closeAllSessions` that has begun. A successor continues it with the same instant and count.
 */
export const CLOSING_MANY = -2;

export const JOURNAL_BYTES = (JOURNAL.entries + MOST_IN_FLIGHT * JOURNAL.entryWords) * 4;

export function reserveJournal(): SharedArrayBuffer {
  return reserve(JOURNAL_BYTES);
}
