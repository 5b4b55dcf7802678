/**
 * The calls of `newSession`: checked, written, and turned into a session when answered. Runs in every thread of the
 * host.
 */

import type { Call } from '../calls/batch.js';
import type { Connection } from '../calls/connection.js';
import { Refused, redrawWhileUsed } from '../calls/refused.js';
import type { Lookup } from '../lookup/lookup.js';
import type { Settings } from '../options/settings.js';
import type { ByteReader, ByteWriter } from '../protocol/bytes.js';
import { CALL, readTarget, writeNewSession } from '../protocol/calls.js';
import { encodeData } from '../protocol/data/encode.js';
import { DIGEST_WORDS, ID_WORDS } from '../protocol/layout.js';
import type { SessionContext } from '../session/context.js';
import { packClient, toUtf8 } from '../session/info.js';
import type { SessionHandle } from '../session/session.js';
import { digestInto, drawIdInto, drawToken } from '../session/tokens.js';
import { type ResolvedNewSession, resolveNewSession } from '../validation/arguments.js';

// Scratch memory for the call that is being written or answered.
const digest = new Int32Array(DIGEST_WORDS);
const id = new Int32Array(ID_WORDS);

class NewSessionCall implements Call {
  readonly which = CALL.newSession;
  readonly #lookup: Lookup;
  readonly #init: ResolvedNewSession;
  readonly #data: object;
  readonly #settle: (made: SessionHandle | Refused) => void;
  #token = '';
  // The words of the id. Numbers, as allocating an array would cost more than everything else of a call.
  #idA = 0;
  #idB = 0;
  #idC = 0;
  #idD = 0;

  constructor(lookup: Lookup, init: ResolvedNewSession, data: object, settle: (made: SessionHandle | Refused) => void) {
    this.#lookup = lookup;
    this.#init = init;
    this.#data = data;
    this.#settle = settle;
  }

  write(to: ByteWriter): void {
    const init = this.#init;
    this.#token = drawToken();
    digestInto(this.#token, digest);
    drawIdInto(id);
    this.#idA = id[0] as number;
    this.#idB = id[1] as number;
    this.#idC = id[2] as number;
    this.#idD = id[3] as number;
    const user = toUtf8(init.userId ?? '');
    const client = packClient(init.client);
    const { idleTimeout: idle, absoluteTimeout: absolute, linked } = init;
    writeNewSession(to, { digest, id, idle, absolute, linked, user, client });
    encodeData(to, this.#data, this.#lookup.maxSessionBytes);
  }

  done(from: ByteReader): void {
    id[0] = this.#idA;
    id[1] = this.#idB;
    id[2] = this.#idC;
    id[3] = this.#idD;
    const target = readTarget(from);
    this.#settle(this.#lookup.created(target, this.#token, id, from.f64(), this.#init));
  }

  refused(refused: Refused): void {
    this.#settle(refused);
  }
}

export class NewSessionCalls {
  readonly #context: SessionContext;
  readonly #lookup: Lookup;
  readonly #settings: Settings;
  readonly #connection: Connection;

  constructor(context: SessionContext, lookup: Lookup, settings: Settings, connection: Connection) {
    this.#context = context;
    this.#lookup = lookup;
    this.#settings = settings;
    this.#connection = connection;
  }

  async make(init: unknown): Promise<SessionHandle> {
    const resolved = resolveNewSession(init, this.#settings, this.#context.limits);
    const data = resolved.data === undefined ? {} : resolved.data;
    let made = await this.#attempt(resolved, data);
    if (made instanceof Refused) {
      const { callTimeout } = this.#context;
      made = await redrawWhileUsed(made, callTimeout, () => this.#attempt(resolved, data));
    }
    if (made instanceof Refused) throw made.toError();
    return made;
  }

  #attempt(init: ResolvedNewSession, data: unknown): Promise<SessionHandle | Refused> {
    const { checked } = this.#context;
    return checked === undefined
      ? this.#call(init, data)
      : checked.whole('new', data, (checkedData) => this.#call(init, checkedData));
  }

  #call(init: ResolvedNewSession, data: unknown): Promise<SessionHandle | Refused> {
    return new Promise((settle) => {
      this.#connection.make(new NewSessionCall(this.#lookup, init, data as object, settle));
    });
  }
}
