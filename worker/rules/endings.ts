/**
 * How sessions end: one by one, by their time, to make room, or many for one call. Manager's thread; knows the time
 * only as it is given it.
 *
 * An ending is one store of ENDED into the slot's mark: from then on no thread finds the session. What follows (lists,
 * listeners, index, cells) only frees; for many it is done in slices, and before any limit is judged.
 */

import type { Target } from '../../src/protocol/calls.js';
import { COUNTER, ENDED, HEADER, PICKED } from '../../src/protocol/layout.js';
import { EVENT_BITS, REASONS, type Reason } from '../../src/protocol/notices.js';
import { markPlace } from '../../src/protocol/table.js';
import { BURIED_FOR } from '../../src/protocol/tombstones.js';
import { failpoint } from '../failpoints.js';
import { type Pace, type Steps, UNITS } from '../table/pace.js';
import type { Caller } from './caller.js';
import { LongestIdle } from './longest-idle.js';
import type { Audience } from './notifier.js';
import type { Sessions } from './sessions.js';

const NO_NOTE = new Uint8Array(0);
/** Slots that are looked at, or freed, before it is asked whether there is room by now. */
const SETTLED_AT_ONCE = 100;

/** The note of a session that ends because of it. */
const TOKEN_REUSED = new TextEncoder().encode('a token came back after its grace');

/** Sessions ended by one slice whose memory is still to be freed. */
interface Ended {
  readonly slots: Int32Array;
  readonly marks: Int32Array;
  readonly reason: Reason;
  next: number;
}

export class Endings {
  readonly #sessions: Sessions;
  readonly #audience: Audience;
  readonly #now: () => number;
  readonly pace: Pace;
  readonly #longestIdle: LongestIdle;
  readonly #toFree: Ended[] = [];
  /** Told when there is something to free. */
  onToFree: () => void = () => {};
  readonly #endsReused: boolean;
  #reportsSeen = 0;
  /** Endings of many that are under way. */
  #closings = 0;
  #firstNotBefore = Number.NEGATIVE_INFINITY;
  /**
   * No session begins before this instant: so those begun during an ending of many are told from those that lived
   * before.
   */
  notBefore = Number.NEGATIVE_INFINITY;

  /** `endsReused`: whether a session ends when a token of it comes back after its grace, or is only reported. */
  constructor(sessions: Sessions, audience: Audience, now: () => number, endsReused = false) {
    this.#sessions = sessions;
    this.#audience = audience;
    this.#now = now;
    this.pace = sessions.table.pace;
    this.#longestIdle = new LongestIdle(sessions.table, now);
    this.#endsReused = endsReused;
  }

  // ------------------------------------------------------------ one session

  /**
   * Loads the target's record (with `whole`, its data too) if the session is alive, and returns the pointer, else 0.
   * One whose time is over ends here.
   */
  alive(target: Target, whole: boolean): number {
    const { owner } = this.#sessions.table;
    owner.check();
    owner.header[HEADER.workSlot] = target.slot + 1;
    while (this.#sessions.isTarget(target)) {
      const { view } = this.#sessions.table;
      const mark = view.mark(target.slot);
      const pointer = whole ? view.load(target.slot, true) : this.#sessions.load(target.slot);
      if (pointer === 0) return 0;
      if (whole) this.pace.spend(view.head.length / UNITS.bytes);
      if (mark !== ENDED && view.head.endsAt(view.seen(target.slot, mark)) > this.#now()) return pointer;
      if (this.#endIfOver(target.slot)) return 0;
    }
    return 0;
  }

  /** True if a live session has this digest; one that had it and whose time is over ends here. */
  isUsed(digest: Int32Array): boolean {
    const slot = this.#sessions.byDigest(digest);
    if (slot < 0) return false;
    return this.alive({ slot, generation: this.#sessions.table.view.generation(slot) }, false) !== 0;
  }

  /** Ends an open session. */
  end(slot: number, reason: Reason, note: Uint8Array = NO_NOTE): void {
    const { slots } = this.#sessions.table.view;
    this.#bury(slot);
    this.#giveReason(slot, reason);
    this.#sessions.table.owner.check();
    const mark = Atomics.exchange(slots, markPlace(slot), ENDED);
    failpoint('close: ended');
    failpoint('close: reason given');
    this.#ended(reason);
    this.#free(slot, mark, reason, note);
  }

  #ended(reason: Reason): void {
    this.pace.spend(UNITS.end);
    this.#sessions.live--;
    this.#sessions.ended[reason]++;
  }

  /**
   * Buries the key of a session that is about to end, if it has one. Before it ends, so that nothing comes in between;
   * a session that a dying manager left alive with its key buried is as alive as any: the key's grave is looked for
   * where there is no session.
   */
  #bury(slot: number): void {
    const { view, buried, owner } = this.#sessions.table;
    if (owner.header[HEADER.keyed] !== 1 || view.load(slot, false) === 0 || !view.head.isKeyed) return;
    const { digest, createdAt, expiresAt } = view.head;
    buried.add(digest, this.#now() + Math.min(expiresAt - createdAt, BURIED_FOR));
  }

  /** Says why a session ends, before it does. */
  #giveReason(slot: number, reason: Reason, picked = 0): void {
    const { view, owner } = this.#sessions.table;
    const place = REASONS.indexOf(reason) + 1;
    owner.check();
    view.reasons[slot] = place | picked;
  }

  /** Ends the session in a slot if its time is over, and only if nobody has seen it since that was judged. */
  #endIfOver(slot: number): boolean {
    const { view } = this.#sessions.table;
    const mark = view.mark(slot);
    // Ended all at once, and still to be freed: it must not end twice.
    if (mark === ENDED || this.#sessions.load(slot) === 0) return false;
    const { head } = view;
    const idleAt = view.seen(slot, mark) + head.idle;
    if (Math.min(idleAt, head.expiresAt) > this.#now()) return false;
    const reason: Reason = head.expiresAt <= idleAt ? 'expired' : 'idle';
    this.#bury(slot);
    this.#giveReason(slot, reason);
    this.#sessions.table.owner.check();
    if (Atomics.compareExchange(view.slots, markPlace(slot), mark, ENDED) !== mark) return false;
    failpoint('sweep: ended');
    failpoint('sweep: judged');
    this.#ended(reason);
    this.#free(slot, mark, reason, NO_NOTE);
    return true;
  }

  /** Tells of an ended session and frees all that it held. */
  #free(slot: number, mark: number, reason: Reason, note: Uint8Array): void {
    const sessions = this.#sessions;
    const pointer = sessions.load(slot);
    if (pointer === 0) return;
    const { generation } = sessions.table.view.head;
    if (this.#audience.wanted & EVENT_BITS.ended) {
      this.#audience.tell(EVENT_BITS.ended, (to) => {
        sessions.writeInfo(to, mark);
        to.u8(REASONS.indexOf(reason));
        to.raw(note);
      });
    }
    this.#audience.over({ slot, generation }, reason);
    failpoint('close: told');
    sessions.remove(pointer);
  }

  /** Why a session that is gone has ended, as a place in REASONS; -1 where that is not known any more. */
  reasonOf({ slot }: Target): number {
    const { view } = this.#sessions.table;
    const isGone = slot < view.shape.maxSessions && !this.#sessions.isOpen(slot);
    return isGone ? ((view.reasons[slot] as number) & ~PICKED) - 1 : -1;
  }

  // ------------------------------------------------------------ by their time

  /**
   * Ends sessions whose time is over, looking at no more than `most` slots. Returns how many it looked at and how many
   * ended.
   */
  endDue(most: number): { looked: number; ended: number } {
    const sessions = this.#sessions;
    const { due } = sessions;
    const now = this.#now();
    let looked = 0;
    let ended = 0;
    for (; looked < most && due.size > 0; looked++) {
      const slot = due.first();
      if (due.instant(slot) > now) break;
      this.pace.spend(UNITS.record);
      if (this.#endIfOver(slot)) ended++;
      else if (sessions.isOpen(slot)) sessions.reschedule(slot);
      else due.remove(slot);
    }
    return { looked, ended };
  }

  // ------------------------------------------------------------ to make room

  /** Ends the session that was not seen for the longest, `spare` excepted. False if there is none. */
  *endLongestIdle(spare: number): Steps<boolean> {
    const slot = yield* this.#longestIdle.find(spare);
    if (slot < 0) return false;
    this.end(slot, 'evicted');
    return true;
  }

  // ------------------------------------------------------------ many for one call

  /**
   * Ends the sessions that `picks` accepts among `slots`, no more than `most`, and leaves the freeing for later.
   * Returns how many, with those that a former manager had ended for the same call.
   *
   * It goes in slices, between which others begin and end; those that begin are told by their creation. In each slice,
   * sessions are marked as picked first, then one store decides that they end, and how many it are by then: a manager
   * that dies before it has ended none of the slice, and one that dies after it has a successor who ends them all.
   */
  *endMany(
    slots: () => Iterable<number>,
    reason: Reason,
    most: number,
    by: Caller,
    picks: (slot: number) => boolean,
  ): Steps<number> {
    const begins = Math.max(this.#now(), this.notBefore);
    const { at, count } = by.journal?.beginClosing(begins) ?? { at: begins, count: 0 };
    this.#closings++;
    this.notBefore = Math.max(this.notBefore, at + 1);
    // What is over already is not counted among them.
    yield* this.settling();
    const picked: number[] = [];
    let total = count;
    for (const slot of slots()) {
      if (total + picked.length >= most) break;
      this.pace.spend(UNITS.slot);
      const isPicked = this.#sessions.isOpen(slot) && !(this.#sessions.table.createdAt(slot) > at) && picks(slot);
      if (isPicked) this.#pick(slot, reason, picked);
      if (!this.pace.isOver) continue;
      total = this.#endPicked(picked, total, reason, by);
      yield;
    }
    total = this.#endPicked(picked, total, reason, by);
    if (--this.#closings === 0) this.notBefore = this.#firstNotBefore;
    // Not before: what is waited for comes first.
    if (this.hasMoreToFree) this.onToFree();
    return total;
  }

  /**
   * An ending of many that began at this instant is to be gone on with: sessions that begin before it is are none of
   * its.
   */
  awaitClosing(at: number): void {
    this.#firstNotBefore = Math.max(this.#firstNotBefore, at + 1);
    this.notBefore = this.#firstNotBefore;
  }

  #pick(slot: number, reason: Reason, picked: number[]): void {
    const { owner, view } = this.#sessions.table;
    if (picked.length === 0) {
      owner.check();
      Atomics.store(view.header, HEADER.endingMany, 0);
    }
    this.#bury(slot);
    this.#giveReason(slot, reason, PICKED);
    failpoint('close all: half picked');
    picked.push(slot);
    this.pace.spend(UNITS.end);
  }

  /** Ends what was picked; returns how many the call has ended by then. */
  #endPicked(picked: number[], before: number, reason: Reason, by: Caller): number {
    const { view, owner, counters } = this.#sessions.table;
    failpoint('close all: picked');
    if (picked.length === 0) return before;
    const slots = Int32Array.from(picked.splice(0));
    const marks = new Int32Array(slots.length);
    const total = before + slots.length;
    owner.check();
    view.header[HEADER.endingConnection] = by.connection;
    counters[COUNTER.endingCall] = by.call;
    counters[COUNTER.endingCount] = total;
    Atomics.store(view.header, HEADER.endingMany, 1);
    failpoint('close all: decided');
    for (let i = 0; i < slots.length; i++) {
      owner.check();
      marks[i] = Atomics.exchange(view.slots, markPlace(slots[i] as number), ENDED);
      failpoint('close all: half ended');
    }
    by.journal?.intendCount(total);
    this.#sessions.live -= slots.length;
    this.#sessions.ended[reason] += slots.length;
    failpoint('close all: ended');
    this.#toFree.push({ slots, marks, reason, next: 0 });
    return total;
  }

  get hasMoreToFree(): boolean {
    return this.#toFree.length > 0;
  }

  /** Frees at most so many of the sessions that were ended in slices. */
  freeSome(most: number): void {
    for (let left = most; left > 0; left--) {
      const ended = this.#toFree[0];
      if (ended === undefined) return;
      const { next } = ended;
      this.#free(ended.slots[next] as number, ended.marks[next] as number, ended.reason, NO_NOTE);
      ended.next++;
      failpoint('close all: half freed');
      if (ended.next === ended.slots.length) this.#toFree.shift();
    }
  }

  *freeing(): Steps<void> {
    while (this.hasMoreToFree) {
      this.freeSome(SETTLED_AT_ONCE);
      if (this.pace.isOver) yield;
    }
  }

  /** Tells whoever listens, or watches, of the sessions that were ended in slices; frees no more of them than that takes. */
  *telling(): Steps<void> {
    if (this.#audience.wanted & EVENT_BITS.ended) yield* this.freeing();
    else {
      const { view } = this.#sessions.table;
      for (const slot of this.#audience.watched()) {
        const reason = REASONS[this.reasonOf({ slot, generation: 0 })];
        if (reason !== undefined) this.#audience.over({ slot, generation: view.generation(slot) }, reason);
        this.pace.spend(UNITS.end);
        if (this.pace.isOver) yield;
      }
    }
  }

  /** True while something that is over stands in the lists: it may not count where a limit is judged. */
  get isUnsettled(): boolean {
    const { due } = this.#sessions;
    return this.hasMoreToFree || (due.size > 0 && due.instant(due.first()) <= this.#now());
  }

  /** Brings the lists up to date, or as far as is enough. */
  *settling(isEnough = () => false): Steps<void> {
    while (this.isUnsettled && !isEnough()) {
      if (this.hasMoreToFree) this.freeSome(SETTLED_AT_ONCE);
      else this.endDue(SETTLED_AT_ONCE);
      if (this.pace.isOver) yield;
    }
  }

  // ------------------------------------------------------------ after a sweep

  /** Reports tokens that came back after their grace, and zeroes what was replaced before the last time. */
  *tidying(): Steps<void> {
    const { table } = this.#sessions;
    const reports = Atomics.load(table.view.header, HEADER.reports);
    if (reports !== this.#reportsSeen) {
      this.#reportsSeen = reports;
      yield* this.#reportReused();
    }
    failpoint('sweep: reports read');
    table.unpin();
    table.cells.drainQuarantine();
  }

  *#reportReused(): Steps<void> {
    const { view } = this.#sessions.table;
    for (let word = 0; word < view.reports.length; word++) {
      this.pace.spend(UNITS.slot);
      this.#sessions.table.owner.check();
      let bits = view.reports[word] === 0 ? 0 : Atomics.exchange(view.reports, word, 0);
      for (; bits !== 0; bits &= bits - 1) {
        this.pace.spend(UNITS.record);
        this.#reportReusedIn(word * 32 + 31 - Math.clz32(bits & -bits));
      }
      if (this.pace.isOver) yield;
    }
  }

  #reportReusedIn(slot: number): void {
    const { view } = this.#sessions.table;
    if (!this.#sessions.isOpen(slot) || this.#sessions.load(slot) === 0) return;
    if (Atomics.load(view.reported, slot) !== view.head.generation) return;
    const bit = EVENT_BITS['token-reused'];
    if (this.#audience.wanted & bit) this.#audience.tell(bit, (to) => this.#sessions.writeInfo(to, view.mark(slot)));
    if (this.#endsReused) this.end(slot, 'closed', TOKEN_REUSED);
  }
}
