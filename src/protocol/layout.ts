/**
 * The bytes of the shared table, defined once for both sides: the manager's thread writes them, every thread reads
 * them.
 *
 *   header      HEADER words                       who owns the table, which index buffer is current, what is in use
 *   slots       4 words per slot                   pointer | generation | seen mark | turns of the mark (see seen.ts)
 *   indexes     2 buffers of words for each of     digest → slot, previous digest → slot, id → slot
 *   reports     1 bit per slot                     a token was used after its grace
 *   reported    1 word per slot                    the generation of the session whose token that was
 *   reasons     1 byte per slot                    why its session ends, written before it ends: for a recovery
 *   segments    cells of 16 words                  what records are written in
 *   tombstones  see tombstones.ts                  keys whose sessions have ended
 *   clock       see clock.ts
 *
 * A record lies in a chain of cells. The first word of a cell is the number of the next cell, the other fifteen belong
 * to the record:
 *
 *   cell      | next | 15 words |     cell 0 is never used: 0 as a pointer or a link means "none"
 *
 *   record    header:  SLOT GENERATION STAMP(2) LENGTH HEADER_SUM FLAGS DIGEST(8)         the first cell
 *                      ID(4) VERSION CREATED_AT(2) CALL(2) CONNECTION LENGTHS BODY_SUM
 *                      for each flag that is set: IDLE(2) EXPIRES_AT(2) TOKEN_ISSUED_AT(2)
 *                      AUTHENTICATED_AT(2) LINKED_TO(2) PREVIOUS: digest(8) grace until(2) sealed token(12)
 *                      (KEYED has no words: DIGEST is that of the caller's own key, and no token opens the session)
 *             body:    user id, client, data, as bytes; zeros up to a whole word
 *
 * Records are chains of equal cells, not blocks of their own length, so that memory cannot fragment: a free cell serves
 * any record, freeing appends to a list, and the table never has to move a record.
 */

import { reserve } from './memory.js';
import { MAX_TOMBSTONES, reserveTombstones } from './tombstones.js';

/** Raised with every change of these bytes, of the calls or of the notices: builds that differ refuse each other. */
export const LAYOUT_VERSION = 6;
export const MAGIC = 0x636f6174;

/** Words of the table's header. */
export const HEADER = {
  magic: 0,
  layoutVersion: 1,
  /**
   * The fencing token: the epoch of the manager that may write. A manager that finds another epoch here was replaced,
   * and writes no more (see worker/table/owner.ts).
   */
  ownerEpoch: 2,
  status: 3,
  /** How often each index was switched to its other buffer: the lowest bit says which one is current. */
  digestSwitches: 4,
  previousSwitches: 5,
  idSwitches: 6,
  /** Slots and cells ever used: beyond them lies untouched memory. */
  slotsTouched: 7,
  cellsTouched: 8,
  /** How many reports were made of tokens used after their grace: says whether `reports` has to be read. */
  reports: 9,
  /** Secret numbers that scatter the keys of the indexes, so that nobody can choose keys that collide. */
  scatterA: 10,
  scatterB: 11,
  /** Counts up while the manager lives. A manager whose heartbeat stands still is replaced. */
  heartbeat: 12,
  /** The number of the last connection. Records name connections, so no number is used twice. */
  connections: 13,
  /** The thread of the current manager. */
  threadId: 14,
  restarts: 15,
  /** Batches that the current manager has done. */
  served: 16,
  /** The last slice of an ending of many sessions: whether it is decided, and whose connection asked for it. */
  endingMany: 17,
  endingConnection: 18,
  /**
   * What the manager is working on: the kind of work (WORK), the slot plus one, and the call. If two managers die at
   * the same place, that slot's record is a poison message: the next manager sets it aside.
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
  /** The call that asked for the last ending of many sessions, and how many it had ended with its last slice. */
  endingCall: HEADER.counters / 2 + 1,
  endingCount: HEADER.counters / 2 + 2,
  /** Sessions ended and freed, one number per reason. */
  ended: HEADER.counters / 2 + 3,
} as const;

/** What a manager is working on: nothing that involves a record, the recovery of a slot, or a call. */
export const WORK = { nothing: 0, recovery: 1, call: 2 } as const;

/**
 * In a slot's byte of `reasons`: the last slice of an ending of many sessions picked this session. The other bits hold
 * the reason's place in REASONS, plus one.
 */
export const PICKED = 0x80;

/** The owner epoch of a table's first manager, which has nothing to recover. */
export const FIRST_EPOCH = 1;

export const STATUS = { starting: 0, running: 1, stopped: 2, failed: 3 } as const;

export const SLOT_WORDS = 4;
/** A seen mark with this value means: the session has ended. */
export const ENDED = -1;

export const CELL_WORDS = 16;
/** Words of a cell that belong to the record. */
export const CELL_PAYLOAD = CELL_WORDS - 1;
export const CELL_BYTES = CELL_WORDS * 4;
/** Cells of one segment: 2^24, which is 1 GiB. */
export const SEGMENT_BITS = 24;
export const SEGMENT_CELLS = 1 << SEGMENT_BITS;
export const SEGMENT_MASK = SEGMENT_CELLS - 1;

/** Cells that stay unchanged after their record was replaced, before they are zeroed and reused. */
export const QUARANTINE_CELLS = 4096;

/** Cells beyond those of sessions, for values that `take` removed and whose answers may not have arrived. */
const PINNED_CELLS = 16_384;

/** Words of a record header, counted without the links between cells. */
export const RECORD_HEADER = {
  slot: 0,
  generation: 1,
  stampLow: 2,
  stampHigh: 3,
  /** Bytes of the whole record. */
  length: 4,
  headerSum: 5,
  flags: 6,
  digest: 7,
  id: 15,
  version: 19,
  createdAt: 20,
  call: 22,
  connection: 24,
  /** Bytes of the user id in the lower half, of the client in the upper half. */
  lengths: 25,
  bodySum: 26,
  words: 27,
} as const;

export const FLAG = {
  /** The idle timeout in milliseconds; without the flag: none. */
  idle: 1,
  /** When the absolute timeout ends the session; without the flag: never. */
  expiresAt: 2,
  /** Without the flag: `createdAt`. */
  tokenIssuedAt: 4,
  authenticatedAt: 8,
  /** The connection that the session ends with. */
  linkedTo: 16,
  previous: 32,
  /** The digest is that of a caller's own key. */
  keyed: 64,
} as const;

export const DIGEST_WORDS = 8;
export const ID_WORDS = 4;
/** The new token, encrypted under a key derived from the old one: 32 bytes and a tag of 16. */
export const SEALED_BYTES = 48;
/** The previous digest, until when it is honoured, and the sealed token. */
export const PREVIOUS_WORDS = DIGEST_WORDS + 2 + SEALED_BYTES / 4;
export const MAX_RECORD_HEADER_WORDS = RECORD_HEADER.words + 5 * 2 + PREVIOUS_WORDS;
export const MAX_TEXT_BYTES = 256;
/** Three texts, each behind its length. */
export const MAX_CLIENT_BYTES = 3 * (MAX_TEXT_BYTES + 2);
export const MAX_META_BYTES = MAX_RECORD_HEADER_WORDS * 4 + MAX_TEXT_BYTES + MAX_CLIENT_BYTES + 3;

/** Cells that a record of `bytes` bytes takes. */
export function cellsFor(bytes: number): number {
  return Math.ceil(Math.ceil(bytes / 4) / CELL_PAYLOAD);
}

/** What the options determine about a table, as every thread that reads it must know it. */
export interface TableShape {
  readonly maxSessions: number;
  readonly maxSessionBytes: number;
  readonly cells: number;
  /** Words of each index buffer: a power of two, at least twice `maxSessions`. */
  readonly indexWords: number;
  /** How many tombstones there are: a power of two. */
  readonly tombstones: number;
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
  readonly tombstones: SharedArrayBuffer;
}

/**
 * The shape that holds `maxSessions` sessions with `maxBytes` of data together, whatever their sizes and history: one
 * cell for each 60 bytes of data, and for each session the cells of the longest header, user id and client, plus one
 * because a record's last cell may be nearly empty.
 */
export function shapeFor(limits: { maxSessions: number; maxBytes: number; maxSessionBytes: number }): TableShape {
  const perSession = cellsFor(MAX_META_BYTES) + 1;
  const largest = cellsFor(MAX_META_BYTES + limits.maxSessionBytes);
  const spare = 1 + QUARANTINE_CELLS + PINNED_CELLS + 2 * largest;
  const cells = cellsFor(limits.maxBytes) + limits.maxSessions * perSession + spare;
  let indexWords = 64;
  while (indexWords < 2 * limits.maxSessions) indexWords *= 2;
  const { maxSessions, maxSessionBytes } = limits;
  return { maxSessions, maxSessionBytes, cells, indexWords, tombstones: MAX_TOMBSTONES };
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
    tombstones: reserveTombstones(shape.tombstones),
  };
  const header = new Int32Array(memory.header);
  header[HEADER.magic] = MAGIC;
  header[HEADER.layoutVersion] = LAYOUT_VERSION;
  header[HEADER.cellsTouched] = 1;
  header[HEADER.scatterA] = scatter[0];
  header[HEADER.scatterB] = scatter[1];
  return memory;
}

/** Bytes of address space that a table takes. */
export function reservedBytes(memory: TableMemory): number {
  const { header, slots, reports, reported, reasons, segments, tombstones } = memory;
  const buffers = [header, slots, reports, reported, reasons, ...segments, tombstones];
  for (const index of [memory.digests, memory.previous, memory.ids]) buffers.push(...index);
  return buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
}
