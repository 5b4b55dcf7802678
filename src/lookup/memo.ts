/**
 * What this thread remembers of the cookies and keys that it has looked up, so that the next lookup only compares a
 * pointer. Used in every thread of the host.
 */

import type { PresentedToken } from '../session/claim.js';
import type { SessionHandle } from '../session/session.js';

/** Bounds of the memo: either makes it begin anew, with what was used lately kept for one more round. */
const MAX_ENTRIES = 32_768;
const MAX_BYTES = 32 * 1024 * 1024;

/** What a cookie was found to mean, as long as the record it was found in is current. */
export interface MemoEntry {
  readonly handle: SessionHandle;
  readonly pointer: number;
  readonly stampLow: number;
  readonly stampHigh: number;
  /** Of that record. */
  readonly bytes: number;
  /** From when on the token is honoured no more; Infinity for a current one. */
  readonly until: number;
  /** Undefined for a key, and until it is asked for. */
  presented: PresentedToken | undefined;
}

/**
 * Cookies that this thread has seen, bounded in number and in the bytes of the records behind them. Two generations:
 * what is used moves to the younger.
 */
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
    this.#bytes += entry.bytes;
    if (this.#young.size < MAX_ENTRIES && this.#bytes < MAX_BYTES) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#bytes = 0;
  }

  delete(cookie: string): void {
    this.#young.delete(cookie);
    this.#old.delete(cookie);
  }
}
