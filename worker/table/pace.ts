/**
 * How much is done in one step of the manager's thread. Work whose length the data decides is done in steps: behind
 * each stand a beat and a turn of the event loop, so that the supervisor sees the manager live and nobody else waits
 * long. Manager's thread.
 *
 * A step is bounded by units of work and not by time, so that it can be tested. What does the work counts it (`spend`):
 * the table's own methods their records, loops their slots. What repeats the work looks whether the step is over, and
 * goes on in the next one. One call is never cut in two by that; the longest, on a session of the largest size allowed,
 * takes some steps' worth.
 */

import type { Owner } from './owner.js';

/**
 * Units of a step: each about a microsecond's work on a processor of today, up to four on one that is slow, busy or
 * cold.
 */
export const STEP = 5000;

/** What work counts for. */
export const UNITS = {
  /** A call's arrival, its answer, and the journal's entry of it. */
  call: 2,
  /** A record that is loaded or written: by itself, and for each so many of its bytes. */
  record: 1,
  bytes: 512,
  /** A slot that is looked at in the order of the slots. */
  slot: 1 / 16,
  /** A session that ends; one whose slot, record and index entries are freed. */
  end: 1,
  free: 3,
} as const;

/** Work that yields when its step is over, and comes to a result. */
export type Steps<T> = Generator<void, T>;

export class Pace {
  readonly #owner: Owner;
  #left = STEP;

  constructor(owner: Owner) {
    this.#owner = owner;
  }

  /** Counts work that was done. */
  spend(units: number): void {
    this.#left -= units;
  }

  /** True once a step's work is done: what goes on has to yield. */
  get isOver(): boolean {
    return this.#left <= 0;
  }

  /** Says that the manager lives, in the midst of one call on very large data: its end is sure. Throws `Deposed`. */
  readonly goesOn = (): void => this.#owner.beat();

  /** Says that the manager lives, and begins the next step. Throws `Deposed`. */
  begin(): void {
    this.#owner.beat();
    this.#left = STEP;
  }
}
