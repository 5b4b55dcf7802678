/** What a handler sees of its request's session, the same in all frameworks. */

import type { Duration, Patch, Session, SessionData, SessionId, SessionInfo } from '../../index.js';

/**
 * The type of your sessions' data, for you to declare: `declare module 'coatcheck/express' { interface VisitorData {
 * cart: string[] } }`. Then `session.data` is typed in every handler. If it stays empty, the data is `Record<string,
 * unknown>`.
 */
// biome-ignore lint/suspicious/noEmptyInterface: it is there to be merged with
export interface VisitorData {}

/** `VisitorData`, or `Record<string, unknown>` while that is empty. */
export type StoredData = keyof VisitorData extends never ? Record<string, unknown> : VisitorData;

/**
 * The session of one request. A visitor for whom nothing is stored has no session, costs nothing and gets no cookie;
 * the first `set`, `update`, `login` or `csrfToken` creates one. Reading returns the current state and sends no
 * message. The head of the response waits for all changes, also for those that the handler does not await. After the
 * head has been sent, and on an upgrade (WebSocket), whatever needs a cookie to be sent is refused with
 * ERR_INVALID_OPTION.
 *
 * A session that ends during the request (by a logout in another tab) reads as absent. Changing it is refused with
 * ERR_SESSION_ENDED, whose `status` is 401.
 */
export interface RequestSession<D extends SessionData = StoredData> {
  /**
   * The session itself, for everything that is not offered here; undefined if there is none or it has ended. Its
   * `login`, `rotate` and `close` send no cookie: use those below.
   */
  readonly current: Session<D> | undefined;
  /** Safe to log; undefined without a session. */
  readonly id: SessionId | undefined;
  /** The user who is logged in; undefined if none is. */
  readonly userId: string | undefined;
  /** The stored data, frozen; empty without a session. */
  readonly data: Readonly<Partial<D>>;
  /**
   * Aborts when the session ends: bind sockets and streams to it. Undefined without a session. The first use of a
   * session's signal in a thread sends one message.
   */
  readonly signal: AbortSignal | undefined;

  /**
   * Changes the given keys and no others; `undefined` removes a key. Two requests that set different keys both succeed.
   */
  set(patch: Patch<D>): Promise<void>;
  /**
   * Reads, changes and writes the data as one step. `change` runs again if another write came in between. Without a
   * session it is given `{}`.
   */
  update(change: (data: Readonly<Partial<D>>) => D | Promise<D>): Promise<void>;
  /** Removes a key and resolves to its value: of several requests, one gets it. Does not create a session. */
  take<K extends keyof D>(key: K): Promise<D[K] | undefined>;

  /**
   * Logs a user in, in a new session with a new id and a new token; the session before ends. Its data is carried over
   * if nobody was logged in; another user's data is not. If this user is logged in already, the session stays, with a
   * new token.
   */
  login(userId: string, patch?: Patch<D>): Promise<void>;
  /** Ends the session and removes the cookie. Does nothing without a session. */
  logout(options?: LogoutOptions): Promise<void>;
  /**
   * Gives the session a new token. The old one is honoured for `grace` (default '10s'). Does nothing without a session.
   */
  rotate(options?: { grace?: Duration }): Promise<void>;

  /** The other sessions of this user, in no order, at most `limit` (default 100). Empty if nobody is logged in. */
  listOthers(options?: { limit?: number }): Promise<SessionInfo[]>;
  /** Ends one of the other sessions of this user. Resolves to false for anything else, whatever a client sent. */
  closeOther(id: unknown): Promise<boolean>;
  /** Ends all other sessions of this user. Resolves to their number. */
  closeOthers(): Promise<number>;

  /**
   * A token that a form or script has to send back, by which `checkCsrf` recognises a page of this site; a different
   * text each time. It is derived from the session's token: `login` invalidates it at once; after `rotate`, or a
   * rotation by the option `rotation`, it is valid until the old token's grace has passed. Creates a session if there
   * is none.
   */
  csrfToken(): Promise<string>;
  /**
   * Throws HttpRefusal 403 (ERR_CSRF) unless the method is safe (GET, HEAD, OPTIONS, TRACE), or the request does not
   * come from another site and shows a valid `token`. Default: the header `X-CSRF-Token`. For a form, pass the value of
   * its hidden field, whatever it is.
   */
  checkCsrf(token?: unknown): void;
  /**
   * Returns the user who is logged in. Throws HttpRefusal 401: ERR_LOGIN_REQUIRED if nobody is, ERR_LOGIN_TOO_OLD if
   * the login was longer ago than `within` (default: any time). Throws ERR_INVALID_OPTION for any other option, and for
   * a `within` that is there but undefined.
   */
  requireLogin(options?: { within?: Duration }): string;
}

export interface LogoutOptions {
  /**
   * Sends Clear-Site-Data. true: "cache", "cookies" and "storage"; or the listed ones. Default: not sent. Browsers
   * honour it over TLS only.
   */
  clearSiteData?: boolean | readonly ('*' | 'cache' | 'cookies' | 'storage' | 'executionContexts')[];
  /** Passed on with the `ended` event. */
  note?: string;
}
