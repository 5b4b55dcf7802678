/**
 * The format of session data. Used in every thread, and in stores, whose data may be older than this build.
 *
 * A data section is a sequence of entries, one for each key of the session's data, in the order of the keys:
 *
 *     key      a string in the form below; each string has exactly one form, so that equal keys are equal bytes
 *     size     varint: bytes of the value; 0 occurs only in a patch, and removes the key
 *     value    FORMAT, then a tag and what belongs to it; it refers to nothing outside itself
 *
 * Keys and sizes never change, so that entries are told apart, found and merged by programs that know no format; each
 * value says in which format it is written. In this one, the tag says what follows:
 *
 *     80–ff    an integer from 0 to 127: the tag without its highest bit
 *     40–7f    a string of that many (0–63) characters below U+0100, one byte each
 *     00–0f    one of the tags below
 */

/**
 * The elements of typed arrays are in the machine's byte order, all else is little-endian: where the order differs, so
 * does the format, and the value is refused.
 */
export const FORMAT = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 1 : 2;

export const SMALL_INTEGER = 0x80;
export const SHORT_STRING = 0x40;

/** In place of a value or property: the end of an object, array, Map or Set. */
export const END = 0x00;
export const NULL = 0x01;
export const FALSE = 0x02;
export const TRUE = 0x03;
/** varint: an integer from 128 to 2^32 − 1. */
export const INTEGER = 0x04;
/** 8 bytes: any other number. */
export const DOUBLE = 0x05;
/** A string: a bigint in hexadecimal digits, after `-` if it is negative. */
export const BIGINT = 0x06;
/** 8 bytes: milliseconds as for `DOUBLE`; NaN for an invalid Date. */
export const DATE = 0x07;
/** varint size, bytes: a longer string of characters below U+0100, one byte each. */
export const LATIN1 = 0x08;
/** varint size, bytes: any other string without lone surrogates. */
export const UTF8 = 0x09;
/** varint size, bytes: a string with lone surrogates. */
export const UTF16 = 0x0a;
/** key, value, key, value, …, `END`. */
export const OBJECT = 0x0b;
/** elements, `END`. */
export const ARRAY = 0x0c;
/** key, value, key, value, …, `END`. */
export const MAP = 0x0d;
/** elements, `END`. */
export const SET = 0x0e;
/** One byte: place in `binaryKinds`; varint size, bytes. */
export const BINARY = 0x0f;

/**
 * How deep objects, arrays, Maps and Sets may be nested; the session's data is the first level. The last level may
 * contain values of any other kind.
 */
export const MAX_LEVELS = 64;

/** The longest string for `SHORT_STRING`. */
export const MAX_SHORT = 63;

/** Kinds of binary data by their place in stored data: append only. `Float16Array` came with Node 24. */
export const binaryKinds = [
  'ArrayBuffer',
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
