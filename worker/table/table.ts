/**
 * Writing the shared table: slots, records, indexes. Manager's thread, the only one that writes (seen marks and reports
 * excepted). The order of the stores is argued in src/protocol/table.ts; here each change ends with the one store that
 * publishes it.
 */

import { sumWords } from '../../src/protocol/checksum.js';
import {
  CELL_BYTES,
  CELL_PAYLOAD,
  COUNTER,
  cellsFor,
  ENDED,
  HEAD,
  HEADER,
  PICKED,
  SLOT_WORDS,
  type TableMemory,
} from '../../src/protocol/layout.js';
import { reserveInt32 } from '../../src/protocol/memory.js';
import { type Head, readF64 } from '../../src/protocol/record-header.js';
import { beginMark } from '../../src/protocol/seen.js';
import { headSum, markPlace, TableView } from '../../src/protocol/table.js';
import { failpoint } from '../failpoints.js';
import { Cells } from './cells.js';
import { IndexWriter } from './index-writer.js';
import { Owner } from './owner.js';
import { Pace, UNITS } from './pace.js';
import { Buried } from './tombstones.js';

/** What a record holds behind its head. */
export interface Body {
  readonly user: Uint8Array;
  readonly client: Uint8Array;
  readonly data: Uint8Array;
}

/** In place of a slot's number, in the record of a pinned value; and the words before that value. */
const NO_SLOT = -1;
const PINNED_WORDS = HEAD.headSum + 1;

export class TableWriter {
  readonly memory: TableMemory;
  readonly view: TableView;
  readonly cells: Cells;
  readonly buried: Buried;
  readonly digests: IndexWriter;
  readonly previous: IndexWriter;
  readonly ids: IndexWriter;
  /** Slots that are let: of live sessions, and of ended ones not freed yet. */
  slotsLet = 0;
  /** Bytes of data in them. */
  dataBytes = 0;
  /** Bytes of values that were taken and whose answers may not have arrived. */
  pinnedBytes = 0;
  /** Gives up what is pinned for answers that have arrived by now; called before it is said that there is no room. */
  unpin: () => void = () => {};
  readonly owner: Owner;
  readonly pace: Pace;
  /** COUNTER numbers, in the header. */
  readonly counters: Float64Array;
  readonly #freeSlots: Int32Array;
  #freeFrom = 0;
  #freeCount = 0;
  #stampLow: number;
  #stampHigh: number;
  #words = new Int32Array(256);
  #bytes = new Uint8Array(this.#words.buffer);

  /** `lastStamp`: low and high word of the youngest record in the table, if it was written before. */
  constructor(memory: TableMemory, epoch: number, lastStamp: readonly [number, number] = [0, 0]) {
    this.memory = memory;
    this.view = new TableView(memory);
    this.owner = new Owner(this.view.header, epoch);
    this.pace = new Pace(this.owner);
    this.counters = new Float64Array(memory.header);
    this.cells = new Cells(this.view, this.owner);
    this.buried = new Buried(memory.buried, memory.shape.buried, this.owner);
    [this.#stampLow, this.#stampHigh] = lastStamp;
    this.#freeSlots = reserveInt32(memory.shape.maxSessions);
    const touched = () => this.view.header[HEADER.slotsTouched] as number;
    // A view of its own: carrying entries over must not disturb the record that a rule has loaded.
    const scan = new TableView(memory);
    const keyOf = (name: 'digest' | 'previousDigest' | 'id') => (slot: number, key: Int32Array) => {
      if (scan.load(slot, false) === 0) return false;
      const { head } = scan;
      if (name === 'previousDigest' && !head.hasPrevious) return false;
      key[0] = head[name][0] as number;
      key[1] = head[name][1] as number;
      return true;
    };
    this.digests = new IndexWriter(this.view, 'digests', this.owner, touched, keyOf('digest'));
    this.previous = new IndexWriter(this.view, 'previous', this.owner, touched, keyOf('previousDigest'));
    this.ids = new IndexWriter(this.view, 'ids', this.owner, touched, keyOf('id'));
  }

  /** Bytes of shared memory that sessions take up: their cells and their slots. */
  get bytesUsed(): number {
    return this.cells.inUse * CELL_BYTES + this.slotsLet * SLOT_WORDS * 4;
  }

  /** Counts one more. */
  count(counter: number): void {
    const counted = (this.counters[counter] as number) + 1;
    this.owner.check();
    this.counters[counter] = counted;
  }

  // ------------------------------------------------------------ slots

  /** Slots that can still be let. */
  get slotsFree(): number {
    return this.#freeCount + this.view.shape.maxSessions - (this.view.header[HEADER.slotsTouched] as number);
  }

  /** Lets a slot: one that was let before, if there is any, the longest free first. -1 if all are let. */
  letSlot(): number {
    let slot: number;
    if (this.#freeCount > 0) {
      slot = this.#freeSlots[this.#freeFrom] as number;
      this.#freeFrom = (this.#freeFrom + 1) % this.#freeSlots.length;
      this.#freeCount--;
    } else {
      slot = this.view.header[HEADER.slotsTouched] as number;
      if (slot === this.view.shape.maxSessions) return -1;
      this.owner.check();
      this.view.header[HEADER.slotsTouched] = slot + 1;
    }
    this.slotsLet++;
    return slot;
  }

  /** Takes a slot back under its next generation; one that has used up its generations is never let again. */
  freeSlot(slot: number): void {
    this.slotsLet--;
    this.#age(slot);
  }

  /** Gives a free slot its next generation, and puts it behind the others that are free. */
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
   * When the session in a slot was created, read from its record without a proof: for many, and where a change of it is
   * not made by that alone.
   */
  createdAt(slot: number): number {
    const { view } = this;
    const pointer = view.pointer(slot);
    const at = HEAD.createdAt - (HEAD.createdAt % CELL_PAYLOAD);
    return view.copyWords(pointer, at, at + CELL_PAYLOAD) ? readF64(view.words, HEAD.createdAt) : Number.NaN;
  }

  // ------------------------------------------------------------ records

  /** The body of the record that was loaded last, whole; views, valid until the next load. */
  loadedBody(): Body {
    const { head, bytes } = this.view;
    const userAt = head.words * 4;
    const clientAt = userAt + head.userBytes;
    const dataAt = clientAt + head.clientBytes;
    return {
      user: bytes.subarray(userAt, clientAt),
      client: bytes.subarray(clientAt, dataAt),
      data: bytes.subarray(dataAt, head.length),
    };
  }

  /**
   * Writes a record that nobody can see yet, and returns where; 0 if there is no room. `head` gets its stamp and
   * lengths.
   */
  write(head: Head, body: Body): number {
    head.settle();
    head.userBytes = body.user.length;
    head.clientBytes = body.client.length;
    const start = head.words;
    const userAt = start * 4;
    const clientAt = userAt + body.user.length;
    const dataAt = clientAt + body.client.length;
    head.length = dataAt + body.data.length;
    const count = Math.ceil(head.length / 4);
    const pointer = this.#allocate(head.length);
    if (pointer === 0) return 0;
    this.#makeRoom(count);
    failpoint('create: cells taken');
    const words = this.#words;
    words[count - 1] = 0;
    this.#bytes.set(body.user, userAt);
    this.#bytes.set(body.client, clientAt);
    this.#bytes.set(body.data, dataAt);
    head.bodySum = sumWords(words, start, count, start);
    this.#stampLow = (this.#stampLow + 1) | 0;
    if (this.#stampLow === 0) this.#stampHigh = (this.#stampHigh + 1) | 0;
    head.stampLow = this.#stampLow;
    head.stampHigh = this.#stampHigh;
    head.format(words);
    words[HEAD.headSum] = headSum(words, start);
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
   * Pins a value: writes it where no slot points to, for an answer that may have to be given again, and returns where;
   * 0 if there is no room. It has the form of a record without a session, so that its cells are kept and given up like
   * a record's.
   */
  pin(value: Uint8Array): number {
    const length = PINNED_WORDS * 4 + value.length;
    const count = Math.ceil(length / 4);
    const pointer = this.#allocate(length);
    if (pointer === 0) return 0;
    this.#makeRoom(count);
    const words = this.#words;
    words.fill(0, 0, PINNED_WORDS);
    words[count - 1] = 0;
    this.#bytes.set(value, PINNED_WORDS * 4);
    words[HEAD.slot] = NO_SLOT;
    words[HEAD.length] = length;
    words[HEAD.headSum] = sumWords(words, PINNED_WORDS, count, length);
    this.cells.write(pointer, words, count);
    return pointer;
  }

  /** The value that is pinned there; undefined if the memory does not prove itself. */
  pinned(pointer: number): Uint8Array | undefined {
    const { view } = this;
    if (!view.copyWords(pointer, 0, CELL_PAYLOAD)) return undefined;
    const length = view.words[HEAD.length] as number;
    const most = PINNED_WORDS * 4 + view.shape.maxSessionBytes;
    if (view.words[HEAD.slot] !== NO_SLOT || !(length >= PINNED_WORDS * 4 && length <= most)) return undefined;
    const count = Math.ceil(length / 4);
    if (!view.copyWords(pointer, 0, count)) return undefined;
    if (view.words[HEAD.headSum] !== sumWords(view.words, PINNED_WORDS, count, length)) return undefined;
    return view.bytes.slice(PINNED_WORDS * 4, length);
  }

  #makeRoom(count: number): void {
    if (this.#words.length >= count) return;
    this.#words = new Int32Array(Math.max(count, this.#words.length * 2));
    this.#bytes = new Uint8Array(this.#words.buffer);
  }

  /** The one store that publishes: from here on every thread finds this record in the slot. */
  publish(slot: number, pointer: number): void {
    this.owner.check();
    Atomics.store(this.view.slots, slot * SLOT_WORDS, pointer);
  }

  /**
   * Makes a slot ready for a new session: alive, seen now, its id and digest in the indexes. It is found once it is
   * published.
   */
  open(slot: number, createdAt: number, digest: Int32Array, id: Int32Array): void {
    this.owner.check();
    // What was reported of the session before is none of this one's.
    Atomics.and(this.view.reports, slot >>> 5, ~(1 << (slot & 31)));
    this.view.reasons[slot] = 0;
    beginMark(this.view.slots, markPlace(slot), createdAt);
    failpoint('create: marked alive');
    this.ids.insert(id[0] as number, id[1] as number, slot);
    failpoint('create: id entered');
    this.digests.insert(digest[0] as number, digest[1] as number, slot);
    failpoint('create: digest entered');
  }

  /** Ends the session in a slot for every thread at once. Everything else about an ending only frees. */
  markEnded(slot: number): void {
    this.owner.check();
    Atomics.store(this.view.slots, markPlace(slot), ENDED);
  }

  /** Frees the slot of an ended session, whose head is given with the pointer it was loaded from. */
  release(head: Head, pointer: number): void {
    const { slot } = head;
    this.pace.spend(UNITS.free);
    this.owner.check();
    // First, so that an index that is being rebuilt does not carry the slot over again.
    Atomics.store(this.view.slots, slot * SLOT_WORDS, 0);
    this.count(COUNTER.ended + Math.max(0, ((this.view.reasons[slot] as number) & ~PICKED) - 1));
    failpoint('free: pointer zeroed');
    this.digests.remove(head.digest[0] as number, head.digest[1] as number, slot);
    if (head.hasPrevious)
      this.previous.remove(head.previousDigest[0] as number, head.previousDigest[1] as number, slot);
    this.ids.remove(head.id[0] as number, head.id[1] as number, slot);
    failpoint('free: index entries removed');
    this.cells.retire(pointer);
    failpoint('free: record retired');
    this.freeSlot(slot);
    failpoint('free: generation raised');
  }

  /** True if two digests would leave the same entry for one slot: the indexes could not tell them apart there. */
  sameEntry(one: Int32Array, other: Int32Array): boolean {
    return (
      this.view.entry(one[0] as number, one[1] as number, 0) ===
      this.view.entry(other[0] as number, other[1] as number, 0)
    );
  }

  // ------------------------------------------------------------ after a manager's death

  /** Goes on from the youngest stamp found in the table. */
  resume(stampLow: number, stampHigh: number): void {
    this.#stampLow = stampLow;
    this.#stampHigh = stampHigh;
  }

  /**
   * Takes back a slot that holds no session any more: no thread finds one there, and what handles there are of its last
   * session are of another generation. Whether that was done already before the death cannot be told: so it is done
   * again, as a generation too many harms nobody.
   */
  reclaimSlot(slot: number): void {
    const at = slot * SLOT_WORDS;
    this.owner.check();
    Atomics.store(this.view.slots, at + 2, ENDED);
    Atomics.store(this.view.slots, at, 0);
    if (this.view.slots[at + 1] !== -1) this.#age(slot);
  }
}
