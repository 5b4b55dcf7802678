/**
 * The reading half of a session: every property is read from shared memory at the moment of access, without a message.
 * Runs in every thread of the host.
 */

import { noToken } from '../calls/refused.js';
import type { TokenTimes } from '../cookies/format.js';
import { decodeData } from '../protocol/data/decode.js';
import { SessionError } from '../protocol/errors.js';
import { formatId } from '../protocol/ids.js';
import { ENDED } from '../protocol/layout.js';
import { raiseMark, seenAt } from '../protocol/seen.js';
import { markPlace } from '../protocol/table.js';
import type { EndReason, Seen, Session, SessionId, SignalReason } from '../types/types.js';
import type { SessionContext } from './context.js';
import { toInstant } from './info.js';
import { newAbort, type RequestedSession, Snapshot } from './snapshot.js';
import { newestTokenOf } from './tokens.js';

export type Data = Record<string, unknown>;

export class SessionReader {
  // All state is private: copying or printing a session must not reveal the table.
  readonly #context: SessionContext;
  readonly #slot: number;
  readonly #generation: number;
  /**
   * The newest token of this session that this thread knows; the session may have another by now. Private, so that no
   * inspection shows it.
   */
  #token: string | undefined;
  /**
   * What was read last. Undefined before the first read, as most sessions are made for a cookie and never read by the
   * thread that made them. Read through methods, as private getters are slow in V8.
   */
  #lastSnapshot: Snapshot | undefined;
  // For a session that this thread made, until the first snapshot: the words of its id, its creation time counted from
  // `beganAt`, and the requested values. They are stored as Smis in the object itself: most of the cost of a new
  // session is that the garbage collector has to copy what it refers to.
  #idA = 0;
  #idB = 0;
  #idC = 0;
  #idD = 0;
  #createdAfter = 0;
  #requested: RequestedSession | undefined;
  /** The handles that live as long as this one: see `Handles`. */
  #group: readonly SessionReader[] | undefined;

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

  protected get context(): SessionContext {
    return this.#context;
  }

  /** True if the session belongs to the manager with this context. */
  isOf(context: SessionContext): boolean {
    return this.#context === context;
  }

  /**
   * Stores what is known of a session that was just made, so that it can be told even if the session ends before it is
   * read.
   */
  initialize(id: Int32Array, createdAt: number, requested: RequestedSession): void {
    this.#idA = id[0] as number;
    this.#idB = id[1] as number;
    this.#idC = id[2] as number;
    this.#idD = id[3] as number;
    this.#createdAfter = createdAt - this.#context.beganAt;
    this.#requested = requested;
  }

  /** The handles that stay in memory as long as this one does; undefined until it is put into a group. */
  get group(): readonly SessionReader[] | undefined {
    return this.#group;
  }

  setGroup(group: readonly SessionReader[]): void {
    this.#group = group;
  }

  #snapshot(): Snapshot {
    return this.#lastSnapshot ?? this.#firstSnapshot();
  }

  #firstSnapshot(): Snapshot {
    const snapshot = new Snapshot();
    this.#lastSnapshot = snapshot;
    if (this.#requested === undefined) return snapshot;
    const id = formatId(Int32Array.of(this.#idA, this.#idB, this.#idC, this.#idD));
    snapshot.initialize(id, this.#context.beganAt + this.#createdAfter, this.#requested);
    this.#requested = undefined;
    return snapshot;
  }

  // ------------------------------------------------------------ reading

  /** Reads the record if it has changed. False if the slot does not hold this session any more. */
  refresh(): boolean {
    const { view } = this.#context;
    const snapshot = this.#snapshot();
    if (snapshot.pointer !== 0 && view.isCurrent(this.#slot, snapshot.pointer, snapshot.stampLow, snapshot.stampHigh))
      return true;
    const pointer = view.load(this.#slot, false);
    if (pointer === 0 || view.record.generation !== this.#generation) return false;
    // The checksum covers the body too: what lies in it can be trusted only if the whole record is read.
    if (view.record.userBytes > 0 || view.record.clientBytes > 0) return this.#read();
    snapshot.load(view, pointer, false);
    return true;
  }

  #read(): boolean {
    const { view } = this.#context;
    const pointer = view.load(this.#slot, true);
    if (pointer === 0 || view.record.generation !== this.#generation) return false;
    this.#snapshot().load(view, pointer, true);
    return true;
  }

  /**
   * True if the session is alive at `now`, judged by the snapshot, which must be current. If `touch` is set, marks it
   * as seen.
   */
  see(now: number, touch: boolean): boolean {
    const { slots } = this.#context.view;
    const snapshot = this.#snapshot();
    const at = markPlace(this.#slot);
    const mark = Atomics.load(slots, at);
    // The generation has to be loaded after the mark: see `TableView.liveMark`.
    if (mark === ENDED || this.#context.view.generation(this.#slot) !== this.#generation) return false;
    const seen = seenAt(slots, at, mark, snapshot.createdAt);
    if (Math.min(seen + snapshot.idle, snapshot.absoluteAt) <= now) return false;
    snapshot.lastSeenAt = seen;
    if (!touch) return true;
    snapshot.touchedAt = now;
    return raiseMark(slots, at, mark, snapshot.createdAt, now);
  }

  /** Brings the snapshot up to date. True if the session is alive. */
  #current(): boolean {
    if (this.#snapshot().endedBy !== undefined) return false;
    while (this.refresh()) {
      const { pointer } = this.#snapshot();
      if (this.see(this.#context.now(), false)) return true;
      // Ended, unless the snapshot was replaced by another record in the meantime: then it is judged again.
      if (this.#context.view.pointer(this.#slot) === pointer) return false;
    }
    return false;
  }

  /**
   * The snapshot, brought up to date: the current record of a live session, the last one that was read of an ended one.
   */
  #latest(): Snapshot {
    this.#current();
    return this.#snapshot();
  }

  get alive(): boolean {
    return this.#current();
  }

  get id(): SessionId {
    return this.#snapshot().id;
  }

  get userId(): string | undefined {
    return this.#latest().userId;
  }

  get client(): Session['client'] {
    return this.#latest().client;
  }

  get createdAt(): Date {
    return new Date(this.#snapshot().createdAt);
  }

  get lastSeenAt(): Date {
    return new Date(this.#latest().lastSeenAt);
  }

  get expiresAt(): Date | undefined {
    return toInstant(this.#latest().endsAt);
  }

  get idleTimeout(): number | false {
    const { idle } = this.#latest();
    return idle === Number.POSITIVE_INFINITY ? false : idle;
  }

  get authenticatedAt(): Date | undefined {
    return toInstant(this.#latest().authenticatedAt);
  }

  get tokenIssuedAt(): Date {
    return new Date(this.#latest().tokenIssuedAt);
  }

  get version(): number {
    return this.#latest().version;
  }

  get data(): Readonly<Data> {
    if (!this.#current()) throw new SessionError('ERR_SESSION_ENDED');
    const snapshot = this.#snapshot();
    if (snapshot.data !== undefined) return snapshot.data;
    if (!this.#read()) throw new SessionError('ERR_SESSION_ENDED');
    const { record, bytes } = this.#context.view;
    try {
      snapshot.data = decodeData(
        bytes.subarray(record.dataStart, record.length),
        this.#context.knownKeys,
      ) as Readonly<Data>;
    } catch (cause) {
      throw new SessionError('ERR_INVALID_DATA', 'The session holds data that this build has not written', { cause });
    }
    return snapshot.data;
  }

  /** The data and the version of one and the same record. */
  protected stored(): { readonly data: Readonly<Data>; readonly version: number } {
    const { data } = this;
    return { data, version: this.#snapshot().version };
  }

  get signal(): AbortSignal {
    const snapshot = this.#snapshot();
    if (snapshot.abort === undefined) {
      snapshot.abort = newAbort();
      if (this.#current()) this.#context.watch(this);
      else this.markEnded(snapshot.endedBy);
    }
    return snapshot.abort.signal;
  }

  /** The session has ended: aborts its signal. */
  markEnded(reason: EndReason | undefined): void {
    this.#snapshot().markEnded(
      reason ?? this.#context.view.reasonOf(this.#slot, this.#generation),
      this.#context.now(),
    );
  }

  detach(reason: SignalReason): void {
    this.#snapshot().abort?.abort(reason);
  }

  touch(): boolean {
    return this.refresh() && this.see(this.#context.now(), true);
  }

  /** What the last `touch`, or the last lookup that marked the session as seen, has changed. */
  get seen(): Seen {
    return this.#snapshot().seen;
  }

  /** Stores the current token, as a lookup found it. */
  learnToken(token: string): void {
    this.#token = token;
  }

  /**
   * Stores a token that this thread has drawn, once the manager has accepted it. The reply may arrive after this thread
   * has already learned of a later token: then that one stays.
   */
  learnDrawnToken(token: string): void {
    const shown = this.#token;
    this.#token = token;
    if (this.#newestToken() === undefined) this.#token = shown ?? token;
  }

  /**
   * The current token. Undefined if this thread knows neither it nor a token for which it was sealed. Throws
   * ERR_SESSION_ENDED; ERR_TOKEN_UNKNOWN for a session under a key.
   */
  currentToken(): string | undefined {
    const token = this.#newestToken();
    if (!this.#current()) throw new SessionError('ERR_SESSION_ENDED');
    const { view } = this.#context;
    if (token === undefined && view.load(this.#slot, false) !== 0 && view.record.isKeyed) throw noToken();
    return token;
  }

  #newestToken(): string | undefined {
    const newest = this.#token === undefined ? undefined : this.newestTokenFor(this.#token);
    this.#token = newest ?? this.#token;
    return newest;
  }

  /**
   * The token that the holder of `token` may use: `token` itself if it is current, or within its grace the one that
   * replaced it. Undefined if it is none of this session's tokens, or the session has ended.
   */
  newestTokenFor(token: string): string | undefined {
    const { view, now } = this.#context;
    if (!this.#current()) return undefined;
    const snapshot = this.#snapshot();
    if (snapshot.token === token) return token;
    const pointer = view.load(this.#slot, false);
    const { record } = view;
    if (pointer === 0 || record.generation !== this.#generation) return undefined;
    const newest = newestTokenOf(token, record, now());
    if (newest === token && snapshot.isOfRecord(pointer, record)) snapshot.token = token;
    return newest;
  }

  /**
   * True if `token` was found to be the current one, and the record has not changed since. Does not check whether the
   * session is alive.
   */
  hasToken(token: string): boolean {
    const { token: proved, pointer, stampLow, stampHigh } = this.#snapshot();
    return proved === token && this.#context.view.isCurrent(this.#slot, pointer, stampLow, stampHigh);
  }

  get tokenTimes(): TokenTimes {
    const { tokenIssuedAt: issuedAt, absoluteAt: endsAt } = this.#latest();
    return { issuedAt, endsAt };
  }
}
