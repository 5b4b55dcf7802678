/** Writing and searching the ring of tombstones. Manager's thread. src/protocol/tombstones.ts defines the format. */

import { DIGEST_WORDS, HEADER } from '../../src/protocol/layout.js';
import { numbersOf, reserveInt32, wordsOf } from '../../src/protocol/memory.js';
import { sameDigest } from '../../src/protocol/table.js';
import { TOMBSTONES } from '../../src/protocol/tombstones.js';
import { failpoint } from '../failpoints.js';
import type { Owner } from './owner.js';

const NOTHING = reserveInt32(0);

export class Tombstones {
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #owner: Owner;
  readonly #size: number;
  /**
   * A hash table from digests to their places in the ring: the newest place of each bucket, and for each place the next
   * older one of its bucket; plus one, 0 for none.
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

  /** Adds a tombstone that expires at `until`; it overwrites the oldest one if the ring is full. */
  add(digest: Int32Array, until: number): void {
    const words = this.#words;
    const written = this.#numbers[TOMBSTONES.written] as number;
    const place = written % this.#size;
    const at = this.#at(place);
    if (written >= this.#size) this.#unlink(place);
    this.#owner.check();
    for (let i = 0; i < DIGEST_WORDS; i++) words[at + i] = digest[i] as number;
    failpoint('tombstone: half written');
    this.#owner.check();
    this.#numbers[(at + TOMBSTONES.until) / 2] = until;
    this.#numbers[TOMBSTONES.written] = written + 1;
    this.#link(place);
    failpoint('tombstone: written');
  }

  /** True if there is a tombstone of this key that has not expired at `now`. */
  has(digest: Int32Array, now: number): boolean {
    if (this.#youngest.length === 0) return false;
    let place = (this.#youngest[this.#bucket(digest[0] as number)] as number) - 1;
    for (; place >= 0; place = (this.#before[place] as number) - 1) {
      const at = this.#at(place);
      if (this.#words[at] !== digest[0] || (this.#numbers[(at + TOMBSTONES.until) / 2] as number) <= now) continue;
      if (sameDigest(this.#words.subarray(at, at + DIGEST_WORDS), digest)) return true;
    }
    return false;
  }

  /** Reads what a former manager wrote. An entry that it did not count is ignored. */
  restore(): void {
    let written = this.#numbers[TOMBSTONES.written] as number;
    if (!(written >= 0 && Number.isSafeInteger(written))) {
      // No manager wrote this count: the order of the entries is not known.
      written = 0;
      this.#owner.check();
      this.#numbers[TOMBSTONES.written] = 0;
    }
    this.#youngest = NOTHING;
    for (let n = Math.min(written, this.#size); n > 0; n--) this.#link((written - n) % this.#size);
  }

  #at(place: number): number {
    return TOMBSTONES.entries + place * TOMBSTONES.entryWords;
  }

  /** Mixed with a secret number, so that nobody can choose keys that collide. */
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

  /** Removes a place, the oldest of its bucket, from that bucket. */
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
