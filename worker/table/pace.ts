/**
 * How much the manager's thread does in one step. Work whose length depends on the data is divided into steps. After
 * each step come a heartbeat and a turn of the event loop, so that the supervisor sees the manager live and no call
 * waits long. Manager's thread.
 *
 * A step is bounded by units of work, not by time, so that it can be tested. The code that does the work counts it
 * (`spend`): the table's methods count their records, loops their slots. Loops check whether the step is over
 * (`isOver`), and yield. One call on one session is not divided; the longest, on a session of the largest allowed size,
 * takes as long as several steps.
 */

import type { Owner } from './owner.js';

/**
 * Units of a step. A unit is about one microsecond of work on a current processor, up to four on a slow or busy one.
 */
export const STEP = 5000;

/** How many units work counts as. */
export const UNITS = {
  /** The arrival of a call, its answer, and its entry in the journal. */
  call: 2,
  /** A record that is loaded or written counts `record`, plus one unit per `bytes` of its bytes. */
  record: 1,
  bytes: 512,
  /** A slot that is visited in a loop over slots. */
  slot: 1 / 16,
  /** A session that ends; a session whose slot, record and index entries are freed. */
  end: 1,
  free: 3,
} as const;

/** Work that yields when its step is over, and returns a result. */
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

  /** True once a step's work is done: loops then have to yield. */
  get isOver(): boolean {
    return this.#left <= 0;
  }

  /** A heartbeat in the middle of one call on very large data. Throws `Fenced`. */
  readonly beat = (): void => this.#owner.beat();

  /** Begins the next step, with a heartbeat. Throws `Fenced`. */
  begin(): void {
    this.#owner.beat();
    this.#left = STEP;
  }
}
