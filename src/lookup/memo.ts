/**
 * What this thread remembers of the cookies and keys that it has looked up, so that the next lookup only compares a
 * pointer. Used in every thread of the host.
 */

import type { PresentedToken } from '../session/claim.js';
import type { SessionHandle } from '../session/session.js';

/** A memo that reaches either limit starts a new generation, and drops the one before the last. */
const MAX_ENTRIES = 32_768;
const MAX_BYTES = 32 * 1024 * 1024;

/** The session that a cookie or key was found to open. Valid as long as the session's record is the same. */
export interface MemoEntry {
  readonly handle: SessionHandle;
  readonly pointer: number;
  readonly stampLow: number;
  readonly stampHigh: number;
  /** The size of that record. */
  readonly bytes: number;
  /** When the token stops being honoured, in session time; Infinity for a current one. */
  readonly until: number;
  /** Undefined for a key, and until it is asked for. */
  presented: PresentedToken | undefined;
}

/**
 * The cookies or keys that were looked up, limited in number and in the bytes of their records. Two generations: an
 * entry that is used moves to the younger one.
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
