/**
 * Writing one of the table's indexes, a hash table with open addressing. Manager's thread.
 *
 * An entry is one word, written by one atomic store, and is never moved; a removed entry is marked as REMOVED, and a
 * later entry may take its word. When few words are empty, the index is rebuilt in its other buffer. Each change
 * carries over some slots and is made in both buffers; then one store of the number of switches makes the other buffer
 * the current one. The old buffer is cleared only when the next rebuilding begins, long after its last reader.
 */

import { type IndexName, REMOVED, type TableView } from '../../src/protocol/table.js';
import { failpoint } from '../failpoints.js';
import type { Owner } from './owner.js';
import { RadixPartition } from './radix-partition.js';

/** The index is rebuilt when entries and removed entries fill this part of its words. */
const FULL = 0.65;
/** Slots that are carried over at one change; 64 times as many words are cleared at one change. */
const STEP = 128;
/** Words cleared, or entries written, between two yields. */
const SLICE = 1 << 16;

/** Puts the two words of a slot's key in this index into `key`; false if the slot has no key. */
type KeyOfSlot = (slot: number, key: Int32Array) => boolean;

export class IndexWriter {
  readonly #view: TableView;
  readonly #name: IndexName;
  readonly #keyOf: KeyOfSlot;
  readonly #slotsTouched: () => number;
  readonly #owner: Owner;
  readonly #mask: number;
  readonly #key = new Int32Array(2);
  /** Words of the current buffer that are not empty. */
  #used = 0;
  /**
   * While rebuilding: the other buffer, how many of its words are cleared, how many slots are carried over, and how
   * many of its words are not empty.
   */
  #spare: Int32Array | undefined;
  #cleared = 0;
  #carried = 0;
  #spareUsed = 0;
  /** After a manager's death: the entries for the other buffer, each with the place where its walk begins. */
  #carriedOver: RadixPartition | undefined;

  constructor(view: TableView, name: IndexName, owner: Owner, slotsTouched: () => number, keyOf: KeyOfSlot) {
    this.#view = view;
    this.#owner = owner;
    this.#name = name;
    this.#slotsTouched = slotsTouched;
    this.#keyOf = keyOf;
    this.#mask = view.shape.indexWords - 1;
  }

  get rebuilding(): boolean {
    return this.#spare !== undefined;
  }

  /** True as long as nothing was ever inserted. */
  get isUntouched(): boolean {
    return this.#used === 0;
  }

  /** `key`: a digest or an id, of which the first two words are used. */
  insert(key: Int32Array, slot: number): void {
    if (this.#put(this.#view.current(this.#name), key, slot)) this.#used++;
    if (this.#isCleared() && this.#put(this.#spare as Int32Array, key, slot)) this.#spareUsed++;
    this.#advance();
  }

  remove(key: Int32Array, slot: number): void {
    this.#markRemoved(this.#view.current(this.#name), key, slot);
    if (this.#isCleared()) this.#markRemoved(this.#spare as Int32Array, key, slot);
    this.#advance();
  }

  #isCleared(): boolean {
    return this.#spare !== undefined && this.#cleared > this.#mask;
  }

  /**
   * Stores the entry in the first word that is empty or REMOVED, unless the walk finds the same entry. True if an empty
   * word was used.
   */
  #put(index: Int32Array, key: Int32Array, slot: number): boolean {
    const entry = this.#entry(key, slot);
    let removed = -1;
    for (let at = this.#home(key); ; at = (at + 1) & this.#mask) {
      const word = index[at] as number;
      if (word === entry) return false;
      if (word === REMOVED && removed < 0) removed = at;
      if (word !== 0) continue;
      this.#owner.check();
      // Atomic: a reader that finds the entry must see the slot as it was written before.
      Atomics.store(index, removed < 0 ? at : removed, entry);
      return removed < 0;
    }
  }

  #markRemoved(index: Int32Array, key: Int32Array, slot: number): void {
    const entry = this.#entry(key, slot);
    for (let at = this.#home(key); ; at = (at + 1) & this.#mask) {
      const word = index[at] as number;
      if (word === 0) return;
      if (word === entry) {
        this.#owner.check();
        Atomics.store(index, at, REMOVED);
        return;
      }
    }
  }

  #entry(key: Int32Array, slot: number): number {
    return this.#view.entry(key[0] as number, key[1] as number, slot);
  }

  #home(key: Int32Array): number {
    return this.#view.home(key[0] as number, key[1] as number);
  }

  #advance(): void {
    if (this.#spare === undefined) {
      if (this.#used <= this.#view.shape.indexWords * FULL) return;
      this.#spare = this.#begin();
      failpoint('index: rebuilding begun');
    }
    this.#step(this.#spare);
  }

  #begin(): Int32Array {
    const switches = Atomics.load(this.#view.header, this.#view.switchWords[this.#name]);
    this.#cleared = 0;
    this.#carried = 0;
    this.#spareUsed = 0;
    return this.#view.indexes[this.#name][(switches + 1) & 1] as Int32Array;
  }

  #step(spare: Int32Array): void {
    if (this.#cleared <= this.#mask) {
      const to = Math.min(this.#cleared + STEP * 64, this.#mask + 1);
      this.#owner.check();
      spare.fill(0, this.#cleared, to);
      failpoint('index: spare cleared');
      this.#cleared = to;
      return;
    }
    const touched = this.#slotsTouched();
    const to = Math.min(this.#carried + STEP, touched);
    for (let slot = this.#carried; slot < to; slot++) {
      if (!this.#keyOf(slot, this.#key)) continue;
      if (this.#put(spare, this.#key, slot)) this.#spareUsed++;
    }
    this.#carried = to;
    if (to < touched) return;
    failpoint('index: half carried over');
    this.#switch();
  }

  #switch(): void {
    this.#owner.check();
    // Atomic, and the last step: from here on every walk begins in the new buffer, and a miss in the old one does not
    // count.
    Atomics.add(this.#view.header, this.#view.switchWords[this.#name], 1);
    failpoint('index: switched');
    this.#used = this.#spareUsed;
    this.#spare = undefined;
  }

  // ------------------------------------------------------------ after a manager's death

  /**
   * Begins to rebuild the index in its other buffer, which may be half built and which nobody reads. Readers continue
   * in the current one until `finishRebuild`.
   */
  *beginRebuild(): Generator<void> {
    const spare = this.#begin();
    for (; this.#cleared <= this.#mask; this.#cleared += SLICE) {
      const to = Math.min(this.#cleared + SLICE, this.#mask + 1);
      for (let at = this.#cleared; at < to; at++) {
        // Words that are zero are not written, so that untouched memory stays untouched.
        if (spare[at] === 0) continue;
        this.#owner.check();
        spare[at] = 0;
      }
      yield;
    }
    this.#spare = spare;
    this.#carriedOver = new RadixPartition(this.#mask + 1, this.#slotsTouched());
  }

  /** Adds a key to those that `enterCarried` writes. */
  carry(key: Int32Array, slot: number): void {
    this.#carriedOver?.put(this.#home(key), this.#entry(key, slot));
  }

  /** Writes the entries of all keys carried: by plain stores, as nobody reads that buffer yet. */
  *enterCarried(): Generator<void> {
    const carried = this.#carriedOver as RadixPartition;
    this.#carriedOver = undefined;
    yield* carried.partition();
    const { places, numbers, count } = carried;
    const spare = this.#spare as Int32Array;
    const mask = this.#mask;
    for (let i = 0; i < count; i++) {
      let at = places[i] as number;
      while (spare[at] !== 0) at = (at + 1) & mask;
      this.#owner.check();
      spare[at] = numbers[i] as number;
      if ((i + 1) % SLICE === 0) yield;
    }
    yield;
    this.#spareUsed = count;
  }

  finishRebuild(): void {
    this.#switch();
  }
}
