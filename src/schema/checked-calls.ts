/** The calls of a thread that has a schema: each is checked, and sent in its order. Runs in the threads that write. */

import type { StandardSchemaV1 } from '@standard-schema/spec';
import { CallOrder, type Scope } from '../calls/call-order.js';
import { Refused } from '../calls/refused.js';
import { ByteWriter } from '../protocol/bytes.js';
import type { Target } from '../protocol/calls.js';
import { encodePatch } from '../protocol/data/encode.js';
import { hasSymbols, isPlainObject } from '../protocol/data/kinds.js';
import type { Patch } from '../types/types.js';
import { copyData, unreadable } from './copies.js';
import { after, checkData, checkPatch, checkRemoval, isPromise, type MaybePromise, type Output } from './schema.js';

type Data = Record<string, unknown>;

/** The stored data and its version. Throws ERR_SESSION_ENDED. */
export type ReadStored = () => { readonly data: Readonly<Data>; readonly version: number };
export type Sending<D, T> = (checked: D, ifVersion: number) => Promise<T | Refused>;

/**
 * Refuses what is no patch in the same way as without a schema: the schema checks the resulting data, and never sees
 * the patch.
 */
function checkForm(patch: Patch<Data>): Patch<Data> {
  let isPatch = false;
  try {
    isPatch = isPlainObject(patch) && !hasSymbols(patch);
  } catch {
    throw unreadable();
  }
  if (!isPatch) encodePatch(new ByteWriter(0), patch, Number.POSITIVE_INFINITY);
  return patch;
}

export class CheckedCalls {
  readonly #schema: StandardSchemaV1;
  readonly #order: CallOrder;

  constructor(schema: StandardSchemaV1, callTimeout: number) {
    this.#schema = schema;
    this.#order = new CallOrder(callTimeout);
  }

  /** A call without data. */
  plain<T>(scope: Scope, send: () => Promise<T | Refused>): Promise<T | Refused> {
    return this.#order.make({ scope }, send);
  }

  /** A call that carries all data of a session. It can be checked at once, as it does not depend on what is stored. */
  whole<T>(scope: Scope, data: unknown, send: (checked: unknown) => Promise<T | Refused>): Promise<T | Refused> {
    const { value, bytes } = copyData(data);
    let output: Output | undefined;
    const checking = after(checkData(this.#schema, value), (checked) => {
      output = checked;
    });
    const until = isPromise(checking) ? checking : undefined;
    return this.#order.make({ scope, bytes, until }, () => send(output?.value));
  }

  patch<T>(target: Target, patch: Patch<Data>, read: ReadStored, send: Sending<Patch<Data>, T>): Promise<T | Refused> {
    const { value, bytes } = copyData(checkForm(patch));
    return this.#compareAndSet(target, bytes, read, (stored) => checkPatch(this.#schema, stored, value), send);
  }

  /** `send` gets the patch that goes with the removal; undefined if the key does not exist. */
  removal<T>(
    target: Target,
    key: string,
    read: ReadStored,
    send: Sending<Patch<Data> | undefined, T>,
  ): Promise<T | Refused> {
    return this.#compareAndSet(target, key.length, read, (stored) => checkRemoval(this.#schema, stored, key), send);
  }

  /**
   * Checks the data that a change would make, and sends the change on condition that the stored data has not changed.
   * If it has, tries again.
   */
  #compareAndSet<D, T>(
    scope: Target,
    bytes: number,
    read: ReadStored,
    check: (stored: Readonly<Data>) => MaybePromise<D>,
    send: Sending<D, T>,
  ): Promise<T | Refused> {
    return this.#order.make<T>({ scope, bytes, isConditional: true }, async (place) => {
      for (;;) {
        const { data, version } = read();
        const checking = check(data);
        // Awaited only if it is a promise: a call that does not have to wait is sent at once.
        const checked = isPromise(checking) ? await checking : checking;
        // The deadline has passed: the caller has been told.
        if (place.isSettled) return new Refused('ERR_TIMEOUT');
        const sending = send(checked, version);
        place.sent();
        const answer = await sending;
        if (!(answer instanceof Refused && answer.answer === 'ERR_SESSION_CONFLICT')) return answer;
        place.refused();
        if (place.isSettled) return answer;
      }
    });
  }
}
