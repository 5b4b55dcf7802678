/**
 * The proxy to a session manager: what an application holds. Runs in every thread of the host. In the order of the
 * calls.
 */

import type { MessagePort } from 'node:worker_threads';
import type { Scope } from '../calls/call-order.js';
import { Connection } from '../calls/connection.js';
import { Refused } from '../calls/refused.js';
import { clearCookie, createCookieFormat, withFormat } from '../cookies/cookies.js';
import { callToEnd, Listing } from '../lookup/listing.js';
import { Lookup } from '../lookup/lookup.js';
import { timeoutLimitsUnder } from '../options/policy.js';
import type { Settings } from '../options/settings.js';
import type { ByteReader } from '../protocol/bytes.js';
import { CALL, unpackSwept } from '../protocol/calls.js';
import { isManual, readClock, toSessionTime } from '../protocol/clock.js';
import { KnownKeys } from '../protocol/data/strings.js';
import { SessionError } from '../protocol/errors.js';
import { HEADER, STATUS } from '../protocol/layout.js';
import { readStats } from '../protocol/stats.js';
import { TableView } from '../protocol/table.js';
import { CheckedCalls } from '../schema/checked-calls.js';
import { callInTurn, type SessionContext, type Write } from '../session/context.js';
import { SessionHandle } from '../session/session.js';
import type { Data } from '../session/session-reader.js';
import type { Membership } from '../threads/membership.js';
import { isOver, otherBuild } from '../threads/ticket.js';
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
import { checkFilter, checkSessionId, notOwnSession, type ResolvedFilter } from '../validation/arguments.js';
import { Claims } from './claims.js';
import { Events } from './events.js';
import { KeyedSessions } from './keyed-sessions.js';
import { Births } from './new-session-call.js';
import { type EndOfWatching, Watching } from './watching.js';

const nothing = (): undefined => undefined;
const readCount = (from: ByteReader): number => from.u32();

export class Manager implements SessionManager<Data> {
  readonly #membership: Membership;
  readonly #settings: Settings;
  readonly #connection: Connection;
  readonly #lookup: Lookup;
  readonly #births: Births;
  readonly #keyed: KeyedSessions;
  /** Public for the connection alone. */
  readonly watching: Watching;
  readonly #context: SessionContext;
  readonly #events: Events;
  readonly #claims: Claims;
  readonly #now: () => number;
  #stopped: Promise<void> | undefined;
  #left: Promise<void> | undefined;

  private constructor(membership: Membership, settings: Settings, connection: Connection, events: Events) {
    const { invitation, schema } = membership;
    this.#membership = membership;
    this.#settings = settings;
    this.#connection = connection;
    this.#events = events;
    const view = new TableView(invitation.memory);
    this.#now = readClock(invitation.clock);
    this.#context = {
      view,
      now: this.#now,
      beganAt: this.#now(),
      maxSessionBytes: settings.maxSessionBytes,
      limits: timeoutLimitsUnder(settings.policy),
      callTimeout: invitation.callTimeout,
      knownKeys: new KnownKeys(),
      checked: schema === undefined ? undefined : new CheckedCalls(schema, invitation.callTimeout),
      call: (which, write, read) => connection.call(which, write, read),
      watch: (handle) => this.watching.watch(handle),
    };
    const format = createCookieFormat(settings.cookie);
    this.#lookup = new Lookup(view, this.#now, format, this.#context);
    this.#claims = new Claims(this.#lookup, settings, format, this.#now);
    this.#births = new Births(this.#context, this.#lookup, settings, connection);
    this.#keyed = new KeyedSessions(this.#context, this.#lookup, settings);
    this.watching = new Watching(this.#lookup.handles, connection, this.#context, isManual(invitation.clock));
  }

  /**
   * Greets the manager at the other end of the port. Rejects with ERR_MANAGER_FAILED, or ERR_MANAGER_NOT_FOUND if it is
   * of another build.
   */
  static async greet(port: MessagePort, membership: Membership): Promise<Manager> {
    const header = new Int32Array(membership.invitation.memory.header);
    let manager: Manager | undefined;
    const events = new Events(
      (bits) => connection.call(CALL.subscribe, (to) => to.u32(bits), nothing),
      (slot, generation, reason) => manager?.watching.tellOver(slot, generation, reason),
    );
    const whyLost = () => {
      // Where it was started, the invitation stays: whoever follows it is told what became of the manager.
      if (membership.ended === undefined) membership.forget();
      const isStopped = Atomics.load(header, HEADER.status) === STATUS.stopped;
      if (manager !== undefined) manager.#close(isStopped ? 'stopped' : 'failed');
      return isStopped ? 'ERR_MANAGER_STOPPED' : 'ERR_MANAGER_FAILED';
    };
    const connection = new Connection(port, membership.line, membership.invitation.callTimeout, {
      notices: (bytes) => events.hear(bytes),
      lost: () => {
        if (!membership.restarts || manager === undefined || isOver(membership.invitation)) return whyLost();
        membership.cutOff?.();
        return undefined;
      },
      state: () => ({ events: events.introduce(), watched: manager?.watching.watched ?? new Int32Array(0) }),
      over: (sessions) => manager?.watching.tellAllOver(sessions),
    });
    membership.follow({
      renew: (renewed) => connection.renew(renewed),
      restarted: (event) => events.restarted(event),
      over: () => connection.close(new Refused(whyLost(), 'unknown')),
    });
    const welcome = await connection.greet();
    if (!welcome.accepted) {
      connection.close(new Refused('ERR_MANAGER_NOT_FOUND'));
      throw otherBuild(membership.invitation.name, welcome.layoutVersion);
    }
    manager = new Manager(membership, await withFormat(welcome.settings as Settings), connection, events);
    return manager;
  }

  // ------------------------------------------------------------ sessions

  newSession(init?: NewSession<Data>): Promise<Session<Data>> {
    return this.#births.make(init);
  }

  getSession(cookie: string | undefined, options?: { touch?: boolean }): Session<Data> | undefined {
    return typeof cookie === 'string' ? this.#lookup.byCookie(cookie, options?.touch !== false) : undefined;
  }

  async loadSession(cookie: string | undefined, options?: { touch?: boolean }): Promise<Session<Data> | undefined> {
    return typeof cookie === 'string' ? this.#claims.load(cookie, options?.touch !== false) : undefined;
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
    return typeof cookie === 'string' ? this.#claims.byCookie(cookie, options?.touch !== false) : undefined;
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
    return this.#ask('all', CALL.closeAllSessions, callToEnd(this.#checkFilter(filter)), readCount);
  }

  #checkFilter(filter: SessionFilter | undefined): ResolvedFilter<SessionId> {
    const checkExcept = (value: unknown) => (this.#isOwn(value) ? value.id : checkSessionId('except', value));
    const { clock } = this.#membership.invitation;
    return checkFilter(filter, checkExcept, (instant) => toSessionTime(instant, clock, this.#now));
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
    const answer = await callInTurn(this.#context, 'all', CALL.stop, nothing, nothing);
    const over = answer instanceof Refused && /STOPPED|FAILED/.test(answer.code);
    if (answer instanceof Refused && !over && this.#membership.ended === undefined) throw answer.toError();
    this.#close('stopped');
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
    await callInTurn(this.#context, 'all', CALL.leave, nothing, nothing);
    this.#close('disconnected');
    this.#membership.forget();
  }

  /** From now on every call is refused, and nobody tells this thread of anything. */
  #close(why: EndOfWatching): void {
    this.#connection.close(new Refused(why === 'failed' ? 'ERR_MANAGER_FAILED' : 'ERR_MANAGER_STOPPED'));
    this.#events.end();
    this.watching.end(why);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#membership.ended === undefined ? this.disconnect() : this.stop();
  }

  createTicket(): Ticket {
    return this.#membership.invitation;
  }

  /** In parts, each a call, so that no other call waits long. */
  async sweep(): Promise<number> {
    const until = performance.now() + this.#context.callTimeout;
    for (let swept = 0; ; ) {
      const part = await this.#ask('all', CALL.sweep, nothing, (from) => unpackSwept(from.u32()));
      swept += part.ended;
      if (part.isOver) return swept;
      if (performance.now() >= until) throw new Refused('ERR_TIMEOUT', 'unknown').toError();
    }
  }

  stats(): Promise<ManagerStats> {
    return this.#ask('new', CALL.stats, nothing, readStats);
  }

  on<E extends keyof SessionEvents>(event: E, listener: (event: SessionEvents[E]) => void): () => void {
    return this.#events.on(event, listener as (event: never) => void);
  }

  // ------------------------------------------------------------ what the calls share

  async #ask<T>(scope: Scope, which: number, write: Write, read: (from: ByteReader) => T): Promise<T> {
    const answer = await callInTurn(this.#context, scope, which, write, read);
    if (answer instanceof Refused) throw answer.toError();
    return answer;
  }
}
