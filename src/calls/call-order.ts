/**
 * Keeps the calls of a thread in their order where some of them have to wait before they can be sent: for the
 * application's schema, or for an answer that data is checked against. Where nothing waits, a call is sent as it is
 * made. Only used with a schema. Runs in the threads that write.
 *
 * A call of one session waits for those of that session made before it, and for those of all sessions. A call of all
 * sessions waits for every call made before it. The making of a session waits until every call made before it has been
 * sent; calls of other sessions do not wait for it.
 *
 * A call is waited for until nothing can come between: an unconditional call has its place once it is handed to the
 * connection, which keeps the order from there. A conditional one (a patch, checked against one version of the data) is
 * sent again where somebody else wrote, and has its place only when it is settled. It also waits for the calls before
 * it to be settled, so that it is checked against what they made.
 */

import { MOST_CALLS, type Target } from '../protocol/calls.js';
import { MAX_PENDING_BYTES } from './connection.js';
import { Refused } from './refused.js';

/** What a call concerns: one session; the making of one, or a question about many; or any number of sessions. */
export type Scope = Target | 'new' | 'all';

export interface OrderedCall {
  readonly scope: Scope;
  /** Whether it may be refused because somebody else wrote, and is sent again then. */
  readonly isConditional?: boolean;
  /** What it holds in memory while it waits. */
  readonly bytes?: number;
  /** Settles before the call can be sent. Where this rejects, so does the call. */
  readonly until?: Promise<unknown> | undefined;
}

/**
 * A call's place among the others. A conditional call says when it was handed to the connection, and when it has to be
 * sent again.
 */
export interface Place {
  /** True once the call has an end, be it by its deadline: nothing may be sent for it any more. */
  readonly isSettled: boolean;
  sent(): void;
  refused(): void;
}

export class CallOrder {
  readonly #callTimeout: number;
  /**
   * A call that was not sent when it has no more time left than this is refused rather than sent: its answer would come
   * too late.
   */
  readonly #leastLeft: number;
  /** All that are not settled, oldest first, as a list. */
  #first: Entry | undefined;
  #last: Entry | undefined;
  #firstUnsent: Entry | undefined;
  #firstUnplaced: Entry | undefined;
  /** The last that is not settled of each session, by its slot, and of all sessions. */
  readonly #lastOf = new Map<number | 'all', Entry>();
  /** Those that may have got their turn. */
  #considered: Entry[] = [];
  #isConsidering = false;
  #count = 0;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(callTimeout: number) {
    this.#callTimeout = callTimeout;
    this.#leastLeft = callTimeout / 50;
  }

  /**
   * Makes a call in its place. `begin` hands it to the connection before it returns; or, where it is conditional,
   * whenever it is checked. Resolves to what `begin` resolves to, or by the deadline to a refusal. Rejects with what
   * `begin` or `until` rejects with.
   */
  make<T>(call: OrderedCall, begin: (place: Place) => Promise<T | Refused>): Promise<T | Refused> {
    const { bytes = 0, until } = call;
    if (this.#count >= MOST_CALLS || this.#bytes + bytes > MAX_PENDING_BYTES) {
      until?.catch(() => {});
      return Promise.resolve(new Refused('ERR_OVERLOADED'));
    }
    return new Promise((resolve, reject) => {
      const refuse = (refused: Refused) => this.#settle(entry, () => resolve(refused));
      const fail = (error: unknown) => this.#settle(entry, () => reject(error));
      const run = () => {
        begin(entry).then((answer) => this.#settle(entry, () => resolve(answer)), fail);
        if (!entry.isConditional) entry.sent();
      };
      const entry: Entry = new Entry(call, performance.now() + this.#callTimeout, run, refuse, () => this.#sent(entry));
      this.#enter(entry);
      this.#consider(entry);
      // What is sent as it is made has the same deadline there, and the connection knows whether the manager has begun
      // it.
      entry.isTimed = !entry.isUnderWay;
      until?.then(() => {
        entry.isReady = true;
        this.#consider(entry);
      }, fail);
    });
  }

  // ------------------------------------------------------------ places

  #enter(entry: Entry): void {
    this.#count++;
    this.#bytes += entry.bytes;
    if (this.#timer === undefined) this.#setTimer(this.#callTimeout);
    else if (this.#count === 1) this.#timer.ref();
    entry.earlier = this.#last;
    if (this.#last === undefined) this.#first = entry;
    else this.#last.later = entry;
    this.#last = entry;
    this.#firstUnsent ??= entry;
    this.#firstUnplaced ??= entry;
    const { chain } = entry;
    if (chain === undefined) return;
    if (chain !== 'all') entry.waitFor(this.#lastOf.get('all'));
    entry.before = this.#lastOf.get(chain);
    if (entry.before !== undefined) entry.before.after = entry;
    this.#lastOf.set(chain, entry);
  }

  /**
   * Has calls begin that have got their turn, and then those that get theirs by it. In a loop, as it may be a long way.
   */
  #consider(...entries: readonly (Entry | undefined)[]): void {
    for (const entry of entries) if (entry !== undefined && !entry.hasBegun) this.#considered.push(entry);
    if (this.#isConsidering) return;
    this.#isConsidering = true;
    for (let i = 0; i < this.#considered.length; i++) {
      const entry = this.#considered[i] as Entry;
      if (entry.hasBegun || !entry.isReady || entry.isSettled || !this.#hasTurn(entry)) continue;
      entry.hasBegun = true;
      entry.begin();
    }
    this.#considered = [];
    this.#isConsidering = false;
  }

  #hasTurn(entry: Entry): boolean {
    if (entry.chain === undefined) return entry === this.#firstUnsent;
    if (entry.chain === 'all') return entry === this.#firstUnplaced;
    return entry.isBehind(entry.before) && entry.isBehind(entry.barrier);
  }

  #sent(entry: Entry): void {
    this.#advance();
    this.#considerBehind(entry);
  }

  #advance(): void {
    while (this.#firstUnsent?.wasSent) this.#firstUnsent = this.#firstUnsent.later;
    while (this.#firstUnplaced?.hasPlace) this.#firstUnplaced = this.#firstUnplaced.later;
  }

  #considerBehind(entry: Entry): void {
    for (const each of entry.dependents) this.#consider(each);
    this.#consider(entry.after, this.#firstUnsent, this.#firstUnplaced);
  }

  #settle(entry: Entry, tell: () => void): void {
    if (entry.isSettled) return;
    entry.isSettled = true;
    entry.wasSent = true;
    this.#advance();
    this.#count--;
    this.#bytes -= entry.bytes;
    if (this.#count === 0) this.#timer?.unref();
    const { earlier, later, before, after, chain } = entry;
    if (earlier === undefined) this.#first = later;
    else earlier.later = later;
    if (later === undefined) this.#last = earlier;
    else later.earlier = earlier;
    // Who waited for this one waits for the one before it, which may have been sent and not be settled.
    if (before !== undefined) before.after = after;
    if (after !== undefined) after.before = before;
    else if (chain !== undefined && before !== undefined) this.#lastOf.set(chain, before);
    else if (chain !== undefined) this.#lastOf.delete(chain);
    for (const each of entry.dependents) if (!each.isSettled) each.waitFor(before);
    tell();
    this.#considerBehind(entry);
  }

  // ------------------------------------------------------------ deadlines

  #setTimer(after: number): void {
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        // After a turn of the event loop: where this thread was busy for long, the answers may lie at the door.
        setImmediate(() => this.#expire());
      },
      Math.max(1, Math.ceil(after)),
    );
  }

  #expire(): void {
    const now = performance.now();
    // None of them has its turn because another of them is over.
    this.#isConsidering = true;
    let entry = this.#first;
    for (; entry !== undefined && entry.deadline <= now; entry = entry.later) if (entry.isTimed) entry.expire();
    for (let next = entry; next !== undefined && next.deadline <= now + this.#leastLeft; next = next.later) {
      if (!next.isUnderWay && next.isTimed) next.expire();
    }
    this.#isConsidering = false;
    this.#consider();
    // One that is not watched any more is about to be refused by the connection.
    if (this.#timer === undefined && entry !== undefined) this.#setTimer(entry.deadline - now);
  }
}

class Entry implements Place {
  readonly chain: number | 'all' | undefined;
  readonly isConditional: boolean;
  readonly bytes: number;
  readonly deadline: number;
  readonly begin: () => void;
  readonly #refuse: (refused: Refused) => void;
  readonly #tellSent: () => void;
  /** Its neighbours among all, and in its chain: those of the same session, or those of all sessions. */
  earlier: Entry | undefined;
  later: Entry | undefined;
  before: Entry | undefined;
  after: Entry | undefined;
  /**
   * Of a call of one session: the last call of all sessions before it; and of such a one, those for whom it is that.
   */
  barrier: Entry | undefined;
  readonly dependents: Entry[] = [];
  isReady: boolean;
  isTimed = true;
  hasBegun = false;
  wasSent = false;
  /** True while the manager may be at it. */
  isUnderWay = false;
  isSettled = false;

  constructor(
    { scope, isConditional = false, bytes = 0, until }: OrderedCall,
    deadline: number,
    begin: () => void,
    refuse: (refused: Refused) => void,
    tellSent: () => void,
  ) {
    this.chain = scope === 'new' ? undefined : scope === 'all' ? scope : scope.slot;
    this.isConditional = isConditional;
    this.bytes = bytes;
    this.isReady = until === undefined;
    this.deadline = deadline;
    this.begin = begin;
    this.#refuse = refuse;
    this.#tellSent = tellSent;
  }

  get hasPlace(): boolean {
    return this.isSettled || (this.wasSent && !this.isConditional);
  }

  isBehind(other: Entry | undefined): boolean {
    return other === undefined || (other.hasPlace && !this.isConditional);
  }

  waitFor(barrier: Entry | undefined): void {
    this.barrier = barrier;
    barrier?.dependents.push(this);
  }

  sent(): void {
    this.isUnderWay = true;
    this.wasSent = true;
    this.#tellSent();
  }

  refused(): void {
    this.isUnderWay = false;
    this.isTimed = true;
    if (this.deadline <= performance.now()) this.expire();
  }

  expire(): void {
    this.#refuse(new Refused('ERR_TIMEOUT', this.isUnderWay ? 'unknown' : 'not-applied'));
  }
}
