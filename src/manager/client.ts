/**
 * The proxy to a session manager: the object that an application holds. Its methods stand in the order of the calls in
 * src/protocol/calls.ts. Runs in every thread of the host.
 */

import type { MessagePort } from 'node:worker_threads';
import { noFields } from '../calls/batch.js';
import type { Scope } from '../calls/call-order.js';
import { Refused } from '../calls/refused.js';
import { clearCookie, createCookieFormat } from '../cookies/cookies.js';
import { Listing, writerOfCloseAll } from '../lookup/listing.js';
import { Lookup } from '../lookup/lookup.js';
import { timeoutLimitsUnder } from '../options/policy.js';
import type { Settings } from '../options/settings.js';
import type { ByteReader } from '../protocol/bytes.js';
import { CALL, unpackSwept } from '../protocol/calls.js';
import { toSessionTime } from '../protocol/clock.js';
import { SessionError } from '../protocol/errors.js';
import { readStats } from '../protocol/stats.js';
import { TableView } from '../protocol/table.js';
import { CheckedCalls } from '../schema/checked-calls.js';
import { callInTurn, type SessionContext, type Write } from '../session/context.js';
import { SessionHandle } from '../session/session.js';
import type { Data } from '../session/session-reader.js';
import type { Membership } from '../threads/membership.js';
import type {
  Claim,
  CookieData,
  ManagerStats,
  NewSession,
  Session,
  SessionEvents,
  SessionFilter,
  SessionId,
  SessionInfo,
  SessionManager,
  Ticket,
} from '../types/types.js';
import {
  checkFilter,
  checkSessionId,
  checkTouch,
  notOwnSession,
  type ResolvedFilter,
} from '../validation/arguments.js';
import { Attachment } from './attachment.js';
import { CookieClaims } from './cookie-claims.js';
import { KeyedSessions } from './keyed-sessions.js';
import { NewSessionCalls } from './new-session-calls.js';

const readCount = (from: ByteReader): number => from.u32();

export class ManagerClient implements SessionManager<Data> {
  readonly #attachment: Attachment;
  readonly #settings: Settings;
  readonly #context: SessionContext;
  readonly #lookup: Lookup;
  readonly #claims: CookieClaims;
  readonly #newSessions: NewSessionCalls;
  readonly #keyed: KeyedSessions;
  #stopped: Promise<void> | undefined;
  #left: Promise<void> | undefined;

  constructor(attachment: Attachment, settings: Settings) {
    const { membership, now, handles, connection, watched } = attachment;
    const { schema, ticket } = membership;
    const view = new TableView(ticket.memory);
    this.#attachment = attachment;
    this.#settings = settings;
    this.#context = {
      view,
      now,
      beganAt: now(),
      maxSessionBytes: settings.maxSessionBytes,
      limits: timeoutLimitsUnder(settings.policy),
      callTimeout: ticket.callTimeout,
      checked: schema === undefined ? undefined : new CheckedCalls(schema, ticket.callTimeout),
      call: (which, write, read) => connection.call(which, write, read),
      hasManager: () => connection.hasManager,
      watch: (handle) => watched.watch(handle),
    };
    const format = createCookieFormat(settings.cookie);
    this.#lookup = new Lookup(view, now, format, this.#context, handles);
    this.#claims = new CookieClaims(this.#lookup, settings, format, now);
    this.#newSessions = new NewSessionCalls(this.#context, this.#lookup, settings, connection);
    this.#keyed = new KeyedSessions(this.#context, this.#lookup, settings);
  }

  /** Greets the manager at the other end of the port. Rejects as `Attachment.greet` does. */
  static async greet(port: MessagePort, membership: Membership): Promise<ManagerClient> {
    const attachment = Attachment.over(port, membership);
    return new ManagerClient(attachment, await attachment.greet());
  }

  // ------------------------------------------------------------ sessions

  newSession(init?: NewSession<Data>): Promise<Session<Data>> {
    return this.#newSessions.make(init);
  }

  getSession(cookie: string | undefined, options?: { touch?: boolean }): Session<Data> | undefined {
    const touch = options === undefined || checkTouch(options);
    return typeof cookie === 'string' ? this.#lookup.byCookie(cookie, touch) : undefined;
  }

  async loadSession(cookie: string | undefined, options?: { touch?: boolean }): Promise<Session<Data> | undefined> {
    const touch = options === undefined || checkTouch(options);
    return typeof cookie === 'string' ? this.#claims.load(cookie, touch) : undefined;
  }

  getSessionById(id: SessionId): Session<Data> | undefined {
    return typeof id === 'string' ? this.#lookup.byId(id) : undefined;
  }

  getCookieData(session: Session<Data>): CookieData {
    if (!this.#isOwn(session)) throw notOwnSession('session', session);
    return this.#claims.cookieOf(session);
  }

  clearCookieData(): CookieData {
    return clearCookie(this.#settings.cookie);
  }

  getClaim(cookie: string | undefined, options?: { touch?: boolean }): Claim<Data> | undefined {
    const touch = options === undefined || checkTouch(options);
    return typeof cookie === 'string' ? this.#claims.byCookie(cookie, touch) : undefined;
  }

  getClaimOf(session: Session<Data>): Claim<Data> {
    if (!this.#isOwn(session)) throw notOwnSession('session', session);
    return this.#claims.of(session);
  }

  // ------------------------------------------------------------ sessions under a caller's own key

  putSession(key: string, init: Omit<NewSession<Data>, 'linked'> & { data: Data }): Promise<Session<Data>> {
    return this.#keyed.put(key, init);
  }

  getSessionByKey(key: string, options?: { touch?: boolean }): Session<Data> | undefined {
    return this.#keyed.get(key, options);
  }

  closeSessionByKey(key: string, note?: string): Promise<void> {
    return this.#keyed.close(key, note);
  }

  // ------------------------------------------------------------ many sessions

  getAllSessions(filter?: SessionFilter): AsyncIterableIterator<SessionInfo> {
    return new Listing(this.#context, this.#checkFilter(filter)).sessions();
  }

  async closeAllSessions(filter?: SessionFilter): Promise<number> {
    return this.#ask('all', CALL.closeAllSessions, writerOfCloseAll(this.#checkFilter(filter)), readCount);
  }

  #checkFilter(filter: SessionFilter | undefined): ResolvedFilter<SessionId> {
    const checkExcept = (value: unknown) => (this.#isOwn(value) ? value.id : checkSessionId('except', value));
    const { clock } = this.#membership.ticket;
    return checkFilter(filter, checkExcept, (instant) => toSessionTime(instant, clock, this.#attachment.now));
  }

  async sessionWantsToClose(session: Session<Data> | SessionId): Promise<void> {
    await this.#end(session, false);
  }

  async sessionTerminating(session: Session<Data> | SessionId): Promise<void> {
    await this.#end(session, true);
  }

  async #end(session: Session<Data> | SessionId, terminated: boolean): Promise<void> {
    if (this.#isOwn(session)) return session.end(terminated);
    const target = this.#lookup.targetOf(checkSessionId('session', session));
    if (target !== undefined) await new SessionHandle(this.#context, target.slot, target.generation).end(terminated);
  }

  #isOwn(session: unknown): session is SessionHandle {
    return SessionHandle.is(session) && session.isOf(this.#context);
  }

  // ------------------------------------------------------------ the manager

  stop(): Promise<void> {
    this.#stopped ??= this.#stop().catch((error: unknown) => {
      this.#stopped = undefined;
      throw error;
    });
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const answer = await callInTurn(this.#context, 'all', CALL.stop, noFields, noFields);
    const over = answer instanceof Refused && /STOPPED|FAILED/.test(answer.code);
    if (answer instanceof Refused && !over && this.#membership.ended === undefined) throw answer.toError();
    this.#attachment.close('stopped');
    await this.#membership.ended?.();
    this.#membership.forget();
  }

  disconnect(): Promise<void> {
    if (this.#membership.ended !== undefined) {
      const text = 'The thread that started the manager cannot disconnect from it: use `stop`';
      return Promise.reject(new SessionError('ERR_INVALID_OPTION', text));
    }
    this.#left ??= this.#leave();
    return this.#left;
  }

  async #leave(): Promise<void> {
    await callInTurn(this.#context, 'all', CALL.leave, noFields, noFields);
    this.#attachment.close('disconnected');
    this.#membership.forget();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#membership.ended === undefined ? this.disconnect() : this.stop();
  }

  createTicket(): Ticket {
    return this.#membership.ticket;
  }

  /** Sweeps in parts, each a call of its own, so that no other call has to wait long. */
  async sweep(): Promise<number> {
    const until = performance.now() + this.#context.callTimeout;
    for (let swept = 0; ; ) {
      const part = await this.#ask('all', CALL.sweep, noFields, (from) => unpackSwept(from.u32()));
      swept += part.ended;
      if (part.isOver) return swept;
      if (performance.now() >= until) throw new Refused('ERR_TIMEOUT', 'unknown').toError();
    }
  }

  stats(): Promise<ManagerStats> {
    return this.#ask('new', CALL.stats, noFields, readStats);
  }

  on<E extends keyof SessionEvents>(event: E, listener: (event: SessionEvents[E]) => void): () => void {
    return this.#attachment.events.on(event, listener as (event: never) => void);
  }

  // ------------------------------------------------------------ what the calls share

  get #membership(): Membership {
    return this.#attachment.membership;
  }

  async #ask<T>(scope: Scope, which: number, write: Write, read: (from: ByteReader) => T): Promise<T> {
    const answer = await callInTurn(this.#context, scope, which, write, read);
    if (answer instanceof Refused) throw answer.toError();
    return answer;
  }
}
