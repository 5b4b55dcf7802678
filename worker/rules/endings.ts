/**
 * How sessions end: one by one, by a timeout, to free capacity, or many for one call. Manager's thread; the clock is
 * passed in.
 *
 * A session ends by one store of ENDED into its slot's mark: from then on no thread finds it. Everything that follows
 * (lists, listeners, index, cells) only frees. If many sessions end at once, freeing is done in slices, and before any
 * limit is judged.
 */

import type { Target } from '../../src/protocol/calls.js';
import { COUNTER, ENDED, HEADER, PICKED } from '../../src/protocol/layout.js';
import { EVENT_BITS, REASONS, type Reason } from '../../src/protocol/notices.js';
import { SessionRecord } from '../../src/protocol/record.js';
import { markPlace } from '../../src/protocol/table.js';
import { TOMBSTONE_LIFETIME } from '../../src/protocol/tombstones.js';
import { failpoint } from '../failpoints.js';
import { type Pace, type Steps, UNITS } from '../table/pace.js';
import type { Caller } from './caller.js';
import { LongestIdle } from './longest-idle.js';
import type { Notifier } from './notifier.js';
import type { Sessions } from './sessions.js';

const NO_NOTE = new Uint8Array(0);
/** Slots that are checked or freed before it is checked whether that is enough. */
const SETTLED_AT_ONCE = 100;

/** The note of a session that ends because its token was used after its grace. */
const TOKEN_REUSED = new TextEncoder().encode('a token came back after its grace');

/** Sessions that ended in one slice and are not freed yet. */
interface Ended {
  readonly slots: Int32Array;
  readonly marks: Int32Array;
  readonly reason: Reason;
  next: number;
}

export class Endings {
  readonly #sessions: Sessions;
  readonly #notifier: Notifier;
  readonly #now: () => number;
  readonly pace: Pace;
  readonly #longestIdle: LongestIdle;
  readonly #toFree: Ended[] = [];
  /** The session that is ended or freed. */
  readonly #record = new SessionRecord();
  /** The session that was asked for by a digest. */
  readonly #asked = new SessionRecord();
  /** Called when there are sessions to free. */
  onToFree: () => void = () => {};
  readonly #endsReused: boolean;
  #reportsSeen = 0;
  /** Endings of many sessions that are under way. */
  #closings = 0;
  #firstNotBefore = Number.NEGATIVE_INFINITY;
  /**
   * No session is created before this instant: so an ending of many sessions can tell those that existed when it began
   * from those created since.
   */
  notBefore = Number.NEGATIVE_INFINITY;

  /** `endsReused`: whether a token that is used after its grace ends its session, or is only reported. */
  constructor(sessions: Sessions, notifier: Notifier, now: () => number, endsReused = false) {
    this.#sessions = sessions;
    this.#notifier = notifier;
    this.#now = now;
    this.pace = sessions.table.pace;
    this.#longestIdle = new LongestIdle(sessions.table, now);
    this.#endsReused = endsReused;
  }

  // ------------------------------------------------------------ one session

  /**
   * Loads the target's record (with `whole`, its body too) if the session is alive, and returns its pointer. If the
   * session's timeout has passed, it is ended instead. Returns 0 if there is no such session, or not any more.
   */
  loadOrEnd(target: Target, into: SessionRecord, whole = false): number {
    const { owner, view } = this.#sessions.table;
    const { slot } = target;
    owner.check();
    owner.header[HEADER.workSlot] = slot + 1;
    while (this.#sessions.isTarget(target)) {
      const mark = view.mark(slot);
      const pointer = view.load(slot, into, whole);
      if (pointer === 0) return 0;
      if (whole) this.pace.spend(into.length / UNITS.bytes);
      if (mark !== ENDED && into.endsAt(view.seen(into, mark)) > this.#now()) return pointer;
      if (this.#endIfOver(slot)) return 0;
    }
    return 0;
  }

  /**
   * True if no live session has this digest. A session that has it and whose timeout has passed is ended, unless it is
   * the one in slot `except`.
   */
  freeDigest(digest: Int32Array, except = -1): boolean {
    const slot = this.#sessions.byDigest(digest);
    if (slot < 0) return true;
    if (slot === except) return false;
    return this.loadOrEnd({ slot, generation: this.#sessions.table.view.generation(slot) }, this.#asked) === 0;
  }

  /** Ends an open session. */
  end(slot: number, reason: Reason, note: Uint8Array = NO_NOTE): void {
    const { slots } = this.#sessions.table.view;
    this.#leaveTombstone(slot);
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
   * Leaves a tombstone for the key of a session that is about to end, if it has one. Before the session ends, so that
   * its key is never free in between. If the manager dies in between, the session lives on beside its tombstone; that
   * has no effect, because tombstones are only searched if there is no session under the key.
   */
  #leaveTombstone(slot: number): void {
    const { view, tombstones, owner } = this.#sessions.table;
    const record = this.#record;
    if (owner.header[HEADER.keyed] !== 1 || view.load(slot, record) === 0 || !record.isKeyed) return;
    const { digest, createdAt, expiresAt } = record;
    tombstones.add(digest, this.#now() + Math.min(expiresAt - createdAt, TOMBSTONE_LIFETIME));
  }

  /** Stores why a session ends, before it ends. */
  #giveReason(slot: number, reason: Reason, picked = 0): void {
    const { view, owner } = this.#sessions.table;
    const place = REASONS.indexOf(reason) + 1;
    owner.check();
    view.reasons[slot] = place | picked;
  }

  /** Ends the session in a slot if its timeout has passed, unless it was seen after that was judged. */
  #endIfOver(slot: number): boolean {
    const { view } = this.#sessions.table;
    const record = this.#record;
    const mark = view.mark(slot);
    // It may have ended with many others and not be freed yet: it must not end twice.
    if (mark === ENDED || view.load(slot, record) === 0) return false;
    const idleAt = view.seen(record, mark) + record.idle;
    if (Math.min(idleAt, record.expiresAt) > this.#now()) return false;
    const reason: Reason = record.expiresAt <= idleAt ? 'expired' : 'idle';
    this.#leaveTombstone(slot);
    this.#giveReason(slot, reason);
    this.#sessions.table.owner.check();
    if (Atomics.compareExchange(view.slots, markPlace(slot), mark, ENDED) !== mark) return false;
    failpoint('sweep: ended');
    failpoint('sweep: judged');
    this.#ended(reason);
    this.#free(slot, mark, reason, NO_NOTE);
    return true;
  }

  /** Tells the listeners of an ended session, and frees its slot, its record and its place in the lists. */
  #free(slot: number, mark: number, reason: Reason, note: Uint8Array): void {
    const sessions = this.#sessions;
    const record = this.#record;
    const isHeard = (this.#notifier.wanted & EVENT_BITS.ended) !== 0;
    const pointer = isHeard ? sessions.loadTexts(slot, record) : sessions.table.view.load(slot, record);
    if (pointer === 0) return;
    if (isHeard) {
      this.#notifier.tell(EVENT_BITS.ended, (to) => {
        sessions.writeInfo(to, record, mark);
        to.u8(REASONS.indexOf(reason));
        to.raw(note);
      });
    }
    this.#notifier.over({ slot, generation: record.generation }, reason);
    failpoint('close: told');
    sessions.remove(record, pointer);
  }

  /** Why a session that is gone has ended, as a place in REASONS; -1 if that is not known any more. */
  reasonOf({ slot }: Target): number {
    const { view } = this.#sessions.table;
    const isGone = slot < view.shape.maxSessions && !this.#sessions.isOpen(slot);
    return isGone ? view.reasonPlace(slot) : -1;
  }

  // ------------------------------------------------------------ by their time

  /**
   * Ends sessions whose timeout has passed, visiting at most `most` slots. Returns how many it visited and how many
   * ended.
   */
  endDue(most: number): { visited: number; ended: number } {
    const sessions = this.#sessions;
    const { due } = sessions;
    const now = this.#now();
    let visited = 0;
    let ended = 0;
    for (; visited < most && due.size > 0; visited++) {
      const slot = due.first();
      if (due.instant(slot) > now) break;
      this.pace.spend(UNITS.record);
      if (this.#endIfOver(slot)) ended++;
      else if (sessions.isOpen(slot)) sessions.reschedule(slot);
      else due.remove(slot);
    }
    return { visited, ended };
  }

  // ------------------------------------------------------------ to free capacity

  /**
   * Ends the session that was not seen for the longest time, never the one in slot `except`. False if there is none.
   */
  *endLongestIdle(except: number): Steps<boolean> {
    const slot = yield* this.#longestIdle.find(except);
    if (slot < 0) return false;
    this.end(slot, 'evicted');
    return true;
  }

  // ------------------------------------------------------------ many for one call

  /**
   * Ends at most `most` of the sessions among `slots` that `picks` accepts, and leaves freeing them for later. Returns
   * how many ended, including those that a former manager had ended for the same call.
   *
   * Works in slices. Between two slices other sessions are created and ended; sessions created since the call began are
   * recognized by their creation time. In each slice the sessions are marked as picked, then one store decides that
   * they end and how many have ended so far. If the manager dies before that store, none of the slice has ended; if it
   * dies after it, its successor ends all of them.
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
    // Sessions that are over already must not be counted.
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
    // Only now, because the call that waits for this comes first.
    if (this.hasMoreToFree) this.onToFree();
    return total;
  }

  /**
   * Notes that an ending of many sessions, begun at this instant under a former manager, will be continued when its
   * caller sends it again. Sessions created until then get a later creation time, so that it does not end them.
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
    this.#leaveTombstone(slot);
    this.#giveReason(slot, reason, PICKED);
    failpoint('close all: half picked');
    picked.push(slot);
    this.pace.spend(UNITS.end);
  }

  /** Ends the picked sessions; returns how many the call has ended so far. */
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
    by.journal?.noteCount(total);
    this.#sessions.live -= slots.length;
    this.#sessions.ended[reason] += slots.length;
    failpoint('close all: ended');
    this.#toFree.push({ slots, marks, reason, next: 0 });
    return total;
  }

  get hasMoreToFree(): boolean {
    return this.#toFree.length > 0;
  }

  /** Frees at most `most` of the sessions that ended in slices. */
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

  /**
   * Tells everyone who listens or watches of the sessions that ended in slices. Frees sessions only if there are
   * listeners.
   */
  *telling(): Steps<void> {
    if (this.#notifier.wanted & EVENT_BITS.ended) yield* this.freeing();
    else {
      const { view } = this.#sessions.table;
      for (const slot of this.#notifier.watched()) {
        const reason = REASONS[this.reasonOf({ slot, generation: 0 })];
        if (reason !== undefined) this.#notifier.over({ slot, generation: view.generation(slot) }, reason);
        this.pace.spend(UNITS.end);
        if (this.pace.isOver) yield;
      }
    }
  }

  /** True while the lists contain sessions that are over: these must not count when a limit is judged. */
  get isUnsettled(): boolean {
    const { due } = this.#sessions;
    return this.hasMoreToFree || (due.size > 0 && due.instant(due.first()) <= this.#now());
  }

  /** Removes sessions that are over from the lists, until `isEnough`. */
  *settling(isEnough = () => false): Steps<void> {
    while (this.isUnsettled && !isEnough()) {
      if (this.hasMoreToFree) this.freeSome(SETTLED_AT_ONCE);
      else this.endDue(SETTLED_AT_ONCE);
      if (this.pace.isOver) yield;
    }
  }

  // ------------------------------------------------------------ after a sweep

  /**
   * The last part of a sweep: reports tokens that were used after their grace, releases pinned values, and zeroes the
   * cells that were in quarantine at the last sweep already.
   */
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
    const record = this.#record;
    if (!this.#sessions.isOpen(slot) || this.#sessions.loadTexts(slot, record) === 0) return;
    if (Atomics.load(view.reported, slot) !== record.generation) return;
    const bit = EVENT_BITS['token-reused'];
    if (this.#notifier.wanted & bit)
      this.#notifier.tell(bit, (to) => this.#sessions.writeInfo(to, record, view.mark(slot)));
    if (this.#endsReused) this.end(slot, 'closed', TOKEN_REUSED);
  }
}
