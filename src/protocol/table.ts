/**
 * Reading the shared table: what every thread does at a lookup, and the manager's thread before a change. Nothing here
 * writes (except `raise`, which marks a session as seen), waits or sends.
 *
 * The writer publishes a record in two steps: it writes the record's cells, then stores the slot's pointer with one
 * `Atomics.store`. To replace a record, it writes the new one into other cells and stores the pointer again. The cells
 * of the old record stay unchanged in quarantine; later they are zeroed and reused for other records.
 *
 * The races between a reader and the one writer, by cases. "Valid" means that the copy's checksums, slot and generation
 * are right.
 *
 *   1. The pointer is the same before and after the copy. Then the record was current all the time. On a machine that
 *      keeps the order of loads (x86) the copy is whole. A weakly ordered one (ARM) may move plain loads of the copy
 *      before the first load of the pointer or behind the second one, and JavaScript has no fences to forbid it. Such a
 *      copy mixes the contents of a cell at different times. Its checksum, which covers slot, generation and stamp, is
 *      then wrong, and the reader copies again.
 *   2. The pointer moved, and the copy is valid. The copy is the record that was current when the pointer was first
 *      loaded, which was after the lookup began, so it may be used; a newer copy is preferred. The checksum excludes a
 *      mix of records. The quarantine excludes that the cells already hold the same session's next record, complete
 *      but not published: no copy takes longer than the quarantine eight times in a row.
 *   3. The pointer moved, and the copy is not valid: the cells were reused during the copy. That takes QUARANTINE_CELLS
 *      cells' worth of publications during one copy, so it happens only if the reader's thread was stopped in between.
 *      The reader tries again.
 *   4. The pointer is the same, and no copy is ever valid: something other than the manager overwrote the memory. The
 *      reader gives up after some tries and reports a miss.
 *
 * A session ends by one store of ENDED into its slot's mark, before anything is freed. A reader checks the mark after
 * it has validated its copy, so a session that it returns was alive after the lookup was called.
 *
 * An index entry never moves within its buffer, and no word of the current buffer becomes empty again. So a key whose
 * session lives throughout the lookup is found, however many others are added and removed. The one exception is an
 * index that is rebuilt into its other buffer: a reader may still walk the old buffer when the next rebuilding clears
 * it. Therefore a miss counts only if the number of switches did not change during the walk.
 */

import { sumWords } from './checksum.js';
import {
  CELL_PAYLOAD,
  CELL_WORDS,
  ENDED,
  HEADER,
  LAYOUT_VERSION,
  MAGIC,
  MAX_META_BYTES,
  PICKED,
  RECORD_HEADER,
  SEGMENT_BITS,
  SEGMENT_MASK,
  SLOT_WORDS,
  type TableMemory,
  type TableShape,
} from './layout.js';
import { wordsOf } from './memory.js';
import { REASONS, type Reason } from './notices.js';
import type { SessionRecord } from './record.js';
import { seenAt } from './seen.js';

/** Which of a table's three indexes: each has two buffers and a count of switches in the header. */
export type IndexName = 'digests' | 'previous' | 'ids';

const EMPTY = 0;
export const REMOVED = 1;
/** Slot numbers in index entries begin here: 0 is an empty word, 1 a removed entry. */
const FIRST_ENTRY = 2;

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
   * The bits of an index entry that hold the slot. The other bits are a tag derived from the key: most entries of other
   * keys are skipped by it without a look at their records.
   */
  readonly entryMask: number;
  readonly #tagMask: number;
  readonly #indexMask: number;
  readonly #scatterA: number;
  readonly #scatterB: number;

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

  /** The slot's pointer. Atomic: a reader that sees the pointer also sees everything written before it was stored. */
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
   * The mark of the session that a record belongs to; ENDED if its slot belongs to another session by now. The
   * generation is read after the mark: it changes before the slot's next session gets a mark, so a mark under the same
   * generation is this session's own.
   */
  liveMark(record: SessionRecord): number {
    const mark = this.mark(record.slot);
    return this.generation(record.slot) === record.generation ? mark : ENDED;
  }

  /**
   * Why the session of this slot and generation has ended; undefined if it has not, or if the reason is not known. A
   * reason is stored before the mark becomes ENDED, and does not change from then until the slot is allocated again: so
   * the mark is read first. A slot gets its next generation when it is freed, before it is allocated again.
   */
  reasonOf(slot: number, generation: number): Reason | undefined {
    const mark = this.mark(slot);
    const place = this.reasonPlace(slot);
    const isFree = this.pointer(slot) === 0;
    const current = this.generation(slot);
    const isItsOwn = current === generation || (isFree && current === ((generation + 1) | 0));
    return mark === ENDED && isItsOwn ? REASONS[place] : undefined;
  }

  /** The place in REASONS of the reason stored for a slot; -1 if there is none. */
  reasonPlace(slot: number): number {
    return (Atomics.load(this.reasons, slot) & ~PICKED) - 1;
  }

  /** When the session that a record belongs to was last seen, according to `mark` as it was read. */
  seen(record: SessionRecord, mark: number): number {
    return seenAt(this.slots, markPlace(record.slot), mark, record.createdAt);
  }

  /** True if the slot's current record is the one that had this pointer and this stamp. */
  isCurrent(slot: number, pointer: number, stampLow: number, stampHigh: number): boolean {
    if (Atomics.load(this.slots, slot * SLOT_WORDS) !== pointer) return false;
    const cells = this.segments[pointer >>> SEGMENT_BITS] as Int32Array;
    const at = (pointer & SEGMENT_MASK) * CELL_WORDS + 1;
    return cells[at + RECORD_HEADER.stampLow] === stampLow && cells[at + RECORD_HEADER.stampHigh] === stampHigh;
  }

  // ------------------------------------------------------------ records

  /**
   * Copies words [from, to) of the record under `pointer`, in whole cells: `from` must be a multiple of CELL_PAYLOAD,
   * and words behind `to` may be copied too. False if the chain of cells leaves the table.
   */
  copyWords(pointer: number, into: SessionRecord, from: number, to: number): boolean {
    into.ensureLength(to + CELL_PAYLOAD);
    const { words } = into;
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

  /** Copies the header of the record under `pointer`. False if its checksum is wrong. */
  copyHeader(pointer: number, into: SessionRecord): boolean {
    if (!this.copyWords(pointer, into, 0, 2 * CELL_PAYLOAD)) return false;
    const count = into.headerWords;
    if (count > 2 * CELL_PAYLOAD && !this.copyWords(pointer, into, 2 * CELL_PAYLOAD, count)) return false;
    return into.words[RECORD_HEADER.headerSum] === headerSum(into.words, count);
  }

  /** Copies the body behind a header that `copyHeader` or `load` has copied. False if its checksum is wrong. */
  copyBody(pointer: number, into: SessionRecord): boolean {
    const { length, headerWords } = into;
    if (length < RECORD_HEADER.words * 4 || length > MAX_META_BYTES + this.shape.maxSessionBytes) return false;
    const count = Math.ceil(length / 4);
    if (!this.copyBehindHeader(pointer, into, length)) return false;
    return into.words[RECORD_HEADER.bodySum] === sumWords(into.words, headerWords, count, headerWords);
  }

  /**
   * Copies the record's bytes up to `end`, behind a header that `copyHeader` or `load` has copied. The body's first words
   * were copied with the header's cells; if they belong to another record, the body's checksum is wrong. False if the
   * chain of cells leaves the table.
   */
  copyBehindHeader(pointer: number, into: SessionRecord, end: number): boolean {
    const count = Math.ceil(end / 4);
    const copied = Math.max(2, Math.ceil(into.headerWords / CELL_PAYLOAD)) * CELL_PAYLOAD;
    return count <= copied || this.copyWords(pointer, into, copied, count);
  }

  /**
   * Loads the header of the record that the slot holds now, with `whole` also its body, into a record that belongs to
   * the caller. Returns the pointer that it was published by; 0 if the slot is empty or its memory is broken. The cases
   * are argued at the head of this file. The caller checks the slot's mark afterwards.
   */
  load(slot: number, into: SessionRecord, whole = false): number {
    let broken = 0;
    for (let tries = 0; ; tries++) {
      const pointer = this.pointer(slot);
      if (pointer === 0) return 0;
      const proved =
        this.copyHeader(pointer, into) &&
        (!whole || this.copyBody(pointer, into)) &&
        into.slot === slot &&
        into.generation === this.generation(slot);
      const same = this.pointer(slot) === pointer;
      if (proved && (same || tries >= TRIES_OF_A_MOVING_RECORD)) return pointer;
      if (!proved && same && ++broken >= TRIES_OF_A_BROKEN_RECORD) return 0;
    }
  }

  // ------------------------------------------------------------ indexes

  /** Where the walk for a key begins. */
  home(keyA: number, keyB: number): number {
    return scatter(keyA ^ this.#scatterA, keyB) & this.#indexMask;
  }

  /** The index entry that leads from a key to a slot. */
  entry(keyA: number, keyB: number, slot: number): number {
    return (scatter(keyB ^ this.#scatterB, keyA) & this.#tagMask) | (slot + FIRST_ENTRY);
  }

  /** The current buffer of an index. */
  current(name: IndexName): Int32Array {
    return this.indexes[name][Atomics.load(this.header, this.switchWords[name]) & 1] as Int32Array;
  }

  /**
   * Walks an index along the entries of a key, given by its first two words, and returns the first slot that `matches`
   * accepts, or -1. `matches` sees each candidate once per walk. A wrong candidate has the same tag by chance, or its
   * session is being added or removed.
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

/** A record header's checksum: over all its words except the checksum itself. */
export function headerSum(words: Int32Array, count: number): number {
  return sumWords(words, RECORD_HEADER.headerSum + 1, count, sumWords(words, 0, RECORD_HEADER.headerSum, count));
}

/** The place of a slot's mark among the words of all slots. */
export function markPlace(slot: number): number {
  return slot * SLOT_WORDS + 2;
}

/** Compares two digests in constant time. */
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
