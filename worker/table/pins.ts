/**
 * The values that one connection's `take` calls removed from sessions: they are pinned as long as the answers may not
 * have arrived, so that a successor can answer again. Manager's thread.
 */

import type { TableWriter } from './table.js';

/** Where a value lies (see `TableWriter.pin`), and the call that took it. */
export interface Pin {
  readonly call: number;
  readonly pointer: number;
  readonly bytes: number;
}

export class Pins {
  /** In the order of the calls. */
  readonly #pins: Pin[] = [];

  add(table: TableWriter, pin: Pin): void {
    this.#pins.push(pin);
    table.pinnedBytes += pin.bytes;
  }

  /** Releases the values of calls up to this one. */
  releaseUpTo(table: TableWriter, call: number): void {
    const behind = this.#pins.findIndex((pin) => ((pin.call - call) | 0) > 0);
    this.#release(table, behind < 0 ? this.#pins.length : behind);
  }

  releaseAll(table: TableWriter): void {
    this.#release(table, this.#pins.length);
  }

  #release(table: TableWriter, count: number): void {
    if (count === 0) return;
    for (const { pointer, bytes } of this.#pins.splice(0, count)) {
      table.cells.retire(pointer);
      table.pinnedBytes -= bytes;
    }
  }
}
