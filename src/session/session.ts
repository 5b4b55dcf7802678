/**
 * A session as the application holds it: `SessionReader` and the calls that change the session. Runs in every thread of
 * the host.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { noFields } from '../calls/batch.js';
import { noToken, Refused, redrawWhileUsed } from '../calls/refused.js';
import type { Rotation } from '../options/options.js';
import { CALL, writeClose, writeRotate, writeSetIdleTimeout } from '../protocol/calls.js';
import { decodeValue } from '../protocol/data/decode.js';
import { encodeData, encodePatch } from '../protocol/data/encode.js';
import { writeLogin, writeReplace, writeSet, writeTake } from '../protocol/data-calls.js';
import { expected, SessionError } from '../protocol/errors.js';
import type { Duration, Patch, Session } from '../types/types.js';
import { checkRotateOptions, checkUserId } from '../validation/arguments.js';
import { readOptions } from '../validation/checking.js';
import { checkDuration } from '../validation/durations.js';
import { callInTurn, type Write } from './context.js';
import { toUtf8 } from './info.js';
import { type Data, SessionReader } from './session-reader.js';
import { digestOf, drawToken, seal } from './tokens.js';

/** One run of the function that `update` was given. */
interface RunningUpdate {
  readonly of: SessionHandle;
  isRunning: boolean;
}

/**
 * The runs of `change` functions that the current code was called from. Timers and connections that such a function
 * makes inherit this, and may outlive it.
 */
const updatesAbove = new AsyncLocalStorage<readonly RunningUpdate[]>();
const runningUpdates = (): RunningUpdate[] => (updatesAbove.getStore() ?? []).filter(({ isRunning }) => isRunning);

/** The rotations under way for the option `rotation`, so that a session has one at a time in this thread. */
const tokenRenewals = new WeakMap<SessionHandle, Promise<string>>();

export class SessionHandle extends SessionReader implements Session<Data> {
  /** True for a session that this copy of the package made; false for lookalikes and proxies. */
  static is(value: unknown): value is SessionHandle {
    return typeof value === 'object' && value !== null && #updates in value;
  }

  /** The end of the queue of updates; undefined before the first. */
  #updates: Promise<unknown> | undefined;

  async set(patch: Patch<Data>): Promise<void> {
    const { checked } = this.context;
    const answer = await (checked === undefined
      ? this.#set(patch)
      : checked.patch(
          this,
          patch,
          () => this.stored(),
          (...checkedData) => this.#set(...checkedData),
        ));
    if (answer instanceof Refused) throw answer.toError();
  }

  #set(patch: Patch<Data>, ifVersion?: number): Promise<undefined | Refused> {
    return this.context.call(
      CALL.set,
      (to) => {
        writeSet(to, this, ifVersion);
        encodePatch(to, patch, this.context.maxSessionBytes);
      },
      noFields,
    );
  }

  async replace(data: Data, options?: { ifVersion?: number }): Promise<void> {
    const ifVersion = checkIfVersion(options);
    const { checked } = this.context;
    const answer = await (checked === undefined
      ? this.#replace(data, ifVersion)
      : checked.whole(this, data, (checkedData) => this.#replace(checkedData, ifVersion)));
    if (answer instanceof Refused) throw answer.toError();
  }

  #replace(data: unknown, ifVersion: number | undefined): Promise<undefined | Refused> {
    return this.context.call(
      CALL.replace,
      (to) => {
        writeReplace(to, this, ifVersion);
        encodeData(to, data as object, this.context.maxSessionBytes);
      },
      noFields,
    );
  }

  update(change: (data: Readonly<Data>) => Data | Promise<Data>): Promise<void> {
    if (runningUpdates().some(({ of }) => of === this)) {
      const text = 'An update of this session is under way in this very call: it would wait for itself';
      return Promise.reject(new SessionError('ERR_INVALID_OPTION', text));
    }
    const updated = (this.#updates ?? Promise.resolve()).then(() => this.#update(change));
    this.#updates = updated.catch(() => undefined);
    return updated;
  }

  async #update(change: (data: Readonly<Data>) => Data | Promise<Data>): Promise<void> {
    if (typeof change !== 'function') throw expected('change', 'a function', change);
    const since = performance.now();
    for (let tries = 1; ; tries++) {
      const { data, version: ifVersion } = this.stored();
      const changed = await this.#run(() => change(data));
      try {
        await this.replace(changed, { ifVersion });
        return;
      } catch (error) {
        if (!(error instanceof SessionError && error.code === 'ERR_SESSION_CONFLICT')) throw error;
        // After so many conflicts within the timeout, `change` itself most likely writes to the session.
        if (tries >= MAX_TRIES && performance.now() - since > this.context.callTimeout) throw error;
      }
    }
  }

  async #run(change: () => Data | Promise<Data>): Promise<Data> {
    const own: RunningUpdate = { of: this, isRunning: true };
    try {
      return await updatesAbove.run([...runningUpdates(), own], change);
    } finally {
      own.isRunning = false;
    }
  }

  async take<K extends string>(key: K): Promise<unknown> {
    if (typeof key !== 'string') throw expected('key', 'a string', key);
    // No data can hold so long a key: there is nothing to take.
    if (key.length > this.context.maxSessionBytes && this.alive) return undefined;
    const { checked } = this.context;
    const taken = await (checked === undefined
      ? this.#take(key)
      : checked.removal(
          this,
          key,
          () => this.stored(),
          (...instead) => this.#take(key, ...instead),
        ));
    if (taken instanceof Refused) throw taken.toError();
    return taken?.value;
  }

  #take(
    key: string,
    instead?: Patch<Data>,
    ifVersion?: number,
  ): Promise<{ readonly value: unknown } | undefined | Refused> {
    return this.context.call(
      CALL.take,
      (to) => {
        writeTake(to, this, key, ifVersion);
        if (instead !== undefined) encodePatch(to, instead, this.context.maxSessionBytes);
      },
      (from) => (from.left === 0 ? undefined : { value: decodeValue(from.raw(from.left)) }),
    );
  }

  async login(userId: string, patch?: Patch<Data>): Promise<void> {
    const user = toUtf8(checkUserId(userId));
    const { checked } = this.context;
    const answer = await (checked === undefined
      ? this.#login(user, patch)
      : patch === undefined
        ? checked.plain(this, () => this.#login(user, patch))
        : checked.patch(
            this,
            patch,
            () => this.stored(),
            (...checkedData) => this.#login(user, ...checkedData),
          ));
    if (answer instanceof Refused && answer.code === 'ERR_TOKEN_UNKNOWN') throw noToken();
    if (answer instanceof Refused) throw answer.toError();
  }

  async #login(user: Uint8Array, patch: Patch<Data> | undefined, ifVersion?: number): Promise<undefined | Refused> {
    let token = '';
    const attempt = () => {
      token = drawToken();
      const digest = digestOf(token);
      return this.context.call(
        CALL.login,
        (to) => {
          writeLogin(to, this, digest, user, ifVersion);
          if (patch !== undefined) encodePatch(to, patch, this.context.maxSessionBytes);
        },
        noFields,
      );
    };
    const answer = await redrawWhileUsed(await attempt(), this.context.callTimeout, attempt);
    if (!(answer instanceof Refused)) this.learnDrawnToken(token);
    return answer;
  }

  async rotate(options?: { grace?: Duration }): Promise<void> {
    const grace = checkRotateOptions(options);
    const token = this.currentToken();
    if (token === undefined) throw new SessionError('ERR_TOKEN_UNKNOWN');
    await this.#rotate(token, grace);
  }

  /** Resolves to the token that replaces `token`. */
  async #rotate(token: string, grace: number): Promise<string> {
    let next = '';
    const attempt = () => {
      next = drawToken();
      const call = { target: this, from: digestOf(token), to: digestOf(next), grace, sealed: seal(token, next) };
      return callInTurn(this.context, this, CALL.rotate, (to) => writeRotate(to, call), noFields);
    };
    const answer = await redrawWhileUsed(await attempt(), this.context.callTimeout, attempt);
    // Another thread was first: the token that it made replaces `token` here as well.
    if (answer instanceof Refused && answer.answer === 'moved' && this.currentToken() !== undefined)
      return this.newestTokenFor(token) ?? token;
    if (answer instanceof Refused) throw answer.toError();
    this.learnDrawnToken(next);
    return next;
  }

  /** Whether the current token is older than `every`. */
  isTokenDue({ every }: Rotation): boolean {
    return this.context.now() - this.tokenIssuedAt.getTime() >= every;
  }

  /**
   * Replaces the current token if it is older than `every`. All callers in the meantime share one rotation. Resolves to
   * the new token, to the old one if the rotation failed, to undefined if none was due, or if the manager's thread is
   * being replaced: the request that asks shall not wait for that.
   */
  async renew(rotation: Rotation): Promise<string | undefined> {
    const renewal = tokenRenewals.get(this) ?? this.#beginRenewal(rotation);
    return renewal;
  }

  #beginRenewal(rotation: Rotation): Promise<string> | undefined {
    if (!this.isTokenDue(rotation) || !this.context.hasManager()) return undefined;
    let token: string | undefined;
    try {
      token = this.currentToken();
    } catch {
      return undefined;
    }
    // Judged again, by the record in which `token` was found or a later one: another thread may have rotated meanwhile.
    if (token === undefined || !this.isTokenDue(rotation)) return undefined;
    const due = token;
    // A rotation that fails (a full manager, a restart, a login elsewhere) is left to the next request: no request
    // fails because of it.
    const renewal = this.#rotate(due, rotation.grace)
      .catch(() => due)
      .finally(() => tokenRenewals.delete(this));
    tokenRenewals.set(this, renewal);
    return renewal;
  }

  async setIdleTimeout(idleTimeout: Duration | false): Promise<void> {
    const idle = checkDuration('idleTimeout', idleTimeout, this.context.limits.idle);
    await this.#change(CALL.setIdleTimeout, (to) => writeSetIdleTimeout(to, this, idle));
  }

  async close(note?: string): Promise<void> {
    if (note !== undefined && typeof note !== 'string') throw expected('note', 'a string', note);
    await this.end(false, note);
  }

  /** Ends the session, with the reason 'terminated' or 'closed'. */
  async end(terminated: boolean, note = ''): Promise<void> {
    await this.#change(CALL.close, (to) => {
      writeClose(to, this, terminated);
      to.raw(toUtf8(note.slice(0, MAX_NOTE_LENGTH)));
    });
  }

  async #change(which: number, write: Write): Promise<void> {
    const answer = await callInTurn(this.context, this, which, write, noFields);
    if (answer instanceof Refused) throw answer.toError();
  }

  // ------------------------------------------------------------ being shown

  /** What a log may show: no token, no data. */
  toJSON(): Record<string, unknown> {
    const { id, userId, client, createdAt, lastSeenAt, expiresAt, authenticatedAt, tokenIssuedAt, version } = this;
    return { id, userId, client, createdAt, lastSeenAt, expiresAt, authenticatedAt, tokenIssuedAt, version };
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `Session { ${this.id} }`;
  }
}

/** An update is tried so often whatever time it takes, and after that only within `callTimeout`. */
const MAX_TRIES = 100;

/** Characters of a note that are sent. */
export const MAX_NOTE_LENGTH = 1024;

function checkIfVersion(options: unknown): number | undefined {
  if (options === undefined) return undefined;
  const { ifVersion } = readOptions('', options, ['ifVersion']);
  if (ifVersion === undefined) return undefined;
  if (typeof ifVersion === 'number' && ifVersion >>> 0 === ifVersion) return ifVersion;
  throw expected('ifVersion', 'a version, as sessions have it', ifVersion);
}
