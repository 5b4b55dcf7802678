/**
 * Patches where there is no session yet to be patched. What is no patch is left for the manager to refuse. Runs in
 * every thread of the host.
 */

import type { Patch } from '../../index.js';

type Data = Record<string, unknown>;

/** Data with a patch over it. */
export function merged(data: Data, patch: Patch<Data> | undefined): Data {
  if (patch === undefined) return data;
  return isPlain(patch) ? withoutUndefined({ ...data, ...patch }) : patch;
}

/** As the data of a new session: there is nothing yet that `undefined` could remove. */
export function withoutUndefined(patch: Patch<Data>): Data {
  if (!isPlain(patch) || !Object.values(patch).includes(undefined)) return patch;
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined));
}

export function isEmpty(data: unknown): boolean {
  return isPlain(data) && Reflect.ownKeys(data).length === 0;
}

/** An object literal of any realm, or one without a prototype. */
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
