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
import { SessionRecord } from '../protocol/record.js';
import { raiseMark, seenAt } from '../protocol/seen.js';
import { markPlace } from '../protocol/table.js';
import type { EndReason, Seen, Session, SessionId, SignalReason } from '../types/types.js';
import type { SessionContext } from './context.js';
import { toInstant } from './info.js';
import { newAbort, type RequestedSession, Snapshot } from './snapshot.js';
import { maskBefore, newestTokenOf } from './tokens.js';

export type Data = Record<string, unknown>;

/** What a method reads on its own; never kept from one method to the next. */
const record = new SessionRecord();

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
  // The words of the session's id; for a session that this thread made, until the first snapshot, its creation time
  // counted from `beganAt`, and the requested values. The numbers are Smis in the object itself: most of the cost of a
  // new session is that the garbage collector has to copy what it refers to.
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
    this.#setId(id);
    this.#createdAfter = createdAt - this.#context.beganAt;
    this.#requested = requested;
  }

  #setId(words: Int32Array): void {
    this.#idA = words[0] as number;
    this.#idB = words[1] as number;
    this.#idC = words[2] as number;
    this.#idD = words[3] as number;
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
    snapshot.initialize(this.#context.beganAt + this.#createdAfter, this.#requested);
    this.#requested = undefined;
    return snapshot;
  }

  // ------------------------------------------------------------ reading

  /** Reads the record if it has changed. False if the slot does not hold this session any more. */
  refresh(): boolean {
    const { view } = this.#context;
    const { pointer, stampLow, stampHigh } = this.#snapshot();
    if (pointer !== 0 && view.isCurrent(this.#slot, pointer, stampLow, stampHigh)) return true;
    return this.learn(record, this.#load());
  }

  /** Loads this session's record into `record`, and returns its pointer; 0 if the slot does not hold it any more. */
  #load(whole = false): number {
    const pointer = this.#context.view.load(this.#slot, record, whole);
    return pointer !== 0 && record.generation === this.#generation ? pointer : 0;
  }

  /**
   * Takes over what a record of this session says, whose header was loaded from `pointer`. False if the pointer is 0,
   * or the slot does not hold this session any more.
   */
  learn(loaded: SessionRecord, pointer: number): boolean {
    const snapshot = this.#snapshot();
    if (pointer === 0) return false;
    if (snapshot.isOf(loaded, pointer)) return true;
    const { view } = this.#context;
    let current = pointer;
    // The texts can be trusted only if the whole body is copied, as one checksum covers all of it.
    const hasTexts = loaded.userBytes > 0 || loaded.clientBytes > 0;
    if (hasTexts && !view.copyBody(pointer, loaded)) {
      current = view.load(this.#slot, loaded, true);
      if (current === 0 || loaded.generation !== this.#generation) return false;
    }
    this.#setId(loaded.id);
    snapshot.load(loaded, current);
    return true;
  }

  /**
   * The mark of this session if it is alive at `now`, judged by the snapshot, which must be current; ENDED otherwise.
   */
  #liveMark(now: number): number {
    const { slots } = this.#context.view;
    const snapshot = this.#snapshot();
    const at = markPlace(this.#slot);
    const mark = Atomics.load(slots, at);
    // The generation has to be loaded after the mark: see `TableView.liveMark`.
    if (mark === ENDED || this.#context.view.generation(this.#slot) !== this.#generation) return ENDED;
    const seen = seenAt(slots, at, mark, snapshot.createdAt);
    if (Math.min(seen + snapshot.idle, snapshot.absoluteAt) <= now) return ENDED;
    snapshot.lastSeenAt = seen;
    return mark;
  }

  /** Whether the session is alive at `now`, judged by the snapshot, which must be current. */
  isAliveAt(now: number): boolean {
    return this.#liveMark(now) !== ENDED;
  }

  /** Marks the session as seen at `now`. False if it is not alive, judged by the snapshot, which must be current. */
  see(now: number): boolean {
    const mark = this.#liveMark(now);
    if (mark === ENDED) return false;
    const snapshot = this.#snapshot();
    snapshot.touchedAt = now;
    return raiseMark(this.#context.view.slots, markPlace(this.#slot), mark, snapshot.createdAt, now);
  }

  /** Brings the snapshot up to date. True if the session is alive. */
  #current(): boolean {
    if (this.#snapshot().endedBy !== undefined) return false;
    while (this.refresh()) {
      const { pointer } = this.#snapshot();
      if (this.isAliveAt(this.#context.now())) return true;
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
    const snapshot = this.#snapshot();
    snapshot.id ??= formatId(Int32Array.of(this.#idA, this.#idB, this.#idC, this.#idD)) as SessionId;
    return snapshot.id;
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
    const pointer = this.#load(true);
    if (!this.learn(record, pointer)) throw new SessionError('ERR_SESSION_ENDED');
    try {
      snapshot.data = decodeData(record.data) as Readonly<Data>;
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
    return this.refresh() && this.see(this.#context.now());
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
    if (token === undefined && this.#load() !== 0 && record.isKeyed) throw noToken();
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
    if (!this.#current()) return undefined;
    const snapshot = this.#snapshot();
    if (snapshot.token === token) return token;
    const pointer = this.#load();
    if (pointer === 0) return undefined;
    const newest = newestTokenOf(token, record, this.#context.now());
    if (newest === token && snapshot.isOf(record, pointer)) snapshot.token = token;
    return newest;
  }

  /**
   * The mask of the token before this one: what that token's secrets are derived from. Undefined once its grace has
   * passed, or if `token` is not the current one.
   */
  maskBefore(token: string): Uint8Array | undefined {
    return this.#load() === 0 ? undefined : maskBefore(token, record, this.#context.now());
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
