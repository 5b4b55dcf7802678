/**
 * Radix partitioning for cache locality: the first pass of a radix sort (Knuth, The Art of Computer Programming, volume
 * 3, 5.2.5). It takes pairs of a place in a large array and a number to be stored there, and groups them by the part of
 * the array, so that neighbouring stores hit the same cache lines. A million stores at random places would miss the
 * cache each time. The partition is stable: pairs of the same place stay in order. Manager's thread, while it takes
 * over a table.
 */

import { reserveInt32 } from '../../src/protocol/memory.js';

/** Parts of the array: few enough to be written side by side, each small enough for a processor's cache. */
const PARTS = 64;
/** Pairs that are moved between two yields. */
const SLICE = 1 << 18;

export class RadixPartition {
  readonly #shift: number;
  readonly #counts = new Int32Array(PARTS);
  places: Int32Array;
  numbers: Int32Array;
  count = 0;

  /** `size`: how many places there are, a power of two. `most`: the most pairs that will be put. */
  constructor(size: number, most: number) {
    this.#shift = Math.max(0, Math.log2(size / PARTS));
    this.places = reserveInt32(most);
    this.numbers = reserveInt32(most);
  }

  put(place: number, number: number): void {
    this.places[this.count] = place;
    this.numbers[this.count++] = number;
    const part = place >>> this.#shift;
    this.#counts[part] = (this.#counts[part] as number) + 1;
  }

  /** Groups the pairs by the part that their place is in. */
  *partition(): Generator<void> {
    const next = new Int32Array(PARTS);
    for (let part = 1; part < PARTS; part++) {
      next[part] = (next[part - 1] as number) + (this.#counts[part - 1] as number);
    }
    const { places, numbers, count } = this;
    const orderedPlaces = reserveInt32(count);
    const orderedNumbers = reserveInt32(count);
    for (let i = 0; i < count; i++) {
      const place = places[i] as number;
      const part = place >>> this.#shift;
      const to = next[part] as number;
      next[part] = to + 1;
      orderedPlaces[to] = place;
      orderedNumbers[to] = numbers[i] as number;
      if ((i + 1) % SLICE === 0) yield;
    }
    this.places = orderedPlaces;
    this.numbers = orderedNumbers;
  }
}
