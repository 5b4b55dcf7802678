/**
 * The cells that records are written in: which are free, and which wait in quarantine. Manager's thread.
 *
 * Two first-in-first-out lists run through the cells' own link words. The quarantine contains whole chains, unchanged
 * since their record was replaced, so that a reader that is copying one can finish; the last cell of each chain is
 * linked to the next chain. The oldest chains are then zeroed and go to the free list, which is used before memory that
 * was never touched. The cost of freeing a record depends on its size alone, and any record can use any free cell.
 */

import {
  CELL_PAYLOAD,
  CELL_WORDS,
  cellsFor,
  HEADER,
  QUARANTINE_CELLS,
  RECORD_HEADER,
  SEGMENT_BITS,
  SEGMENT_MASK,
} from '../../src/protocol/layout.js';
import type { TableView } from '../../src/protocol/table.js';
import { failpoint } from '../failpoints.js';
import type { Owner } from './owner.js';

export class Cells {
  readonly #segments: readonly Int32Array[];
  readonly #header: Int32Array;
  readonly #owner: Owner;
  readonly #end: number;
  #freeHead = 0;
  #freeTail = 0;
  #quarantineHead = 0;
  #quarantineTail = 0;
  /** Cells in the free list. */
  free = 0;
  /** Cells ever put into quarantine; ever released from it; and put in before the last `drainQuarantine`. */
  #retired = 0;
  #released = 0;
  #retiredBefore = 0;

  constructor(view: TableView, owner: Owner) {
    this.#segments = view.segments;
    this.#header = view.header;
    this.#owner = owner;
    this.#end = view.shape.cells;
  }

  get quarantined(): number {
    return this.#retired - this.#released;
  }

  /** Cells that contain records, without those in quarantine. */
  get inUse(): number {
    return (this.#header[HEADER.cellsTouched] as number) - 1 - this.free - this.quarantined;
  }

  #cells(cell: number): Int32Array {
    return this.#segments[cell >>> SEGMENT_BITS] as Int32Array;
  }

  #next(cell: number): number {
    return this.#cells(cell)[(cell & SEGMENT_MASK) * CELL_WORDS] as number;
  }

  #link(cell: number, next: number): void {
    const cells = this.#cells(cell);
    this.#owner.check();
    cells[(cell & SEGMENT_MASK) * CELL_WORDS] = next;
  }

  /** Allocates `count` cells and chains them; returns the first, or 0 if there are not enough. */
  allocate(count: number): number {
    const untouched = this.#end - (this.#header[HEADER.cellsTouched] as number);
    while (this.free + untouched < count && this.quarantined > 0) this.#release();
    if (this.free + untouched < count) return 0;
    let first = 0;
    let last = 0;
    for (let i = 0; i < count; i++) {
      let cell = this.#freeHead;
      if (cell !== 0) {
        this.#freeHead = this.#next(cell);
        this.free--;
      } else {
        cell = this.#header[HEADER.cellsTouched] as number;
        this.#owner.check();
        this.#header[HEADER.cellsTouched] = cell + 1;
      }
      if (first === 0) first = cell;
      else this.#link(last, cell);
      last = cell;
    }
    this.#link(last, 0);
    if (this.#freeHead === 0) this.#freeTail = 0;
    return first;
  }

  /** Writes a record's words into a chain. Plain stores suffice: the store of the slot's pointer publishes them. */
  write(pointer: number, words: Int32Array, count: number): void {
    let cell = pointer;
    for (let from = 0; from < count; from += CELL_PAYLOAD) {
      const cells = this.#cells(cell);
      const start = (cell & SEGMENT_MASK) * CELL_WORDS;
      const to = Math.min(CELL_PAYLOAD, count - from);
      this.#owner.check();
      for (let i = 0; i < to; i++) cells[start + 1 + i] = words[from + i] as number;
      failpoint('create: half written');
      cell = cells[start] as number;
    }
  }

  #countOf(pointer: number): number {
    return cellsFor(this.#cells(pointer)[(pointer & SEGMENT_MASK) * CELL_WORDS + 1 + RECORD_HEADER.length] as number);
  }

  /**
   * Puts the chain of a record that no slot points to any more into quarantine, and releases the oldest chains beyond
   * QUARANTINE_CELLS.
   */
  retire(pointer: number): void {
    const count = this.#countOf(pointer);
    let last = pointer;
    for (let i = 1; i < count; i++) last = this.#next(last);
    if (this.#quarantineTail === 0) this.#quarantineHead = pointer;
    else this.#link(this.#quarantineTail, pointer);
    this.#quarantineTail = last;
    this.#retired += count;
    while (this.quarantined > QUARANTINE_CELLS + count) this.#release();
  }

  /** Zeroes the oldest chain in quarantine and frees it. */
  #release(): void {
    const count = this.#countOf(this.#quarantineHead);
    let cell = this.#quarantineHead;
    for (let i = 0; i < count; i++) {
      const next = this.#next(cell);
      const start = (cell & SEGMENT_MASK) * CELL_WORDS;
      this.#zero(this.#cells(cell), start);
      failpoint('sweep: cell zeroed');
      this.#appendFree(cell);
      cell = next;
    }
    this.free += count;
    this.#released += count;
    this.#quarantineHead = cell;
    if (this.quarantined === 0) {
      this.#quarantineHead = 0;
      this.#quarantineTail = 0;
    }
  }

  /** Appends a zeroed cell to the free list. */
  #appendFree(cell: number): void {
    if (this.#freeTail === 0) this.#freeHead = cell;
    else this.#link(this.#freeTail, cell);
    this.#freeTail = cell;
  }

  #zero(cells: Int32Array, start: number): void {
    this.#owner.check();
    for (let i = 0; i < CELL_WORDS; i++) cells[start + i] = 0;
  }

  /**
   * Releases what was in quarantine at the last call already: so ended sessions stay in memory for at most two sweeps.
   */
  drainQuarantine(): void {
    while (this.#released < this.#retiredBefore) this.#release();
    this.#retiredBefore = this.#retired;
  }

  // ------------------------------------------------------------ after a manager's death

  /**
   * Assigns the chain of a valid record, found in a table that another manager left, to that record: sets its cells'
   * bits in `assigned`. False, with no bit changed, if the chain leaves the memory ever used or contains a cell of
   * another chain.
   */
  assign(pointer: number, assigned: Int32Array): boolean {
    const count = this.#countOf(pointer);
    const touched = this.#header[HEADER.cellsTouched] as number;
    let cell = pointer;
    for (let counted = 0; counted < count; counted++) {
      if (!(cell > 0 && cell < touched) || (assigned[cell >>> 5] as number) & (1 << (cell & 31))) {
        this.#unassign(pointer, counted, assigned);
        return false;
      }
      assigned[cell >>> 5] = (assigned[cell >>> 5] as number) | (1 << (cell & 31));
      cell = this.#next(cell);
    }
    return true;
  }

  #unassign(pointer: number, count: number, assigned: Int32Array): void {
    let cell = pointer;
    for (let i = 0; i < count; i++) {
      assigned[cell >>> 5] = (assigned[cell >>> 5] as number) & ~(1 << (cell & 31));
      cell = this.#next(cell);
    }
  }

  /**
   * Zeroes and frees all cells from `from` up to `to` that are not assigned. To be called after all chains were
   * assigned, in ascending order, once for each cell.
   */
  freeUnassigned(from: number, to: number, assigned: Int32Array): void {
    for (let cell = from; cell < to; cell++) {
      if ((assigned[cell >>> 5] as number) & (1 << (cell & 31))) continue;
      this.#zero(this.#cells(cell), (cell & SEGMENT_MASK) * CELL_WORDS);
      this.#appendFree(cell);
      this.free++;
    }
  }
}
