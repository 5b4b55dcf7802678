/** The sessions that this thread holds: one object for one live session, for as long as anyone holds it. Used in every thread of the host. */

import type { SessionHandle } from './session.js';
import type { SessionView } from './session-view.js';

/** Handles by slot, held weakly; those whose `signal` is in use, strongly. */
export class Handles {
  readonly #bySlot = new Map<number, WeakRef<SessionHandle>>();
  readonly #watched = new Map<number, SessionView>();
  /** Goes round all entries, over and over: two for each that is added, so that dead ones are never more than half as many again as there were handles. */
  #hand = this.#bySlot.entries();

  get(slot: number, generation: number): SessionHandle | undefined {
    const handle = this.#bySlot.get(slot)?.deref();
    return handle?.generation === generation ? handle : undefined;
  }

  add(handle: SessionHandle): void {
    this.#bySlot.set(handle.slot, new WeakRef(handle));
    this.#look();
    this.#look();
  }

  #look(): void {
    const { value, done } = this.#hand.next();
    if (done) this.#hand = this.#bySlot.entries();
    else if (value[1].deref() === undefined) this.#bySlot.delete(value[0]);
  }

  watch(handle: SessionView): void {
    // A slot that was let again: the notice that its former session is over has yet to come.
    const former = this.#watched.get(handle.slot);
    if (former !== undefined && former.generation !== handle.generation) former.over(undefined);
    this.#watched.set(handle.slot, handle);
  }

  /** The watched handle of a session that is over; it is not watched any more. */
  unwatch(slot: number, generation: number): SessionView | undefined {
    const handle = this.#watched.get(slot);
    if (handle?.generation !== generation) return undefined;
    this.#watched.delete(slot);
    return handle;
  }
}

/** Bounds of the memo: either makes it begin anew, with what was used lately kept for one more round. */
const MOST_ENTRIES = 32_768;
const MOST_BYTES = 32 * 1024 * 1024;

/** What a cookie was found to mean, as long as the record it was found in is current. */
export interface MemoEntry {
  readonly handle: SessionHandle;
  readonly pointer: number;
  readonly stampLow: number;
  readonly stampHigh: number;
  /** From when on the token is honoured no more; Infinity for a current one. */
  readonly until: number;
}

/** Cookies that this thread has seen, bounded in number and in the bytes of the records behind them. Two generations: what is used moves to the younger. */
export class Memo {
  #young = new Map<string, MemoEntry>();
  #old = new Map<string, MemoEntry>();
  #bytes = 0;

  get(cookie: string): MemoEntry | undefined {
    const entry = this.#young.get(cookie);
    if (entry !== undefined || this.#old.size === 0) return entry;
    const older = this.#old.get(cookie);
    if (older !== undefined) this.set(cookie, older);
    return older;
  }

  set(cookie: string, entry: MemoEntry): void {
    this.#young.set(cookie, entry);
    this.#bytes += entry.handle.recordBytes;
    if (this.#young.size < MOST_ENTRIES && this.#bytes < MOST_BYTES) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#bytes = 0;
  }

  delete(cookie: string): void {
    this.#young.delete(cookie);
    this.#old.delete(cookie);
  }
}
