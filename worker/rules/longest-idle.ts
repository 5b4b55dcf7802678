/**
 * Finds the session that was not seen for the longest time. Manager's thread; used if a full table ends such a session
 * for each new one.
 *
 * All threads raise seen marks without telling the manager, so no ordered list of the sessions would stay right. But
 * marks are only raised, never lowered. So a scan of all marks collects the sessions that are idle the longest, and the
 * first of these whose mark was not raised since is the longest idle of all. One scan serves for as many endings as it
 * found sessions.
 */

import { ENDED } from '../../src/protocol/layout.js';
import { seenBefore } from '../../src/protocol/seen.js';
import { markPlace } from '../../src/protocol/table.js';
import { type Steps, UNITS } from '../table/pace.js';
import type { TableWriter } from '../table/table.js';

/** Sessions that one scan collects. */
const FOUND = 4096;
/** Slots that are visited before it is checked whether the step is over. */
const SLICE = 256;

export class LongestIdle {
  readonly #table: TableWriter;
  readonly #now: () => number;
  /**
   * The sessions collected and not used yet, the longest idle last: slots, each with its generation and the instant at
   * which it was seen.
   */
  #found: { readonly slot: number; readonly generation: number; readonly seen: number }[] = [];

  constructor(table: TableWriter, now: () => number) {
    this.#table = table;
    this.#now = now;
  }

  /** The slot of the session that was not seen for the longest time, never `except`; -1 if there is none. */
  *find(except: number): Steps<number> {
    for (let looks = 0; looks < 2; looks++) {
      if (looks > 0) yield* this.#look();
      const slot = this.#next(except, true);
      if (slot >= 0) return slot;
    }
    yield* this.#look();
    // All those collected are seen again and again: takes one that was the longest idle a moment ago.
    return this.#next(except, false);
  }

  #next(except: number, isExact: boolean): number {
    const found = this.#found;
    for (let at = found.length - 1; at >= 0; at--) {
      const { slot, generation, seen } = found[at] as (typeof found)[number];
      if (slot === except) continue;
      const now = this.#table.view.generation(slot) === generation ? this.#seen(slot) : undefined;
      if (now === seen || (now !== undefined && !isExact)) return slot;
      found.splice(at, 1);
    }
    return -1;
  }

  /** When the session in a slot was seen; undefined if there is none. */
  #seen(slot: number): number | undefined {
    const { view } = this.#table;
    const mark = view.mark(slot);
    if (mark === ENDED || view.pointer(slot) === 0) return undefined;
    return seenBefore(view.slots, markPlace(slot), mark, this.#now());
  }

  *#look(): Steps<void> {
    const { view, pace, slotsTouched } = this.#table;
    const found: { slot: number; generation: number; seen: number }[] = [];
    let latest = Number.POSITIVE_INFINITY;
    const trim = () => {
      found.sort((one, other) => one.seen - other.seen || one.slot - other.slot);
      found.length = Math.min(found.length, FOUND);
      if (found.length === FOUND) latest = (found[FOUND - 1] as { seen: number }).seen;
    };
    for (let slot = 0; slot < slotsTouched; slot++) {
      const seen = this.#seen(slot);
      if (seen !== undefined && seen < latest) {
        found.push({ slot, generation: view.generation(slot), seen });
        if (found.length === 2 * FOUND) {
          trim();
          pace.spend(FOUND);
        }
      }
      if ((slot + 1) % SLICE !== 0) continue;
      pace.spend(SLICE * UNITS.slot);
      if (pace.isOver) yield;
    }
    trim();
    this.#found = found.reverse();
  }
}
