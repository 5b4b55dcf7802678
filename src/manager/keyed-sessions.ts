/**
 * Sessions under the caller's own keys, for adapters that draw session ids themselves. Runs in every thread of the
 * host.
 */

import { noFields } from '../calls/batch.js';
import { Refused, redrawWhileUsed } from '../calls/refused.js';
import type { Lookup } from '../lookup/lookup.js';
import type { Settings } from '../options/settings.js';
import { CALL, readTarget, writeCloseByKey, writeNewSession } from '../protocol/calls.js';
import { encodeData } from '../protocol/data/encode.js';
import { expected, SessionError } from '../protocol/errors.js';
import { DIGEST_WORDS, ID_WORDS } from '../protocol/layout.js';
import { callInTurn, type SessionContext, type Write } from '../session/context.js';
import { packClient, toUtf8 } from '../session/info.js';
import { checkKey, keyDigestInto } from '../session/keys.js';
import { MAX_NOTE_LENGTH, type SessionHandle } from '../session/session.js';
import { drawIdInto } from '../session/tokens.js';
import { checkTouch, type ResolvedNewSession, resolveNewSession } from '../validation/arguments.js';
import { expectedUnseen } from '../validation/checking.js';
import type { TimeoutLimits } from '../validation/durations.js';

export class KeyedSessions {
  readonly #context: SessionContext;
  readonly #lookup: Lookup;
  readonly #settings: Settings;

  constructor(context: SessionContext, lookup: Lookup, settings: Settings) {
    this.#context = context;
    this.#lookup = lookup;
    this.#settings = settings;
  }

  async put(key: string, init: unknown): Promise<SessionHandle> {
    const digest = keyDigestInto(checkKey(key), new Int32Array(DIGEST_WORDS));
    const resolved = checkPut(init, this.#settings, this.#context.limits);
    const { checked, callTimeout } = this.#context;
    const attempt = () =>
      checked === undefined
        ? this.#put(digest, resolved, resolved.data)
        : checked.whole('all', resolved.data, (data) => this.#put(digest, resolved, data));
    const target = await redrawWhileUsed(await attempt(), callTimeout, attempt);
    if (target instanceof Refused) throw target.toError();
    const session = this.#lookup.handleOf(target);
    // The session was stored, but ended before the reply arrived here.
    if (session === undefined) throw new SessionError('ERR_SESSION_ENDED', undefined, { outcome: 'applied' });
    return session;
  }

  #put(digest: Int32Array, { userId, client, ...resolved }: ResolvedNewSession, data: unknown) {
    const { idleTimeout: idle, absoluteTimeout: absolute, linked } = resolved;
    const id = drawIdInto(new Int32Array(ID_WORDS));
    const user = toUtf8(userId ?? '');
    return this.#context.call(
      CALL.putSession,
      (to) => {
        writeNewSession(to, { digest, id, idle, absolute, linked, user, client: packClient(client) });
        encodeData(to, data as object, this.#context.maxSessionBytes);
      },
      readTarget,
    );
  }

  get(key: unknown, options: { touch?: boolean } | undefined): SessionHandle | undefined {
    const touch = checkTouch(options);
    return typeof key === 'string' ? this.#lookup.byKey(key, touch) : undefined;
  }

  async close(key: string, note = ''): Promise<void> {
    const digest = keyDigestInto(checkKey(key), new Int32Array(DIGEST_WORDS));
    if (typeof note !== 'string') throw expected('note', 'a string', note);
    const write: Write = (to) => {
      writeCloseByKey(to, digest, this.#settings.absoluteTimeout);
      to.raw(toUtf8(note.slice(0, MAX_NOTE_LENGTH)));
    };
    const answer = await callInTurn(this.#context, 'all', CALL.closeSessionByKey, write, noFields);
    if (answer instanceof Refused) throw answer.toError();
  }
}

/** As for `newSession`, but `data` is required, and `linked` is refused: a session under a key belongs to no thread. */
function checkPut(init: unknown, settings: Settings, limits: TimeoutLimits): ResolvedNewSession {
  const resolved = resolveNewSession(init, settings, limits);
  if (resolved.data === undefined) throw expected('data', 'an object', undefined);
  if (resolved.linked) throw expectedUnseen('linked', 'left out', 'a session under a key');
  return resolved;
}
