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
import { Facts, newAbort, type Wanted } from './snapshot.js';
import { newestOf } from './tokens.js';

export type Data = Record<string, unknown>;

export class SessionView {
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
  #known: Facts | undefined;
  // Until then, for one that was made in this thread: its id's words, when it was made after the context's beginning,
  // and how it was wanted. Small integers, which lie in the object itself: much of what a new session costs is to keep
  // it through the collections of garbage that follow.
  #idA = 0;
  #idB = 0;
  #idC = 0;
  #idD = 0;
  #bornAfter = 0;
  #wanted: Wanted | undefined;
  /** See `Handles`: who is held with whom. */
  #group: readonly SessionView[] | undefined;

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
  born(id: Int32Array, createdAt: number, wanted: Wanted): void {
    this.#idA = id[0] as number;
    this.#idB = id[1] as number;
    this.#idC = id[2] as number;
    this.#idD = id[3] as number;
    this.#bornAfter = createdAt - this.#context.beganAt;
    this.#wanted = wanted;
  }

  /** The sessions that stay in memory for as long as this one is held; undefined before it has joined them. */
  get group(): readonly SessionView[] | undefined {
    return this.#group;
  }

  join(group: readonly SessionView[]): void {
    this.#group = group;
  }

  #facts(): Facts {
    return this.#known ?? this.#firstFacts();
  }

  #firstFacts(): Facts {
    const facts = new Facts();
    this.#known = facts;
    if (this.#wanted === undefined) return facts;
    const id = formatId(Int32Array.of(this.#idA, this.#idB, this.#idC, this.#idD));
    facts.begin(id, this.#context.beganAt + this.#bornAfter, this.#wanted);
    this.#wanted = undefined;
    return facts;
  }

  // ------------------------------------------------------------ reading

  /** Reads the record anew if there is another. False if the slot holds this session no more. */
  refresh(): boolean {
    const { view } = this.#context;
    const facts = this.#facts();
    if (facts.pointer !== 0 && view.isCurrent(this.#slot, facts.pointer, facts.stampLow, facts.stampHigh)) return true;
    const pointer = view.load(this.#slot, false);
    if (pointer === 0 || view.record.generation !== this.#generation) return false;
    // What belongs to the body is proved only with the whole of it.
    if (view.record.userBytes > 0 || view.record.clientBytes > 0) return this.#read();
    facts.take(view, pointer, false);
    return true;
  }

  /** Reads the whole record. */
  #read(): boolean {
    const { view } = this.#context;
    const pointer = view.load(this.#slot, true);
    if (pointer === 0 || view.record.generation !== this.#generation) return false;
    this.#facts().take(view, pointer, true);
    return true;
  }

  /** True if the session lives at `now`; then, if asked to, marks it as seen. What was read of it must be current. */
  see(now: number, touch: boolean): boolean {
    const { slots } = this.#context.view;
    const facts = this.#facts();
    const at = markPlace(this.#slot);
    const mark = Atomics.load(slots, at);
    // The generation after the mark: see `TableView.liveMark`.
    if (mark === ENDED || this.#context.view.generation(this.#slot) !== this.#generation) return false;
    const seen = seenAt(slots, at, mark, facts.createdAt);
    if (Math.min(seen + facts.idle, facts.absoluteAt) <= now) return false;
    facts.lastSeenAt = seen;
    if (!touch) return true;
    facts.touchedAt = now;
    return raiseMark(slots, at, mark, facts.createdAt, now);
  }

  /** Reads what is current, and says whether the session lives. */
  #current(): boolean {
    if (this.#facts().endedBy !== undefined) return false;
    while (this.refresh()) {
      const { pointer } = this.#facts();
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
  #latest(): Facts {
    this.#current();
    return this.#facts();
  }

  get alive(): boolean {
    return this.#current();
  }

  get id(): SessionId {
    return this.#facts().id;
  }

  get userId(): string | undefined {
    return this.#latest().userId;
  }

  get client(): Session['client'] {
    return this.#latest().client;
  }

  get createdAt(): Date {
    return new Date(this.#facts().createdAt);
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
    const facts = this.#facts();
    if (facts.data !== undefined) return facts.data;
    if (!this.#read()) throw new SessionError('ERR_SESSION_ENDED');
    const { record, bytes } = this.#context.view;
    try {
      facts.data = decodeData(
        bytes.subarray(record.dataStart, record.length),
        this.#context.knownKeys,
      ) as Readonly<Data>;
    } catch (cause) {
      throw new SessionError('ERR_INVALID_DATA', 'The session holds data that this build has not written', { cause });
    }
    return facts.data;
  }

  /** The data with its version: both of the same record. */
  protected snapshot(): { readonly data: Readonly<Data>; readonly version: number } {
    const { data } = this;
    return { data, version: this.#facts().version };
  }

  get signal(): AbortSignal {
    const facts = this.#facts();
    if (facts.abort === undefined) {
      facts.abort = newAbort();
      if (this.#current()) this.#context.watch(this);
      else this.over(facts.endedBy);
    }
    return facts.abort.signal;
  }

  /** The session is over: whoever hangs on its signal is told. */
  over(reason: EndReason | undefined): void {
    this.#facts().over(reason ?? this.#context.view.reasonOf(this.#slot, this.#generation), this.#context.now());
  }

  forsake(reason: SignalReason): void {
    this.#facts().abort?.abort(reason);
  }

  touch(): boolean {
    return this.refresh() && this.see(this.#context.now(), true);
  }

  /** What that has changed, or a lookup that marked it as seen. */
  get seen(): Seen {
    return this.#facts().seen;
  }

  /** This thread was shown the token that this session has now. */
  learn(token: string): void {
    this.#token = token;
  }

  /**
   * This thread has drawn a token that this session was given. Before it is told so it may have been shown one that
   * came later: then it keeps that.
   */
  drew(token: string): void {
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
    if (token === undefined && view.load(this.#slot, false) !== 0 && view.record.isKeyed) throw noToken();
    return token;
  }

  #newestToken(): string | undefined {
    const newest = this.#token === undefined ? undefined : this.newest(this.#token);
    this.#token = newest ?? this.#token;
    return newest;
  }

  /**
   * The token for whoever holds this one: itself, or within its grace the one that followed it. Undefined if it is none
   * of this session's, or that has ended.
   */
  newest(token: string): string | undefined {
    const { view, now } = this.#context;
    if (!this.#current()) return undefined;
    const facts = this.#facts();
    if (facts.token === token) return token;
    const pointer = view.load(this.#slot, false);
    const { record } = view;
    if (pointer === 0 || record.generation !== this.#generation) return undefined;
    const newest = newestOf(token, record, now());
    if (newest === token && facts.isOf(pointer, record)) facts.token = token;
    return newest;
  }

  /** Whether this was found to be its token, by the record that it has still. Whether it lives is not looked at. */
  bears(token: string): boolean {
    const { token: proved, pointer, stampLow, stampHigh } = this.#facts();
    return proved === token && this.#context.view.isCurrent(this.#slot, pointer, stampLow, stampHigh);
  }

  get tokenTimes(): TokenTimes {
    const { tokenIssuedAt: issuedAt, absoluteAt: endsAt } = this.#latest();
    return { issuedAt, endsAt };
  }
}
