/**
 * Determines what kind of value a value of session data is, whatever realm it comes from and whatever it claims to be.
 * Runs in the thread that writes the data.
 */

import { Buffer } from 'node:buffer';
import { types } from 'node:util';
import { binaryKinds } from './tags.js';

type Getter<T> = (of: object) => T;

/** A getter of a built-in as the language defines it, which an instance cannot shadow. */
function intrinsic<T>(prototype: object, key: PropertyKey): Getter<T> {
  const get = Object.getOwnPropertyDescriptor(prototype, key)?.get as (this: object) => T;
  return (of) => Reflect.apply(get, of, []);
}

const typedArrayPrototype: Uint8Array = Object.getPrototypeOf(Uint8Array.prototype);
const typedArrayName = intrinsic<string | undefined>(typedArrayPrototype, Symbol.toStringTag);
const typedArrayBuffer = intrinsic<ArrayBufferLike>(typedArrayPrototype, 'buffer');
const typedArrayOffset = intrinsic<number>(typedArrayPrototype, 'byteOffset');
const typedArraySize = intrinsic<number>(typedArrayPrototype, 'byteLength');
const arrayBufferSize = intrinsic<number>(ArrayBuffer.prototype, 'byteLength');

/**
 * Whether this is the built-in prototype of `name`, of this realm or another one (such as a `node:vm` context). No
 * function written in JavaScript has this source text under this name.
 */
function isBuiltIn(prototype: object, name: string): boolean {
  const built: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
  if (typeof built !== 'function') return false;
  return Function.prototype.toString.call(built) === `function ${name}() { [native code] }`;
}

/** An object literal of any realm, or an object without a prototype. */
export function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return isPlainPrototype(Object.getPrototypeOf(value));
}

export function isPlainPrototype(prototype: object | null): boolean {
  return prototype === Object.prototype || prototype === null || isBuiltIn(prototype, 'Object');
}

/**
 * The kinds of object, other than plain objects and arrays, that can be stored. Instances of their subclasses cannot.
 */
export type Kind = 'Date' | 'Map' | 'Set' | 'ArrayBuffer' | 'TypedArray';

export function kindOf(value: object, prototype: object): Kind | undefined {
  if (types.isDate(value)) return prototype === Date.prototype || isBuiltIn(prototype, 'Date') ? 'Date' : undefined;
  if (types.isMap(value)) return prototype === Map.prototype || isBuiltIn(prototype, 'Map') ? 'Map' : undefined;
  if (types.isSet(value)) return prototype === Set.prototype || isBuiltIn(prototype, 'Set') ? 'Set' : undefined;
  if (types.isTypedArray(value)) return typedArrayKind(value, prototype) < 0 ? undefined : 'TypedArray';
  if (!types.isArrayBuffer(value)) return undefined;
  return prototype === ArrayBuffer.prototype || isBuiltIn(prototype, 'ArrayBuffer') ? 'ArrayBuffer' : undefined;
}

export function isArrayPrototype(prototype: object | null): boolean {
  return prototype === Array.prototype || (prototype !== null && isBuiltIn(prototype, 'Array'));
}

/** The place in `binaryKinds`, or −1. */
export function typedArrayKind(value: object, prototype: object): number {
  if (prototype === Buffer.prototype) return binaryKinds.indexOf('Buffer');
  const name = typedArrayName(value);
  return name !== undefined && isBuiltIn(prototype, name) ? (binaryKinds as readonly string[]).indexOf(name) : -1;
}

/** The bytes of a typed array, without a copy; undefined if its buffer was detached or has shrunk below its range. */
export function bytesOfTypedArray(value: object): Uint8Array | undefined {
  const size = typedArraySize(value);
  if (size === 0 && !hasBuffer(() => typedArrayPrototype.keys.call(value as Uint8Array))) return undefined;
  return new Uint8Array(typedArrayBuffer(value), typedArrayOffset(value), size);
}

/** The bytes of an ArrayBuffer, without a copy; undefined if it was detached. */
export function bytesOfArrayBuffer(value: object): Uint8Array | undefined {
  const size = arrayBufferSize(value);
  if (size === 0 && !hasBuffer(() => new Uint8Array(value as ArrayBuffer))) return undefined;
  return new Uint8Array(value as ArrayBuffer, 0, size);
}

/** Node 20 does not have `ArrayBuffer.prototype.detached`; in all versions, these uses of a detached buffer throw. */
function hasBuffer(use: () => unknown): boolean {
  try {
    use();
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether an enumerable property has a symbol as its key. Properties that are not enumerable are not part of the data.
 */
export function hasSymbols(value: object): boolean {
  const symbols = Object.getOwnPropertySymbols(value);
  return symbols.length > 0 && symbols.some((symbol) => Object.prototype.propertyIsEnumerable.call(value, symbol));
}

/** Describes a value for an error: its type, never its content. */
export function describe(value: unknown): string {
  if (value === undefined || value === null) return `${value}`;
  if (Array.isArray(value))
    return isArrayPrototype(Object.getPrototypeOf(value)) ? 'an array' : describeInstance(value);
  if (typeof value === 'object') return describeInstance(value);
  return `a ${typeof value}`;
}

function describeInstance(value: object): string {
  if (types.isProxy(value)) return 'a proxy of something that is neither a plain object nor an array';
  const prototype: object | null = Object.getPrototypeOf(value);
  const type: unknown = prototype && Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
  const name: unknown = typeof type === 'function' ? Object.getOwnPropertyDescriptor(type, 'name')?.value : undefined;
  return typeof name === 'string' && /^[\w$]{1,60}$/.test(name)
    ? `an instance of ${name}`
    : 'an object with a prototype of its own';
}
