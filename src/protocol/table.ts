/**
 * Reading the shared table: what every thread does at a lookup, and the manager's thread before a change. Nothing here
 * writes, waits or sends.
 *
 * The races between a reader and the one writer, by cases. The writer publishes a record by one `Atomics.store` of its
 * slot's pointer, after the record's cells were written; it replaces a record by writing another into other cells and
 * storing the pointer anew; the cells of the old one stay as they are in the quarantine, are then zeroed and written
 * again as parts of other records.
 *
 *   1. The pointer is the same after the copy as before it. Then the record was current all the time: on a machine that keeps the order of
 *      loads (x86) the copy is whole. A weakly ordered one (ARM) may have let plain loads of the copy run ahead of the first look at the pointer
 *      or fall behind the second; JavaScript has no fences to forbid it. Such a copy mixes what the cells held at different times,
 *      and its checksum, which covers slot, generation and stamp, does not fit: it is copied again.
 *   2. The pointer moved, and the copy proves itself (checksum, slot, generation). As long as the cells were still in quarantine, the copy is the
 *      record that was current when the pointer was first loaded, which was after the lookup began. It may be believed; the newer is preferred.
 *      (The checksum rules out a mix of records; that the cells do not already hold the next record of the same session, whole and not yet
 *      published, the quarantine rules out, which no single copy outlasts eight times in a row.)
 *   3. The pointer moved, and the copy does not prove itself: the cells were used again under the reader. That takes QUARANTINE_CELLS cells'
 *      worth of publications during one copy, so a reader meets it only when its thread was stopped in between, and tries again.
 *   4. The pointer is the same and no copy ever fits: the memory was overwritten by something else than the manager. A miss, after a few tries.
 *
 * An ending is one store of ENDED into the slot's mark, and comes before everything that frees. A reader looks at the
 * mark after it has proved its copy; so what it returns was alive after it was called.
 *
 * An index entry never moves within its buffer, and no word of the buffer in use becomes empty: so a key whose session
 * lives throughout is found however many others come and go. Only when an index is rebuilt into its other buffer could
 * a reader walk through the one that is being cleared; hence a miss is believed only if the number of switches did not
 * change during the walk.
 */

import { sumWords } from './checksum.js';
import {
  CELL_PAYLOAD,
  CELL_WORDS,
  ENDED,
  HEAD,
  HEADER,
  headWords,
  LAYOUT_VERSION,
  MAGIC,
  MAX_META_BYTES,
  PICKED,
  SEGMENT_BITS,
  SEGMENT_MASK,
  SLOT_WORDS,
  type TableMemory,
  type TableShape,
} from './layout.js';
import { wordsOf } from './memory.js';
import { REASONS, type Reason } from './notices.js';
import { HEAD_SCRATCH_WORDS, Head } from './record-header.js';
import { raiseMark, seenAt } from './seen.js';

/** Which of a table's three indexes: each has two buffers and a count of switches in the header. */
export type IndexName = 'digests' | 'previous' | 'ids';

const EMPTY = 0;
export const TOMBSTONE = 1;
/** Slot numbers in index entries begin here: 0 is an empty word, 1 a tombstone. */
export const FIRST_ENTRY = 2;

const TRIES_OF_A_MOVING_RECORD = 8;
const TRIES_OF_A_BROKEN_RECORD = 16;

export class TableView {
  readonly shape: TableShape;
  readonly header: Int32Array;
  readonly slots: Int32Array;
  readonly segments: readonly Int32Array[];
  readonly reports: Int32Array;
  readonly reported: Int32Array;
  readonly reasons: Uint8Array;
  readonly indexes: Readonly<Record<IndexName, readonly [Int32Array, Int32Array]>>;
  readonly switchWords: Readonly<Record<IndexName, number>> = {
    digests: HEADER.digestSwitches,
    previous: HEADER.previousSwitches,
    ids: HEADER.idSwitches,
  };
  /**
   * Bits of an index entry that hold the slot; the rest is a tag from the key, which spares most looks at a wrong
   * record.
   */
  readonly entryMask: number;
  readonly #tagMask: number;
  readonly #indexMask: number;
  readonly #scatterA: number;
  readonly #scatterB: number;
  /** The record copied last, without the links between its cells. */
  words = new Int32Array(HEAD_SCRATCH_WORDS);
  /** The same as bytes. What lies behind the record's length, or was not copied, is of no meaning. */
  bytes = new Uint8Array(this.words.buffer);
  /** The head parsed last by `load` or `find`. */
  readonly head = new Head();

  constructor(memory: TableMemory) {
    this.shape = memory.shape;
    this.header = new Int32Array(memory.header);
    if (this.header[HEADER.magic] !== MAGIC || this.header[HEADER.layoutVersion] !== LAYOUT_VERSION) {
      throw new TypeError('not a session table of this build');
    }
    this.slots = wordsOf(memory.slots);
    this.segments = memory.segments.map(wordsOf);
    this.reports = wordsOf(memory.reports);
    this.reported = wordsOf(memory.reported);
    this.reasons = new Uint8Array(memory.reasons, 0, memory.reasons.byteLength);
    const views = (pair: TableMemory['digests']) => [wordsOf(pair[0]), wordsOf(pair[1])] as const;
    this.indexes = { digests: views(memory.digests), previous: views(memory.previous), ids: views(memory.ids) };
    this.entryMask = 2 ** Math.ceil(Math.log2(memory.shape.maxSessions + FIRST_ENTRY)) - 1;
    this.#tagMask = ~this.entryMask;
    this.#indexMask = memory.shape.indexWords - 1;
    this.#scatterA = this.header[HEADER.scatterA] as number;
    this.#scatterB = this.header[HEADER.scatterB] as number;
  }

  // ------------------------------------------------------------ slots

  /** The slot's pointer. Atomic: what was written before it was stored is read after it. */
  pointer(slot: number): number {
    return Atomics.load(this.slots, slot * SLOT_WORDS);
  }

  generation(slot: number): number {
    return Atomics.load(this.slots, slot * SLOT_WORDS + 1);
  }

  mark(slot: number): number {
    return Atomics.load(this.slots, markPlace(slot));
  }

  /**
   * The mark of the session whose head is loaded, ENDED if that is not the slot's session any more. The generation is
   * looked at after the mark: it changes before the slot's next session gets a mark, so a mark under the same
   * generation is this session's own.
   */
  liveMark(slot: number): number {
    const mark = this.mark(slot);
    return this.generation(slot) === this.head.generation ? mark : ENDED;
  }

  /**
   * Why the session of this slot and generation has ended; undefined where it has not, or where that is not known.
   * A reason is stored before the mark says ENDED, and is final from then on until the slot is let again: so the mark
   * is read first. A slot gets its next generation when it is freed, before it is let again.
   */
  reasonOf(slot: number, generation: number): Reason | undefined {
    const mark = this.mark(slot);
    const place = (Atomics.load(this.reasons, slot) & ~PICKED) - 1;
    const isFree = this.pointer(slot) === 0;
    const current = this.generation(slot);
    const isItsOwn = current === generation || (isFree && current === ((generation + 1) | 0));
    return mark === ENDED && isItsOwn ? REASONS[place] : undefined;
  }

  /** When the session in a slot, whose head is loaded, was last seen, by its mark as it was read. */
  seen(slot: number, mark: number): number {
    return seenAt(this.slots, markPlace(slot), mark, this.head.createdAt);
  }

  /** Marks the session in a slot, whose head is loaded, as seen; false if it has ended since `mark` was read. */
  raise(slot: number, mark: number, now: number): boolean {
    return raiseMark(this.slots, markPlace(slot), mark, this.head.createdAt, now);
  }

  /** True if the slot's record is still the one under this pointer that bore this stamp. */
  isCurrent(slot: number, pointer: number, stampLow: number, stampHigh: number): boolean {
    if (Atomics.load(this.slots, slot * SLOT_WORDS) !== pointer) return false;
    const cells = this.segments[pointer >>> SEGMENT_BITS] as Int32Array;
    const at = (pointer & SEGMENT_MASK) * CELL_WORDS + 1;
    return cells[at + HEAD.stampLow] === stampLow && cells[at + HEAD.stampHigh] === stampHigh;
  }

  // ------------------------------------------------------------ records

  /**
   * Copies words [from, to) of the record under `pointer` into `words`; both bounds on cells. False if its chain leaves
   * the table.
   */
  copyWords(pointer: number, from: number, to: number): boolean {
    this.#makeRoom(to);
    const { words } = this;
    let cell = pointer;
    for (let at = 0; at < to; at += CELL_PAYLOAD) {
      const cells = this.segments[cell >>> SEGMENT_BITS];
      if (cell <= 0 || cells === undefined) return false;
      const start = (cell & SEGMENT_MASK) * CELL_WORDS;
      cell = cells[start] as number;
      if (at < from) continue;
      for (let i = 0; i < CELL_PAYLOAD; i++) words[at + i] = cells[start + 1 + i] as number;
    }
    return true;
  }

  /** Copies the head of the record under `pointer` into `words`. False if the copy does not prove itself. */
  copyHead(pointer: number): boolean {
    const { words } = this;
    if (!this.copyWords(pointer, 0, 2 * CELL_PAYLOAD)) return false;
    const count = headWords(words[HEAD.flags] as number);
    if (count > 2 * CELL_PAYLOAD && !this.copyWords(pointer, 2 * CELL_PAYLOAD, count)) return false;
    return words[HEAD.headSum] === headSum(words, count);
  }

  /** Copies the whole record under `pointer` into `words`. False if the copy does not prove itself. */
  copyRecord(pointer: number): boolean {
    if (!this.copyHead(pointer)) return false;
    const length = this.words[HEAD.length] as number;
    if (length < HEAD.words * 4 || length > MAX_META_BYTES + this.shape.maxSessionBytes) return false;
    const count = Math.ceil(length / 4);
    const headEnd = headWords(this.words[HEAD.flags] as number);
    // The head is proved already; what lies behind the cells that it was copied with is that head's body, or its sum
    // does not fit.
    const copied = Math.max(2, Math.ceil(headEnd / CELL_PAYLOAD)) * CELL_PAYLOAD;
    if (count > copied && !this.copyWords(pointer, copied, count)) return false;
    const { words } = this;
    return words[HEAD.bodySum] === sumWords(words, headEnd, count, headEnd);
  }

  #makeRoom(count: number): void {
    if (this.words.length >= count + CELL_PAYLOAD) return;
    const grown = new Int32Array(Math.max(count + CELL_PAYLOAD, this.words.length * 2));
    grown.set(this.words);
    this.words = grown;
    this.bytes = new Uint8Array(grown.buffer);
  }

  /**
   * Loads what the slot holds now into `head` (with `whole`, also the body into `words`), and returns the pointer it
   * was published by; 0 if the slot is empty or its memory is broken. Argued above by cases; the slot's mark is the
   * caller's to look at, afterwards.
   */
  load(slot: number, whole: boolean): number {
    let broken = 0;
    for (let tries = 0; ; tries++) {
      const pointer = this.pointer(slot);
      if (pointer === 0) return 0;
      const proved =
        (whole ? this.copyRecord(pointer) : this.copyHead(pointer)) &&
        this.words[HEAD.slot] === slot &&
        this.words[HEAD.generation] === this.generation(slot);
      const same = this.pointer(slot) === pointer;
      if (proved && (same || tries >= TRIES_OF_A_MOVING_RECORD)) {
        this.head.parse(this.words);
        return pointer;
      }
      if (!proved && same && ++broken >= TRIES_OF_A_BROKEN_RECORD) return 0;
    }
  }

  // ------------------------------------------------------------ indexes

  /** Where a key's walk begins. */
  home(keyA: number, keyB: number): number {
    return scatter(keyA ^ this.#scatterA, keyB) & this.#indexMask;
  }

  /** The entry that leads from a key to a slot. */
  entry(keyA: number, keyB: number, slot: number): number {
    return (scatter(keyB ^ this.#scatterB, keyA) & this.#tagMask) | (slot + FIRST_ENTRY);
  }

  /** The buffer of an index that is in use. */
  current(name: IndexName): Int32Array {
    return this.indexes[name][Atomics.load(this.header, this.switchWords[name]) & 1] as Int32Array;
  }

  /**
   * Walks an index along the entries of a key, whose first two words are given, and returns the first slot that
   * `matches` accepts, or -1. `matches` sees each candidate once a walk; a wrong one has the same tag by chance, or is
   * on its way in or out.
   */
  find(name: IndexName, keyA: number, keyB: number, matches: (slot: number) => boolean): number {
    const home = this.home(keyA, keyB);
    const tag = this.entry(keyA, keyB, 0) & this.#tagMask;
    const mask = this.#indexMask;
    const switchWord = this.switchWords[name];
    for (;;) {
      const switches = Atomics.load(this.header, switchWord);
      const index = this.indexes[name][switches & 1] as Int32Array;
      for (let step = 0, at = home; step <= mask; step++, at = (at + 1) & mask) {
        const entry = Atomics.load(index, at);
        if (entry === EMPTY) break;
        if ((entry & this.#tagMask) !== tag) continue;
        const slot = (entry & this.entryMask) - FIRST_ENTRY;
        if (slot >= 0 && slot < this.shape.maxSessions && matches(slot)) return slot;
      }
      if (Atomics.load(this.header, switchWord) === switches) return -1;
    }
  }
}

/** A head's checksum: over all its words but the sum itself. */
export function headSum(words: Int32Array, count: number): number {
  return sumWords(words, HEAD.headSum + 1, count, sumWords(words, 0, HEAD.headSum, count));
}

/** Where a slot's mark stands among the words of the slots. */
export function markPlace(slot: number): number {
  return slot * SLOT_WORDS + 2;
}

/** Compares two digests without telling by its time where they differ. */
export function sameDigest(one: Int32Array, other: Int32Array): boolean {
  let difference = 0;
  for (let i = 0; i < one.length; i++) difference |= (one[i] as number) ^ (other[i] as number);
  return difference === 0;
}

function scatter(a: number, b: number): number {
  let mixed = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca77);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x2c1b3c6d);
  return mixed ^ (mixed >>> 13);
}
