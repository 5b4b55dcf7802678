/**
 * One session as a thread reads it: from shared memory, each time what is current, without a message. Runs in every
 * thread of the host.
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
import { newestOf } from './tokens.js';

export type Data = Record<string, unknown>;

export class SessionReader {
  // Private, as all of it: whoever copies or prints a session finds no way to the table in it.
  readonly #context: SessionContext;
  readonly #slot: number;
  readonly #generation: number;
  /**
   * The token that this thread knows of this session; it may have been replaced since. Private, so that no inspection
   * shows it.
   */
  #token: string | undefined;
  /**
   * What is known of it; nothing before the first look, as most sessions are made for a cookie and never looked at by
   * their maker. Told by methods: V8 takes long for private getters.
   */
  #lastSnapshot: Snapshot | undefined;
  // Until then, for one that was made in this thread: its id's words, when it was made after the context's beginning,
  // and how it was wanted. Small integers, which lie in the object itself: much of what a new session costs is to keep
  // it through the collections of garbage that follow.
  #idA = 0;
  #idB = 0;
  #idC = 0;
  #idD = 0;
  #createdAfter = 0;
  #requested: RequestedSession | undefined;
  /** See `Handles`: who is held with whom. */
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

  /** True for a session of the manager whose context this is. */
  isOf(context: SessionContext): boolean {
    return this.#context === context;
  }

  /**
   * Says what is known of a session that was just made, so that it can be told even if it ends before it is first read.
   */
  initialize(id: Int32Array, createdAt: number, requested: RequestedSession): void {
    this.#idA = id[0] as number;
    this.#idB = id[1] as number;
    this.#idC = id[2] as number;
    this.#idD = id[3] as number;
    this.#createdAfter = createdAt - this.#context.beganAt;
    this.#requested = requested;
  }

  /** The sessions that stay in memory for as long as this one is held; undefined before it has joined them. */
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

  /** Reads the record anew if there is another. False if the slot holds this session no more. */
  refresh(): boolean {
    const { view } = this.#context;
    const snapshot = this.#snapshot();
    if (snapshot.pointer !== 0 && view.isCurrent(this.#slot, snapshot.pointer, snapshot.stampLow, snapshot.stampHigh))
      return true;
    const pointer = view.load(this.#slot, false);
    if (pointer === 0 || view.head.generation !== this.#generation) return false;
    // What belongs to the body is proved only with the whole of it.
    if (view.head.userBytes > 0 || view.head.clientBytes > 0) return this.#read();
    snapshot.load(view, pointer, false);
    return true;
  }

  /** Reads the whole record. */
  #read(): boolean {
    const { view } = this.#context;
    const pointer = view.load(this.#slot, true);
    if (pointer === 0 || view.head.generation !== this.#generation) return false;
    this.#snapshot().load(view, pointer, true);
    return true;
  }

  /** True if the session lives at `now`; then, if asked to, marks it as seen. What was read of it must be current. */
  see(now: number, touch: boolean): boolean {
    const { slots } = this.#context.view;
    const snapshot = this.#snapshot();
    const at = markPlace(this.#slot);
    const mark = Atomics.load(slots, at);
    // The generation after the mark: see `TableView.liveMark`.
    if (mark === ENDED || this.#context.view.generation(this.#slot) !== this.#generation) return false;
    const seen = seenAt(slots, at, mark, snapshot.createdAt);
    if (Math.min(seen + snapshot.idle, snapshot.absoluteAt) <= now) return false;
    snapshot.lastSeenAt = seen;
    if (!touch) return true;
    snapshot.touchedAt = now;
    return raiseMark(slots, at, mark, snapshot.createdAt, now);
  }

  /** Reads what is current, and says whether the session lives. */
  #current(): boolean {
    if (this.#snapshot().endedBy !== undefined) return false;
    while (this.refresh()) {
      const { pointer } = this.#snapshot();
      if (this.see(this.#context.now(), false)) return true;
      // Over; unless it was judged by a record that has been replaced meanwhile.
      if (this.#context.view.pointer(this.#slot) === pointer) return false;
    }
    return false;
  }

  /**
   * What is known, brought up to date: the current record while the session lives, the last one that was read once it
   * has ended.
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
    const { head, bytes } = this.#context.view;
    try {
      snapshot.data = decodeData(
        bytes.subarray(head.dataStart, head.length),
        this.#context.knownKeys,
      ) as Readonly<Data>;
    } catch (cause) {
      throw new SessionError('ERR_INVALID_DATA', 'The session holds data that this build has not written', { cause });
    }
    return snapshot.data;
  }

  /** The data with its version: both of the same record. */
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

  /** The session is over: whoever hangs on its signal is told. */
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

  /** What that has changed, or a lookup that marked it as seen. */
  get seen(): Seen {
    return this.#snapshot().seen;
  }

  /** This thread was shown the token that this session has now. */
  learnToken(token: string): void {
    this.#token = token;
  }

  /**
   * This thread has drawn a token that this session was given. Before it is told so it may have been shown one that
   * came later: then it keeps that.
   */
  learnDrawnToken(token: string): void {
    const shown = this.#token;
    this.#token = token;
    if (this.#newestToken() === undefined) this.#token = shown ?? token;
  }

  /**
   * The token that this session has now, if this thread knows it, or can open what was sealed for the one it knows.
   * Undefined if it cannot. Throws ERR_SESSION_ENDED.
   */
  currentToken(): string | undefined {
    const token = this.#newestToken();
    if (!this.#current()) throw new SessionError('ERR_SESSION_ENDED');
    const { view } = this.#context;
    if (token === undefined && view.load(this.#slot, false) !== 0 && view.head.isKeyed) throw noToken();
    return token;
  }

  #newestToken(): string | undefined {
    const newest = this.#token === undefined ? undefined : this.newestTokenFor(this.#token);
    this.#token = newest ?? this.#token;
    return newest;
  }

  /**
   * The token for whoever holds this one: itself, or within its grace the one that followed it. Undefined if it is none
   * of this session's, or that has ended.
   */
  newestTokenFor(token: string): string | undefined {
    const { view, now } = this.#context;
    if (!this.#current()) return undefined;
    const snapshot = this.#snapshot();
    if (snapshot.token === token) return token;
    const pointer = view.load(this.#slot, false);
    const { head } = view;
    if (pointer === 0 || head.generation !== this.#generation) return undefined;
    const newest = newestOf(token, head, now());
    if (newest === token && snapshot.isOfRecord(pointer, head)) snapshot.token = token;
    return newest;
  }

  /** Whether this was found to be its token, by the record that it has still. Whether it lives is not looked at. */
  hasToken(token: string): boolean {
    const { token: proved, pointer, stampLow, stampHigh } = this.#snapshot();
    return proved === token && this.#context.view.isCurrent(this.#slot, pointer, stampLow, stampHigh);
  }

  get tokenTimes(): TokenTimes {
    const { tokenIssuedAt: issuedAt, absoluteAt: endsAt } = this.#latest();
    return { issuedAt, endsAt };
  }
}
