/** What a manager's thread is started with, and how a thread asks it for a connection. Used in every thread. */

import type { ClockMemory } from './clock.js';
import type { TableMemory } from './layout.js';

/** The manager thread's `workerData`. Durations in milliseconds, Infinity for never. */
export interface ManagerStartup {
  readonly layoutVersion: number;
  readonly memory: TableMemory;
  readonly clock: ClockMemory;
  /** Whether the clock is moved by hand, and so never by the manager. */
  readonly manualClock: boolean;
  readonly ownerEpoch: number;
  readonly maxBytes: number;
  readonly maxSessionBytes: number;
  readonly maxSessionsPerUser: number;
  readonly whenOverLimit: 'reject' | 'end-oldest';
  readonly whenFull: 'reject' | 'end-longest-idle';
  readonly sweep: string;
  /** What every thread that joins has to know. The manager hands it on unread: it may hold cookie keys, which are in no ticket. */
  readonly settings: unknown;
}

/** Posted to the manager's thread with a port that it shall serve. Whatever else arrives there is ignored. */
export interface JoinMessage {
  readonly coatcheck: 'join';
  readonly name: string;
}

export function isJoinMessage(value: unknown): value is JoinMessage & { readonly port: unknown } {
  return typeof value === 'object' && value !== null && (value as { coatcheck?: unknown }).coatcheck === 'join';
}
