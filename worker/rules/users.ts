/**
 * Which sessions each user has, in the order in which they became the user's. Manager's thread; rebuilt from the table
 * after a manager's death.
 *
 * A hash table of lists in typed arrays, keyed by a hash of the user id; a Map with a million strings would take a
 * second to rebuild. Users with the same hash are told apart by the record of a list's first slot.
 */

import { reserveInt32 } from '../../src/protocol/memory.js';
import type { Steps } from '../table/pace.js';
import { RadixPartition } from '../table/radix-partition.js';

const NO_SLOT = -1;

/** Slots that are linked, or compared, between two yields. */
const SLICE = 1 << 13;

/** Reads users from the records. */
export interface Records {
  /** True if the session in this slot is this user's. */
  belongsTo(slot: number, user: Uint8Array): boolean;
  /** The user of the session in this slot; valid until the next call. */
  userOf(slot: number): Uint8Array;
}

export class Users {
  readonly #records: Records;
  readonly #seed: number;
  /** The first slots of the lists of one bucket, chained by `next`. Slots are stored plus one, 0 means none. */
  readonly #buckets: Int32Array;
  readonly #next: Int32Array;
  /** The hash of each slot's user id. */
  readonly #hashes: Int32Array;
  /** Circular lists: the first slot's `before` is the last slot. */
  readonly #after: Int32Array;
  readonly #before: Int32Array;
  /** The number of sessions in a list, at its first slot; 0 at all others. */
  readonly #count: Int32Array;
  /** The next slots of the walks under way; NO_SLOT at a list's end. */
  readonly #cursors = new Set<{ slot: number }>();
  /** After a manager's death: the slots to be listed, each with its bucket. */
  #restored: RadixPartition | undefined;

  /** `seed`: secret, so that nobody can choose user ids that collide. */
  constructor(slots: number, seed: number, records: Records) {
    this.#records = records;
    this.#seed = seed;
    this.#buckets = reserveInt32(2 ** Math.ceil(Math.log2(slots + 1)));
    this.#next = reserveInt32(slots);
    this.#hashes = reserveInt32(slots);
    this.#after = reserveInt32(slots);
    this.#before = reserveInt32(slots);
    this.#count = reserveInt32(slots);
  }

  #hash(user: Uint8Array): number {
    let hash = this.#seed;
    for (let i = 0; i < user.length; i++) {
      hash = Math.imul(hash ^ (user[i] as number), 0x85ebca6b);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash ^ this.#seed, 0xc2b2ae35);
    return hash ^ (hash >>> 16);
  }

  count(user: Uint8Array): number {
    const first = this.first(user);
    return first < 0 ? 0 : (this.#count[first] as number);
  }

  first(user: Uint8Array): number {
    return this.#find(user, this.#hash(user));
  }

  #find(user: Uint8Array, hash: number): number {
    let slot = (this.#buckets[hash & (this.#buckets.length - 1)] as number) - 1;
    while (slot >= 0 && !(this.#hashes[slot] === hash && this.#records.belongsTo(slot, user))) {
      slot = (this.#next[slot] as number) - 1;
    }
    return slot;
  }

  /** The next slot of the same user, or -1 after the last. */
  after(slot: number): number {
    const next = (this.#after[slot] as number) - 1;
    return next < 0 || (this.#count[next] as number) > 0 ? NO_SLOT : next;
  }

  /**
   * A user's slots in order, while slots are added and removed: each slot that stays is visited once; one that is added
   * meanwhile may be.
   */
  *walk(user: Uint8Array): Iterable<number> {
    const cursor = { slot: this.first(user) };
    this.#cursors.add(cursor);
    try {
      while (cursor.slot >= 0) {
        const { slot } = cursor;
        cursor.slot = this.after(slot);
        yield slot;
      }
    } finally {
      this.#cursors.delete(cursor);
    }
  }

  /** Appends a slot to the user's list. */
  add(user: Uint8Array, slot: number): void {
    const hash = this.#hash(user);
    this.#hashes[slot] = hash;
    this.#append(slot, this.#find(user, hash));
  }

  /** Appends a slot to the list that begins with `first`; with -1, begins a list. */
  #append(slot: number, first: number): void {
    if (first < 0) {
      const hash = this.#hashes[slot] as number;
      const bucket = hash & (this.#buckets.length - 1);
      this.#next[slot] = this.#buckets[bucket] as number;
      this.#buckets[bucket] = slot + 1;
      this.#after[slot] = slot + 1;
      this.#before[slot] = slot + 1;
      this.#count[slot] = 1;
      return;
    }
    this.#join((this.#before[first] as number) - 1, slot);
    this.#join(slot, first);
    this.#count[slot] = 0;
    this.#count[first] = (this.#count[first] as number) + 1;
  }

  #join(slot: number, next: number): void {
    this.#after[slot] = next + 1;
    this.#before[next] = slot + 1;
  }

  /** Removes a slot from its list, if it is in one. */
  remove(slot: number): void {
    const next = (this.#after[slot] as number) - 1;
    const last = (this.#before[slot] as number) - 1;
    if (next < 0) return;
    for (const cursor of this.#cursors) if (cursor.slot === slot) cursor.slot = this.after(slot);
    const count = this.#count[slot] as number;
    if (next === slot) this.#lead(slot, NO_SLOT);
    else {
      this.#join(last, next);
      if (count > 0) {
        this.#lead(slot, next);
        this.#count[next] = count - 1;
      } else {
        const first = this.#firstOf(next);
        this.#count[first] = (this.#count[first] as number) - 1;
      }
    }
    this.#after[slot] = 0;
    this.#before[slot] = 0;
    this.#count[slot] = 0;
  }

  /** The first slot of the list that a slot is in. Found by its hash, as walking a long list would take too long. */
  #firstOf(slot: number): number {
    let walked = slot;
    for (let steps = 0; steps < 4; steps++) {
      if ((this.#count[walked] as number) > 0) return walked;
      walked = (this.#after[walked] as number) - 1;
    }
    return this.#leaderOf(slot);
  }

  #leaderOf(slot: number): number {
    const hash = this.#hashes[slot] as number;
    const candidates: number[] = [];
    for (let at = (this.#buckets[hash & (this.#buckets.length - 1)] as number) - 1; at >= 0; ) {
      if (this.#hashes[at] === hash) candidates.push(at);
      at = (this.#next[at] as number) - 1;
    }
    if (candidates.length === 1) return candidates[0] as number;
    // Several users have this hash: walks the list.
    let walked = slot;
    while ((this.#count[walked] as number) === 0) walked = (this.#after[walked] as number) - 1;
    return walked;
  }

  /** Makes another slot, or none, the first of the list that `slot` is the first of. */
  #lead(slot: number, other: number): void {
    const bucket = (this.#hashes[slot] as number) & (this.#buckets.length - 1);
    const behind = this.#next[slot] as number;
    if (other >= 0) this.#next[other] = behind;
    const entry = other >= 0 ? other + 1 : behind;
    if (this.#buckets[bucket] === slot + 1) {
      this.#buckets[bucket] = entry;
      return;
    }
    let at = (this.#buckets[bucket] as number) - 1;
    while (this.#next[at] !== slot + 1) at = (this.#next[at] as number) - 1;
    this.#next[at] = entry;
  }

  // ------------------------------------------------------------ after a manager's death

  /** Notes the user of a slot, for `listRestored`. */
  restore(user: Uint8Array, slot: number): void {
    const hash = this.#hash(user);
    this.#hashes[slot] = hash;
    this.#restored ??= new RadixPartition(this.#buckets.length, this.#next.length);
    this.#restored.put(hash & (this.#buckets.length - 1), slot);
  }

  /** Builds the lists of the slots noted; each user's slots are ordered by `order`. */
  *listRestored(order: (one: number, other: number) => number): Steps<void> {
    const restored = this.#restored;
    if (restored === undefined) return;
    this.#restored = undefined;
    yield* restored.partition();
    const outOfOrder = new Set<number>();
    for (let i = 0; i < restored.count; i++) {
      const slot = restored.numbers[i] as number;
      const first = this.#firstLike(slot);
      if (first >= 0 && order((this.#before[first] as number) - 1, slot) > 0) outOfOrder.add(first);
      this.#append(slot, first);
      if ((i + 1) % SLICE === 0) yield;
    }
    for (const first of outOfOrder) yield* this.#sort(first, order);
  }

  /** The first slot of the list of this slot's user; -1 if there is none yet. */
  #firstLike(slot: number): number {
    const hash = this.#hashes[slot] as number;
    let at = (this.#buckets[hash & (this.#buckets.length - 1)] as number) - 1;
    while (at >= 0 && !(this.#hashes[at] === hash && this.#records.belongsTo(at, this.#records.userOf(slot)))) {
      at = (this.#next[at] as number) - 1;
    }
    return at;
  }

  /**
   * Sorts a list by bottom-up merging, which can be interrupted (Knuth, The Art of Computer Programming, volume 3,
   * 5.2.4).
   */
  *#sort(first: number, order: (one: number, other: number) => number): Steps<void> {
    const count = this.#count[first] as number;
    let sorted = new Int32Array(count);
    let merged = new Int32Array(count);
    let worked = 0;
    for (let slot = first, i = 0; slot >= 0; slot = this.after(slot), i++) {
      sorted[i] = slot;
      if (++worked % SLICE === 0) yield;
    }
    for (let width = 1; width < count; width *= 2) {
      for (let from = 0; from < count; from += 2 * width) {
        const middle = Math.min(from + width, count);
        const end = Math.min(from + 2 * width, count);
        for (let at = from, left = from, right = middle; at < end; at++) {
          const isLeft =
            left < middle && (right === end || order(sorted[left] as number, sorted[right] as number) <= 0);
          merged[at] = sorted[isLeft ? left++ : right++] as number;
          if (++worked % SLICE === 0) yield;
        }
      }
      [sorted, merged] = [merged, sorted];
    }
    const leader = sorted[0] as number;
    if (leader !== first) this.#lead(first, leader);
    this.#count[first] = 0;
    this.#count[leader] = count;
    for (let i = 0; i < count; i++) {
      this.#join(sorted[i] as number, sorted[(i + 1) % count] as number);
      if (++worked % SLICE === 0) yield;
    }
  }
}
