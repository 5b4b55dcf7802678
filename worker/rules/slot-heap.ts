/** An indexed binary heap of slots, ordered by an instant. Manager's thread; typed arrays, no object per slot. */

import { reserveFloat64, reserveInt32 } from '../../src/protocol/memory.js';

export class SlotHeap {
  readonly #instants: Float64Array;
  readonly #heap: Int32Array;
  /** A slot's place in the heap, plus one; 0 if it is not in the heap. */
  readonly #places: Int32Array;
  size = 0;

  constructor(slots: number) {
    this.#instants = reserveFloat64(slots);
    this.#heap = reserveInt32(slots);
    this.#places = reserveInt32(slots);
  }

  /** The slot with the earliest instant, or -1. */
  first(): number {
    return this.size === 0 ? -1 : (this.#heap[0] as number);
  }

  instant(slot: number): number {
    return this.#instants[slot] as number;
  }

  /** Adds a slot at an instant, or moves it there. */
  put(slot: number, instant: number): void {
    const place = this.#places[slot] as number;
    if (place === 0) {
      this.#instants[slot] = instant;
      this.#rise(this.size++, slot);
      return;
    }
    const earlier = instant < (this.#instants[slot] as number);
    this.#instants[slot] = instant;
    if (earlier) this.#rise(place - 1, slot);
    else this.#sink(place - 1, slot);
  }

  remove(slot: number): void {
    const place = this.#places[slot] as number;
    if (place === 0) return;
    this.#places[slot] = 0;
    const last = this.#heap[--this.size] as number;
    if (last === slot) return;
    if (place > 1 && (this.#instants[last] as number) < this.#instantAt((place - 2) >> 1)) this.#rise(place - 1, last);
    else this.#sink(place - 1, last);
  }

  #instantAt(at: number): number {
    return this.#instants[this.#heap[at] as number] as number;
  }

  #stand(at: number, slot: number): void {
    this.#heap[at] = slot;
    this.#places[slot] = at + 1;
  }

  #rise(from: number, slot: number): void {
    const instant = this.#instants[slot] as number;
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (this.#instantAt(above) <= instant) break;
      this.#stand(at, this.#heap[above] as number);
      at = above;
    }
    this.#stand(at, slot);
  }

  #sink(from: number, slot: number): void {
    const instant = this.#instants[slot] as number;
    let at = from;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= this.size) break;
      if (below + 1 < this.size && this.#instantAt(below + 1) < this.#instantAt(below)) below++;
      if (this.#instantAt(below) >= instant) break;
      this.#stand(at, this.#heap[below] as number);
      at = below;
    }
    this.#stand(at, slot);
  }
}
