/**
 * What a manager's thread is started with, how a thread asks it for a connection, and what the manager, its supervisor
 * and the threads tell each other beside the calls. Used in every thread.
 */

import { types } from 'node:util';
import type { ClockMemory } from './clock.js';
import type { TableMemory } from './layout.js';

/** The manager thread's `workerData`. Durations in milliseconds, Infinity for never. */
export interface ManagerStartup {
  readonly layoutVersion: number;
  readonly memory: TableMemory;
  readonly clock: ClockMemory;
  /** Whether the clock is manual: the manager then never sets it. */
  readonly manualClock: boolean;
  readonly ownerEpoch: number;
  /** The connections that this manager serves from the start. Their ports are new. */
  readonly connections: readonly InheritedConnection[];
  /** The slot whose record is a poison message: two managers died of it. -1 for none. */
  readonly suspect: number;
  readonly maxBytes: number;
  readonly maxSessionBytes: number;
  readonly maxSessionsPerUser: number;
  readonly whenOverLimit: 'reject' | 'end-oldest';
  readonly whenFull: 'reject' | 'end-longest-idle';
  readonly whenReused: 'report' | 'end-session';
  readonly sweep: string;
  /**
   * What every thread that joins has to know. The manager passes it on unread. It may contain cookie keys, which
   * tickets do not contain.
   */
  readonly settings: unknown;
}

/** A thread's connection, as the supervisor hands it to a manager. `port` is transferred, both buffers are shared. */
interface InheritedConnection {
  readonly number: number;
  readonly port: unknown;
  readonly words: SharedArrayBuffer;
  readonly journal: SharedArrayBuffer;
}

/** A thread has joined: `second` is the port through which the supervisor reaches it. */
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
  /** The manager's thread ends because of this error. */
  | { readonly coatcheck: 'dying'; readonly why: ThreadError };

/** An error in a form that can be cloned. */
export interface ThreadError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: string | undefined;
}

/** What the supervisor tells a thread through its second port. */
export type SupervisorMessage =
  /** Another manager has taken over: the port to it. */
  | { readonly coatcheck: 'reconnect'; readonly port: unknown; readonly epoch: number }
  | {
      readonly coatcheck: 'restarted';
      readonly why: ThreadError;
      readonly restarts: number;
      readonly recovered: number;
    };

/**
 * Checks the form of a report, except for the port in it. The manager's module can be the application's own, and may
 * post anything.
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
 * Whether a value cloned from another thread is a MessagePort. It is recognized by its methods, which no other
 * cloneable object has, and not by `instanceof`: another realm of this thread (a `node:vm` context, a test runner's
 * sandbox) may have its own MessagePort class.
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
 * Posted to the manager's thread, together with the port that it is to serve and a second port for the supervisor. The
 * manager ignores other messages.
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
