/**
 * Writing the shared table: slots, records, indexes. Only the manager's thread writes it, except seen marks and
 * reports. The order of the stores is argued in src/protocol/table.ts; each change here ends with the one store that
 * publishes it.
 */

import { sumWords } from '../../src/protocol/checksum.js';
import {
  CELL_BYTES,
  CELL_PAYLOAD,
  COUNTER,
  cellsFor,
  ENDED,
  HEADER,
  RECORD_HEADER,
  SLOT_WORDS,
  type TableMemory,
} from '../../src/protocol/layout.js';
import { reserveInt32 } from '../../src/protocol/memory.js';
import { readF64, SessionRecord } from '../../src/protocol/record.js';
import { beginMark } from '../../src/protocol/seen.js';
import { headerSum, markPlace, TableView } from '../../src/protocol/table.js';
import { failpoint } from '../failpoints.js';
import { Cells } from './cells.js';
import { IndexWriter } from './index-writer.js';
import { Owner } from './owner.js';
import { Pace, UNITS } from './pace.js';
import type { Body, RecordDraft } from './record-draft.js';
import { Tombstones } from './tombstones.js';

/** Stands for the slot in the record of a pinned value. */
const NO_SLOT = -1;
/** Words before the value in that record. */
const PINNED_WORDS = RECORD_HEADER.headerSum + 1;

export class TableWriter {
  readonly memory: TableMemory;
  readonly view: TableView;
  readonly cells: Cells;
  readonly tombstones: Tombstones;
  readonly digests: IndexWriter;
  readonly previous: IndexWriter;
  readonly ids: IndexWriter;
  /** Slots that are allocated: those of live sessions, and of ended ones that are not freed yet. */
  slotsInUse = 0;
  /** Bytes of data in them. */
  dataBytes = 0;
  /** Bytes of pinned values: taken by calls whose answers may not have arrived. */
  pinnedBytes = 0;
  /** Releases the pinned values whose answers have arrived; called before a call is refused for lack of memory. */
  unpin: () => void = () => {};
  readonly owner: Owner;
  readonly pace: Pace;
  /** COUNTER numbers, in the header. */
  readonly counters: Float64Array;
  readonly #freeSlots: Int32Array;
  #freeFrom = 0;
  #freeCount = 0;
  #stampLow = 0;
  #stampHigh = 0;
  /** Scratch memory for what a method reads or writes on its own. */
  readonly #scratch = new SessionRecord();

  constructor(memory: TableMemory, epoch: number) {
    this.memory = memory;
    this.view = new TableView(memory);
    this.owner = new Owner(this.view.header, epoch);
    this.pace = new Pace(this.owner);
    this.counters = new Float64Array(memory.header);
    this.cells = new Cells(this.view, this.owner);
    this.tombstones = new Tombstones(memory.tombstones, memory.shape.tombstones, this.owner);
    this.#freeSlots = reserveInt32(memory.shape.maxSessions);
    const touched = () => this.slotsTouched;
    const record = new SessionRecord();
    const keyOf = (name: 'digest' | 'previousDigest' | 'id') => (slot: number, key: Int32Array) => {
      if (this.view.load(slot, record) === 0 || (name === 'previousDigest' && !record.hasPrevious)) return false;
      const words = record[name];
      key[0] = words[0] as number;
      key[1] = words[1] as number;
      return true;
    };
    this.digests = new IndexWriter(this.view, 'digests', this.owner, touched, keyOf('digest'));
    this.previous = new IndexWriter(this.view, 'previous', this.owner, touched, keyOf('previousDigest'));
    this.ids = new IndexWriter(this.view, 'ids', this.owner, touched, keyOf('id'));
  }

  /** Bytes of shared memory that sessions take: their cells and their slots. */
  get bytesUsed(): number {
    return this.cells.inUse * CELL_BYTES + this.slotsInUse * SLOT_WORDS * 4;
  }

  /** Increments a counter. */
  count(counter: number): void {
    const counted = (this.counters[counter] as number) + 1;
    this.owner.check();
    this.counters[counter] = counted;
  }

  // ------------------------------------------------------------ slots

  /** Slots ever allocated: beyond them lies untouched memory. */
  get slotsTouched(): number {
    return this.view.header[HEADER.slotsTouched] as number;
  }

  /** Slots that can still be allocated. */
  get slotsFree(): number {
    return this.#freeCount + this.view.shape.maxSessions - this.slotsTouched;
  }

  /** Allocates a slot, the longest free first, and returns it; -1 if all are in use. */
  allocateSlot(): number {
    let slot: number;
    if (this.#freeCount > 0) {
      slot = this.#freeSlots[this.#freeFrom] as number;
      this.#freeFrom = (this.#freeFrom + 1) % this.#freeSlots.length;
      this.#freeCount--;
    } else {
      slot = this.slotsTouched;
      if (slot === this.view.shape.maxSessions) return -1;
      this.owner.check();
      this.view.header[HEADER.slotsTouched] = slot + 1;
    }
    this.slotsInUse++;
    return slot;
  }

  /** Frees a slot under its next generation. A slot that has used up its generations is never allocated again. */
  freeSlot(slot: number): void {
    this.slotsInUse--;
    this.#age(slot);
  }

  /** Gives a free slot its next generation, and appends it to the free slots. */
  #age(slot: number): void {
    const at = slot * SLOT_WORDS;
    const next = ((this.view.slots[at + 1] as number) + 1) | 0;
    this.owner.check();
    Atomics.store(this.view.slots, at + 1, next);
    if (next === -1) return;
    this.#freeSlots[(this.#freeFrom + this.#freeCount) % this.#freeSlots.length] = slot;
    this.#freeCount++;
  }

  /**
   * When the session in a slot was created, read from its record without checking it: fast, for loops over many slots
   * whose decision does not rest on this alone.
   */
  createdAt(slot: number): number {
    const record = this.#scratch;
    const at = RECORD_HEADER.createdAt - (RECORD_HEADER.createdAt % CELL_PAYLOAD);
    const isThere = this.view.copyWords(this.view.pointer(slot), record, at, at + CELL_PAYLOAD);
    return isThere ? readF64(record.words, RECORD_HEADER.createdAt) : Number.NaN;
  }

  // ------------------------------------------------------------ records

  /**
   * Writes a record that is not visible yet, and returns its pointer; 0 if there are not enough cells. Sets its stamp,
   * lengths and checksums.
   */
  write(record: RecordDraft, body: Body): number {
    const count = record.append(body);
    const pointer = this.#allocate(record.length);
    if (pointer === 0) return 0;
    failpoint('create: cells allocated');
    const { words, headerWords } = record;
    words[RECORD_HEADER.bodySum] = sumWords(words, headerWords, count, headerWords);
    this.#stampLow = (this.#stampLow + 1) | 0;
    if (this.#stampLow === 0) this.#stampHigh = (this.#stampHigh + 1) | 0;
    words[RECORD_HEADER.stampLow] = this.#stampLow;
    words[RECORD_HEADER.stampHigh] = this.#stampHigh;
    words[RECORD_HEADER.headerSum] = headerSum(words, headerWords);
    this.cells.write(pointer, words, count);
    return pointer;
  }

  #allocate(bytes: number): number {
    this.pace.spend(UNITS.record + bytes / UNITS.bytes);
    const pointer = this.cells.allocate(cellsFor(bytes));
    if (pointer !== 0) return pointer;
    this.unpin();
    return this.cells.allocate(cellsFor(bytes));
  }

  /**
   * Pins a value: writes it where no slot points to, so that the answer to a `take` can be repeated. Returns its
   * pointer; 0 if there are not enough cells. It has the form of a record without a session, so that its cells are
   * retired as a record's are.
   */
  pin(value: Uint8Array): number {
    const length = PINNED_WORDS * 4 + value.length;
    const count = Math.ceil(length / 4);
    const pointer = this.#allocate(length);
    if (pointer === 0) return 0;
    const record = this.#scratch;
    record.ensureLength(count);
    const { words } = record;
    words.fill(0, 0, PINNED_WORDS);
    words[count - 1] = 0;
    record.bytes.set(value, PINNED_WORDS * 4);
    words[RECORD_HEADER.slot] = NO_SLOT;
    words[RECORD_HEADER.length] = length;
    words[RECORD_HEADER.headerSum] = sumWords(words, PINNED_WORDS, count, length);
    this.cells.write(pointer, words, count);
    return pointer;
  }

  /** The value that is pinned there; undefined if its checksum is wrong. */
  pinned(pointer: number): Uint8Array | undefined {
    const { view } = this;
    const record = this.#scratch;
    if (!view.copyWords(pointer, record, 0, CELL_PAYLOAD)) return undefined;
    const { slot, length } = record;
    const most = PINNED_WORDS * 4 + view.shape.maxSessionBytes;
    if (slot !== NO_SLOT || !(length >= PINNED_WORDS * 4 && length <= most)) return undefined;
    const count = Math.ceil(length / 4);
    if (!view.copyWords(pointer, record, 0, count)) return undefined;
    const { words, bytes } = record;
    if (words[RECORD_HEADER.headerSum] !== sumWords(words, PINNED_WORDS, count, length)) return undefined;
    return bytes.slice(PINNED_WORDS * 4, length);
  }

  /** The one store that publishes a record: from here on every thread finds it in the slot. */
  publish(slot: number, pointer: number): void {
    this.owner.check();
    Atomics.store(this.view.slots, slot * SLOT_WORDS, pointer);
  }

  /**
   * Prepares a slot for a new session: alive, seen now, its id and digest in the indexes. Lookups find it once its
   * record is published.
   */
  open(slot: number, createdAt: number, digest: Int32Array, id: Int32Array): void {
    this.owner.check();
    // Removes the report about the slot's previous session.
    Atomics.and(this.view.reports, slot >>> 5, ~(1 << (slot & 31)));
    this.view.reasons[slot] = 0;
    beginMark(this.view.slots, markPlace(slot), createdAt);
    failpoint('create: marked alive');
    this.ids.insert(id, slot);
    failpoint('create: id entered');
    this.digests.insert(digest, slot);
    failpoint('create: digest entered');
  }

  /** Frees the slot of an ended session, given its record's header and the pointer that it was loaded from. */
  release(record: SessionRecord, pointer: number): void {
    const { slot } = record;
    this.pace.spend(UNITS.free);
    this.owner.check();
    // Before the index entries: an index that is being rebuilt must not carry the slot over again.
    Atomics.store(this.view.slots, slot * SLOT_WORDS, 0);
    this.count(COUNTER.ended + Math.max(0, this.view.reasonPlace(slot)));
    failpoint('free: pointer zeroed');
    this.digests.remove(record.digest, slot);
    if (record.hasPrevious) this.previous.remove(record.previousDigest, slot);
    this.ids.remove(record.id, slot);
    failpoint('free: index entries removed');
    this.cells.retire(pointer);
    failpoint('free: record retired');
    this.freeSlot(slot);
    failpoint('free: generation raised');
  }

  /** True if two digests have the same index entry for one slot, so that the index could not tell them apart there. */
  sameEntry(one: Int32Array, other: Int32Array): boolean {
    return (
      this.view.entry(one[0] as number, one[1] as number, 0) ===
      this.view.entry(other[0] as number, other[1] as number, 0)
    );
  }

  // ------------------------------------------------------------ after a manager's death

  /** Continues with the stamps after the newest one found in the table. */
  resume(stampLow: number, stampHigh: number): void {
    this.#stampLow = stampLow;
    this.#stampHigh = stampHigh;
  }

  /**
   * Frees a slot without a session: no thread finds a session there, and handles of its last session have another
   * generation. Whether the dead manager had done this already is not known. So it is done again: a generation that is
   * skipped has no effect.
   */
  reclaimSlot(slot: number): void {
    const at = slot * SLOT_WORDS;
    this.owner.check();
    Atomics.store(this.view.slots, at + 2, ENDED);
    Atomics.store(this.view.slots, at, 0);
    if (this.view.slots[at + 1] !== -1) this.#age(slot);
  }
}
