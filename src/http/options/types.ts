/** What a handler sees of the session of its request, in the same words whatever the framework. */

import type { Duration, Patch, Session, SessionData, SessionId, SessionInfo } from '../../index.js';

/**
 * The data that the sessions of your site hold: empty, for you to fill in, so that `session.data` is typed in every
 * handler: `declare module 'coatcheck/express' { interface VisitorData { cart: string[] } }`. Left empty, it is
 * `Record<string, unknown>`.
 */
// biome-ignore lint/suspicious/noEmptyInterface: it is there to be merged with
export interface VisitorData {}

/** `VisitorData`, once there is something in it. */
export type StoredData = keyof VisitorData extends never ? Record<string, unknown> : VisitorData;

/**
 * The session of one request. A visitor for whom nothing was stored has none, costs nothing and gets no cookie; the
 * first `set`, `update`, `login` or `csrfToken` begins one. What is read is current and sends no message. Changes are
 * awaited before the head of the response goes out, also those that the handler does not wait for. Once the head is
 * out, what needs a cookie to be sent is refused with ERR_INVALID_OPTION; so it is on an upgrade (WebSocket).
 *
 * A session that ends during the request (a logout in another tab) reads as none, and refuses to be changed with
 * ERR_SESSION_ENDED, whose `status` is 401: it never comes back.
 */
export interface RequestSession<D extends SessionData = StoredData> {
  /**
   * The session itself, for all that is not here; undefined where there is none or it has ended. Its `login`, `rotate`
   * and `close` send no cookie: use those below.
   */
  readonly current: Session<D> | undefined;
  /** Safe to log; undefined where there is no session. */
  readonly id: SessionId | undefined;
  /** Who is logged in. */
  readonly userId: string | undefined;
  /** What is stored for this visitor: frozen, and empty where there is no session. */
  readonly data: Readonly<Partial<D>>;
  /**
   * Aborts when the session ends: hang sockets and streams on it. Undefined where there is no session. The first use of
   * a session's signal in a thread sends the manager a message.
   */
  readonly signal: AbortSignal | undefined;

  /**
   * Changes the keys given and no others; `undefined` removes one. Two requests that set different keys both succeed.
   */
  set(patch: Patch<D>): Promise<void>;
  /**
   * Reads, changes and writes as one step. `change` runs again when someone else wrote in between, and is given `{}`
   * where there is no session.
   */
  update(change: (data: Readonly<Partial<D>>) => D | Promise<D>): Promise<void>;
  /** Reads a key and removes it: of several requests one gets the value. Begins no session. */
  take<K extends keyof D>(key: K): Promise<D[K] | undefined>;

  /**
   * This visitor is now that user, in a session with a new id and a new token; the one before ends. What it held goes
   * along if nobody was logged in: what another user left does not. Whoever is that user already keeps the session,
   * under a new token.
   */
  login(userId: string, patch?: Patch<D>): Promise<void>;
  /** Ends the session and removes the cookie. No error where there is none. */
  logout(options?: LogoutOptions): Promise<void>;
  /**
   * A new token for the session, the old one good for `grace` (default '10s') more. Does nothing where there is none.
   */
  rotate(options?: { grace?: Duration }): Promise<void>;

  /** The other sessions of this user, in no order, `limit` (default 100) at most. Empty where nobody is logged in. */
  listOthers(options?: { limit?: number }): Promise<SessionInfo[]>;
  /** Ends one of the other sessions of this user. False for anything that is none, whatever a client sent. */
  closeOther(id: unknown): Promise<boolean>;
  /** Ends all other sessions of this user, and says how many. */
  closeOthers(): Promise<number>;

  /**
   * What a form or script has to send back, so that `checkCsrf` knows it comes from a page of this site; another text
   * each time. It belongs to the token of the session: `login` makes it void at once; after a `rotate`, or a renewal
   * by the option `rotation`, it counts for as long as the old token is honoured (`grace`), however often it is sent.
   * Begins a session where there is none.
   */
  csrfToken(): Promise<string>;
  /**
   * Throws HttpRefusal 403 (ERR_CSRF) unless the method is a safe one (GET, HEAD, OPTIONS, TRACE), or the request comes
   * from no other site and shows `token`. Default: its header `X-CSRF-Token`. For a form, give what was in its hidden
   * field, whatever that is.
   */
  checkCsrf(token?: unknown): void;
  /**
   * Who is logged in. Throws HttpRefusal 401: ERR_LOGIN_REQUIRED, or ERR_LOGIN_TOO_OLD where that was longer ago than
   * `within`.
   */
  requireLogin(options?: { within?: Duration }): string;
}

export interface LogoutOptions {
  /**
   * Sends Clear-Site-Data: true for "cache", "cookies" and "storage", or these. Default: not at all. Browsers heed it
   * over TLS only.
   */
  clearSiteData?: boolean | readonly ('*' | 'cache' | 'cookies' | 'storage' | 'executionContexts')[];
  /** Told with the `ended` event. */
  note?: string;
}
