/**
 * The format of session data: the first byte of a value is its tag, which says what follows. Used in every thread.
 *
 * A data section is a sequence of entries, one for each key of the session's data, in the order of the keys:
 *
 *     key      a string in the form below; each string has exactly one form, so that equal keys are equal bytes
 *     size     varint: bytes of the value; 0 occurs only in a patch, and removes the key
 *     value    a tag and what belongs to it; it refers to nothing outside itself
 *
 *     80–ff    an integer from 0 to 127: the tag without its highest bit
 *     40–7f    a string of that many (0–63) characters below U+0100, one byte each
 *     20–2f    a plain object of that many (0–15) properties: key, value, key, value, …
 *     30–3f    an array of that many (0–15) elements
 *     01–1f    one of the tags below
 *     00       in place of a key: the end of a larger object
 *
 * The elements of typed arrays are in the machine's byte order.
 */

export const SMALL_INTEGER = 0x80;
export const SHORT_STRING = 0x40;
export const SMALL_OBJECT = 0x20;
export const SMALL_ARRAY = 0x30;

export const NULL = 0x01;
export const FALSE = 0x02;
export const TRUE = 0x03;
/** varint n: the integer n. */
export const POSITIVE = 0x04;
/** varint n: the integer −1 − n. */
export const NEGATIVE = 0x05;
/** varint high, varint low: the integer high · 2^32 + low, below 2^53, such as the time of day. */
export const LARGE = 0x06;
/** 8 bytes: any other number. */
export const DOUBLE = 0x07;
/** varint size, bytes: a longer string of characters below U+0100, one byte each. */
export const LATIN1 = 0x08;
/** varint size, bytes: any other string without lone surrogates. */
export const UTF8 = 0x09;
/** varint size, bytes: a string with lone surrogates. */
export const UTF16 = 0x0a;
/** 8 bytes, signed. */
export const BIGINT64 = 0x0b;
/** varint size, bytes, the highest first: the magnitude of a larger bigint. */
export const BIGINT_POSITIVE = 0x0c;
export const BIGINT_NEGATIVE = 0x0d;
/** A number with its tag: milliseconds; NaN for an invalid Date. */
export const DATE = 0x0e;
/** Properties until `END`: their number is known only once each was read. */
export const OBJECT = 0x0f;
export const END = 0x00;
/** varint count, elements. */
export const ARRAY = 0x10;
/** varint count, key, value, key, value, … */
export const MAP = 0x11;
/** varint count, elements. */
export const SET = 0x12;
/** varint size, bytes. */
export const ARRAY_BUFFER = 0x13;
/** One byte: place in `typedArrays`; varint size, bytes. */
export const TYPED_ARRAY = 0x14;

/**
 * How deep objects, arrays, Maps and Sets may be nested; the session's data is the first level. The last level may
 * contain values of any other kind.
 */
export const MAX_LEVELS = 64;

/** The longest string for `SHORT_STRING`, and the largest count for `SMALL_OBJECT` and `SMALL_ARRAY`. */
export const MAX_SHORT = 63;
export const MAX_SMALL = 15;

/** Kinds of typed array by their place in stored data: append only. `Float16Array` came with Node 24. */
export const typedArrays = [
  'Buffer',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int8Array',
  'Uint16Array',
  'Int16Array',
  'Uint32Array',
  'Int32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'Float16Array',
] as const;
