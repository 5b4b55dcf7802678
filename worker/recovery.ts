/**
 * Taking over a table whose manager has died at any instruction. Manager's thread, before it serves. Nothing of the
 * dead manager's heap is needed.
 *
 * What the table says is judged slot by slot:
 *   - no pointer: the slot is free, or was on its way to be let or freed; nobody has a session there;
 *   - a pointer and ENDED, or picked by an ending of many that was decided: the session has ended, and what is left is to free it;
 *   - a pointer to a record that proves itself, in cells that no other record has: a live session, as it was last published;
 *   - anything else: the record is broken, and its session set aside. Nothing else is harmed by it.
 * Cells in no live record's chain are zeroed and free. The indexes are built anew beside those in use, as what a half
 * done change left in them would stay there; readers go on in the old ones, in which every live session has its
 * entries: they are laid before a record is published and taken up after it.
 *
 * It is a generator that yields between two slices, and may itself die at any instruction: whatever it stores, it or a
 * successor may store again.
 */

import { CONNECTION } from '../src/protocol/calls.js';
import { formatId } from '../src/protocol/ids.js';
import { COUNTER, ENDED, HEADER, PICKED, WORK } from '../src/protocol/layout.js';
import { reserveFloat64, reserveInt32 } from '../src/protocol/memory.js';
import { REASONS } from '../src/protocol/notices.js';
import { BURIED_FOR } from '../src/protocol/tombstones.js';
import { failpoint } from './failpoints.js';
import type { Sessions } from './rules/sessions.js';
import type { Journal } from './table/journal.js';
import { type Steps, UNITS } from './table/pace.js';
import type { Pin } from './table/pins.js';

/** Cells that are freed between two yields. */
const SLICE_CELLS = 131_072;

/** A connection that survives its manager. */
export interface Survivor {
  readonly number: number;
  /** CONNECTION words. */
  readonly words: Int32Array;
  readonly journal: Journal;
}

export interface Recovered {
  /** Live sessions found. */
  readonly sessions: number;
  /** Sessions whose record was broken, by id where that could still be read, else by slot. */
  readonly setAside: readonly string[];
  /** For each connection the values that its answers hold which may not have arrived. */
  readonly pins: ReadonlyMap<number, readonly Pin[]>;
  /** When the endings of many began that are to be gone on with. */
  readonly closings: readonly number[];
}

/** `suspect`: the slot whose record has killed two managers, -1 for none. */
export function* recover(sessions: Sessions, survivors: readonly Survivor[], suspect = -1): Steps<Recovered> {
  const { table } = sessions;
  const { view, cells, owner, pace, counters } = table;
  const { header, reasons } = view;
  const { digests, previous, ids } = table;
  const setAside: string[] = [];
  keepBounds();
  const slots = header[HEADER.slotsTouched] as number;
  const end = header[HEADER.cellsTouched] as number;
  const taken = reserveInt32((end >>> 5) + 1);
  const isDecided = header[HEADER.endingMany] === 1;
  const heldSince = reserveFloat64(slots);
  const stamps = reserveFloat64(slots);
  let stampLow = 0;
  let stampHigh = 0;

  /** The table's own words may be broken as well: never go where there is no memory. */
  function keepBounds(): void {
    const { maxSessions, cells: most } = view.shape;
    owner.check();
    header[HEADER.slotsTouched] = Math.min(Math.max(header[HEADER.slotsTouched] as number, 0), maxSessions);
    header[HEADER.cellsTouched] = Math.min(Math.max(header[HEADER.cellsTouched] as number, 1), most);
  }

  /** Which of two slots became its user's first; in the same millisecond, which has the older record. */
  function inOrder(one: number, other: number): number {
    const sooner = (heldSince[one] as number) - (heldSince[other] as number);
    return sooner !== 0 ? sooner : (stamps[one] as number) - (stamps[other] as number);
  }

  function judge(slot: number): void {
    const pointer = view.pointer(slot);
    if (pointer === 0) table.reclaimSlot(slot);
    else if (view.mark(slot) === ENDED || (isDecided && (reasons[slot] as number) & PICKED)) free(slot);
    else if (slot !== suspect && isWhole(slot, pointer) && cells.claim(pointer, taken)) keep(slot);
    else {
      setAside.push(view.copyHead(pointer) ? idOfCopy(slot) : `slot ${slot}`);
      reasons[slot] = REASONS.indexOf('terminated') + 1;
      free(slot);
    }
  }

  function isWhole(slot: number, pointer: number): boolean {
    if (!view.copyRecord(pointer)) return false;
    const { head } = view;
    head.parse(view.words);
    return head.slot === slot && head.generation === view.generation(slot) && head.dataBytes >= 0;
  }

  /**
   * The id in a head that proves itself. Its key is buried, where it has one: by when the session was seen, as the time
   * is not known here.
   */
  function idOfCopy(slot: number): string {
    const { head } = view;
    head.parse(view.words);
    if (head.isKeyed && head.slot === slot)
      table.buried.add(head.digest, view.seen(slot, view.mark(slot)) + BURIED_FOR);
    return formatId(head.id);
  }

  function free(slot: number): void {
    table.reclaimSlot(slot);
    const reason = ((reasons[slot] as number) & ~PICKED) - 1;
    table.count(COUNTER.ended + (REASONS[reason] === undefined ? 0 : reason));
  }

  function keep(slot: number): void {
    failpoint('recovery: record claimed');
    const { head } = view;
    owner.check();
    reasons[slot] = 0;
    if (head.stampHigh >>> 0 > stampHigh >>> 0) stampLow = 0;
    if (head.stampHigh >>> 0 >= stampHigh >>> 0) {
      stampHigh = head.stampHigh;
      if (head.stampLow >>> 0 > stampLow >>> 0) stampLow = head.stampLow;
    }
    digests.carry(head.digest[0] as number, head.digest[1] as number, slot);
    ids.carry(head.id[0] as number, head.id[1] as number, slot);
    if (head.hasPrevious) previous.carry(head.previousDigest[0] as number, head.previousDigest[1] as number, slot);
    stamps[slot] = (head.stampHigh >>> 0) * 2 ** 32 + (head.stampLow >>> 0);
    heldSince[slot] = Number.isNaN(head.authenticatedAt) ? head.createdAt : head.authenticatedAt;
    sessions.restore(slot);
    failpoint('recovery: session entered');
  }

  owner.check();
  header[HEADER.workAt] = WORK.recovery;
  failpoint('recovery: begun');
  table.buried.restore();
  failpoint('recovery: buried keys read');
  for (const index of [digests, previous, ids]) yield* index.beginAnew();
  for (let slot = 0; slot < slots; slot++) {
    header[HEADER.workSlot] = slot + 1;
    judge(slot);
    failpoint('recovery: slot judged');
    pace.spend(UNITS.record + (view.pointer(slot) === 0 ? 0 : view.head.length / UNITS.bytes));
    if (pace.isOver) yield;
  }
  header[HEADER.workSlot] = 0;

  failpoint('recovery: slots judged');
  const pins = new Map<number, Pin[]>();
  const closings: number[] = [];
  for (const survivor of survivors) {
    settleDoubt(survivor);
    pins.set(survivor.number, [...keptFor(survivor)]);
  }

  /** Of each connection's calls one may have been under way: the record that it left says whether it was done. */
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
    const { head } = view;
    const left = slot >= 0 && slot < slots && view.load(slot, false) !== 0 && head.generation === generation;
    if (left && head.connection === number && (head.call | 0) === call) journal.answered(call, 'done');
  }

  /** The values that answers hold which may not have arrived. */
  function* keptFor({ words, journal }: Survivor): Iterable<Pin> {
    for (const { call, pointer } of journal.pinned(Atomics.load(words, CONNECTION.settled))) {
      const value = table.pinned(pointer);
      if (value !== undefined && cells.claim(pointer, taken)) yield { call, pointer, bytes: value.length };
    }
  }

  failpoint('recovery: doubts settled');
  for (let from = 1; from < end; from += SLICE_CELLS) {
    cells.reclaim(from, Math.min(from + SLICE_CELLS, end), taken);
    yield;
  }
  failpoint('recovery: cells freed');
  yield* sessions.users.listRestored(inOrder);
  failpoint('recovery: users listed');
  for (const index of [digests, previous, ids]) yield* index.enterCarried();
  failpoint('recovery: keys entered');
  for (const index of [digests, previous, ids]) index.finishAnew();
  failpoint('recovery: indexes switched');
  table.resume(stampLow, stampHigh);
  sessions.recount();
  owner.check();
  header[HEADER.endingMany] = 0;
  header[HEADER.workAt] = WORK.nothing;
  failpoint('recovery: over');
  return { sessions: sessions.live, setAside, pins, closings };
}
