/** The sessions that this thread holds: one object for one live session, for as long as anyone holds it. Used in every thread of the host. */

import type { SessionHandle } from './session.js';
import type { SessionView } from './session-view.js';

/** How many entries `Handles` may have before it looks which of them are dead. */
const FIRST_LOOK = 1024;

/** Handles by slot, held weakly; those whose `signal` is in use, strongly. */
export class Handles {
  readonly #bySlot = new Map<number, WeakRef<SessionHandle>>();
  readonly #watched = new Map<number, SessionView>();
  #nextLook = FIRST_LOOK;

  get(slot: number, generation: number): SessionHandle | undefined {
    const handle = this.#bySlot.get(slot)?.deref();
    return handle?.generation === generation ? handle : undefined;
  }

  add(handle: SessionHandle): void {
    this.#bySlot.set(handle.slot, new WeakRef(handle));
    if (this.#bySlot.size < this.#nextLook) return;
    for (const [slot, held] of this.#bySlot) if (held.deref() === undefined) this.#bySlot.delete(slot);
    this.#nextLook = Math.max(FIRST_LOOK, this.#bySlot.size * 2);
  }

  watch(handle: SessionView): void {
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
