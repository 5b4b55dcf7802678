/**
 * The bytes of the shared table, drawn once for both sides: the manager's thread writes them, every thread reads them.
 *
 *   header    HEADER words                        who owns the table, which index is current, what was ever used
 *   slots     4 words a slot                      pointer | generation | seen mark | turns of the mark (see seen.ts)
 *   indexes   2 buffers of words for each of      digest → slot, previous digest → slot, id → slot
 *   reports   1 bit a slot                        a token came back after its grace
 *   reported  1 word a slot                       the generation of the session whose token that was
 *   reasons   1 byte a slot                       why its session ends, written before it does: for whoever recovers the table
 *   segments  cells of 16 words                   what records are written in
 *   buried    see buried.ts                       keys whose sessions have ended
 *   clock     see clock.ts
 *
 * A record lies in a chain of cells. The first word of a cell is the number of the next, the other fifteen are the
 * record's:
 *
 *   cell      | next | 15 words |     cell 0 is never used: 0 as a pointer or a link means "none"
 *
 *   record    head:  SLOT GENERATION STAMP(2) LENGTH HEAD_SUM FLAGS DIGEST(8)            the first cell
 *                    ID(4) VERSION CREATED_AT(2) CALL(2) CONNECTION LENGTHS BODY_SUM
 *                    for each flag that is set: IDLE(2) EXPIRES_AT(2) TOKEN_ISSUED_AT(2)
 *                    AUTHENTICATED_AT(2) LINKED_TO(2) PREVIOUS: digest(8) grace until(2) sealed token(12)
 *                    (KEYED has no words: DIGEST is then that of the caller's own key, and no token opens the session)
 *             body:  user id, client, data, as bytes; zeros up to a whole word
 *
 * Chains of equal cells, and not blocks of the record's length, because then no history of sizes can leave space that
 * is free and of no use: a cell that is free serves any record, freeing is appending to a list, and the table never has
 * to move a record.
 */

import { reserve } from './memory.js';
import { MOST_BURIED, reserveBuried } from './tombstones.js';

/**
 * Goes up with every change of the bytes here, of the calls or of the notices: builds that differ refuse each other.
 */
export const LAYOUT_VERSION = 5;
export const MAGIC = 0x636f6174;

/** Words of the header. */
export const HEADER = {
  magic: 0,
  layoutVersion: 1,
  /** Names the manager that may write: a manager given up for dead finds another's number here and writes no more. */
  ownerEpoch: 2,
  status: 3,
  /** How often each index was switched to its other buffer: the lowest bit tells which is current. */
  digestSwitches: 4,
  previousSwitches: 5,
  idSwitches: 6,
  /** Slots and cells ever used: beyond them lies untouched memory. */
  slotsTouched: 7,
  cellsTouched: 8,
  /** How often a token that came back was reported: says whether `reports` is worth a look. */
  reports: 9,
  /** Secret numbers that scatter the keys of the indexes, so that nobody can choose keys that meet. */
  scatterA: 10,
  scatterB: 11,
  /** Moves as long as the manager lives: one that stands still is given up for dead. */
  heartbeat: 12,
  /** The number of the last connection: records name connections, so no number is given out twice. */
  connections: 13,
  /** The thread of the manager that is in office. */
  threadId: 14,
  restarts: 15,
  /** Batches that the manager in office has done. */
  served: 16,
  /** The last slice of an ending of many sessions: whether it is decided, and who asked for it. */
  endingMany: 17,
  endingConnection: 18,
  /**
   * What the manager is at: where (one of WORK), which slot plus one, whose call. A manager that dies twice at the same
   * has died of it.
   */
  workAt: 19,
  workSlot: 20,
  workConnection: 21,
  workCall: 22,
  /** 1 once a session was put under a caller's own key. */
  keyed: 23,
  /** Where the counters begin: COUNTER numbers of eight bytes. */
  counters: 32,
  words: 64,
} as const;

/** Counters in the header, as places among its numbers of eight bytes. */
export const COUNTER = {
  /** Sessions ever created. */
  created: HEADER.counters / 2,
  /** The call that asked for the last ending of many sessions, and how many it has ended with its last slice. */
  endingCall: HEADER.counters / 2 + 1,
  endingCount: HEADER.counters / 2 + 2,
  /** Sessions ended and freed, a number for each reason. */
  ended: HEADER.counters / 2 + 3,
} as const;

/** What a manager is at: nothing that a record could have to do with, rebuilding from a slot, or a call. */
export const WORK = { nothing: 0, recovery: 1, call: 2 } as const;

/**
 * In a slot's byte of `reasons`: the session was picked by the last slice of an ending of many; the reason's place in
 * REASONS, plus one, is in the other bits.
 */
export const PICKED = 0x80;

/** The owner epoch of a table's first manager, who finds nothing to recover. */
export const FIRST_EPOCH = 1;

export const STATUS = { starting: 0, running: 1, stopped: 2, failed: 3 } as const;

export const SLOT_WORDS = 4;
/** A seen mark that says: this session has ended. */
export const ENDED = -1;

export const CELL_WORDS = 16;
/** Words of a cell that are the record's. */
export const CELL_PAYLOAD = CELL_WORDS - 1;
export const CELL_BYTES = CELL_WORDS * 4;
/** Cells of one segment: 2^24, 1 GiB. */
export const SEGMENT_BITS = 24;
export const SEGMENT_CELLS = 1 << SEGMENT_BITS;
export const SEGMENT_MASK = SEGMENT_CELLS - 1;

/** Cells that stay as they are after their record was replaced, before they are zeroed and used again. */
export const QUARANTINE_CELLS = 4096;

/** Cells beyond those of sessions, for values that were taken and whose answers may not have arrived. */
const PINNED_CELLS = 16_384;

/** Words of a record's head, counted without the links between cells. */
export const HEAD = {
  slot: 0,
  generation: 1,
  stampLow: 2,
  stampHigh: 3,
  /** Bytes of the whole record. */
  length: 4,
  headSum: 5,
  flags: 6,
  digest: 7,
  id: 15,
  version: 19,
  createdAt: 20,
  call: 22,
  connection: 24,
  /** Bytes of the user id, and of the client in the upper half. */
  lengths: 25,
  bodySum: 26,
  words: 27,
} as const;

export const FLAG = {
  /** The idle timeout in milliseconds; without it: none. */
  idle: 1,
  /** When the absolute timeout ends it; without it: never. */
  expiresAt: 2,
  /** Without it: `createdAt`. */
  tokenIssuedAt: 4,
  authenticatedAt: 8,
  /** The connection that it ends with. */
  linkedTo: 16,
  previous: 32,
  /** The digest is that of a caller's own key. */
  keyed: 64,
} as const;

export const DIGEST_WORDS = 8;
export const ID_WORDS = 4;
/** The new token under a key drawn from the old one: 32 bytes and a tag of 16. */
export const SEALED_BYTES = 48;
const PREVIOUS_WORDS = DIGEST_WORDS + 2 + SEALED_BYTES / 4;
export const MAX_HEAD_WORDS = HEAD.words + 5 * 2 + PREVIOUS_WORDS;
export const MAX_TEXT_BYTES = 256;
/** Three texts, each behind its length. */
export const MAX_CLIENT_BYTES = 3 * (MAX_TEXT_BYTES + 2);
export const MAX_META_BYTES = MAX_HEAD_WORDS * 4 + MAX_TEXT_BYTES + MAX_CLIENT_BYTES + 3;

/** Words of a head with these flags. */
export function headWords(flags: number): number {
  let words: number = HEAD.words;
  for (let flag = 1; flag <= FLAG.linkedTo; flag <<= 1) if (flags & flag) words += 2;
  return flags & FLAG.previous ? words + PREVIOUS_WORDS : words;
}

/** Cells that a record of so many bytes takes. */
export function cellsFor(bytes: number): number {
  return Math.ceil(Math.ceil(bytes / 4) / CELL_PAYLOAD);
}

/** What the options fix about a table, as every thread that reads it must know it. */
export interface TableShape {
  readonly maxSessions: number;
  readonly maxSessionBytes: number;
  readonly cells: number;
  /** Words of each index buffer: a power of two, at least twice `maxSessions`. */
  readonly indexWords: number;
  /** Ended keys that are remembered: a power of two. */
  readonly buried: number;
}

/**
 * The shared memory of one table. It belongs to the thread that started the manager, and outlives the manager's thread.
 */
export interface TableMemory {
  readonly shape: TableShape;
  readonly header: SharedArrayBuffer;
  readonly slots: SharedArrayBuffer;
  readonly digests: readonly [SharedArrayBuffer, SharedArrayBuffer];
  readonly previous: readonly [SharedArrayBuffer, SharedArrayBuffer];
  readonly ids: readonly [SharedArrayBuffer, SharedArrayBuffer];
  readonly reports: SharedArrayBuffer;
  readonly reported: SharedArrayBuffer;
  readonly reasons: SharedArrayBuffer;
  readonly segments: readonly SharedArrayBuffer[];
  readonly buried: SharedArrayBuffer;
}

/**
 * The shape that holds `maxSessions` sessions with `maxBytes` of data together, whatever their sizes and history: a
 * cell for each 60 bytes of data, and for each session the cells of the longest head, user id and client and of a last
 * cell left nearly empty.
 */
export function shapeFor(limits: { maxSessions: number; maxBytes: number; maxSessionBytes: number }): TableShape {
  const perSession = cellsFor(MAX_META_BYTES) + 1;
  const largest = cellsFor(MAX_META_BYTES + limits.maxSessionBytes);
  const spare = 1 + QUARANTINE_CELLS + PINNED_CELLS + 2 * largest;
  const cells = cellsFor(limits.maxBytes) + limits.maxSessions * perSession + spare;
  let indexWords = 64;
  while (indexWords < 2 * limits.maxSessions) indexWords *= 2;
  const { maxSessions, maxSessionBytes } = limits;
  return { maxSessions, maxSessionBytes, cells, indexWords, buried: MOST_BURIED };
}

/** Reserves a table's address space. No memory is used before it is written to. */
export function reserveTable(shape: TableShape, scatter: readonly [number, number]): TableMemory {
  const words = (count: number) => reserve(count * 4);
  const pair = () => [words(shape.indexWords), words(shape.indexWords)] as const;
  const segments: SharedArrayBuffer[] = [];
  for (let left = shape.cells; left > 0; left -= SEGMENT_CELLS) {
    segments.push(words(Math.min(left, SEGMENT_CELLS) * CELL_WORDS));
  }
  const memory: TableMemory = {
    shape,
    header: words(HEADER.words),
    slots: words(shape.maxSessions * SLOT_WORDS),
    digests: pair(),
    previous: pair(),
    ids: pair(),
    reports: words(Math.ceil(shape.maxSessions / 32)),
    reported: words(shape.maxSessions),
    reasons: words(Math.ceil(shape.maxSessions / 4)),
    segments,
    buried: reserveBuried(shape.buried),
  };
  const header = new Int32Array(memory.header);
  header[HEADER.magic] = MAGIC;
  header[HEADER.layoutVersion] = LAYOUT_VERSION;
  header[HEADER.cellsTouched] = 1;
  header[HEADER.scatterA] = scatter[0];
  header[HEADER.scatterB] = scatter[1];
  return memory;
}

/** Bytes of address space that a table holds. */
export function reservedBytes(memory: TableMemory): number {
  const { header, slots, reports, reported, reasons, segments, buried } = memory;
  const buffers = [header, slots, reports, reported, reasons, ...segments, buried];
  for (const index of [memory.digests, memory.previous, memory.ids]) buffers.push(...index);
  return buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
}
