/** What all sessions of one manager share in a thread. Used in every thread of the host. */

import type { Scope } from '../calls/call-order.js';
import type { Refused } from '../calls/refused.js';
import type { ByteReader, ByteWriter } from '../protocol/bytes.js';
import type { Target } from '../protocol/calls.js';
import type { KnownKeys } from '../protocol/data/strings.js';
import type { TableView } from '../protocol/table.js';
import type { CheckedCalls } from '../schema/checked-calls.js';
import type { EndReason, SignalReason } from '../types/types.js';
import type { TimeoutLimits } from '../validation/durations.js';

export type Write = (to: ByteWriter) => void;

export interface SessionContext {
  readonly view: TableView;
  readonly now: () => number;
  /** An instant from which those of new sessions are counted. */
  readonly beganAt: number;
  readonly maxSessionBytes: number;
  readonly limits: TimeoutLimits;
  readonly callTimeout: number;
  readonly knownKeys: KnownKeys;
  /** Where this thread has a schema: what its calls go through. */
  readonly checked: CheckedCalls | undefined;
  call<T>(which: number, write: Write, read: (from: ByteReader) => T): Promise<T | Refused>;
  /** Asks to be told when this session ends. */
  watch(session: WatchedSession): void;
}

/** A call that brings no data, in its turn. */
export function callInTurn<T>(
  { call, checked }: SessionContext,
  scope: Scope,
  which: number,
  write: Write,
  read: (from: ByteReader) => T,
): Promise<T | Refused> {
  return checked === undefined ? call(which, write, read) : checked.plain(scope, () => call(which, write, read));
}

/** A session whose end somebody wants to know of. */
export interface WatchedSession extends Target {
  readonly alive: boolean;
  readonly expiresAt: Date | undefined;
  /** It has ended; where the reason is undefined, it is read from shared memory or told from the session's times. */
  markEnded(reason: EndReason | undefined): void;
  /** It may live on, but this thread will not notice its end. */
  detach(reason: SignalReason): void;
}
