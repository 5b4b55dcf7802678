/** The session of one request, as its handler sees it. Runs in every thread of the host. */

import {
  type Claim,
  type Duration,
  type Patch,
  type Session,
  SessionError,
  type SessionId,
  type SessionInfo,
  type SessionManager,
} from '../../index.js';
import { millisecondsOf, optionsOf, type ResolvedHttpOptions, refused } from '../options/options.js';
import { HttpRefusal, isEnded, withStatusOf } from '../options/refusal.js';
import type { LogoutOptions, RequestSession } from '../options/types.js';
import { type Exchange, isSecure } from '../request/exchange.js';
import { clearSiteDataOf, type HeadChanges, type HeadSource } from '../response/head.js';
import { clientToBind } from './binding.js';
import { csrfTokenOf, isCrossSite, isCsrfTokenOf, isSafeMethod } from './csrf.js';
import { CurrentSession } from './current-session.js';
import { logIn } from './login.js';
import { refuseForeignUse } from './misuse.js';
import { closeOther, closeOthers, listOthers } from './others.js';
import { isEmpty, withoutUndefined } from './patch.js';
import { Writes } from './writes.js';

type Data = Record<string, unknown>;

/** Lets two copies of this package recognise each other's sessions. */
const mark = Symbol.for('coatcheck.session of a request');
const nothing: Readonly<Data> = Object.freeze({});
const ignore = (): void => undefined;

export class SessionOfRequest implements RequestSession<Data>, HeadSource {
  readonly #manager: SessionManager;
  readonly #options: ResolvedHttpOptions;
  readonly #exchange: Exchange;
  /** The claim of the cookie that the request came with. */
  readonly #presented: Claim | undefined;
  readonly #currentSession: CurrentSession;
  /** Undefined before the first change: most requests make none. */
  #writes: Writes | undefined;
  /**
   * Changes that create or end the session or replace its token run one after the other. Undefined when none is
   * pending.
   */
  #turn: Promise<void> | undefined;
  #isRead = false;
  #isHeadOut = false;
  #isLoggedOut = false;
  #clearSiteData: string | undefined;

  constructor(manager: SessionManager, options: ResolvedHttpOptions, exchange: Exchange, presented: Claim | undefined) {
    this.#manager = manager;
    this.#options = options;
    this.#exchange = exchange;
    this.#presented = presented;
    this.#currentSession = new CurrentSession(manager, presented);
    if (this.#currentSession.isCookieDue) this.#hook();
  }

  #hook(): void {
    if (!this.#exchange.hookHead(this)) this.#isHeadOut = true;
  }

  /** Notes that the response may depend on the session. */
  #markRead(): void {
    if (this.#isRead) return;
    this.#isRead = true;
    this.#hook();
  }

  // ------------------------------------------------------------ reading

  get current(): Session | undefined {
    this.#markRead();
    const { session } = this.#currentSession;
    return session?.alive ? session : undefined;
  }

  get id(): SessionId | undefined {
    return this.current?.id;
  }

  get userId(): string | undefined {
    const session = this.current;
    const userId = session?.userId;
    // Checked again: if the session ended in between, it still names its user.
    return session?.alive ? userId : undefined;
  }

  get data(): Readonly<Data> {
    this.#markRead();
    try {
      return this.#currentSession.session?.data ?? nothing;
    } catch (error) {
      if (isEnded(error)) return nothing;
      throw error;
    }
  }

  get signal(): AbortSignal | undefined {
    return this.current?.signal;
  }

  // ------------------------------------------------------------ changing

  set(patch: Patch<Data>): Promise<void> {
    return this.#run(async () => {
      while (this.#turn !== undefined) await this.#turn;
      const { session } = this.#currentSession;
      if (session !== undefined) return session.set(patch);
      const data = withoutUndefined(patch);
      if (isEmpty(data)) return;
      if (!(await this.#begin(data))) await this.#currentSession.session?.set(patch);
    });
  }

  update(change: (data: Readonly<Data>) => Data | Promise<Data>): Promise<void> {
    return this.#run(async () => {
      while (this.#turn !== undefined) await this.#turn;
      const { session } = this.#currentSession;
      if (session !== undefined) return session.update(change);
      if (typeof change !== 'function') throw refused('change', 'a function');
      // Not in a turn, as `change` may itself change this session.
      const data = await change(nothing);
      if (isEmpty(data)) return;
      if (!(await this.#begin(data))) await this.#currentSession.session?.update(change);
    });
  }

  take<K extends string>(key: K): Promise<unknown> {
    return this.#run(async () => {
      while (this.#turn !== undefined) await this.#turn;
      return this.#currentSession.session?.take(key);
    });
  }

  login(userId: string, patch?: Patch<Data>): Promise<void> {
    return this.#run(() =>
      this.#inTurn(async () => {
        this.#needUnsentHead();
        await logIn(this.#manager, this.#currentSession, {
          userId,
          patch,
          client: clientToBind(this.#exchange, this.#options),
        });
        this.#isLoggedOut = false;
      }),
    );
  }

  logout(options?: LogoutOptions): Promise<void> {
    return this.#run(() =>
      this.#inTurn(async () => {
        const checked = optionsOf(options, ['clearSiteData', 'note']) as LogoutOptions;
        const clearSiteData = clearSiteDataOf(checked.clearSiteData);
        await this.#currentSession.session?.close(checked.note);
        this.#currentSession.clear();
        this.#isLoggedOut = true;
        this.#clearSiteData = clearSiteData;
      }),
    );
  }

  rotate(options?: { grace?: Duration }): Promise<void> {
    return this.#run(() =>
      this.#inTurn(async () => {
        const { session } = this.#currentSession;
        if (session === undefined) return;
        this.#needUnsentHead();
        await this.#currentSession.rotate(session, options);
      }),
    );
  }

  /**
   * Creates a session with this data. Resolves to false if another change of this request has created one in the
   * meantime.
   */
  #begin(data: Data): Promise<boolean> {
    return this.#inTurn(async () => {
      if (this.#currentSession.session !== undefined) return false;
      this.#needUnsentHead();
      // Left out or undefined, the data would be empty. null is refused, as undefined has to be here.
      const given = (data ?? null) as Data;
      await this.#currentSession.begin({ data: given, client: clientToBind(this.#exchange, this.#options) });
      return true;
    });
  }

  #run<T>(change: () => Promise<T>): Promise<T> {
    if (this.#writes === undefined) {
      this.#writes = new Writes(this.#options.onLostWrite);
      this.#hook();
    }
    return this.#writes.run(change);
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = (this.#turn ?? Promise.resolve()).then(change);
    const turn: Promise<void> = done.then(ignore, ignore).then(() => {
      if (this.#turn === turn) this.#turn = undefined;
    });
    this.#turn = turn;
    return done;
  }

  #needUnsentHead(): void {
    if (!this.#exchange.takesCookie)
      throw refused('the request', 'no upgrade: the answer to that sets no cookie, so log in and store before it');
    if (this.#isHeadOut) throw refused('the response', 'one whose head is not out yet: no cookie can be sent any more');
  }

  // ------------------------------------------------------------ the user's other sessions

  async listOthers(options?: { limit?: number }): Promise<SessionInfo[]> {
    const { limit } = optionsOf(options, ['limit']) as { limit?: number };
    return withStatusOf(listOthers(this.#manager, this.current, limit));
  }

  closeOther(id: unknown): Promise<boolean> {
    return this.#run(() => closeOther(this.#manager, this.current, id));
  }

  closeOthers(...filter: readonly unknown[]): Promise<number> {
    return this.#run(async () => {
      if (filter.some((given) => given !== undefined))
        throw refused('closeOthers', 'called without arguments: it ends all other sessions of the user');
      return closeOthers(this.#manager, this.current);
    });
  }

  // ------------------------------------------------------------ access checks

  csrfToken(): Promise<string> {
    return this.#run(async () => {
      while (this.#turn !== undefined) await this.#turn;
      this.#markRead();
      if (this.#currentSession.session === undefined) await this.#begin({});
      const { session, claim } = this.#currentSession;
      if (claim !== undefined) return csrfTokenOf(claim);
      throw new SessionError(session?.alive ? 'ERR_TOKEN_UNKNOWN' : 'ERR_SESSION_ENDED');
    });
  }

  checkCsrf(token: unknown = this.#exchange.header('x-csrf-token')): void {
    this.#markRead();
    if (isSafeMethod(this.#exchange.method)) return;
    const isOwn = this.#presented !== undefined && this.current !== undefined && isCsrfTokenOf(this.#presented, token);
    if (!isOwn || isCrossSite(this.#exchange.header('sec-fetch-site'))) throw new HttpRefusal('ERR_CSRF');
  }

  requireLogin(options?: { within?: Duration }): string {
    const checked = optionsOf(options, ['within']);
    // Present but undefined, it is refused: a setting that is missing must not allow what it was to forbid.
    const within = 'within' in checked ? millisecondsOf('within', checked.within) : undefined;
    const session = this.current;
    const userId = session?.userId;
    const authenticatedAt = session?.authenticatedAt;
    // After `touch`, `lastSeenAt` is the session time now. `touch` fails for a session that has ended.
    if (session === undefined || userId === undefined || !session.touch()) throw new HttpRefusal('ERR_LOGIN_REQUIRED');
    if (within === undefined) return userId;
    const now = session.lastSeenAt.getTime();
    if (authenticatedAt === undefined || now - authenticatedAt.getTime() > within)
      throw new HttpRefusal('ERR_LOGIN_TOO_OLD');
    return userId;
  }

  // ------------------------------------------------------------ for the adapters

  static {
    Object.defineProperty(SessionOfRequest.prototype, mark, { value: true });
    refuseForeignUse(SessionOfRequest.prototype);
  }

  /** Whether this is the session of a request, of any manager and any copy of this package. */
  static isAny(session: object): boolean {
    return Reflect.get(session, mark) === true;
  }

  /** Whether this is what the middleware of that manager has given the request. */
  static isOf(manager: SessionManager, session: unknown): session is SessionOfRequest {
    return session instanceof SessionOfRequest && session.#manager === manager;
  }

  /** Whether no change is pending, so that the head may be sent. */
  get isSettled(): boolean {
    return this.#writes === undefined || this.#writes.isSettled;
  }

  /** Resolves when no change is pending. Never rejects. */
  async settled(): Promise<void> {
    await this.#writes?.settled();
  }

  /** What the session adds to the head of the response. Called at the moment at which the head is sent. */
  headChanges(): HeadChanges {
    this.#isHeadOut = true;
    const cookie =
      this.#currentSession.takeCookie() ?? (this.#isLoggedOut ? this.#manager.clearCookieData() : undefined);
    return {
      setCookie: cookie === undefined ? undefined : this.#secured(cookie.toString()),
      clearSiteData: this.#clearSiteData,
      isRead: this.#isRead,
      isPrivate: this.#isRead && this.#currentSession.session !== undefined,
    };
  }

  #secured(cookie: string): string {
    const { autoSecure } = this.#options;
    return autoSecure && isSecure(this.#exchange, this.#options) ? `${cookie}; Secure` : cookie;
  }
}
