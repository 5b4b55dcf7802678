/**
 * Tombstones: the digests of callers' own keys whose sessions have ended, kept for a while so that a late call does not
 * create such a session again. A ring in shared memory, so that they survive a manager's death. Only the manager's
 * thread reads and writes it.
 *
 *   ring     entries ever written, as a number of eight bytes | …   then the entries; the newest overwrites the oldest
 *   entry    digest (8 words) | when it expires (2 words)
 *
 * An entry is written before it is counted, and counted before the session ends: so a session that has ended has its
 * tombstone.
 */

import { reserve } from './memory.js';

export const TOMBSTONES = { written: 0, entries: 2, entryWords: 10, until: 8 } as const;

/** Tombstones that exist at once. 2.6 MB of address space; memory is used as they are written. */
export const MAX_TOMBSTONES = 65_536;

/** The longest time for which a tombstone lasts, in milliseconds. */
export const TOMBSTONE_LIFETIME = 86_400_000;

/** Reserves a ring for this many entries, a power of two. */
export function reserveTombstones(entries: number): SharedArrayBuffer {
  return reserve((TOMBSTONES.entries + entries * TOMBSTONES.entryWords) * 4);
}
