/**
 * The types of the public API, which `index.ts` re-exports. Every duration is a `Duration`; every instant that is
 * returned is a `Date`.
 */

import type { ResourceLimits } from 'node:worker_threads';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Duration, SessionData, SessionId } from './basic.js';
import type { CookieData, CookieOptions } from './cookies.js';
import type { LmdbStoreOptions, RedisStoreOptions } from './stores.js';

export type { Duration, SessionData, SessionId } from './basic.js';
export type { CookieData, CookieOptions } from './cookies.js';
export type { LmdbStoreOptions, RedisStoreOptions } from './stores.js';

export interface ConnectOptions<D extends SessionData> {
  /**
   * Checks session data in this thread before it is sent: new data by itself, a patch by the data that it would make.
   * Default: none. Schemas cannot be sent to other threads: each thread that writes has to pass its own. Data that does
   * not fit is refused with ERR_INVALID_DATA, also what `take` would leave; a check that takes longer than
   * `callTimeout`, with ERR_TIMEOUT. The schema's output is stored, with its defaults. The schema has to accept its own
   * output; otherwise the first call that finds so is refused with ERR_INVALID_OPTION. A check must not await a call of
   * the session that it checks.
   */
  schema?: StandardSchemaV1<unknown, D>;
}

/**
 * A ticket to a manager: plain data that can be posted, put into `workerData`, and used by any number of threads of the
 * process. It holds no port, and no secret that outlives the manager.
 */
export interface Ticket {
  readonly name: string;
}

/** A level of OWASP ASVS 5.0, or an assurance level of NIST SP 800-63B-4. */
export type PolicyName = 'asvs-l1' | 'asvs-l2' | 'nist-aal1' | 'nist-aal2' | 'nist-aal3';

export interface ManagerOptions<D extends SessionData = Record<string, unknown>> extends ConnectOptions<D> {
  /**
   * Distinguishes several managers in a thread and the threads that it spawns. 1 to 64 characters. Default 'default'.
   * Starting a second manager of the same name is refused with ERR_NAME_IN_USE.
   */
  name?: string;
  /**
   * A security standard to comply with. Options that violate it are refused, also those of single sessions; the error
   * names the requirement. Options that are left out get complying values. Default: none. `coatcheck policy <name>`
   * lists the requirements and how each is met.
   */
  policy?: PolicyName;
  /** A session that is not seen for this long ends. Default '30m'. `false`: never. At most 100 years. */
  idleTimeout?: Duration | false;
  /** A session of this age ends, however much it is used. Default '8h'. `false`: never. At most 100 years. */
  absoluteTimeout?: Duration | false;
  /**
   * The number of sessions that the table can hold. Default 1_000_000. Address space is reserved for all of them;
   * memory is used as sessions are created.
   */
  maxSessions?: number;
  /**
   * Bytes for the data of all sessions together. Default 1 GiB or a quarter of the machine's memory, whichever is less.
   * Reserved in the same way.
   */
  maxBytes?: number;
  /** The largest size of one session's data, in bytes. Default 64 KiB. */
  maxSessionBytes?: number;
  /**
   * What happens to a new session if the table is full. 'reject' (default): it is refused with ERR_TABLE_FULL.
   * 'end-longest-idle': the session that was idle for longest ends.
   */
  whenFull?: 'reject' | 'end-longest-idle';
  /** The number of sessions that one user may have at a time. Default: no limit. */
  maxSessionsPerUser?: number;
  /**
   * What happens to a session above that limit. 'end-oldest' (default): the user's oldest session ends. 'reject': the
   * new one is refused with ERR_SESSION_LIMIT.
   */
  whenOverLimit?: 'reject' | 'end-oldest';
  /**
   * Rotates tokens while a session is in use: `loadSession` replaces a token that is older than `every`. The old one is
   * honoured for `grace` (default '1m'). Default: tokens are replaced on `login` and `rotate` only.
   */
  rotation?: { every: Duration; grace?: Duration };
  /**
   * What happens if a token comes back after its grace, as a stolen one would. 'report' (default): 'token-reused' is
   * emitted. 'end-session': the session ends as well.
   */
  whenReused?: 'report' | 'end-session';
  /** What the cookie contains and how it is sent. */
  cookie?: CookieOptions;
  /**
   * When ended sessions are freed: a cron expression. Default: every second. Lookups never find an ended session, swept
   * or not.
   */
  sweep?: string;
  /** Where sessions survive the process. Default 'memory': nowhere. */
  store?: 'memory' | LmdbStoreOptions | RedisStoreOptions;
  /** A module whose exports are called when sessions begin and end, in a Piscina pool, never in the manager thread. */
  hooks?: URL | string;
  /** How many restarts are allowed within a time before the manager fails for good. Default 5 within '10s'. */
  restarts?: { most: number; within: Duration };
  /** Every call settles within this time, whatever happens. Default '5s'. */
  callTimeout?: Duration;
  /** V8 limits of the manager thread. Default: `maxYoungGenerationSizeMb` is 24, the rest as Node has it. */
  resourceLimits?: ResourceLimits;
  /** The URL of the manager's module, for hosts that are bundled into one file. Default: the file in this package. */
  worker?: URL;
  /** The clock of sessions, for tests and replays. Default: the system's. */
  clock?: ManualClock;
}

// ---------------------------------------------------------------- the manager

export interface SessionManager<D extends SessionData = Record<string, unknown>> extends AsyncDisposable {
  /**
   * Creates a session under a new token. `data` may be left out only if `D` has no required key. Rejects with
   * ERR_INVALID_DATA, ERR_SESSION_TOO_LARGE, ERR_TABLE_FULL or ERR_SESSION_LIMIT.
   */
  newSession(
    ...init: Record<never, never> extends D ? [init?: NewSession<D>] : [init: NewSession<D> & { data: D }]
  ): Promise<Session<D>>;

  /**
   * The session of this cookie. Undefined if the cookie is absent, malformed, forged, or its session has ended or
   * expired: these cases look alike. Synchronous: reads shared memory, sends no message and never waits for the
   * manager. Once `close` has resolved in any thread, no thread finds the session. Marks the session as seen, unless
   * `touch` is false. In a thread, one live session is always the same object.
   */
  getSession(cookie: string | undefined, options?: { touch?: boolean }): Session<D> | undefined;

  /**
   * As `getSession`. Also rotates a token that is due by the option `rotation`, and asks a store that several machines
   * share.
   */
  loadSession(cookie: string | undefined, options?: { touch?: boolean }): Promise<Session<D> | undefined>;

  /**
   * The live session with this public id, for administration. It is not marked as seen, and its token stays unknown.
   */
  getSessionById(id: SessionId): Session<D> | undefined;

  /**
   * The session's cookie, and for how many seconds it is valid. Throws ERR_TOKEN_UNKNOWN if this thread does not know
   * the current token.
   */
  getCookieData(session: Session<D>): CookieData;
  /** The cookie that makes a browser delete the session's cookie. */
  clearCookieData(): CookieData;

  /**
   * As `getSession`, but returns the client's claim to the session. For responses that may send the session's cookie,
   * however long they take: once `login` has given the session another token, an earlier claim does not reveal that
   * one.
   */
  getClaim(cookie: string | undefined, options?: { touch?: boolean }): Claim<D> | undefined;
  /**
   * The claim of a client for which the session was just created, logged in or rotated, and that is still to be sent
   * the cookie. Throws as `getCookieData`.
   */
  getClaimOf(session: Session<D>): Claim<D>;

  /**
   * For adapters that draw session ids themselves: creates a session under a key of your own, or replaces everything in
   * the existing one. The key has 1 to 1024 bytes of UTF-8, should be hard to guess, and is used for one session only.
   * The session has no token, and thus no cookie, `login` or `rotate`. Rejects with ERR_SESSION_ENDED if the session
   * under this key has ended within its absolute timeout, at most a day ago.
   */
  putSession(key: string, init: Omit<NewSession<D>, 'linked'> & { data: D }): Promise<Session<D>>;
  /**
   * The session under a key, found as `getSession` finds one by its cookie: synchronous; undefined for anything that is
   * no key.
   */
  getSessionByKey(key: string, options?: { touch?: boolean }): Session<D> | undefined;
  /** Ends the session under a key. Afterwards `putSession` creates none under it, even if there was none before. */
  closeSessionByKey(key: string, note?: string): Promise<void>;

  /**
   * All live sessions, or those of one user, without their tokens and data. Reliable while sessions change: each
   * session that is alive throughout is yielded exactly once.
   */
  getAllSessions(filter?: SessionFilter): AsyncIterableIterator<SessionInfo>;

  /** Ends all sessions, or those that the filter selects, in one step. Resolves to their number. */
  closeAllSessions(filter?: SessionFilter): Promise<number>;

  /**
   * Closes a session: it is removed from the table, and then its `signal` aborts in every thread. Does nothing for an
   * unknown or ended session. Rejects with ERR_INVALID_OPTION for a string that is no id.
   */
  sessionWantsToClose(session: Session<D> | SessionId): Promise<void>;

  /**
   * Ends a session whose owner has died, with the reason 'terminated'. Does nothing for an unknown or ended session.
   * Rejects with ERR_INVALID_OPTION for a string that is no id.
   */
  sessionTerminating(session: Session<D> | SessionId): Promise<void>;

  /**
   * Ends this manager for all threads, after the calls that are under way. Its sessions are closed, or kept if the
   * store is durable.
   */
  stop(): Promise<void>;

  /**
   * Disconnects this thread; the manager stays. Sessions that are linked to this connection end. Rejects with
   * ERR_INVALID_OPTION in the thread that started the manager: use `stop` there.
   */
  disconnect(): Promise<void>;

  /** `stop` in the thread that started the manager, `disconnect` in one that joined. */
  [Symbol.asyncDispose](): Promise<void>;

  /** A ticket for threads that cannot find the manager by its name. */
  createTicket(): Ticket;

  /** Frees ended sessions now instead of at the next sweep. Resolves to their number. */
  sweep(): Promise<number>;

  stats(): Promise<ManagerStats>;

  /**
   * Adds a listener in this thread for what happens in all threads. Returns a function that removes it. What a listener
   * throws is reported as an 'uncaughtException', and does not affect the other listeners.
   */
  on<E extends keyof SessionEvents>(event: E, listener: (event: SessionEvents[E]) => void): () => void;
}

/**
 * What one client may do with a session: it holds a token, and has a right to any token that replaces this one while it
 * is honoured. To be used for one request. Reveals no token.
 */
export interface Claim<D extends SessionData = Record<string, unknown>> {
  readonly session: Session<D>;
  /**
   * Whether the client still has a right to the session. False once the session has ended, or has a token that does not
   * follow the client's.
   */
  readonly isGood: boolean;
  /**
   * Whether the client should be sent a new cookie: its token was replaced, or is signed with a key that is not the
   * first any more.
   */
  readonly isNews: boolean;
  /** What marking the session as seen has changed: at the lookup, unless `touch` was false, or by `see`. */
  readonly seen: Seen | undefined;
  /** Marks the session as seen. False if it has ended. Sends no message. */
  see(): boolean;
  /**
   * The cookie to send; undefined if `isGood` is false. Signed anew by each call: call it only for a cookie that is
   * sent.
   */
  getCookieData(): CookieData | undefined;
  /**
   * Rotates the token if it is due by the option `rotation`. Of many callers in all threads, one rotates. Undefined if
   * nothing is due. Never rejects.
   */
  renew(): Promise<void> | undefined;
  /**
   * Secrets for CSRF tokens: 32 bytes each, derived under a label from a session token. The first one, from the current
   * token, is for making a CSRF token. All of them are valid for checking one: the others are derived from the token in
   * the client's cookie, and within its grace from the token that was replaced last. Some may be equal.
   */
  secrets(label: string): readonly Uint8Array[];
}

/**
 * The effect of marking a session as seen. Times are milliseconds of session time since the token was issued; Infinity
 * for never.
 */
export interface Seen {
  /** When the session was seen before, and now. */
  readonly before: number;
  readonly now: number;
  /** When the session would have ended without being seen now, and when it ends after that. */
  readonly endedAt: number;
  readonly endsAt: number;
  /** In milliseconds since 1970. */
  readonly tokenIssuedAt: number;
}

export interface NewSession<D extends SessionData = Record<string, unknown>> {
  data?: D;
  /** At most 256 bytes of UTF-8. */
  userId?: string;
  idleTimeout?: Duration | false;
  absoluteTimeout?: Duration | false;
  /** Shown to users and administrators with the session. Each text is cut to 256 bytes of UTF-8. */
  client?: { ip?: string; userAgent?: string; label?: string };
  /**
   * Whether the session ends with this connection: when the thread exits or crashes, the manager ends the session. A
   * restart of the manager does not end it. Default false.
   */
  linked?: boolean;
}

/**
 * Selects the sessions that fit everything that is given. A key that is present but undefined is refused, so that `{
 * userId: undefined }` never selects everybody. `createdBefore` is compared with `createdAt`, in session time. If
 * session time is ahead of the system's clock, because that was set back, an instant up to the system's present is
 * moved by the difference: `new Date()` selects the newest sessions too.
 */
export interface SessionFilter {
  userId?: string;
  except?: Session | SessionId;
  createdBefore?: Date;
  limit?: number;
}

export interface SessionInfo {
  readonly id: SessionId;
  readonly userId: string | undefined;
  readonly client: { readonly ip?: string; readonly userAgent?: string; readonly label?: string };
  readonly createdAt: Date;
  readonly lastSeenAt: Date;
  readonly expiresAt: Date | undefined;
  /** When `login` last succeeded. Check that it is recent before anything sensitive. */
  readonly authenticatedAt: Date | undefined;
  /** When the current token was issued. */
  readonly tokenIssuedAt: Date;
  /** The number of changes of `data`. */
  readonly version: number;
}

// ---------------------------------------------------------------- one session

/** A change of some keys. `undefined` removes a key. */
export type Patch<D> = { [K in keyof D]?: D[K] | undefined };

/**
 * A session as any thread holds it. Reading a property returns the current state and sends no message. For an ended
 * session, the properties of SessionInfo stay as they last were.
 */
export interface Session<D extends SessionData = Record<string, unknown>> extends SessionInfo {
  /** False once the session has ended, in every thread at once. */
  readonly alive: boolean;
  /** How long the session may stay idle, in milliseconds. `false`: for ever. */
  readonly idleTimeout: number | false;
  /**
   * Aborts when the session ends; the reason is a SignalReason. Bind sockets, streams and jobs to it. The first use
   * sends one message: the manager then reports the end to this thread. Aborts as 'disconnected' if this thread leaves
   * the manager or is cut off from it. If the manager has failed for good, sessions still end by time.
   */
  readonly signal: AbortSignal;
  /**
   * The data as last stored; the same object until it changes. Plain objects and arrays are deeply frozen. Dates, Maps,
   * Sets and binary values are copies of this thread: changing them changes nothing stored. Throws ERR_SESSION_ENDED
   * once the session has ended.
   */
  readonly data: Readonly<D>;

  /** Changes the given keys and no others. Two threads that set different keys both succeed. */
  set(patch: Patch<D>): Promise<void>;
  /**
   * Replaces all data. With `ifVersion`, only if the data has this version: otherwise rejects with
   * ERR_SESSION_CONFLICT.
   */
  replace(data: D, options?: { ifVersion?: number }): Promise<void>;
  /**
   * Reads, changes and writes the data as one step: `change` runs again if another write came in between. The updates
   * of one session in one thread run one after the other.
   */
  update(change: (data: Readonly<D>) => D | Promise<D>): Promise<void>;
  /** Removes a key and resolves to its value, in one step: of several callers, one gets the value. */
  take<K extends keyof D>(key: K): Promise<D[K] | undefined>;

  /**
   * Marks the session as seen, as a lookup does: for sockets and long jobs. Sends no message. False if the session has
   * ended.
   */
  touch(): boolean;
  /**
   * Binds the session to a user and gives it a new token. The old token ends at once, which prevents session fixation.
   * Both timeouts start again.
   */
  login(userId: string, patch?: Patch<D>): Promise<void>;
  /**
   * Gives the session a new token. The old one is honoured for `grace` (default '10s'): whoever presents it in time, in
   * any thread, gets the same new one. Later it opens nothing, and is reported as 'token-reused'.
   */
  rotate(options?: { grace?: Duration }): Promise<void>;
  /** Changes how long the session may stay idle, from now on. */
  setIdleTimeout(idleTimeout: Duration | false): Promise<void>;
  /** Ends the session. Resolves when no thread can find it any more. Closing it twice is no error. */
  close(note?: string): Promise<void>;
}

// ---------------------------------------------------------------- what can be watched

export type EndReason = 'closed' | 'idle' | 'expired' | 'evicted' | 'over-limit' | 'terminated' | 'stopped';
/**
 * The values of `signal.reason`. 'disconnected': this thread has left its manager, or is cut off from it, and would not
 * learn of the session's end.
 */
export type SignalReason = EndReason | 'disconnected';

export interface SessionEvents {
  created: { session: SessionInfo };
  changed: { session: SessionInfo };
  ended: { session: SessionInfo; reason: EndReason; note?: string };
  'token-rotated': { session: SessionInfo };
  /** Emitted by the next sweep. */
  'token-reused': { session: SessionInfo };
  restarted: { cause: Error; restarts: number; recovered: number };
  /** This thread was too slow to receive all events, and so many were dropped. */
  gap: { missed: number };
}

export interface ManagerStats {
  readonly sessions: number;
  readonly bytesUsed: number;
  readonly bytesReserved: number;
  readonly connections: number;
  readonly created: number;
  readonly ended: Readonly<Record<EndReason, number>>;
  readonly restarts: number;
  /** The calls that the manager thread has served, and how long one took there, in microseconds. */
  readonly calls: { readonly count: number; readonly p50: number; readonly p99: number; readonly max: number };
  /** The delay of the manager thread's event loop, in milliseconds. */
  readonly eventLoopDelay: { readonly p50: number; readonly p99: number; readonly max: number };
}

/**
 * A clock for tests, made by `createManualClock` of 'coatcheck/testing': it stands still until it is moved, in every
 * thread at once. Pass it to one manager or several as `clock`.
 */
export interface ManualClock {
  now(): number;
  set(time: number | Date): void;
  advance(by: Duration): void;
}
