/**
 * A store for express-session, and for @fastify/session, whose contract is the same. Runs in every thread of the host:
 * each has a store of its own, over the same sessions.
 */

import { EventEmitter } from 'node:events';
import { type Session, SessionError, type SessionManager } from '../../index.js';
import { idleTimeoutOf } from './cookie-expiry.js';
import { readRecord, type StoredCookie, type StoredSession, toRecord, toStored } from './stored-session.js';

export type { StoredCookie, StoredSession } from './stored-session.js';

/** Called when an operation is over: with an error, or with null and what was asked for. */
export type StoreCallback<T = undefined> = (error: unknown, value?: T) => void;

export interface CoatcheckStoreOptions {
  /**
   * Where the sessions are record. One that also holds other sessions is no trouble, a second store on it is: `all`,
   * `ids`, `length` and `clear` are about both.
   */
  manager: SessionManager;
  /**
   * The user of a session, from its data, so that `maxSessionsPerUser` and `closeAllSessions({ userId })` mean it.
   * Default: nobody.
   */
  userId?: (session: { readonly [key: string]: PathInData | undefined }) => string | undefined;
}

/**
 * Data of which nothing is known, to be read along a path that ends in a text: `data.passport?.user`. What is no text
 * at the end is refused.
 */
export type PathInData = string & { readonly [key: string]: PathInData | undefined };

/** Sessions closed at once by `clear`. */
const AT_ONCE = 1000;

/**
 * Keeps express-session's sessions in a manager: `session({ store: new CoatcheckStore({ manager }), … })`.
 *
 * Every method takes a callback as its last argument, or returns a promise where there is none. The data of a session
 * go through JSON, as in other stores. A session may stay idle for as long as its cookie says (`cookie.expires`,
 * `maxAge`), or where that ends with the browser, for the manager's `idleTimeout`; and it grows no older than the
 * manager's `absoluteTimeout`.
 *
 * A session that was destroyed, or has ended otherwise, is not revived by a `set` or `touch` that comes late: those are
 * over without an error, and keep nothing. Errors are SessionErrors (ERR_INVALID_DATA, ERR_SESSION_TOO_LARGE,
 * ERR_TABLE_FULL, ERR_TIMEOUT, …), or what JSON throws.
 */
export class CoatcheckStore extends EventEmitter {
  readonly #manager: SessionManager;
  readonly #userId: NonNullable<CoatcheckStoreOptions['userId']>;
  #classes: ExpressSessionClasses | undefined;
  /** Put there by express-session's middleware. */
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
   * The session with this id, as a copy of its own; undefined if there is none. Reads shared memory, sends nothing, and
   * does not count as being seen.
   */
  get(id: string): Promise<(StoredSession & Record<string, unknown>) | undefined>;
  get(id: string, callback: (error: unknown, session?: never) => void): void;
  get(id: string, callback?: (error: unknown, session?: never) => void): unknown {
    return settle(async () => {
      const found = this.#find(id);
      return found && toStored(found);
    }, callback);
  }

  /** Keeps a session, new or changed. One whose cookie has expired is destroyed. */
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

  /** Ends a session, for every thread. */
  destroy(id: string): Promise<undefined>;
  destroy(id: string, callback: StoreCallback | undefined): void;
  destroy(id: string, callback?: StoreCallback): unknown {
    return settle(() => this.#destroy(id), callback);
  }

  async #destroy(id: string): Promise<undefined> {
    await this.#manager.closeSessionByKey(id);
  }

  /**
   * Says that a session was used, by its cookie as it is now. Its data stay as they are; nothing is sent, unless the
   * cookie now asks for another timeout.
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

  /** All sessions, each with its `id` in it. */
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

  /** How many sessions there are. */
  length(): Promise<number>;
  length(callback: StoreCallback<number>): void;
  length(callback?: StoreCallback<number>): unknown {
    return settle(async () => (await this.#ids()).length, callback);
  }

  /** Destroys all sessions that there are when it is called. */
  clear(): Promise<undefined>;
  clear(callback: StoreCallback | undefined): void;
  clear(callback?: StoreCallback): unknown {
    return settle(async () => {
      const ids = await this.#ids();
      while (ids.length > 0) await Promise.all(ids.splice(-AT_ONCE).map((id) => this.#destroy(id)));
      return undefined;
    }, callback);
  }

  /** The sessions that a store has kept, among all that the manager has. */
  async *#each(): AsyncIterable<readonly [id: string, found: Session]> {
    for await (const info of this.#manager.getAllSessions()) {
      const found = this.#manager.getSessionById(info.id);
      const id = found && readRecord(found)?.id;
      // Another's data may look like a store's: its key tells.
      if (found !== undefined && id !== undefined && this.#find(id)?.id === info.id) yield [id, found];
    }
  }

  #find(id: string): Session | undefined {
    return this.#manager.getSessionByKey(id, { touch: false });
  }

  // ------------------------------------------------------------ what express-session's own Store does

  /**
   * Makes a Session of express-session's of a stored one, for a request. Throws ERR_INVALID_OPTION where its
   * middleware was not given this store.
   */
  createSession<S>(request: object, session: StoredSession): S {
    const { Session, cookiePrototype } = this.#classesFor(request);
    const { expires, originalMaxAge } = session.cookie;
    const cookie: StoredCookie = Object.create(cookiePrototype);
    // As its constructor does, which cannot be had: some of these are setters.
    Object.assign(cookie, { path: '/', maxAge: null, httpOnly: true }, session.cookie);
    if (typeof expires === 'string') cookie.expires = new Date(expires);
    // What the cookie itself makes of it is not kept: it is set anew with each touch.
    cookie.originalMaxAge = originalMaxAge;
    const made = new Session(request, { ...session, cookie }) as S;
    Reflect.set(request, 'session', made);
    return made;
  }

  /** Destroys a request's session, and has express-session give it a new one. */
  regenerate(request: object, callback: (error?: unknown) => unknown): void {
    this.destroy(String(Reflect.get(request, 'sessionID')), (error) => {
      this.generate?.(request as never);
      callback(error);
    });
  }

  /** The session with this id, as express-session's Session. */
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
   * Of a session that the middleware generates for nobody, as nothing else hands its classes out. A package required
   * by name would be missing in a bundle.
   */
  #classesFor(request: object): ExpressSessionClasses {
    if (this.#classes !== undefined) return this.#classes;
    if (this.generate === undefined)
      throw refused("Expected this store to be given to express-session's middleware before");
    // What is put on it stays off the request itself.
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

/** A session that has ended is no failure of the request that was still at it. */
async function unlessEnded(change: Promise<unknown>): Promise<void> {
  try {
    await change;
  } catch (error) {
    if (!(error instanceof SessionError && error.code === 'ERR_SESSION_ENDED')) throw error;
  }
}

/**
 * Tells the outcome of `work` to a callback, or returns it. In a tick of its own: what a callback throws is the
 * process's to hear, as with any other.
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
