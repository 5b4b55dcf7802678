/**
 * Writing one of the table's indexes. Manager's thread.
 *
 * An entry is one word, written by one atomic store, and stays where it is; removal leaves a tombstone, which a later
 * entry may take. When too few words are empty, the index is built anew in its other buffer, some slots at each change,
 * while changes go to both; one store of the number of switches then makes it the current one. The buffer left behind
 * is cleared only when the next rebuilding begins, long after its last reader.
 */

import { type IndexName, type TableView, TOMBSTONE } from '../../src/protocol/table.js';
import { failpoint } from '../failpoints.js';
import type { Owner } from './owner.js';
import { Pairs } from './radix-partition.js';

/** A rebuilding starts when entries and tombstones fill this part of the words. */
const FULL = 0.65;
/** Slots that are carried over, or words cleared divided by 64, at one change. */
const STEP = 128;
/** Words cleared, or entered, between two yields. */
const SLICE = 1 << 16;

/** The two words of a slot's key in this index, put into `key`; false if the slot has none. */
export type KeyOfSlot = (slot: number, key: Int32Array) => boolean;

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
   * While rebuilding: the other buffer, how much of it is cleared, how many slots are carried over, how many words are
   * not empty.
   */
  #spare: Int32Array | undefined;
  #cleared = 0;
  #carried = 0;
  #spareUsed = 0;
  /** After a manager's death: the entries of the other buffer, each with the place where its walk begins. */
  #carriedOver: Pairs | undefined;

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

  /** True as long as nothing was ever entered: there is nothing to look for. */
  get isUntouched(): boolean {
    return this.#used === 0;
  }

  insert(keyA: number, keyB: number, slot: number): void {
    if (this.#put(this.#view.current(this.#name), keyA, keyB, slot)) this.#used++;
    if (this.#isCleared() && this.#put(this.#spare as Int32Array, keyA, keyB, slot)) this.#spareUsed++;
    this.#advance();
  }

  remove(keyA: number, keyB: number, slot: number): void {
    this.#bury(this.#view.current(this.#name), keyA, keyB, slot);
    if (this.#isCleared()) this.#bury(this.#spare as Int32Array, keyA, keyB, slot);
    this.#advance();
  }

  #isCleared(): boolean {
    return this.#spare !== undefined && this.#cleared > this.#mask;
  }

  /**
   * Stores the entry in the first word that is free, unless the walk meets the same entry. True if an empty word was
   * used up.
   */
  #put(index: Int32Array, keyA: number, keyB: number, slot: number): boolean {
    const entry = this.#view.entry(keyA, keyB, slot);
    let tomb = -1;
    for (let at = this.#view.home(keyA, keyB); ; at = (at + 1) & this.#mask) {
      const word = index[at] as number;
      if (word === entry) return false;
      if (word === TOMBSTONE && tomb < 0) tomb = at;
      if (word !== 0) continue;
      this.#owner.check();
      // Atomic: a reader that finds the entry must find the slot as it was written before.
      Atomics.store(index, tomb < 0 ? at : tomb, entry);
      return tomb < 0;
    }
  }

  #bury(index: Int32Array, keyA: number, keyB: number, slot: number): void {
    const entry = this.#view.entry(keyA, keyB, slot);
    for (let at = this.#view.home(keyA, keyB); ; at = (at + 1) & this.#mask) {
      const word = index[at] as number;
      if (word === 0) return;
      if (word === entry) {
        this.#owner.check();
        Atomics.store(index, at, TOMBSTONE);
        return;
      }
    }
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
      if (this.#put(spare, this.#key[0] as number, this.#key[1] as number, slot)) this.#spareUsed++;
    }
    this.#carried = to;
    if (to < touched) return;
    failpoint('index: half carried over');
    this.#switch();
  }

  #switch(): void {
    this.#owner.check();
    // Atomic, and the last step: from here on every walk begins in the new buffer, and a miss in the old one is not
    // believed.
    Atomics.add(this.#view.header, this.#view.switchWords[this.#name], 1);
    failpoint('index: switched');
    this.#used = this.#spareUsed;
    this.#spare = undefined;
  }

  // ------------------------------------------------------------ after a manager's death

  /**
   * Begins the index anew in its other buffer, which nobody reads: what lies there may be half built. Readers go on in
   * the current one until `finishAnew`.
   */
  *beginAnew(): Generator<void> {
    const spare = this.#begin();
    for (; this.#cleared <= this.#mask; this.#cleared += SLICE) {
      const to = Math.min(this.#cleared + SLICE, this.#mask + 1);
      for (let at = this.#cleared; at < to; at++) {
        // Only where there is something: what was never used shall not be held.
        if (spare[at] === 0) continue;
        this.#owner.check();
        spare[at] = 0;
      }
      yield;
    }
    this.#spare = spare;
    this.#carriedOver = new Pairs(this.#mask + 1, this.#slotsTouched());
  }

  /** Notes a key for the index that is begun anew. */
  carry(keyA: number, keyB: number, slot: number): void {
    this.#carriedOver?.put(this.#view.home(keyA, keyB), this.#view.entry(keyA, keyB, slot));
  }

  /** Enters the keys noted: by plain stores, as nobody reads that buffer yet. */
  *enterCarried(): Generator<void> {
    const carried = this.#carriedOver as Pairs;
    this.#carriedOver = undefined;
    yield* carried.order();
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

  finishAnew(): void {
    this.#switch();
  }
}
