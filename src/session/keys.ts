/** Callers' own keys of sessions, and their digests. Used in every thread of the host. */

import { expected } from '../protocol/errors.js';
import { expectedUnseen } from '../validation/checking.js';
import { digestInto } from './tokens.js';

/** Bytes of UTF-8 that a key may have. */
const MOST_BYTES = 1024;

/** Keeps a key's digest from being any token's. */
const PURPOSE = 'coatcheck session key v1\0';

/**
 * Why this is no key: what was expected, in two words what came. Undefined where it is one. Half characters are
 * refused, as two of those would be the same key.
 */
function refusalOf(key: string): readonly [tobe: string, description: string] | undefined {
  if (key === '') return ['a text that is not empty', 'an empty one'];
  if (key.length > MOST_BYTES || (key.length * 3 > MOST_BYTES && Buffer.byteLength(key) > MOST_BYTES))
    return [`at most ${MOST_BYTES} bytes of UTF-8`, `a string of ${key.length} characters`];
  return /\p{Surrogate}/u.test(key) ? ['well-formed text', 'a string with half a character'] : undefined;
}

export function isKey(text: string): boolean {
  return refusalOf(text) === undefined;
}

/** A key that may have a session. It may be a secret: no error shows it. */
export function checkKey(value: unknown): string {
  if (typeof value !== 'string') throw expected('key', 'a text', value);
  const refusal = refusalOf(value);
  if (refusal !== undefined) throw expectedUnseen('key', ...refusal);
  return value;
}

/** The SHA-256 of what the key is for and the key, put into `words`. */
export function keyDigestInto(key: string, words: Int32Array): Int32Array {
  return digestInto(PURPOSE + key, words);
}
