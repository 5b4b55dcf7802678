/** One session as a thread reads it: from shared memory, each time what is current, without a message. Runs in every thread of the host. */

import { setMaxListeners } from 'node:events';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ResolvedNewSession } from './arguments.js';
import { fromUtf8, toInstant, unpackClient } from './info.js';
import type { ByteReader, ByteWriter } from './protocol/bytes.js';
import { decodeData } from './protocol/data/decode.js';
import type { KnownKeys } from './protocol/data/strings.js';
import { SessionError } from './protocol/errors.js';
import { formatId } from './protocol/ids.js';
import { ENDED } from './protocol/layout.js';
import { raiseMark, seenAt } from './protocol/seen.js';
import { markPlace, sameDigest, type TableView } from './protocol/table.js';
import type { Refused } from './refused.js';
import { digestOf, unseal } from './tokens.js';
import type { EndReason, Session, SessionId } from './types.js';

export type Data = Record<string, unknown>;

/** What all sessions of one manager share in a thread. */
export interface SessionContext {
  readonly view: TableView;
  readonly now: () => number;
  readonly maxSessionBytes: number;
  readonly callTimeout: number;
  readonly knownKeys: KnownKeys;
  readonly schema: StandardSchemaV1 | undefined;
  call<T>(which: number, write: (to: ByteWriter) => void, read: (from: ByteReader) => T): Promise<T | Refused>;
  /** Asks to be told when this session ends. */
  watch(session: SessionView): void;
}

export class SessionView {
  // Private, as all of it: whoever copies or prints a session finds no way to the table in it.
  readonly #context: SessionContext;
  readonly #slot: number;
  readonly #generation: number;
  /** The token that this thread knows of this session; it may have been replaced since. Private, so that no inspection shows it. */
  #token: string | undefined;
  // What the record said that was read last.
  #pointer = 0;
  #stampLow = 0;
  #stampHigh = 0;
  #id = '' as SessionId;
  #userId: string | undefined;
  #client: Session['client'] = {};
  #createdAt = 0;
  #idle = Number.POSITIVE_INFINITY;
  #absoluteAt = Number.POSITIVE_INFINITY;
  #tokenIssuedAt = 0;
  #authenticatedAt = Number.NaN;
  #version = 0;
  #lastSeenAt = 0;
  #recordBytes = 0;
  #data: Readonly<Data> | undefined;
  #abort: AbortController | undefined;
  #endedBy: EndReason | undefined;

  constructor(context: SessionContext, slot: number, generation: number) {
    this.#context = context;
    this.#slot = slot;
    this.#generation = generation;
  }

  get slot(): number {
    return this.#slot;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Bytes of the record that was read last. */
  get recordBytes(): number {
    return this.#recordBytes;
  }

  protected get context(): SessionContext {
    return this.#context;
  }

  /** True for a session of the manager whose context this is. */
  isOf(context: SessionContext): boolean {
    return this.#context === context;
  }

  /** Fills in what is known of a session that was just created, so that it can be told even if it ends before it is first read. */
  born(known: { id: Int32Array; createdAt: number; init: ResolvedNewSession }): void {
    const { createdAt, init } = known;
    this.#id = formatId(known.id) as SessionId;
    this.#userId = init.userId;
    this.#client = Object.freeze(init.client);
    this.#createdAt = createdAt;
    this.#lastSeenAt = createdAt;
    this.#tokenIssuedAt = createdAt;
    this.#idle = init.idleTimeout;
    this.#absoluteAt = createdAt + init.absoluteTimeout;
  }

  // ------------------------------------------------------------ reading

  /** Reads the record anew if there is another. False if the slot holds this session no more. */
  refresh(): boolean {
    const { view } = this.#context;
    if (this.#pointer !== 0 && view.isCurrent(this.#slot, this.#pointer, this.#stampLow, this.#stampHigh)) return true;
    const pointer = view.load(this.#slot, false);
    if (pointer === 0 || view.head.generation !== this.#generation) return false;
    // What belongs to the body is proved only with the whole of it.
    const hasTexts = view.head.userBytes > 0 || view.head.clientBytes > 0;
    return hasTexts ? this.#read() : this.#take(pointer, false);
  }

  /** Reads the whole record. */
  #read(): boolean {
    const { view } = this.#context;
    const pointer = view.load(this.#slot, true);
    return pointer !== 0 && view.head.generation === this.#generation && this.#take(pointer, true);
  }

  #take(pointer: number, whole: boolean): boolean {
    const { head } = this.#context.view;
    if (head.version !== this.#version) this.#data = undefined;
    this.#pointer = pointer;
    this.#stampLow = head.stampLow;
    this.#stampHigh = head.stampHigh;
    if (this.#id === '') this.#id = formatId(head.id) as SessionId;
    this.#createdAt = head.createdAt;
    this.#idle = head.idle;
    this.#absoluteAt = head.expiresAt;
    this.#tokenIssuedAt = head.tokenIssuedAt;
    this.#authenticatedAt = head.authenticatedAt;
    this.#version = head.version;
    this.#recordBytes = head.length;
    if (whole) {
      const { bytes } = this.#context.view;
      const userAt = head.words * 4;
      const clientAt = userAt + head.userBytes;
      this.#userId = head.userBytes === 0 ? undefined : fromUtf8(bytes.subarray(userAt, clientAt));
      if (head.clientBytes > 0) {
        this.#client = Object.freeze(unpackClient(bytes.subarray(clientAt, clientAt + head.clientBytes)));
      }
    }
    return true;
  }

  /** True if the session lives at `now`; then, if asked to, marks it as seen. What was read of it must be current. */
  see(now: number, touch: boolean): boolean {
    const { slots } = this.#context.view;
    const at = markPlace(this.#slot);
    const mark = Atomics.load(slots, at);
    // The generation after the mark: see `TableView.liveMark`.
    if (mark === ENDED || this.#context.view.generation(this.#slot) !== this.#generation) return false;
    const seen = seenAt(slots, at, mark, this.#createdAt);
    if (Math.min(seen + this.#idle, this.#absoluteAt) <= now) return false;
    this.#lastSeenAt = seen;
    return !touch || raiseMark(slots, at, mark, this.#createdAt, now);
  }

  /** Reads what is current, and says whether the session lives. */
  #current(): boolean {
    if (this.#endedBy !== undefined) return false;
    while (this.refresh()) {
      const pointer = this.#pointer;
      if (this.see(this.#context.now(), false)) return true;
      // Over; unless it was judged by a record that has been replaced meanwhile.
      if (this.#context.view.pointer(this.#slot) === pointer) return false;
    }
    return false;
  }

  get alive(): boolean {
    return this.#current();
  }

  get id(): SessionId {
    return this.#id;
  }

  get userId(): string | undefined {
    this.#current();
    return this.#userId;
  }

  get client(): Session['client'] {
    return this.#client;
  }

  get createdAt(): Date {
    return new Date(this.#createdAt);
  }

  get lastSeenAt(): Date {
    this.#current();
    return new Date(this.#lastSeenAt);
  }

  get expiresAt(): Date | undefined {
    this.#current();
    return toInstant(Math.min(this.#lastSeenAt + this.#idle, this.#absoluteAt));
  }

  get authenticatedAt(): Date | undefined {
    this.#current();
    return toInstant(this.#authenticatedAt);
  }

  get tokenIssuedAt(): Date {
    this.#current();
    return new Date(this.#tokenIssuedAt);
  }

  get version(): number {
    this.#current();
    return this.#version;
  }

  get data(): Readonly<Data> {
    if (!this.#current()) throw new SessionError('ERR_SESSION_ENDED');
    if (this.#data !== undefined) return this.#data;
    if (!this.#read()) throw new SessionError('ERR_SESSION_ENDED');
    const { head, bytes } = this.#context.view;
    this.#data = decodeData(bytes.subarray(head.dataStart, head.length), this.#context.knownKeys) as Readonly<Data>;
    return this.#data;
  }

  /** The data with its version: both of the same record. */
  protected snapshot(): { readonly data: Readonly<Data>; readonly version: number } {
    const { data } = this;
    return { data, version: this.#version };
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      setMaxListeners(0, this.#abort.signal);
      if (this.#current()) this.#context.watch(this);
      else this.over(this.#endedBy ?? this.#reasonByTime());
    }
    return this.#abort.signal;
  }

  /** The session is over: whoever hangs on its signal is told. */
  over(reason: EndReason | undefined): void {
    this.#endedBy ??= reason ?? this.#reasonByTime();
    this.#abort?.abort(this.#endedBy);
  }

  /** Why it ended, as far as this thread can tell by itself. */
  #reasonByTime(): EndReason {
    const now = this.#context.now();
    const idleAt = this.#lastSeenAt + this.#idle;
    if (this.#absoluteAt <= now && this.#absoluteAt <= idleAt) return 'expired';
    return idleAt <= now ? 'idle' : 'closed';
  }

  touch(): boolean {
    return this.refresh() && this.see(this.#context.now(), true);
  }

  /** This thread has drawn, or was shown, a token of this session. */
  learn(token: string): void {
    this.#token = token;
  }

  /**
   * The token that this session has now, if this thread knows it, or can open what was sealed for the one it knows. Undefined if it cannot.
   * Throws ERR_SESSION_ENDED.
   */
  currentToken(): string | undefined {
    const { view } = this.#context;
    if (!this.#current()) throw new SessionError('ERR_SESSION_ENDED');
    if (this.#token === undefined || view.load(this.#slot, false) === 0) return undefined;
    const digest = digestOf(this.#token);
    const { head } = view;
    if (head.generation !== this.#generation) throw new SessionError('ERR_SESSION_ENDED');
    if (sameDigest(head.digest, digest)) return this.#token;
    if (!head.hasPrevious || !sameDigest(head.previousDigest, digest) || this.#context.now() >= head.graceUntil) {
      return undefined;
    }
    const next = unseal(this.#token, head.sealed);
    if (next !== undefined) this.#token = next;
    return next;
  }

  // ------------------------------------------------------------ being shown

  /** What a log may show: no token, no data. */
  toJSON(): Record<string, unknown> {
    const { id, userId, client, createdAt, lastSeenAt, expiresAt, authenticatedAt, tokenIssuedAt, version } = this;
    return { id, userId, client, createdAt, lastSeenAt, expiresAt, authenticatedAt, tokenIssuedAt, version };
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `Session { ${this.#id} }`;
  }
}
