/**
 * Buried keys: the digests of callers' own keys whose sessions have ended, kept for a while so that nothing that comes
 * late revives one. A ring in shared memory, so that a manager's death forgets none. The manager's thread writes it,
 * nobody else reads it.
 *
 *   ring     entries ever written, modulo 2^32 | …   then the entries, of which the youngest overwrites the oldest
 *   entry    digest (8 words) | buried until (2 words)
 *
 * An entry is written before it is counted, and counted before the session ends: so whoever finds the session ended
 * finds its key buried.
 */

import { reserve } from './memory.js';

export const BURIED = { written: 0, entries: 2, entryWords: 10, until: 8 } as const;

/** Ended keys that are remembered at once. 2.6 MB of address space; memory is used as keys come. */
export const MOST_BURIED = 65_536;

/** The longest time for which a key stays buried, in milliseconds. */
export const BURIED_FOR = 86_400_000;

/** Reserves a ring of so many entries, a power of two. */
export function reserveBuried(entries: number): SharedArrayBuffer {
  return reserve((BURIED.entries + entries * BURIED.entryWords) * 4);
}
