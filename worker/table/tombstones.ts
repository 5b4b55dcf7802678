/**
 * Writing and searching the ring of buried keys. Manager's thread. What it means is drawn in src/protocol/tombstones.ts.
 */

import { DIGEST_WORDS, HEADER } from '../../src/protocol/layout.js';
import { numbersOf, reserveInt32, wordsOf } from '../../src/protocol/memory.js';
import { sameDigest } from '../../src/protocol/table.js';
import { BURIED } from '../../src/protocol/tombstones.js';
import { failpoint } from '../failpoints.js';
import type { Owner } from './owner.js';

const NOTHING = reserveInt32(0);

export class Buried {
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #owner: Owner;
  readonly #size: number;
  /**
   * The way from a digest to its places in the ring: for each bucket the youngest place, for each place the one before
   * it in its bucket; plus one, 0 for none.
   */
  #youngest = NOTHING;
  #before = NOTHING;

  /** `size`: entries of the ring, a power of two. */
  constructor(memory: SharedArrayBuffer, size: number, owner: Owner) {
    this.#words = wordsOf(memory);
    this.#numbers = numbersOf(memory);
    this.#owner = owner;
    this.#size = size;
  }

  /** Buries a key until an instant, over the one that was buried first where the ring is full. */
  add(digest: Int32Array, until: number): void {
    const words = this.#words;
    const written = this.#numbers[BURIED.written] as number;
    const place = written % this.#size;
    const at = this.#at(place);
    if (written >= this.#size) this.#unlink(place);
    this.#owner.check();
    for (let i = 0; i < DIGEST_WORDS; i++) words[at + i] = digest[i] as number;
    failpoint('bury: half written');
    this.#owner.check();
    this.#numbers[(at + BURIED.until) / 2] = until;
    this.#numbers[BURIED.written] = written + 1;
    this.#link(place);
    failpoint('bury: written');
  }

  /** True if a key is buried at an instant. */
  has(digest: Int32Array, now: number): boolean {
    if (this.#youngest.length === 0) return false;
    let place = (this.#youngest[this.#bucket(digest[0] as number)] as number) - 1;
    for (; place >= 0; place = (this.#before[place] as number) - 1) {
      const at = this.#at(place);
      if (this.#words[at] !== digest[0] || (this.#numbers[(at + BURIED.until) / 2] as number) <= now) continue;
      if (sameDigest(this.#words.subarray(at, at + DIGEST_WORDS), digest)) return true;
    }
    return false;
  }

  /** Enters what a former manager has buried. An entry that it did not come to count is not there. */
  restore(): void {
    let written = this.#numbers[BURIED.written] as number;
    if (!(written >= 0 && Number.isSafeInteger(written))) {
      // No manager wrote that: whatever the ring holds cannot be told in its order.
      written = 0;
      this.#owner.check();
      this.#numbers[BURIED.written] = 0;
    }
    this.#youngest = NOTHING;
    for (let n = Math.min(written, this.#size); n > 0; n--) this.#link((written - n) % this.#size);
  }

  #at(place: number): number {
    return BURIED.entries + place * BURIED.entryWords;
  }

  /** By a number that nobody outside knows, so that nobody can choose keys that meet. */
  #bucket(word: number): number {
    const mixed = Math.imul(word ^ (this.#owner.header[HEADER.scatterB] as number), 0x9e3779b1);
    return (mixed ^ (mixed >>> 16)) & (this.#size - 1);
  }

  #bucketAt(place: number): number {
    return this.#bucket(this.#words[this.#at(place)] as number);
  }

  #link(place: number): void {
    if (this.#youngest.length === 0) {
      this.#youngest = reserveInt32(this.#size);
      this.#before = reserveInt32(this.#size);
    }
    const bucket = this.#bucketAt(place);
    this.#before[place] = this.#youngest[bucket] as number;
    this.#youngest[bucket] = place + 1;
  }

  /** Takes a place out of its bucket, whose oldest it is. */
  #unlink(place: number): void {
    const bucket = this.#bucketAt(place);
    let after = (this.#youngest[bucket] as number) - 1;
    if (after === place) {
      this.#youngest[bucket] = 0;
      return;
    }
    while (after >= 0 && this.#before[after] !== place + 1) after = (this.#before[after] as number) - 1;
    if (after >= 0) this.#before[after] = 0;
  }
}
