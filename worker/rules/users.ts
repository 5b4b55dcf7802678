/**
 * Which sessions each user holds, in the order in which they became theirs. Manager's thread; rebuilt from the table,
 * never stored.
 *
 * A table of lists in typed arrays, found by a hash of the user id: a Map of a million texts takes a second to rebuild.
 * Two users with the same hash are told apart by what the record of a list's first slot says.
 */

import { reserveInt32 } from '../../src/protocol/memory.js';
import type { Steps } from '../table/pace.js';
import { Pairs } from '../table/radix-partition.js';

const NOBODY = -1;

/** Slots that are linked, or compared, between two yields. */
const SLICE = 1 << 13;

/** What the records say of users. */
export interface Records {
  /** True if the session in this slot is this user's. */
  belongsTo(slot: number, user: Uint8Array): boolean;
  /** Whose the session in this slot is; valid until the next question. */
  userOf(slot: number): Uint8Array;
}

export class Users {
  readonly #records: Records;
  readonly #seed: number;
  /**
   * The first slots of the lists whose hashes end alike, chained by `next`. All slots are stored plus one, 0 means
   * none.
   */
  readonly #buckets: Int32Array;
  readonly #next: Int32Array;
  /** Each slot's user id, hashed. */
  readonly #hashes: Int32Array;
  /** Circular lists: the first slot's `before` is the last. */
  readonly #after: Int32Array;
  readonly #before: Int32Array;
  /** How many sessions, at the first slot of a list; 0 at all others. */
  readonly #count: Int32Array;
  /** Where walks along a list are; NOBODY behind its end. */
  readonly #cursors = new Set<{ slot: number }>();
  /** After a manager's death: slots to be listed, each with its bucket. */
  #restored: Pairs | undefined;

  /** `seed`: secret, so that nobody can choose user ids that meet. */
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

  /** The next slot of the same user, or -1 behind the last. */
  after(slot: number): number {
    const next = (this.#after[slot] as number) - 1;
    return next < 0 || (this.#count[next] as number) > 0 ? NOBODY : next;
  }

  /**
   * A user's slots in their order, while slots are added and removed: each that stays is met once, those that are added
   * now at the end perhaps.
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

  /** Adds a slot behind the user's others. */
  add(user: Uint8Array, slot: number): void {
    const hash = this.#hash(user);
    this.#hashes[slot] = hash;
    this.#append(slot, this.#find(user, hash));
  }

  /** Puts a slot behind the others of the list that begins with `first`; with none, begins a list. */
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

  /** Takes a slot out of its list, if it is in one. */
  remove(slot: number): void {
    const next = (this.#after[slot] as number) - 1;
    const last = (this.#before[slot] as number) - 1;
    if (next < 0) return;
    for (const cursor of this.#cursors) if (cursor.slot === slot) cursor.slot = this.after(slot);
    const count = this.#count[slot] as number;
    if (next === slot) this.#lead(slot, NOBODY);
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

  /** The first slot of the list that a slot is in: by its hash, as a walk along the list would take long. */
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
    // Two users of one hash: the walk decides.
    let walked = slot;
    while ((this.#count[walked] as number) === 0) walked = (this.#after[walked] as number) - 1;
    return walked;
  }

  /** Has another slot, or none, lead the list that `slot` leads. */
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

  /** Notes whose a slot is, for `listRestored`. */
  restore(user: Uint8Array, slot: number): void {
    const hash = this.#hash(user);
    this.#hashes[slot] = hash;
    this.#restored ??= new Pairs(this.#buckets.length, this.#next.length);
    this.#restored.put(hash & (this.#buckets.length - 1), slot);
  }

  /** Lists the slots noted, those of one user in the order given. */
  *listRestored(order: (one: number, other: number) => number): Steps<void> {
    const restored = this.#restored;
    if (restored === undefined) return;
    this.#restored = undefined;
    yield* restored.order();
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

  /** The first of the slots listed that are of the same user as this one. */
  #firstLike(slot: number): number {
    const hash = this.#hashes[slot] as number;
    let at = (this.#buckets[hash & (this.#buckets.length - 1)] as number) - 1;
    while (at >= 0 && !(this.#hashes[at] === hash && this.#records.belongsTo(at, this.#records.userOf(slot)))) {
      at = (this.#next[at] as number) - 1;
    }
    return at;
  }

  /**
   * Sorts a list: by merging from the bottom up, as that can be interrupted (Knuth, The Art of Computer Programming,
   * volume 3, 5.2.4).
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
