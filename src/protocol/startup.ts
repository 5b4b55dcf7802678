/** What a manager's thread is started with, and how a thread asks it for a connection. Used in every thread. */

import { types } from 'node:util';
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
  /** The connections that this manager serves from the first; none of them has a port in it that was used before. */
  readonly connections: readonly InheritedConnection[];
  /** The slot of a record that has killed two managers; -1 for none. */
  readonly suspect: number;
  readonly maxBytes: number;
  readonly maxSessionBytes: number;
  readonly maxSessionsPerUser: number;
  readonly whenOverLimit: 'reject' | 'end-oldest';
  readonly whenFull: 'reject' | 'end-longest-idle';
  readonly whenReused: 'report' | 'end-session';
  readonly sweep: string;
  /**
   * What every thread that joins has to know. The manager hands it on unread: it may hold cookie keys, which are in no
   * ticket.
   */
  readonly settings: unknown;
}

/**
 * A thread's connection, as a manager gets it from the supervisor. `port` and both buffers are shared or handed over,
 * never copied.
 */
export interface InheritedConnection {
  readonly number: number;
  readonly port: unknown;
  readonly words: SharedArrayBuffer;
  readonly journal: SharedArrayBuffer;
}

/** A thread has joined: `second` is the port by which the supervisor reaches it. */
export interface Joined {
  readonly number: number;
  readonly words: SharedArrayBuffer;
  readonly journal: SharedArrayBuffer;
  readonly second: unknown;
}

/** What the manager's thread tells the supervisor. */
export type ManagerReport =
  | { readonly coatcheck: 'running'; readonly recovered: number; readonly setAside: readonly string[] }
  | ({ readonly coatcheck: 'joined' } & Joined)
  /** It ends because of this. */
  | { readonly coatcheck: 'dying'; readonly why: ThreadError };

/** An error as it travels. */
export interface ThreadError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: string | undefined;
}

/** What the supervisor tells a thread through its second port. */
export type SupervisorMessage =
  /** Another manager: the port to it. */
  | { readonly coatcheck: 'renew'; readonly port: unknown; readonly epoch: number }
  | {
      readonly coatcheck: 'restarted';
      readonly why: ThreadError;
      readonly restarts: number;
      readonly recovered: number;
    };

/**
 * True for what has the form of such a report, but for the port in it. A manager's module is the application's to
 * choose, and may post what it likes.
 */
export function isReport(value: unknown): value is ManagerReport {
  if (typeof value !== 'object' || value === null) return false;
  const { coatcheck, recovered, setAside, why, number, words, journal } = value as Record<string, unknown>;
  if (coatcheck === 'running') return typeof recovered === 'number' && Array.isArray(setAside);
  if (coatcheck === 'dying') return isThreadError(why);
  if (coatcheck !== 'joined' || typeof number !== 'number') return false;
  return types.isSharedArrayBuffer(words) && types.isSharedArrayBuffer(journal);
}

/**
 * Whether a value that was cloned from another thread is a MessagePort, told by its methods, which nothing else that
 * can be cloned has: another realm of this thread (a `node:vm` context, a test runner's sandbox) may have a
 * MessagePort of its own.
 */
export function isPort(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { postMessage, close } = value as Record<string, unknown>;
  return typeof postMessage === 'function' && typeof close === 'function';
}

export function isThreadError(value: unknown): value is ThreadError {
  return typeof value === 'object' && value !== null && typeof (value as { message?: unknown }).message === 'string';
}

/** What the supervisor tells a manager: a thread that had joined is gone. */
export interface Gone {
  readonly coatcheck: 'gone';
  readonly number: number;
}

/**
 * Posted to the manager's thread with a port that it shall serve, and a second one, for the supervisor. Whatever else
 * arrives there is ignored.
 */
export interface JoinMessage {
  readonly coatcheck: 'join';
  readonly name: string;
}

export function isJoinMessage(
  value: unknown,
): value is JoinMessage & { readonly port: unknown; readonly second: unknown } {
  return typeof value === 'object' && value !== null && (value as { coatcheck?: unknown }).coatcheck === 'join';
}
