/**
 * The public face as types: what `index.ts` re-exports. Every duration is a `Duration`; every instant handed out is a
 * `Date`.
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
   * Checks `data` in this thread before it is sent: whole data by itself, a patch by what it makes of what is stored.
   * Default: none. A schema cannot travel between threads: each thread that writes brings its own. What does not fit is
   * refused with ERR_INVALID_DATA, also what `take` would leave; what is not checked by `callTimeout`, with
   * ERR_TIMEOUT. Stored is the output, with defaults. It has to be assignable to the input: else ERR_INVALID_OPTION,
   * when first met. A check must not wait for a call of the session that it checks.
   */
  schema?: StandardSchemaV1<unknown, D>;
}

/**
 * An invitation: plain data that can be posted, put into `workerData`, and used by any number of threads. Holds no port
 * and no secret that outlives the manager.
 */
export interface Ticket {
  readonly name: string;
}

/** A level of OWASP ASVS 5.0, or an assurance level of NIST SP 800-63B-4. */
export type PolicyName = 'asvs-l1' | 'asvs-l2' | 'nist-aal1' | 'nist-aal2' | 'nist-aal3';

export interface ManagerOptions<D extends SessionData = Record<string, unknown>> extends ConnectOptions<D> {
  /**
   * Tells several managers apart, among a thread and those it spawns. Default 'default'. A name in use there is
   * refused.
   */
  name?: string;
  /**
   * A standard to hold to: options that break it are refused, those of single sessions included, with the requirement's
   * number; what is left out is set to fit. Default: none. `coatcheck policy <name>` says what each asks for and how
   * that is met.
   */
  policy?: PolicyName;
  /** A session not seen for this long ends. Default '30m'. `false`: never. */
  idleTimeout?: Duration | false;
  /** A session this old ends, however busy. Default '8h'. `false`: never. */
  absoluteTimeout?: Duration | false;
  /** Default 1_000_000. Address space is reserved for them; memory is used only as they come. */
  maxSessions?: number;
  /**
   * Bytes for all session data together. Default 1 GiB or a quarter of the machine's memory, whichever is less;
   * reserved in the same way.
   */
  maxBytes?: number;
  /** Bytes of one session's data. Default 64 KiB. */
  maxSessionBytes?: number;
  /** What a new session meets in a full table. Default 'reject'. */
  whenFull?: 'reject' | 'end-longest-idle';
  /** Sessions one user may hold at once. Default: no limit. */
  maxSessionsPerUser?: number;
  /** What a session over that limit meets. Default 'end-oldest'. */
  whenOverLimit?: 'reject' | 'end-oldest';
  /**
   * Tokens renewed mid-session, the old one honoured for `grace` (default '1m'): by `loadSession`, when the token it is
   * shown is older than `every`. Default: only on `login` and `rotate`.
   */
  rotation?: { every: Duration; grace?: Duration };
  /**
   * What happens to a session one of whose tokens comes back after its grace, as a stolen one does: 'report' (default)
   * tells it as 'token-reused', 'end-session' also closes it.
   */
  whenReused?: 'report' | 'end-session';
  /** What the cookie holds and how it is sent. */
  cookie?: CookieOptions;
  /**
   * When ended sessions are swept out: a cron expression. Default: every second. A lookup never returns one, swept or
   * not.
   */
  sweep?: string;
  /** Where sessions outlive the process. Default 'memory': nowhere. */
  store?: 'memory' | LmdbStoreOptions | RedisStoreOptions;
  /** A module whose exports run when sessions begin and end, in a Piscina pool, never in the manager thread. */
  hooks?: URL | string;
  /** Restarts allowed before the manager gives up for good. Default 5 within '10s'. */
  restarts?: { most: number; within: Duration };
  /** By when every call has settled, come what may. Default '5s'. */
  callTimeout?: Duration;
  /** V8 limits of the manager thread. Default: `maxYoungGenerationSizeMb` 24, and Node's otherwise. */
  resourceLimits?: ResourceLimits;
  /** Where the manager's module lies, for hosts that are bundled into one file. Default: beside this package. */
  worker?: URL;
  /** Session time, for tests and replays. Default: the system's. */
  clock?: ManualClock;
}

// ---------------------------------------------------------------- the manager

export interface SessionManager<D extends SessionData = Record<string, unknown>> extends AsyncDisposable {
  /**
   * Creates a session under a token that no live session has. `data` may be left out only where D has no required key.
   */
  newSession(
    ...init: Record<never, never> extends D ? [init?: NewSession<D>] : [init: NewSession<D> & { data: D }]
  ): Promise<Session<D>>;

  /**
   * The session of this cookie, or undefined: absent, malformed, forged, ended and expired all look alike. A plain read
   * of shared memory: synchronous, no message, never waits for the manager. Once any thread's `close` has resolved, no
   * thread's `getSession` returns that session. Counts as the session being seen, unless `touch` is false. Within a
   * thread, the same live session is the same object.
   */
  getSession(cookie: string | undefined, options?: { touch?: boolean }): Session<D> | undefined;

  /** As `getSession`, and where the store is shared by several machines, asks it too. */
  loadSession(cookie: string | undefined, options?: { touch?: boolean }): Promise<Session<D> | undefined>;

  /** The live session of this public id, for administration; it is not marked as seen, and its token stays unknown. */
  getSessionById(id: SessionId): Session<D> | undefined;

  /**
   * What the cookie of this session holds, and for how many seconds. ERR_TOKEN_UNKNOWN where this thread does not know
   * the current token.
   */
  getCookieData(session: Session<D>): CookieData;
  /** The Set-Cookie that removes the cookie from a browser. */
  clearCookieData(): CookieData;

  /** As `getSession`, with what the client that sent this cookie holds by it. For responses that may send the session's cookie, however long they take: a session that
   * has gone over to another token by `login` meanwhile shows it to no claim from before. */
  getClaim(cookie: string | undefined, options?: { touch?: boolean }): Claim<D> | undefined;
  /**
   * The claim of a client for whom the session was just created, logged in or rotated: it is still to be sent the
   * cookie. Throws as `getCookieData`.
   */
  getClaimOf(session: Session<D>): Claim<D>;

  /** For adapters whose ids are drawn elsewhere: creates the session under a key of your own (hard to guess, used once, 1 to 1024 bytes of UTF-8), or gives it all of this in
   * place of what it held. ERR_SESSION_ENDED if it ended within its absolute timeout, at most a day ago. It has no
   * token, so no cookie, `login` or `rotate`. */
  putSession(key: string, init: Omit<NewSession<D>, 'linked'> & { data: D }): Promise<Session<D>>;
  /**
   * The session under a key, as `getSession` has one by its cookie: synchronous; undefined for anything that is no key.
   */
  getSessionByKey(key: string, options?: { touch?: boolean }): Session<D> | undefined;
  /** Ends the session under a key. After this `putSession` makes none, even where there was none. */
  closeSessionByKey(key: string, note?: string): Promise<void>;

  /**
   * Every live session, or those of one user, without their tokens or data. Steady under concurrent change: each
   * session that lives throughout is yielded exactly once.
   */
  getAllSessions(filter?: SessionFilter): AsyncIterableIterator<SessionInfo>;

  /** Ends every session, or those that the filter picks, in one step, and says how many. */
  closeAllSessions(filter?: SessionFilter): Promise<number>;

  /**
   * A session asks to be closed: removed, then told (its `signal` aborts in every thread). An unknown or ended one is
   * no error; a string that has no id's form is refused.
   */
  sessionWantsToClose(session: Session<D> | SessionId): Promise<void>;

  /**
   * A session's owner died: purged, with the reason 'terminated'. An unknown or ended one is no error; a string that
   * has no id's form is refused.
   */
  sessionTerminating(session: Session<D> | SessionId): Promise<void>;

  /**
   * Ends this manager for every thread. Sessions are closed, or with a durable store kept. Calls in flight finish
   * first.
   */
  stop(): Promise<void>;

  /**
   * Leaves the manager running and lets this thread go. Sessions linked to this connection end. In the starting thread
   * it is refused: use `stop`.
   */
  disconnect(): Promise<void>;

  /** `stop` in the thread that started it, `disconnect` in one that joined. */
  [Symbol.asyncDispose](): Promise<void>;

  /** An invitation for threads that cannot find the manager by name. */
  createTicket(): Ticket;

  /** Frees what has ended now rather than at the next sweep, and says how many. */
  sweep(): Promise<number>;

  stats(): Promise<ManagerStats>;

  /**
   * Listens in this thread to what happens in all of them. Returns how to stop listening. A listener that throws is
   * reported as 'uncaughtException', and harms nothing else.
   */
  on<E extends keyof SessionEvents>(event: E, listener: (event: SessionEvents[E]) => void): () => void;
}

/**
 * What a client holds of a session: a token, and by right whichever follows it while it is honoured. Of use for as long
 * as a request takes; shows no token.
 */
export interface Claim<D extends SessionData = Record<string, unknown>> {
  readonly session: Session<D>;
  /**
   * Whether this client still has a right to the session: false once that has ended, or gone over to a token that did
   * not follow the client's.
   */
  readonly isGood: boolean;
  /**
   * Whether it is to be sent another cookie than it came with: the token was replaced, or is signed with a key that
   * does not sign any more.
   */
  readonly isNews: boolean;
  /**
   * What marking the session as seen has changed, by way of this claim: when it was looked up, unless with `touch:
   * false`, or by `see`.
   */
  readonly seen: Seen | undefined;
  /** Marks the session as seen; false if it has ended. No message. */
  see(): boolean;
  /** The cookie to send; undefined where the claim is no good. Signed anew each time: ask only for what is sent. */
  getCookieData(): CookieData | undefined;
  /**
   * Where the option `rotation` has the token renewed by now, does so: of many that ask, in all threads, one does.
   * Undefined where nothing is due. Never rejects.
   */
  renew(): Promise<void> | undefined;
  /**
   * For tokens against forged requests: 32 bytes derived under a label from the current token, by which to make one;
   * then the same from those that still count, by which one may have been made before: the token in the client's
   * cookie, and within its grace the one that was replaced last. Some of them may be equal.
   */
  secrets(label: string): readonly Uint8Array[];
}

/**
 * How a session stood when a request came: in milliseconds of session time since its token was issued; Infinity for
 * never.
 */
export interface Seen {
  /** When it was seen before, and now. */
  readonly before: number;
  readonly now: number;
  /** When it would have ended, had it not been seen now, and when it ends after that. */
  readonly endedAt: number;
  readonly endsAt: number;
  /** Since 1970. */
  readonly tokenIssuedAt: number;
}

export interface NewSession<D extends SessionData = Record<string, unknown>> {
  data?: D;
  /** At most 256 bytes of UTF-8. */
  userId?: string;
  idleTimeout?: Duration | false;
  absoluteTimeout?: Duration | false;
  /** Shown to users and administrators beside the session; each cut to 256 bytes. */
  client?: { ip?: string; userAgent?: string; label?: string };
  /**
   * The session lives no longer than this connection: when the thread exits or crashes, the manager purges it. A
   * restart of the manager is no such death.
   */
  linked?: boolean;
}

/**
 * A key that is present but undefined is refused: `{ userId: undefined }` must never mean everybody. `createdBefore` is
 * compared with `createdAt`, so it is session time. Where that runs ahead, as the system's clock was set back, an
 * instant up to the system's present is moved by the lead: `new Date()` picks the newest sessions too.
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
  /** When `login` last succeeded: compare with now before anything sensitive. */
  readonly authenticatedAt: Date | undefined;
  /** When the current token was given out. */
  readonly tokenIssuedAt: Date;
  /** Counts changes of `data`. */
  readonly version: number;
}

// ---------------------------------------------------------------- one session

/** A change of some keys; `undefined` removes one. */
export type Patch<D> = { [K in keyof D]?: D[K] | undefined };

/**
 * A live session, as any thread holds it. What is read from it is current, and reading sends no message. Of an ended
 * one, SessionInfo stays as it last was.
 */
export interface Session<D extends SessionData = Record<string, unknown>> extends SessionInfo {
  /** False once ended, in every thread at once. */
  readonly alive: boolean;
  /** How long it may stay idle, in milliseconds. */
  readonly idleTimeout: number | false;
  /**
   * Aborts when the session ends, with the reason: hang sockets, streams and jobs on it. Its first use tells the
   * manager that this thread wants to know. Aborts as 'disconnected' when this thread has left the manager, or is cut
   * off from it. Once that has failed for good, sessions end by time alone.
   */
  readonly signal: AbortSignal;
  /**
   * The data as last committed: the same object until it changes. Plain objects and arrays are frozen all the way down;
   * Dates, Maps, Sets and binary values are this thread's own copies, and changing them changes nothing stored. Throws
   * ERR_SESSION_ENDED once ended.
   */
  readonly data: Readonly<D>;

  /** Changes the keys given and no others. Two threads that set different keys both succeed. */
  set(patch: Patch<D>): Promise<void>;
  /** Replaces all data. With `ifVersion`, only if nobody wrote since: else ERR_SESSION_CONFLICT. */
  replace(data: D, options?: { ifVersion?: number }): Promise<void>;
  /**
   * Reads, changes and writes as one step: `change` runs again when someone else wrote in between. Updates of one
   * session from one thread queue up.
   */
  update(change: (data: Readonly<D>) => D | Promise<D>): Promise<void>;
  /** Reads a key and removes it, as one step: of several callers one gets the value. */
  take<K extends keyof D>(key: K): Promise<D[K] | undefined>;

  /** Marks the session as seen, as a lookup does: for sockets and long jobs. Sends nothing. False if it has ended. */
  touch(): boolean;
  /**
   * Binds the session to a user under a new token; the old one ends at once (no session fixation). Resets both
   * timeouts.
   */
  login(userId: string, patch?: Patch<D>): Promise<void>;
  /**
   * A new token, the old one honoured for `grace` (default '10s'); whoever holds the old one within it, in any thread,
   * gets the same new one. An old one that comes back later misses and is reported ('token-reused').
   */
  rotate(options?: { grace?: Duration }): Promise<void>;
  /** Changes how long it may stay idle from now on. */
  setIdleTimeout(idleTimeout: Duration | false): Promise<void>;
  /** Resolves once no thread can see the session any more. Closing twice is no error. */
  close(note?: string): Promise<void>;
}

// ---------------------------------------------------------------- what can be watched

export type EndReason = 'closed' | 'idle' | 'expired' | 'evicted' | 'over-limit' | 'terminated' | 'stopped';
/**
 * What `signal.reason` says. 'disconnected': this thread has left its manager, or is cut off from it, and would not
 * hear of the end any more.
 */
export type SignalReason = EndReason | 'disconnected';

export interface SessionEvents {
  created: { session: SessionInfo };
  changed: { session: SessionInfo };
  ended: { session: SessionInfo; reason: EndReason; note?: string };
  'token-rotated': { session: SessionInfo };
  /** Reported by the next sweep. */
  'token-reused': { session: SessionInfo };
  restarted: { cause: Error; restarts: number; recovered: number };
  /** This thread was too slow to hear everything: so many events were dropped for it. */
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
  /** Calls served by the manager thread, and how long one took there, in microseconds. */
  readonly calls: { readonly count: number; readonly p50: number; readonly p99: number; readonly max: number };
  /** Delay of the manager thread's event loop, in milliseconds. */
  readonly eventLoopDelay: { readonly p50: number; readonly p99: number; readonly max: number };
}

/**
 * From 'coatcheck/testing': session time that stands still until moved, in every thread at once. Given to one manager
 * or several, as `clock`.
 */
export interface ManualClock {
  now(): number;
  set(time: number | Date): void;
  advance(by: Duration): void;
}
