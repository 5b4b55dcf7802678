/**
 * Which session was not seen for the longest. Manager's thread; for a full table that ends such a session for each new
 * one.
 *
 * Marks of being seen are raised by all threads without a word, so no order of the sessions stays true. But a mark is
 * only ever raised: so of the sessions that a look over all marks found to be idle the longest, the first whose mark
 * has not been raised since is the longest idle of all. One look serves for as many endings as it found sessions.
 */

import { ENDED, HEADER } from '../../src/protocol/layout.js';
import { seenBefore } from '../../src/protocol/seen.js';
import { markPlace } from '../../src/protocol/table.js';
import { type Steps, UNITS } from '../table/pace.js';
import type { TableWriter } from '../table/table.js';

/** Sessions that one look finds. */
const FOUND = 4096;
/** Slots that are looked at before it is asked whether the step is over. */
const SLICE = 256;

export class LongestIdle {
  readonly #table: TableWriter;
  readonly #now: () => number;
  /**
   * What was found and not used yet, the longest idle last: slots, each with its generation and the instant at which it
   * was seen.
   */
  #found: { readonly slot: number; readonly generation: number; readonly seen: number }[] = [];

  constructor(table: TableWriter, now: () => number) {
    this.#table = table;
    this.#now = now;
  }

  /** The slot of the session that was not seen for the longest, `spare` excepted; -1 if there is none. */
  *find(spare: number): Steps<number> {
    for (let looks = 0; looks < 2; looks++) {
      if (looks > 0) yield* this.#look();
      const slot = this.#next(spare, true);
      if (slot >= 0) return slot;
    }
    yield* this.#look();
    // All of them are seen again and again: one that was idle a moment ago.
    return this.#next(spare, false);
  }

  #next(spare: number, isExact: boolean): number {
    const found = this.#found;
    for (let at = found.length - 1; at >= 0; at--) {
      const { slot, generation, seen } = found[at] as (typeof found)[number];
      if (slot === spare) continue;
      const now = this.#table.view.generation(slot) === generation ? this.#seen(slot) : undefined;
      if (now === seen || (now !== undefined && !isExact)) return slot;
      found.splice(at, 1);
    }
    return -1;
  }

  /** When the session in a slot was seen; undefined where there is none. */
  #seen(slot: number): number | undefined {
    const { view } = this.#table;
    const mark = view.mark(slot);
    if (mark === ENDED || view.pointer(slot) === 0) return undefined;
    return seenBefore(view.slots, markPlace(slot), mark, this.#now());
  }

  *#look(): Steps<void> {
    const { view, pace } = this.#table;
    const slotsTouched = view.header[HEADER.slotsTouched] as number;
    const found: { slot: number; generation: number; seen: number }[] = [];
    let latest = Number.POSITIVE_INFINITY;
    const keep = () => {
      found.sort((one, other) => one.seen - other.seen || one.slot - other.slot);
      found.length = Math.min(found.length, FOUND);
      if (found.length === FOUND) latest = (found[FOUND - 1] as { seen: number }).seen;
    };
    for (let slot = 0; slot < slotsTouched; slot++) {
      const seen = this.#seen(slot);
      if (seen !== undefined && seen < latest) {
        found.push({ slot, generation: view.generation(slot), seen });
        if (found.length === 2 * FOUND) {
          keep();
          pace.spend(FOUND);
        }
      }
      if ((slot + 1) % SLICE !== 0) continue;
      pace.spend(SLICE * UNITS.slot);
      if (pace.isOver) yield;
    }
    keep();
    this.#found = found.reverse();
  }
}
