/**
 * Checks data by the application's schema (Standard Schema 1), and says what is to be stored. Results are promises only
 * if the schema's are. Runs in the threads that write.
 */

import { isDeepStrictEqual, types } from 'node:util';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { SessionError } from '../protocol/errors.js';
import type { Patch } from '../types/types.js';

type Data = Record<string, unknown>;
export type MaybePromise<T> = T | Promise<T>;

/** Boxed: a value that has a `then` method must not be taken for a promise. */
export interface Output {
  readonly value: unknown;
}

/**
 * The schema's output for all data of a session. Fails with ERR_INVALID_DATA, or with ERR_INVALID_OPTION if the schema
 * does not accept its own output.
 */
export function checkData(schema: StandardSchemaV1, data: unknown): MaybePromise<Output> {
  return after(accepted(schema, data), (output) => {
    if (Array.isArray(output.value)) throw refusal(['data']);
    return after(checkOutput(schema, data, output.value), () => output);
  });
}

/**
 * What is to be stored for a patch of `stored`. The data that the patch would make is checked. Of the output, the
 * values of the patch's keys are stored, and of keys that were not stored before (defaults). Other values stay as they
 * are: they are output already, and a schema may convert its output once more.
 */
export function checkPatch(
  schema: StandardSchemaV1,
  stored: Readonly<Data>,
  patch: Patch<Data>,
): MaybePromise<Patch<Data>> {
  const whole = patched(stored, patch);
  return after(accepted(schema, whole), ({ value: output }) => {
    if (typeof output !== 'object' || output === null || Array.isArray(output)) throw refusal(['data']);
    const stores: Patch<Data> = {};
    for (const key of Object.keys(patch)) {
      define(stores, key, Object.hasOwn(output, key) ? (output as Data)[key] : undefined);
    }
    for (const [key, value] of Object.entries(output)) {
      if (!Object.hasOwn(stored, key) && !Object.hasOwn(stores, key)) define(stores, key, value);
    }
    return after(checkOutput(schema, whole, patched(stored, stores)), () => stores);
  });
}

/** As `checkPatch`, for the removal of one key: the patch that goes with it. */
export function checkRemoval(
  schema: StandardSchemaV1,
  stored: Readonly<Data>,
  key: string,
): MaybePromise<Patch<Data> | undefined> {
  if (!Object.hasOwn(stored, key)) return undefined;
  return after(checkPatch(schema, stored, { [key]: undefined }), (patch) => {
    const { [key]: value, ...others } = patch;
    return value === undefined ? others : patch;
  });
}

/**
 * Stored data is checked again with every change: if the schema refused its own output, no session could be changed any
 * more.
 */
function checkOutput(schema: StandardSchemaV1, input: unknown, output: unknown): MaybePromise<unknown> {
  if (isSame(output, input)) return undefined;
  return recover(
    () => accepted(schema, output),
    () => {
      throw new SessionError(
        'ERR_INVALID_OPTION',
        'Expected `schema` to accept its own output, as what is stored is checked again with each change',
      );
    },
  );
}

function isSame(output: unknown, input: unknown): boolean {
  try {
    return output === input || isDeepStrictEqual(output, input);
  } catch {
    // If a value cannot be read, the schema has to decide.
    return false;
  }
}

/**
 * The schema's output. Its messages may quote the data, so they are left out of the error; what it throws is left out
 * as well.
 */
function accepted(schema: StandardSchemaV1, data: unknown): MaybePromise<Output> {
  const result = recover(() => settling(schema['~standard'].validate(data)), threw);
  return after(result, (settled) => {
    let paths: string[];
    try {
      if (settled.issues === undefined) return { value: settled.value };
      paths = settled.issues.map((issue) => {
        const keys = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
        return ['data', ...keys].join('.');
      });
    } catch {
      return threw();
    }
    throw refusal(paths);
  });
}

function threw(): never {
  throw new SessionError('ERR_INVALID_DATA', 'The schema could not check the data: it threw');
}

function refusal(paths: readonly string[]): SessionError {
  const named = [...new Set(paths)].map((path) => `\`${path}\``).join(', ');
  return new SessionError('ERR_INVALID_DATA', `Expected ${named} to fit the schema`);
}

function patched(stored: Readonly<Data>, patch: Patch<Data>): Data {
  const whole: Data = { ...stored };
  for (const [key, value] of Object.entries(patch)) {
    if (value === undefined) delete whole[key];
    else define(whole, key, value);
  }
  return whole;
}

/** An assignment that also works for the key `__proto__`, which the encoder then refuses. */
function define(object: Data, key: string, value: unknown): void {
  if (key !== '__proto__') object[key] = value;
  else Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

/** A promise of this realm for any thenable that a schema returns. */
function settling<T extends object>(result: MaybePromise<T>): MaybePromise<T> {
  return typeof (result as { then?: unknown }).then === 'function' ? Promise.resolve(result) : result;
}

export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return types.isPromise(value);
}

export function after<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return isPromise(value) ? value.then(next) : next(value);
}

function recover<T>(work: () => MaybePromise<T>, failed: (error: unknown) => never): MaybePromise<T> {
  try {
    const value = work();
    return isPromise(value) ? value.then(undefined, failed) : value;
  } catch (error) {
    return failed(error);
  }
}
