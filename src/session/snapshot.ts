/** What a thread knows of a session: what its record said when it was read last. Used in every thread of the host. */

import { setMaxListeners } from 'node:events';
import { formatId } from '../protocol/ids.js';
import type { RecordHeader } from '../protocol/record-header.js';
import type { TableView } from '../protocol/table.js';
import type { EndReason, Seen, Session, SessionId } from '../types/types.js';
import { fromUtf8, unpackClient } from './info.js';

/**
 * What is known of a session before its record is first read, as its maker wanted it. Durations in milliseconds,
 * Infinity for never.
 */
export interface Wanted {
  readonly userId: string | undefined;
  readonly client: Session['client'];
  readonly idleTimeout: number;
  readonly absoluteTimeout: number;
}

const NO_CLIENT: Session['client'] = Object.freeze({});

/** For a signal that any number of sockets and jobs may hang on. */
export function newAbort(): AbortController {
  const abort = new AbortController();
  setMaxListeners(0, abort.signal);
  return abort;
}

export class Facts {
  pointer = 0;
  stampLow = 0;
  stampHigh = 0;
  id = '' as SessionId;
  userId: string | undefined;
  client = NO_CLIENT;
  createdAt = 0;
  idle = Number.POSITIVE_INFINITY;
  absoluteAt = Number.POSITIVE_INFINITY;
  tokenIssuedAt = 0;
  authenticatedAt = Number.NaN;
  version = 0;
  lastSeenAt = 0;
  /** When this thread last marked it as seen; `lastSeenAt` is as it was before, until it is read again. */
  touchedAt = 0;
  data: Readonly<Record<string, unknown>> | undefined;
  /** The session's token, where this record was found to bear its digest: to prove that takes long. */
  token: string | undefined;

  /** Aborts when the session ends, if anybody hangs on that. */
  abort: AbortController | undefined;
  endedBy: EndReason | undefined;

  /** Facts of a session that was just made. */
  begin(id: string, createdAt: number, wanted: Wanted): void {
    this.id = id as SessionId;
    this.userId = wanted.userId;
    this.client = Object.freeze(wanted.client);
    this.createdAt = createdAt;
    this.lastSeenAt = createdAt;
    this.tokenIssuedAt = createdAt;
    this.idle = wanted.idleTimeout;
    this.absoluteAt = createdAt + wanted.absoluteTimeout;
  }

  /**
   * Takes over what the view has loaded from under `pointer`: `whole`, or the head alone of a record without user and
   * client.
   */
  take({ record, bytes }: TableView, pointer: number, whole: boolean): void {
    if (record.version !== this.version) this.data = undefined;
    this.token = undefined;
    this.pointer = pointer;
    this.stampLow = record.stampLow;
    this.stampHigh = record.stampHigh;
    if (this.id === '') this.id = formatId(record.id) as SessionId;
    this.createdAt = record.createdAt;
    this.idle = record.idle;
    this.absoluteAt = record.expiresAt;
    this.tokenIssuedAt = record.tokenIssuedAt;
    this.authenticatedAt = record.authenticatedAt;
    this.version = record.version;
    // A session under a key may lose either again.
    if (record.userBytes === 0) this.userId = undefined;
    if (record.clientBytes === 0) this.client = NO_CLIENT;
    if (!whole) return;
    if (record.userBytes > 0) this.userId = fromUtf8(bytes.subarray(record.userStart, record.clientStart));
    if (record.clientBytes === 0) return;
    this.client = Object.freeze(unpackClient(bytes.subarray(record.clientStart, record.dataStart)));
  }

  /** Whether this is what was read of that record. */
  isOf(pointer: number, { stampLow, stampHigh }: RecordHeader): boolean {
    return this.pointer === pointer && this.stampLow === stampLow && this.stampHigh === stampHigh;
  }

  /** When the session ends if it is not seen again. */
  get endsAt(): number {
    return Math.min(this.lastSeenAt + this.idle, this.absoluteAt);
  }

  /** What this thread's last mark has changed. */
  get seen(): Seen {
    const { lastSeenAt, idle, absoluteAt, tokenIssuedAt } = this;
    const seenAt = Math.max(lastSeenAt, this.touchedAt);
    // Small integers, unlike instants since 1970: nothing but the object itself takes memory.
    const before = lastSeenAt - tokenIssuedAt;
    const now = seenAt - tokenIssuedAt;
    const over = absoluteAt - tokenIssuedAt;
    return { before, now, endedAt: Math.min(before + idle, over), endsAt: Math.min(now + idle, over), tokenIssuedAt };
  }

  /**
   * The session is over: whoever hangs on its signal is told. Where the reason is not known, it is judged by the
   * session's times.
   */
  over(reason: EndReason | undefined, now: number): void {
    this.endedBy ??= reason ?? this.#reasonAt(now);
    this.abort?.abort(this.endedBy);
  }

  #reasonAt(now: number): EndReason {
    const idleAt = this.lastSeenAt + this.idle;
    if (this.absoluteAt <= now && this.absoluteAt <= idleAt) return 'expired';
    return idleAt <= now ? 'idle' : 'closed';
  }
}
