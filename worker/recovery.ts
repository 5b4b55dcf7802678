/**
 * Takes over a table whose manager may have died at any instruction. Manager's thread, before it serves. Uses only
 * shared memory, nothing of the dead manager's heap.
 *
 * Each slot is judged by what the table says:
 *   - no pointer: the slot is free, or was being allocated or freed; it has no session;
 *   - a pointer and ENDED, or picked by an ending of many that was decided: the session has ended and is freed;
 *   - a pointer to a valid record, in cells that no other record has: a live session, as it was last published;
 *   - anything else: the record is broken. Its session is set aside; other sessions are not affected.
 * Cells in no live record's chain are zeroed and freed. The indexes are rebuilt in their other buffers, because what a
 * half done change left in the current ones would stay there. Readers continue in the current ones, which contain an
 * entry for every live session: entries are inserted before a record is published, and removed after it.
 *
 * The recovery is a generator that yields between slices, and may itself die at any instruction: whatever it stores, it
 * or a successor may store again.
 */

import { CONNECTION } from '../src/protocol/calls.js';
import { formatId } from '../src/protocol/ids.js';
import { COUNTER, ENDED, HEADER, PICKED, WORK } from '../src/protocol/layout.js';
import { reserveFloat64, reserveInt32 } from '../src/protocol/memory.js';
import { REASONS } from '../src/protocol/notices.js';
import { SessionRecord } from '../src/protocol/record.js';
import { TOMBSTONE_LIFETIME } from '../src/protocol/tombstones.js';
import { failpoint } from './failpoints.js';
import type { Sessions } from './rules/sessions.js';
import type { Journal } from './table/journal.js';
import { type Steps, UNITS } from './table/pace.js';
import type { Pin } from './table/pins.js';

/** Cells that are freed between two yields. */
const SLICE_CELLS = 131_072;

/** A connection that survives its manager. */
interface Survivor {
  readonly number: number;
  /** CONNECTION words. */
  readonly words: Int32Array;
  readonly journal: Journal;
}

export interface Recovered {
  /** Live sessions found. */
  readonly sessions: number;
  /** Sessions whose record was broken: by id if that could still be read, else by slot. */
  readonly setAside: readonly string[];
  /** For each connection, the pinned values of answers that may not have arrived. */
  readonly pins: ReadonlyMap<number, readonly Pin[]>;
  /** The instants at which endings of many began that are to be continued. */
  readonly closings: readonly number[];
}

/** `suspect`: the slot whose record is a poison message, as two managers died of it; -1 for none. */
export function* recover(sessions: Sessions, survivors: readonly Survivor[], suspect = -1): Steps<Recovered> {
  const { table } = sessions;
  const { view, cells, owner, pace, counters } = table;
  const { header, reasons } = view;
  const record = new SessionRecord();
  const { digests, previous, ids } = table;
  const setAside: string[] = [];
  clampCounts();
  const slots = table.slotsTouched;
  const end = header[HEADER.cellsTouched] as number;
  const assigned = reserveInt32((end >>> 5) + 1);
  const isDecided = header[HEADER.endingMany] === 1;
  const userSince = reserveFloat64(slots);
  const stamps = reserveFloat64(slots);
  let stampLow = 0;
  let stampHigh = 0;

  /** The table's own counts may be broken as well: keeps them within the memory that exists. */
  function clampCounts(): void {
    const { maxSessions, cells: most } = view.shape;
    owner.check();
    header[HEADER.slotsTouched] = Math.min(Math.max(table.slotsTouched, 0), maxSessions);
    header[HEADER.cellsTouched] = Math.min(Math.max(header[HEADER.cellsTouched] as number, 1), most);
  }

  /** Which of two sessions became its user's first; in the same millisecond, the one with the older record. */
  function inOrder(one: number, other: number): number {
    const sooner = (userSince[one] as number) - (userSince[other] as number);
    return sooner !== 0 ? sooner : (stamps[one] as number) - (stamps[other] as number);
  }

  function judge(slot: number): void {
    const pointer = view.pointer(slot);
    if (pointer === 0) table.reclaimSlot(slot);
    else if (view.mark(slot) === ENDED || (isDecided && (reasons[slot] as number) & PICKED)) free(slot);
    else if (slot !== suspect && isWhole(slot, pointer) && cells.assign(pointer, assigned)) restore(slot);
    else {
      setAside.push(view.copyHeader(pointer, record) ? idOfCopy(slot) : `slot ${slot}`);
      reasons[slot] = REASONS.indexOf('terminated') + 1;
      free(slot);
    }
  }

  function isWhole(slot: number, pointer: number): boolean {
    if (!view.copyHeader(pointer, record) || !view.copyBody(pointer, record)) return false;
    return record.slot === slot && record.generation === view.generation(slot) && record.dataBytes >= 0;
  }

  /**
   * The id in a valid header. If the session has a key, it leaves a tombstone, which expires by when the session was
   * seen, because a recovery has no clock.
   */
  function idOfCopy(slot: number): string {
    if (record.isKeyed && record.slot === slot)
      table.tombstones.add(record.digest, view.seen(record, view.mark(slot)) + TOMBSTONE_LIFETIME);
    return formatId(record.id);
  }

  function free(slot: number): void {
    table.reclaimSlot(slot);
    const reason = view.reasonPlace(slot);
    table.count(COUNTER.ended + (REASONS[reason] === undefined ? 0 : reason));
  }

  function restore(slot: number): void {
    failpoint('recovery: cells assigned');
    owner.check();
    reasons[slot] = 0;
    if (record.stampHigh >>> 0 > stampHigh >>> 0) stampLow = 0;
    if (record.stampHigh >>> 0 >= stampHigh >>> 0) {
      stampHigh = record.stampHigh;
      if (record.stampLow >>> 0 > stampLow >>> 0) stampLow = record.stampLow;
    }
    digests.carry(record.digest, slot);
    ids.carry(record.id, slot);
    if (record.hasPrevious) previous.carry(record.previousDigest, slot);
    stamps[slot] = (record.stampHigh >>> 0) * 2 ** 32 + (record.stampLow >>> 0);
    userSince[slot] = record.userSince;
    sessions.restore(record);
    failpoint('recovery: session entered');
  }

  owner.check();
  header[HEADER.workAt] = WORK.recovery;
  failpoint('recovery: begun');
  table.tombstones.restore();
  failpoint('recovery: tombstones read');
  for (const index of [digests, previous, ids]) yield* index.beginRebuild();
  for (let slot = 0; slot < slots; slot++) {
    header[HEADER.workSlot] = slot + 1;
    judge(slot);
    failpoint('recovery: slot judged');
    pace.spend(UNITS.record + (view.pointer(slot) === 0 ? 0 : record.length / UNITS.bytes));
    if (pace.isOver) yield;
  }
  header[HEADER.workSlot] = 0;

  failpoint('recovery: slots judged');
  const pins = new Map<number, Pin[]>();
  const closings: number[] = [];
  for (const survivor of survivors) {
    settleDoubt(survivor);
    pins.set(survivor.number, [...pinsOf(survivor)]);
  }

  /** Of each connection's calls one may have been under way: it was done if the record that it publishes is there. */
  function settleDoubt({ number, words, journal }: Survivor): void {
    const call = Atomics.load(words, CONNECTION.begun);
    if (journal.isDone(call)) return;
    const closing = journal.closingOf(call);
    if (closing !== undefined) {
      closings.push(closing.at);
      const isLast =
        header[HEADER.endingConnection] === number && ((counters[COUNTER.endingCall] as number) | 0) === call;
      if (isDecided && isLast) journal.settleClosing(call, counters[COUNTER.endingCount] as number);
      return;
    }
    const { slot, generation } = journal.intentOf(call);
    const left = slot >= 0 && slot < slots && view.load(slot, record) !== 0 && record.generation === generation;
    if (left && record.connection === number && (record.call | 0) === call) journal.answered(call, 'done');
  }

  /** The pinned values of answers that may not have arrived. */
  function* pinsOf({ words, journal }: Survivor): Iterable<Pin> {
    for (const { call, pointer } of journal.pinned(Atomics.load(words, CONNECTION.settled))) {
      const value = table.pinned(pointer);
      if (value !== undefined && cells.assign(pointer, assigned)) yield { call, pointer, bytes: value.length };
    }
  }

  failpoint('recovery: doubts settled');
  for (let from = 1; from < end; from += SLICE_CELLS) {
    cells.freeUnassigned(from, Math.min(from + SLICE_CELLS, end), assigned);
    yield;
  }
  failpoint('recovery: cells freed');
  yield* sessions.users.listRestored(inOrder);
  failpoint('recovery: users listed');
  for (const index of [digests, previous, ids]) yield* index.enterCarried();
  failpoint('recovery: keys entered');
  for (const index of [digests, previous, ids]) index.finishRebuild();
  failpoint('recovery: indexes switched');
  table.resume(stampLow, stampHigh);
  sessions.recount();
  owner.check();
  header[HEADER.endingMany] = 0;
  header[HEADER.workAt] = WORK.nothing;
  failpoint('recovery: over');
  return { sessions: sessions.live, setAside, pins, closings };
}
