/** Everything that session data may hold, at random, and what it means for two such values to be the same. */

import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { ByteWriter, encodeData, encodePatch } from './internals.js';

/** Any UTF-16 code units: with halves of surrogate pairs, and also pairs. */
const anyUnits = fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units));
const latin1 = fc.array(fc.integer({ min: 0, max: 0xff }), { maxLength: 150 }).map((u) => String.fromCharCode(...u));

export const anyString = fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 100 }), latin1, anyUnits);

export const anyKey = fc
  .oneof(anyString, fc.constantFrom('constructor', 'prototype', 'toString', 'hasOwnProperty', 'length', '7', '', '__x'))
  .filter((key) => key !== '__proto__');

const bytes = fc.uint8Array({ maxLength: 40 });
const leaf = fc.oneof(
  fc.constantFrom(null, true, false, -0, 0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  fc.constantFrom(127, 128, -1, 2 ** 31, -(2 ** 31), 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, -(2 ** 53), 5e-324),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  anyString,
  fc.bigInt(),
  fc.bigInt({ min: -(2n ** 400n), max: 2n ** 400n }),
  fc.date({ noInvalidDate: false }),
  bytes,
  bytes.map((source) => Buffer.from(source)),
  bytes.map((source) => source.slice().buffer),
  bytes.map((source) => new Uint8ClampedArray(source)),
  bytes.map((source) => new Int8Array(source)),
  bytes.map((source) => new Uint16Array(source)),
  fc.int16Array(),
  fc.uint32Array(),
  fc.int32Array(),
  fc.float32Array(),
  fc.float64Array(),
  fc.bigInt64Array(),
  fc.bigUint64Array(),
);

export const anyValue = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    leaf,
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(anyKey, tie('value'), { maxKeys: 20 }),
    fc.array(tie('value'), { maxLength: 6 }).map((items) => new Set(items)),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 6 }).map((entries) => new Map(entries)),
  ),
})).value;

/** What data may be: with the prototype of all objects, or with none. */
export const anyData = fc.dictionary(anyKey, anyValue, { maxKeys: 20 });

export function encoded(data: object, limit = 1 << 20): Uint8Array {
  const writer = new ByteWriter(16);
  encodeData(writer, data, limit);
  return writer.copy();
}

export function encodedPatch(patch: object, limit = 1 << 20): Uint8Array {
  const writer = new ByteWriter(16);
  encodePatch(writer, patch, limit);
  return writer.copy();
}

/**
 * As exact as can be: −0, NaN, invalid Dates, lone surrogates, the order of keys and entries, each type; not whether a
 * prototype is null.
 */
export function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return Object.is(a, b);
  if (a instanceof Map && b instanceof Map) return isSame([...a].flat(1), [...b].flat(1));
  if (a instanceof Set && b instanceof Set) return isSame([...a], [...b]);
  if (a instanceof Date && b instanceof Date) return Object.is(a.getTime(), b.getTime());
  if (ArrayBuffer.isView(a) || a instanceof ArrayBuffer) return isDeepStrictEqual(a, b);
  if (Array.isArray(a) !== Array.isArray(b) || b instanceof Map || b instanceof Set || b instanceof Date) return false;
  const keys = Object.keys(a);
  const others = Object.keys(b);
  return (
    keys.length === others.length && keys.every((key, i) => key === others[i] && isSame(field(a, key), field(b, key)))
  );
}

export function field(object: object, key: string): unknown {
  return (object as Record<string, unknown>)[key];
}

/** What every object of the process inherits; to be the same before and after whatever a test did. */
export function inherited(): unknown[] {
  return [Object.prototype, Array.prototype, Map.prototype, Function.prototype].flatMap((prototype) => [
    Object.getPrototypeOf(prototype),
    ...Reflect.ownKeys(prototype).map((key) => [key, Object.getOwnPropertyDescriptor(prototype, key)]),
  ]);
}
