/**
 * Patches for a session that does not exist yet. What is no plain object is passed on, and refused by the manager. Runs
 * in every thread of the host.
 */

import type { Patch } from '../../index.js';

type Data = Record<string, unknown>;

/** The data with the patch applied. */
export function merged(data: Data, patch: Patch<Data> | undefined): Data {
  if (patch === undefined) return data;
  return isPlain(patch) ? withoutUndefined({ ...data, ...patch }) : patch;
}

/** A patch as the data of a new session, in which `undefined` has nothing to remove. */
export function withoutUndefined(patch: Patch<Data>): Data {
  if (!isPlain(patch) || !Object.values(patch).includes(undefined)) return patch;
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined));
}

export function isEmpty(data: unknown): boolean {
  return isPlain(data) && Reflect.ownKeys(data).length === 0;
}

/** An object literal of any realm, or an object without a prototype. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return true;
  return (
    typeof prototype === 'object' &&
    Object.getPrototypeOf(prototype) === null &&
    Object.hasOwn(prototype, 'isPrototypeOf')
  );
}
