/** What all sessions of one manager share in one thread. Used in every thread of the host. */

import type { Scope } from '../calls/call-order.js';
import type { Refused } from '../calls/refused.js';
import type { ByteReader, ByteWriter } from '../protocol/bytes.js';
import type { Target } from '../protocol/calls.js';
import type { TableView } from '../protocol/table.js';
import type { CheckedCalls } from '../schema/checked-calls.js';
import type { EndReason, SignalReason } from '../types/types.js';
import type { TimeoutLimits } from '../validation/durations.js';

export type Write = (to: ByteWriter) => void;

export interface SessionContext {
  readonly view: TableView;
  readonly now: () => number;
  /** The instant from which the creation times of new sessions are counted, so that they fit a small integer. */
  readonly beganAt: number;
  readonly maxSessionBytes: number;
  readonly limits: TimeoutLimits;
  readonly callTimeout: number;
  /** Present if this thread has a schema: its calls go through it, in their order. */
  readonly checked: CheckedCalls | undefined;
  call<T>(which: number, write: Write, read: (from: ByteReader) => T): Promise<T | Refused>;
  /** False while the manager's thread is being replaced: a call would wait for the next one. */
  hasManager(): boolean;
  /** Asks the manager to tell this thread when the session ends. */
  watch(session: WatchedSession): void;
}

/**
 * Makes a call that carries no data. If the thread has a schema, the call waits for its turn among the checked ones.
 */
export function callInTurn<T>(
  { call, checked }: SessionContext,
  scope: Scope,
  which: number,
  write: Write,
  read: (from: ByteReader) => T,
): Promise<T | Refused> {
  return checked === undefined ? call(which, write, read) : checked.plain(scope, () => call(which, write, read));
}

/** A session whose `signal` is in use. */
export interface WatchedSession extends Target {
  readonly alive: boolean;
  readonly expiresAt: Date | undefined;
  /**
   * The session has ended. If the reason is undefined, it is read from shared memory, or else derived from the
   * session's times.
   */
  markEnded(reason: EndReason | undefined): void;
  /** The session may still be alive, but this thread will not learn of its end: its signal aborts with this reason. */
  detach(reason: SignalReason): void;
}
