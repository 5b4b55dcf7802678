/** Calls of a thread that has a schema: each checked, and sent in its turn. Runs in the threads that write. */

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

/** The data as it is stored, with its version. Throws ERR_SESSION_ENDED. */
export type ReadStored = () => { readonly data: Readonly<Data>; readonly version: number };
export type Sending<D, T> = (checked: D, ifVersion: number) => Promise<T | Refused>;

/**
 * What is no patch is refused as it is without a schema, which is asked about the whole data and never sees the patch.
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

  /** A call that brings no data. */
  plain<T>(scope: Scope, send: () => Promise<T | Refused>): Promise<T | Refused> {
    return this.#order.make({ scope }, send);
  }

  /** A call that brings whole data, which is checked at once: it does not depend on what is stored. */
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

  /** `send` is handed what takes the place of the key; undefined where there is none to remove. */
  removal<T>(
    target: Target,
    key: string,
    read: ReadStored,
    send: Sending<Patch<Data> | undefined, T>,
  ): Promise<T | Refused> {
    return this.#compareAndSet(target, key.length, read, (stored) => checkRemoval(this.#schema, stored, key), send);
  }

  /**
   * Checks what a change would make of what is stored, and sends it on condition that it is stored still; otherwise
   * again.
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
        // Not awaited where it is there: a call that need not wait is sent as it is made.
        const checked = isPromise(checking) ? await checking : checking;
        // Too late: it was told so.
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
