/**
 * A connection's journal: what became of the calls whose answers may not have arrived, in memory that outlives the
 * manager. The thread that joins reserves it, the manager's thread writes it, a successor answers from it what was done
 * already.
 *
 *   journal  done | …           the number of the call that was answered last, modulo 2^32; then a ring of entries
 *   entry    answer | slot | generation | call | created at (8 bytes) | pinned | count
 *
 * A call's entry stands at its number modulo MOST_IN_FLIGHT. A thread has no more calls than that under way, so an
 * entry is written anew only after the answer that it holds has arrived (see CONNECTION.settled).
 *
 * What an answer holds is written before the one store that publishes the change, and `done` after it. The calls of a
 * connection are done in their order, so only the one begun last is in doubt after a manager's death, and the record
 * that it left, or did not leave, decides that.
 */

import { MOST_IN_FLIGHT } from './calls.js';
import { reserve } from './memory.js';

export const JOURNAL = { done: 0, entries: 8, entryWords: 8 } as const;

export const ENTRY = {
  /** A place in ANSWERS. */
  answer: 0,
  /** The session that the call changes, -1 before that is known; CLOSING_MANY. */
  slot: 1,
  generation: 2,
  /** The call's number, modulo 2^32. */
  call: 3,
  /** When the session was created; `closeAllSessions`: when the call was begun. */
  createdAt: 4,
  /** `take`: the record that holds the value; it stays until the answer has arrived. */
  pinned: 6,
  /** `closeAllSessions`: sessions ended so far; `sweep`: what it answers. */
  count: 7,
} as const;

/**
 * In an entry's `slot`: a `closeAllSessions` that has begun. Whoever does it again goes on with its instant and its
 * count.
 */
export const CLOSING_MANY = -2;

export const JOURNAL_BYTES = (JOURNAL.entries + MOST_IN_FLIGHT * JOURNAL.entryWords) * 4;

export function reserveJournal(): SharedArrayBuffer {
  return reserve(JOURNAL_BYTES);
}
