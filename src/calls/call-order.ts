/**
 * Keeps the calls of a thread in order although some of them have to wait before they can be sent: for the
 * application's schema, or for a reply that their data is checked against. A call that does not have to wait is sent at
 * once. Used only with a schema, in the threads that write.
 *
 * Scopes. A call for one session waits for the earlier calls for that session, and for the earlier calls for all
 * sessions. A call for all sessions waits for every earlier call. Creating a session waits until every earlier call has
 * been sent; calls for other sessions do not wait for it.
 *
 * Places. A call is waited for until nothing can come between it and the next one: then it has its place. An
 * unconditional call has its place once it is handed to the connection, which keeps the order from there. A conditional
 * call (a patch, checked against one version of the data) is sent again if another write came first, so it has its
 * place only when it is settled. It also waits for the calls before it to be settled, so that it is checked against
 * their results.
 */

import { MOST_CALLS, type Target } from '../protocol/calls.js';
import { MAX_PENDING_BYTES } from './connection.js';
import { Refused } from './refused.js';

/**
 * What a call concerns: one session; 'new', the creation of a session or a question about many; 'all', any number of
 * sessions.
 */
export type Scope = Target | 'new' | 'all';

export interface OrderedCall {
  readonly scope: Scope;
  /** Whether the call is sent again if another write came first. */
  readonly isConditional?: boolean;
  /** The memory that it takes while it waits. */
  readonly bytes?: number;
  /** The call waits for this promise, and rejects with it. */
  readonly until?: Promise<unknown> | undefined;
}

/**
 * The place of a call among the others. A conditional call reports when it was handed to the connection, and when it
 * was refused and has to be sent again.
 */
export interface Place {
  /** True once the call has its answer or its deadline has passed: nothing may be sent for it any more. */
  readonly isSettled: boolean;
  sent(): void;
  refused(): void;
}

export class CallOrder {
  readonly #callTimeout: number;
  /**
   * A call that has not been sent when it has only this many milliseconds left is refused, as its reply would come too
   * late.
   */
  readonly #leastLeft: number;
  /** The calls that are not settled, oldest first, as a linked list. */
  #first: Entry | undefined;
  #last: Entry | undefined;
  #firstUnsent: Entry | undefined;
  #firstUnplaced: Entry | undefined;
  /** The last unsettled call of each chain: by slot for one session, and 'all'. */
  readonly #lastOf = new Map<number | 'all', Entry>();
  /** Calls that may have their turn now. */
  #candidates: Entry[] = [];
  #isBeginning = false;
  #count = 0;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(callTimeout: number) {
    this.#callTimeout = callTimeout;
    this.#leastLeft = callTimeout / 50;
  }

  /**
   * Makes a call in its order. `begin` has to hand the call to the connection before it returns, unless the call is
   * conditional. Resolves to what `begin` resolves to, or at the deadline to a refusal. Rejects as `begin` or `until`
   * does.
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
      this.#beginReady(entry);
      // A call that was sent at once has the same deadline in the connection, which also knows whether the manager has
      // begun it.
      entry.isTimed = !entry.isUnderWay;
      until?.then(() => {
        entry.isReady = true;
        this.#beginReady(entry);
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
   * Begins the calls that have their turn, then those that get their turn by it. A loop, as recursion could become
   * deep.
   */
  #beginReady(...entries: readonly (Entry | undefined)[]): void {
    for (const entry of entries) if (entry !== undefined && !entry.hasBegun) this.#candidates.push(entry);
    if (this.#isBeginning) return;
    this.#isBeginning = true;
    for (let i = 0; i < this.#candidates.length; i++) {
      const entry = this.#candidates[i] as Entry;
      if (entry.hasBegun || !entry.isReady || entry.isSettled || !this.#hasTurn(entry)) continue;
      entry.hasBegun = true;
      entry.begin();
    }
    this.#candidates = [];
    this.#isBeginning = false;
  }

  #hasTurn(entry: Entry): boolean {
    if (entry.chain === undefined) return entry === this.#firstUnsent;
    if (entry.chain === 'all') return entry === this.#firstUnplaced;
    return entry.isBehind(entry.before) && entry.isBehind(entry.barrier);
  }

  #sent(entry: Entry): void {
    this.#advance();
    this.#beginNext(entry);
  }

  #advance(): void {
    while (this.#firstUnsent?.wasSent) this.#firstUnsent = this.#firstUnsent.later;
    while (this.#firstUnplaced?.hasPlace) this.#firstUnplaced = this.#firstUnplaced.later;
  }

  #beginNext(entry: Entry): void {
    for (const each of entry.dependents) this.#beginReady(each);
    this.#beginReady(entry.after, this.#firstUnsent, this.#firstUnplaced);
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
    // The calls behind this one now wait for the one before it, which may have been sent without being settled.
    if (before !== undefined) before.after = after;
    if (after !== undefined) after.before = before;
    else if (chain !== undefined && before !== undefined) this.#lastOf.set(chain, before);
    else if (chain !== undefined) this.#lastOf.delete(chain);
    for (const each of entry.dependents) if (!each.isSettled) each.waitFor(before);
    tell();
    this.#beginNext(entry);
  }

  // ------------------------------------------------------------ deadlines

  #setTimer(after: number): void {
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        // After a turn of the event loop: if this thread was blocked, replies may have arrived without having been
        // read.
        setImmediate(() => this.#expire());
      },
      Math.max(1, Math.ceil(after)),
    );
  }

  #expire(): void {
    const now = performance.now();
    // While calls expire, none gets its turn because another has expired: it may expire as well.
    this.#isBeginning = true;
    let entry = this.#first;
    for (; entry !== undefined && entry.deadline <= now; entry = entry.later) if (entry.isTimed) entry.expire();
    for (let next = entry; next !== undefined && next.deadline <= now + this.#leastLeft; next = next.later) {
      if (!next.isUnderWay && next.isTimed) next.expire();
    }
    this.#isBeginning = false;
    this.#beginReady();
    // A call without a timer here is about to be refused by the connection.
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
  /** Neighbours in the list of all calls, and in the chain: the calls for one session, or those for all sessions. */
  earlier: Entry | undefined;
  later: Entry | undefined;
  before: Entry | undefined;
  after: Entry | undefined;
  /**
   * For a call for one session: the last earlier call for all sessions. `dependents` are the calls whose barrier this
   * one is.
   */
  barrier: Entry | undefined;
  readonly dependents: Entry[] = [];
  isReady: boolean;
  isTimed = true;
  hasBegun = false;
  wasSent = false;
  /** True while the manager may be processing it. */
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
