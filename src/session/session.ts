/**
 * One session as a thread holds it: what `SessionView` reads, and the calls that change it. Runs in every thread of the
 * host.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { drawsAgain, noToken, Refused } from '../calls/refused.js';
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
import { type Data, SessionView } from './session-reader.js';
import { digestOf, drawToken, maskBefore, seal } from './tokens.js';

const nothing = (): undefined => undefined;

/** One run of an update's `change`. */
interface Change {
  readonly of: SessionHandle;
  isRunning: boolean;
}

/** The changes on the way to the code that runs. Timers and connections made in one inherit it and may outlive it. */
const changing = new AsyncLocalStorage<readonly Change[]>();
const running = (): Change[] => (changing.getStore() ?? []).filter(({ isRunning }) => isRunning);

/** The renewals of tokens that are under way. */
const renewals = new WeakMap<SessionHandle, Promise<string>>();

export class SessionHandle extends SessionView implements Session<Data> {
  /** True for a session that this copy of the package made, and for no lookalike or proxy of one. */
  static is(value: unknown): value is SessionHandle {
    return typeof value === 'object' && value !== null && #updates in value;
  }

  /** Updates of one session queue up; undefined before the first. */
  #updates: Promise<unknown> | undefined;

  async set(patch: Patch<Data>): Promise<void> {
    const { checked } = this.context;
    const answer = await (checked === undefined
      ? this.#set(patch)
      : checked.patch(
          this,
          patch,
          () => this.snapshot(),
          (...fitting) => this.#set(...fitting),
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
      nothing,
    );
  }

  async replace(data: Data, options?: { ifVersion?: number }): Promise<void> {
    const ifVersion = checkIfVersion(options);
    const { checked } = this.context;
    const answer = await (checked === undefined
      ? this.#replace(data, ifVersion)
      : checked.whole(this, data, (fitting) => this.#replace(fitting, ifVersion)));
    if (answer instanceof Refused) throw answer.toError();
  }

  #replace(data: unknown, ifVersion: number | undefined): Promise<undefined | Refused> {
    return this.context.call(
      CALL.replace,
      (to) => {
        writeReplace(to, this, ifVersion);
        encodeData(to, data as object, this.context.maxSessionBytes);
      },
      nothing,
    );
  }

  update(change: (data: Readonly<Data>) => Data | Promise<Data>): Promise<void> {
    if (running().some(({ of }) => of === this)) {
      const text = 'An update of this session is under way in this very call: it would wait for itself';
      return Promise.reject(new SessionError('ERR_INVALID_OPTION', text));
    }
    const updated = (this.#updates ?? Promise.resolve()).then(() => this.#update(change));
    this.#updates = updated.catch(nothing);
    return updated;
  }

  async #update(change: (data: Readonly<Data>) => Data | Promise<Data>): Promise<void> {
    if (typeof change !== 'function') throw expected('change', 'a function', change);
    const since = performance.now();
    for (let tries = 1; ; tries++) {
      const { data, version: ifVersion } = this.snapshot();
      const changed = await this.#run(() => change(data));
      try {
        await this.replace(changed, { ifVersion });
        return;
      } catch (error) {
        if (!(error instanceof SessionError && error.code === 'ERR_SESSION_CONFLICT')) throw error;
        // Somebody writes each time: most likely `change` itself.
        if (tries >= MOST_TRIES && performance.now() - since > this.context.callTimeout) throw error;
      }
    }
  }

  async #run(change: () => Data | Promise<Data>): Promise<Data> {
    const own: Change = { of: this, isRunning: true };
    try {
      return await changing.run([...running(), own], change);
    } finally {
      own.isRunning = false;
    }
  }

  async take<K extends string>(key: K): Promise<unknown> {
    if (typeof key !== 'string') throw expected('key', 'a string', key);
    // No data holds a key of that length: there is nothing to take, and nothing to send.
    if (key.length > this.context.maxSessionBytes && this.alive) return undefined;
    const { checked } = this.context;
    const taken = await (checked === undefined
      ? this.#take(key)
      : checked.removal(
          this,
          key,
          () => this.snapshot(),
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
            () => this.snapshot(),
            (...fitting) => this.#login(user, ...fitting),
          ));
    if (answer instanceof Refused && answer.code === 'ERR_TOKEN_UNKNOWN') throw noToken();
    if (answer instanceof Refused) throw answer.toError();
  }

  async #login(user: Uint8Array, patch: Patch<Data> | undefined, ifVersion?: number): Promise<undefined | Refused> {
    for (const since = performance.now(); ; ) {
      const token = drawToken();
      const answer = await this.context.call(
        CALL.login,
        (to) => {
          writeLogin(to, this, digestOf(token), user, ifVersion);
          if (patch !== undefined) encodePatch(to, patch, this.context.maxSessionBytes);
        },
        nothing,
      );
      if (answer instanceof Refused && drawsAgain(answer, since, this.context.callTimeout)) continue;
      if (!(answer instanceof Refused)) this.drew(token);
      return answer;
    }
  }

  async rotate(options?: { grace?: Duration }): Promise<void> {
    const grace = checkRotateOptions(options);
    const token = this.currentToken();
    if (token === undefined) throw new SessionError('ERR_TOKEN_UNKNOWN');
    await this.#rotate(token, grace);
  }

  /** Resolves to the token that follows this one. */
  async #rotate(token: string, grace: number): Promise<string> {
    for (const since = performance.now(); ; ) {
      const next = drawToken();
      const call = { target: this, from: digestOf(token), to: digestOf(next), grace, sealed: seal(token, next) };
      const answer = await callInTurn(this.context, this, CALL.rotate, (to) => writeRotate(to, call), nothing);
      if (answer instanceof Refused && drawsAgain(answer, since, this.context.callTimeout)) continue;
      // Another thread was first: its new token is this one's as well.
      if (answer instanceof Refused && answer.answer === 'moved' && this.currentToken() !== undefined)
        return this.newest(token) ?? token;
      if (answer instanceof Refused) throw answer.toError();
      this.drew(next);
      return next;
    }
  }

  /** Whether the token is older than `every`. */
  isTokenDue({ every }: Rotation): boolean {
    return this.context.now() - this.tokenIssuedAt.getTime() >= every;
  }

  /**
   * Gives the session a new token if the one it has is older than `every`; all who ask in the meantime wait for the
   * same. Resolves to what followed the token that was due, or to that itself where nothing did; to undefined where
   * none was.
   */
  async renew(rotation: Rotation): Promise<string | undefined> {
    const renewal = renewals.get(this) ?? this.#beginRenewal(rotation);
    return renewal;
  }

  #beginRenewal(rotation: Rotation): Promise<string> | undefined {
    if (!this.isTokenDue(rotation)) return undefined;
    let token: string | undefined;
    try {
      token = this.currentToken();
    } catch {
      return undefined;
    }
    // Once more, by the record that this token was found in: what another thread has renewed in this moment is not
    // renewed again.
    const isStillDue = this.context.now() - this.context.view.record.tokenIssuedAt >= rotation.every;
    if (token === undefined || !isStillDue) return undefined;
    const due = token;
    // What hinders it (a full manager, a restart, another's login) is met by the next request again: none fails for it.
    const renewal = this.#rotate(due, rotation.grace)
      .catch(() => due)
      .finally(() => renewals.delete(this));
    renewals.set(this, renewal);
    return renewal;
  }

  /**
   * What the secrets of the token before this one are derived from, while that one is honoured. Undefined if this is
   * not the token that the session has now.
   */
  maskBefore(token: string): Uint8Array | undefined {
    const { view, now } = this.context;
    const isThere = view.load(this.slot, false) !== 0 && view.record.generation === this.generation;
    return isThere ? maskBefore(token, view.record, now()) : undefined;
  }

  async setIdleTimeout(idleTimeout: Duration | false): Promise<void> {
    const idle = checkDuration('idleTimeout', idleTimeout, this.context.limits.idle);
    await this.#change(CALL.setIdleTimeout, (to) => writeSetIdleTimeout(to, this, idle));
  }

  async close(note?: string): Promise<void> {
    if (note !== undefined && typeof note !== 'string') throw expected('note', 'a string', note);
    await this.end(false, note);
  }

  /** Closes, or purges as `terminated`. */
  async end(terminated: boolean, note = ''): Promise<void> {
    await this.#change(CALL.close, (to) => {
      writeClose(to, this, terminated);
      to.raw(toUtf8(note.slice(0, MOST_NOTE)));
    });
  }

  async #change(which: number, write: Write): Promise<void> {
    const answer = await callInTurn(this.context, this, which, write, nothing);
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

/** Tries of an update that somebody else's writes may cost, however long they take; more, only within `callTimeout`. */
const MOST_TRIES = 100;

/** Characters of a note that are kept. */
export const MOST_NOTE = 1024;

function checkIfVersion(options: unknown): number | undefined {
  if (options === undefined) return undefined;
  const { ifVersion } = readOptions('', options, ['ifVersion']);
  if (ifVersion === undefined) return undefined;
  if (typeof ifVersion === 'number' && ifVersion >>> 0 === ifVersion) return ifVersion;
  throw expected('ifVersion', 'a version, as sessions have it', ifVersion);
}
