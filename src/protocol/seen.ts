/**
 * Seen marks: when a session was last seen, in two words of its slot that every thread may raise. Used in every thread.
 *
 *   mark    side (1 bit) | milliseconds since its turn began (31 bits), or ENDED
 *   turns   side (1 bit) | current turn (15 bits) | the turn before (15 bits)
 *
 * A turn is 2^31 - 1 ms, 24.8 days; turns are counted from 1970 on. A mark with the same side as `turns` belongs to the
 * current turn, a mark with the other side to the turn before.
 *
 * Raising a mark into a later turn takes two steps, each one compareExchange. The first makes the new turn the current
 * one on the other side; the mark then still means the same instant. The second moves the mark to that side. This
 * happens once in 24.8 days; every other raise is one step. 15 bits suffice for 2,200 years from the creation of the
 * session, and no mark is earlier than that.
 */

import { ENDED } from './layout.js';

/** One less than the bits would hold, so that no mark equals ENDED. */
const TURN = 2 ** 31 - 1;
const TURN_BITS = 0x7fff;
const MILLISECONDS = 0x7fffffff;

const turnOf = (instant: number): number => Math.floor(instant / TURN);
const markOf = (side: number, instant: number): number => (side << 31) | (instant % TURN);
const packTurns = (side: number, current: number, before: number): number =>
  (side << 30) | ((current & TURN_BITS) << 15) | (before & TURN_BITS);
const sideOfTurns = (turns: number): number => (turns >>> 30) & 1;

/** Sets the mark at `at` of a session that begins now and is not visible yet. */
export function beginMark(words: Int32Array, at: number, now: number): void {
  const turn = turnOf(now);
  Atomics.store(words, at + 1, packTurns(0, turn, turn));
  Atomics.store(words, at, markOf(0, now));
}

/** The instant that `mark`, as it was read from `at`, means in a session created at `createdAt`. */
export function seenAt(words: Int32Array, at: number, mark: number, createdAt: number): number {
  return instantOf(mark, Atomics.load(words, at + 1), createdAt);
}

function instantOf(mark: number, turns: number, createdAt: number): number {
  const turn = mark >>> 31 === sideOfTurns(turns) ? turns >>> 15 : turns;
  return nearest(turn, createdAt) * TURN + (mark & MILLISECONDS);
}

/** The turn that 15 bits mean: the first such turn from the one in which the session began. */
function nearest(bits: number, createdAt: number): number {
  const first = turnOf(createdAt);
  return first + ((bits - first) & TURN_BITS);
}

/**
 * As `seenAt`, without the record: the turn is the last possible one up to the turn after `now`'s, as another thread's
 * clock may be ahead by a moment. Right for marks of the 2,200 years before `now`.
 */
export function seenBefore(words: Int32Array, at: number, mark: number, now: number): number {
  const turns = Atomics.load(words, at + 1);
  const bits = mark >>> 31 === sideOfTurns(turns) ? turns >>> 15 : turns;
  const last = turnOf(now) + 1;
  return (last - ((last - bits) & TURN_BITS)) * TURN + (mark & MILLISECONDS);
}

/**
 * Raises the mark at `at` from `mark`, as it was read, to `now`. Returns false if the session has ended meanwhile. It
 * uses compareExchange, because between the read and the write another thread may raise the same mark, and the manager
 * may end the session.
 */
export function raiseMark(words: Int32Array, at: number, mark: number, createdAt: number, now: number): boolean {
  const turn = turnOf(now);
  for (let read = mark; ; ) {
    if (read === ENDED) return false;
    const turns = Atomics.load(words, at + 1);
    if (instantOf(read, turns, createdAt) >= now) return true;
    let side = sideOfTurns(turns);
    const current = nearest(turns >>> 15, createdAt);
    // Another thread is about to store a mark of a later turn.
    if (current > turn) return true;
    if (current < turn) {
      if (read >>> 31 !== side) {
        // Another thread is between its two steps. It has seen the session in the current turn, so the mark may move to
        // that turn's beginning.
        const found = Atomics.compareExchange(words, at, read, side << 31);
        read = found === read ? side << 31 : found;
        continue;
      }
      side ^= 1;
      if (Atomics.compareExchange(words, at + 1, turns, packTurns(side, turn, current)) !== turns) {
        read = Atomics.load(words, at);
        continue;
      }
    }
    const found = Atomics.compareExchange(words, at, read, markOf(side, now));
    if (found === read) return true;
    read = found;
  }
}
