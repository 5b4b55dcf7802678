/**
 * What every other codec needs in front of it: the rules of session data, checked in one walk that reads each property
 * once. The codec then gets a copy of what was read, because it would read the application's objects a second time.
 */

import { hasSymbols, isArrayPrototype, isPlainPrototype, kindOf } from '../../dist/src/protocol/data/kinds.js';
import { MAX_LEVELS } from '../../dist/src/protocol/data/tags.js';

const { hasOwnProperty: hasOwn } = Object.prototype;

/** Whether the last copy is something that JSON keeps exactly. */
export let isJson = true;

export function copyOf(value) {
  isJson = true;
  return copy(value, 1);
}

function copy(value, levels) {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
  if (typeof value === 'number') {
    if (!Number.isFinite(value) || Object.is(value, -0)) isJson = false;
    return value;
  }
  if (typeof value !== 'object') {
    if (typeof value !== 'bigint') throw new Error('no data');
    isJson = false;
    return value;
  }
  if (levels >= MAX_LEVELS) throw new Error('too many levels');
  const prototype = Object.getPrototypeOf(value);
  if (Array.isArray(value)) {
    if (!isArrayPrototype(prototype)) throw new Error('no data');
    const array = [];
    const { length } = value;
    for (let i = 0; i < length; i++) array.push(copy(value[i], levels + 1));
    if (Object.keys(value).length !== length || hasSymbols(value)) throw new Error('no data');
    return array;
  }
  if (prototype !== Object.prototype && !isPlainPrototype(prototype)) return builtIn(value, prototype, levels);
  const object = {};
  for (const key in value) {
    if (!hasOwn.call(value, key)) continue;
    if (key === '__proto__') throw new Error('no data');
    object[key] = copy(value[key], levels + 1);
  }
  if (hasSymbols(value)) throw new Error('no data');
  return object;
}

function builtIn(value, prototype, levels) {
  isJson = false;
  const kind = kindOf(value, prototype);
  if (kind === undefined) throw new Error('no data');
  if (kind === 'Map') return new Map([...value].map((entry) => entry.map((item) => copy(item, levels + 1))));
  if (kind === 'Set') return new Set([...value].map((item) => copy(item, levels + 1)));
  return value;
}

/** Freezes plain objects and arrays at every level. */
export function freeze(value) {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) for (const item of value) freeze(item);
  else if (value instanceof Map) for (const entry of value) entry.forEach(freeze);
  else if (value instanceof Set) value.forEach(freeze);
  else if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  else for (const key in value) freeze(value[key]);
  return Object.freeze(value);
}
