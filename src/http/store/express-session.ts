/**
 * A store for express-session, and for @fastify/session, which has the same contract. Runs in every thread of the host:
 * each has a store of its own over the same sessions.
 */

import { EventEmitter } from 'node:events';
import { type Session, SessionError, type SessionManager } from '../../index.js';
import { idleTimeoutOf } from './cookie-expiry.js';
import { readRecord, type StoredCookie, type StoredSession, toRecord, toStored } from './stored-session.js';

export type { StoredCookie, StoredSession } from './stored-session.js';

/** Called when an operation has finished: with an error, or with null and the result. */
export type StoreCallback<T = undefined> = (error: unknown, value?: T) => void;

export interface CoatcheckStoreOptions {
  /**
   * The manager that stores the sessions. It may hold other sessions too. A second store on it is not separate: `all`,
   * `ids`, `length` and `clear` then concern the sessions of both.
   */
  manager: SessionManager;
  /**
   * Returns the user of a session, given its data, so that `maxSessionsPerUser` and `closeAllSessions({ userId })`
   * apply to it. Default: no user.
   */
  userId?: (session: { readonly [key: string]: PathInData | undefined }) => string | undefined;
}

/**
 * Untyped data, read along a path that ends in a text: `data.passport?.user`. If it ends in something else, the call is
 * refused.
 */
export type PathInData = string & { readonly [key: string]: PathInData | undefined };

/** The number of sessions that `clear` closes at the same time. */
const AT_ONCE = 1000;

/**
 * Stores express-session's sessions in a manager: `session({ store: new CoatcheckStore({ manager }), … })`.
 *
 * Every method takes a callback as its last argument, and returns a promise if there is none. The data goes through
 * JSON, as in other stores. The idle timeout of a session is what its cookie says (`cookie.expires`, `maxAge`), or the
 * manager's `idleTimeout` if the cookie ends with the browser. The manager's `absoluteTimeout` applies as well.
 *
 * A late `set` or `touch` does not revive a session that was destroyed or has ended: it stores nothing, and is no
 * error. Errors are SessionErrors (ERR_INVALID_DATA, ERR_SESSION_TOO_LARGE, ERR_TABLE_FULL, ERR_TIMEOUT, …), or what
 * JSON throws.
 */
export class CoatcheckStore extends EventEmitter {
  readonly #manager: SessionManager;
  readonly #userId: NonNullable<CoatcheckStoreOptions['userId']>;
  #classes: ExpressSessionClasses | undefined;
  /** Set by express-session's middleware. */
  generate?: (request: never) => void;

  /** Throws ERR_INVALID_OPTION. */
  constructor(options: CoatcheckStoreOptions) {
    super();
    const { manager, userId = () => undefined, ...rest } = { ...options };
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined) throw refused(`Unknown option \`${unknown}\``);
    if (typeof manager?.putSession !== 'function') throw refused('Expected `manager` to be a session manager');
    if (typeof userId !== 'function') throw refused('Expected `userId` to be a function');
    this.#manager = manager;
    this.#userId = userId;
  }

  /**
   * A copy of the session with this id; undefined if there is none. Reads shared memory, sends nothing, and does not
   * mark the session as seen.
   */
  get(id: string): Promise<(StoredSession & Record<string, unknown>) | undefined>;
  get(id: string, callback: (error: unknown, session?: never) => void): void;
  get(id: string, callback?: (error: unknown, session?: never) => void): unknown {
    return settle(async () => {
      const found = this.#find(id);
      return found && toStored(found);
    }, callback);
  }

  /** Stores a new or changed session. A session whose cookie has expired is destroyed. */
  set(id: string, session: { cookie?: object }): Promise<undefined>;
  set(id: string, session: { cookie?: object }, callback: StoreCallback | undefined): void;
  set(id: string, session: { cookie?: object }, callback?: StoreCallback): unknown {
    return settle(() => this.#set(id, session), callback);
  }

  async #set(id: string, session: { cookie?: object }): Promise<undefined> {
    const idleTimeout = idleTimeoutOf(session);
    if (idleTimeout !== undefined && idleTimeout <= 0) return this.#destroy(id);
    const data = toRecord(id, session);
    const userId = this.#userId(data.data as Parameters<NonNullable<CoatcheckStoreOptions['userId']>>[0]);
    await unlessEnded(
      this.#manager.putSession(id, {
        data,
        ...(idleTimeout === undefined ? {} : { idleTimeout }),
        ...(userId === undefined ? {} : { userId }),
      }),
    );
  }

  /** Ends a session, in every thread. */
  destroy(id: string): Promise<undefined>;
  destroy(id: string, callback: StoreCallback | undefined): void;
  destroy(id: string, callback?: StoreCallback): unknown {
    return settle(() => this.#destroy(id), callback);
  }

  async #destroy(id: string): Promise<undefined> {
    await this.#manager.closeSessionByKey(id);
  }

  /**
   * Marks a session as used, by its cookie as it is now. Leaves the data alone. Sends nothing, unless the cookie asks
   * for another timeout.
   */
  touch(id: string, session: { cookie?: object }): Promise<undefined>;
  touch(id: string, session: { cookie?: object }, callback: StoreCallback | undefined): void;
  touch(id: string, session: { cookie?: object }, callback?: StoreCallback): unknown {
    return settle(async () => {
      const found = this.#find(id);
      if (found === undefined) return;
      const idleTimeout = idleTimeoutOf(session);
      if (idleTimeout === undefined || idleTimeout === found.idleTimeout) found.touch();
      else if (idleTimeout <= 0) await this.#destroy(id);
      else await unlessEnded(found.setIdleTimeout(idleTimeout));
    }, callback);
  }

  /** All sessions, each with its `id`. */
  all(): Promise<(StoredSession & { id: string })[]>;
  all(callback: (error: unknown, sessions?: never) => void): void;
  all(callback?: (error: unknown, sessions?: never) => void): unknown {
    return settle(async () => {
      const sessions = [];
      for await (const [id, found] of this.#each()) sessions.push({ ...toStored(found), id });
      return sessions;
    }, callback);
  }

  /** The ids of all sessions. */
  ids(): Promise<string[]>;
  ids(callback: StoreCallback<string[]>): void;
  ids(callback?: StoreCallback<string[]>): unknown {
    return settle(() => this.#ids(), callback);
  }

  async #ids(): Promise<string[]> {
    const ids = [];
    for await (const [id] of this.#each()) ids.push(id);
    return ids;
  }

  /** The number of sessions. */
  length(): Promise<number>;
  length(callback: StoreCallback<number>): void;
  length(callback?: StoreCallback<number>): unknown {
    return settle(async () => (await this.#ids()).length, callback);
  }

  /** Destroys all sessions that exist when it is called. */
  clear(): Promise<undefined>;
  clear(callback: StoreCallback | undefined): void;
  clear(callback?: StoreCallback): unknown {
    return settle(async () => {
      const ids = await this.#ids();
      while (ids.length > 0) await Promise.all(ids.splice(-AT_ONCE).map((id) => this.#destroy(id)));
      return undefined;
    }, callback);
  }

  /** The sessions that a store has put into the manager. */
  async *#each(): AsyncIterable<readonly [id: string, found: Session]> {
    for await (const info of this.#manager.getAllSessions()) {
      const found = this.#manager.getSessionById(info.id);
      const id = found && readRecord(found)?.id;
      // Other sessions may hold data that looks like a store's; only a store's are found by their key.
      if (found !== undefined && id !== undefined && this.#find(id)?.id === info.id) yield [id, found];
    }
  }

  #find(id: string): Session | undefined {
    return this.#manager.getSessionByKey(id, { touch: false });
  }

  // ------------------------------------------------------------ what express-session's own Store does

  /**
   * Makes one of express-session's Session objects from a stored session. Throws ERR_INVALID_OPTION if this store has
   * not been given to express-session's middleware.
   */
  createSession<S>(request: object, session: StoredSession): S {
    const { Session, cookiePrototype } = this.#classesFor(request);
    const { expires, originalMaxAge } = session.cookie;
    const cookie: StoredCookie = Object.create(cookiePrototype);
    // As the Cookie constructor does, which is not exported. Some of these properties are setters.
    Object.assign(cookie, { path: '/', maxAge: null, httpOnly: true }, session.cookie);
    if (typeof expires === 'string') cookie.expires = new Date(expires);
    // Set last, as the setter of `expires` overwrites it.
    cookie.originalMaxAge = originalMaxAge;
    const made = new Session(request, { ...session, cookie }) as S;
    Reflect.set(request, 'session', made);
    return made;
  }

  /** Destroys a request's session, and has express-session generate a new one. */
  regenerate(request: object, callback: (error?: unknown) => unknown): void {
    this.destroy(String(Reflect.get(request, 'sessionID')), (error) => {
      this.generate?.(request as never);
      callback(error);
    });
  }

  /** The session with this id, as one of express-session's Session objects. */
  load(id: string, callback: (error: unknown, session?: never) => unknown): void {
    this.get(id, (error, session?: StoredSession) => {
      if (error || session === undefined) return callback(error || undefined);
      let made: never;
      try {
        made = this.createSession({ sessionID: id, sessionStore: this }, session);
      } catch (thrown) {
        return callback(thrown);
      }
      callback(null, made);
    });
  }

  /**
   * The classes of express-session, taken from a session that its middleware generates for this purpose, as nothing
   * exports them. Requiring the package by name would fail in a bundle.
   */
  #classesFor(request: object): ExpressSessionClasses {
    if (this.#classes !== undefined) return this.#classes;
    if (this.generate === undefined)
      throw refused("Expected this store to be given to express-session's middleware before");
    // An object that inherits from the request: what the middleware sets on it does not reach the request.
    const probe: { session?: { cookie: object } } = Object.create(request);
    this.generate(probe as never);
    const { session } = probe;
    if (session === undefined) throw refused("Expected `generate` to be that of express-session's middleware");
    this.#classes = {
      Session: session.constructor as ExpressSessionClasses['Session'],
      cookiePrototype: Object.getPrototypeOf(session.cookie),
    };
    return this.#classes;
  }
}

interface ExpressSessionClasses {
  readonly Session: new (request: object, session: object) => unknown;
  readonly cookiePrototype: object;
}

/** A session that has ended is no error for a request that still uses it. */
async function unlessEnded(change: Promise<unknown>): Promise<void> {
  try {
    await change;
  } catch (error) {
    if (!(error instanceof SessionError && error.code === 'ERR_SESSION_ENDED')) throw error;
  }
}

/**
 * Passes the outcome of `work` to a callback, or returns a promise without one. The callback runs in a tick of its own:
 * what it throws is an uncaught exception.
 */
function settle<T>(work: () => Promise<T>, callback: ((error: unknown, value?: never) => void) | undefined): unknown {
  const done = work();
  if (typeof callback !== 'function') return done;
  done.then(
    (value) => process.nextTick(callback, null, value),
    (error: unknown) => process.nextTick(callback, error),
  );
  return undefined;
}

function refused(text: string): SessionError {
  return new SessionError('ERR_INVALID_OPTION', text);
}
