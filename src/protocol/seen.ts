/**
 * Seen marks: when a session was last seen, in one word that every thread may raise. Used in every thread.
 *
 * A mark is ENDED, UNSEEN (not since the record's `seenBase`), or an instant in milliseconds modulo TURN. Which turn is meant, the record says:
 * its `markBase` is an instant at most one turn before the one that is marked. The sweep folds a mark into a new record when half a turn is over;
 * a reader that still holds the older record computes the same instant from it.
 */

import { ENDED, UNSEEN } from './layout.js';

/** 49.7 days; the two numbers above it are UNSEEN and ENDED. */
const TURN = 2 ** 32 - 2;

/** How old a record's `markBase` may grow before the sweep folds: half a turn. */
export const FOLD_AFTER = 2 ** 31;
/** How far before the moment of folding the new `markBase` lies: marks that are raised meanwhile are later than that. */
export const FOLD_MARGIN = 2 ** 26;

/** What of a record is needed to understand its mark. */
export interface MarkBases {
  readonly seenBase: number;
  readonly markBase: number;
}

/** The instant that a mark means beside its record. */
export function seenAt(mark: number, bases: MarkBases): number {
  if (mark === UNSEEN) return bases.seenBase;
  const lead = (mark >>> 0) - (bases.markBase % TURN);
  return bases.markBase + (lead < 0 ? lead + TURN : lead);
}

/**
 * Raises the mark at `at` from `mark`, as it was read, to `now`. Returns false if the session has ended meanwhile.
 * compareExchange, because another thread may raise the same mark, and the sweep may end the session, between the read and the write.
 */
export function raiseMark(words: Int32Array, at: number, mark: number, bases: MarkBases, now: number): boolean {
  const raised = (now % TURN) | 0;
  for (let read = mark; ; ) {
    if (read === ENDED) return false;
    if (read === raised || seenAt(read, bases) >= now) return true;
    const found = Atomics.compareExchange(words, at, read, raised);
    if (found === read) return true;
    read = found;
  }
}
