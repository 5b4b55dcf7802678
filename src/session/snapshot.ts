/** What a thread read of a session when it last looked at its record. Used in every thread of the host. */

import { setMaxListeners } from 'node:events';
import type { SessionRecord } from '../protocol/record.js';
import type { EndReason, Seen, Session, SessionId } from '../types/types.js';
import { fromUtf8, unpackClient } from './info.js';

/**
 * The values that a session was created with, known to its maker before the record is read. Durations in milliseconds,
 * Infinity for never.
 */
export interface RequestedSession {
  readonly userId: string | undefined;
  readonly client: Session['client'];
  readonly idleTimeout: number;
  readonly absoluteTimeout: number;
}

const NO_CLIENT: Session['client'] = Object.freeze({});
const NO_TEXTS = new Uint8Array(0);

/** Any number of sockets and jobs may listen to the signal: Node does not warn. */
export function newAbort(): AbortController {
  const abort = new AbortController();
  setMaxListeners(0, abort.signal);
  return abort;
}

export class Snapshot {
  pointer = 0;
  stampLow = 0;
  stampHigh = 0;
  /** Undefined until it is asked for: it never changes. */
  id: SessionId | undefined;
  /** The bytes of user and client as the record has them, decoded when they are asked for. */
  #texts = NO_TEXTS;
  #userBytes = 0;
  #userId: string | undefined;
  #client: Session['client'] | undefined = NO_CLIENT;
  createdAt = 0;
  idle = Number.POSITIVE_INFINITY;
  absoluteAt = Number.POSITIVE_INFINITY;
  tokenIssuedAt = 0;
  authenticatedAt = Number.NaN;
  version = 0;
  lastSeenAt = 0;
  /**
   * When this thread last marked the session as seen. `lastSeenAt` stays as it was before that, until it is read again.
   */
  touchedAt = 0;
  data: Readonly<Record<string, unknown>> | undefined;
  /**
   * The current token, once its digest was compared with this record's: hashing it again for every request would be
   * slow.
   */
  token: string | undefined;

  /** Undefined until somebody asks for the session's `signal`. */
  abort: AbortController | undefined;
  endedBy: EndReason | undefined;

  get userId(): string | undefined {
    if (this.#userId === undefined && this.#userBytes > 0)
      this.#userId = fromUtf8(this.#texts.subarray(0, this.#userBytes));
    return this.#userId;
  }

  get client(): Session['client'] {
    this.#client ??= Object.freeze(unpackClient(this.#texts.subarray(this.#userBytes)));
    return this.#client;
  }

  /** Sets the values of a session that was just made. */
  initialize(createdAt: number, requested: RequestedSession): void {
    this.#userId = requested.userId;
    this.#client = Object.freeze(requested.client);
    this.createdAt = createdAt;
    this.lastSeenAt = createdAt;
    this.tokenIssuedAt = createdAt;
    this.idle = requested.idleTimeout;
    this.absoluteAt = createdAt + requested.absoluteTimeout;
  }

  /** Copies what the record at `pointer` says. Its body must be loaded if it has a user or a client. */
  load(record: SessionRecord, pointer: number): void {
    const { version, userBytes } = record;
    if (version !== this.version) this.data = undefined;
    this.token = undefined;
    this.pointer = pointer;
    this.stampLow = record.stampLow;
    this.stampHigh = record.stampHigh;
    this.createdAt = record.createdAt;
    this.idle = record.idle;
    this.absoluteAt = record.expiresAt;
    this.tokenIssuedAt = record.tokenIssuedAt;
    this.authenticatedAt = record.authenticatedAt;
    this.version = version;
    const hasTexts = userBytes > 0 || record.clientBytes > 0;
    this.#texts = hasTexts ? record.bytes.slice(record.headerWords * 4, record.dataStart) : NO_TEXTS;
    this.#userBytes = userBytes;
    this.#userId = undefined;
    this.#client = record.clientBytes > 0 ? undefined : NO_CLIENT;
  }

  /** Whether this snapshot was taken from that record. */
  isOf(record: SessionRecord, pointer: number): boolean {
    return this.pointer === pointer && this.stampLow === record.stampLow && this.stampHigh === record.stampHigh;
  }

  /** When the session ends if it is not seen again. */
  get endsAt(): number {
    return Math.min(this.lastSeenAt + this.idle, this.absoluteAt);
  }

  /** What the last mark of this thread has changed. */
  get seen(): Seen {
    const { lastSeenAt, idle, absoluteAt, tokenIssuedAt } = this;
    const seenAt = Math.max(lastSeenAt, this.touchedAt);
    // Differences are Smis, unlike instants since 1970: the object needs no further memory.
    const before = lastSeenAt - tokenIssuedAt;
    const now = seenAt - tokenIssuedAt;
    const end = absoluteAt - tokenIssuedAt;
    return { before, now, endedAt: Math.min(before + idle, end), endsAt: Math.min(now + idle, end), tokenIssuedAt };
  }

  /** The session has ended: aborts its signal. If the reason is undefined, it is derived from the session's times. */
  markEnded(reason: EndReason | undefined, now: number): void {
    this.endedBy ??= reason ?? this.#reasonAt(now);
    this.abort?.abort(this.endedBy);
  }

  #reasonAt(now: number): EndReason {
    const idleAt = this.lastSeenAt + this.idle;
    if (this.absoluteAt <= now && this.absoluteAt <= idleAt) return 'expired';
    return idleAt <= now ? 'idle' : 'closed';
  }
}
