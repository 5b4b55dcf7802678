/** The keys under which `putSession` stores sessions, and their digests. Used in every thread of the host. */

import { expected } from '../protocol/errors.js';
import { expectedUnseen } from '../validation/checking.js';
import { digestInto } from './tokens.js';

/** The longest key, in bytes of UTF-8. */
const MAX_KEY_BYTES = 1024;

/** Prefixed to a key before it is hashed, so that no key has the digest of a token. */
const PURPOSE = 'coatcheck session key v1\0';

/**
 * Why this is no key: what was expected, and what came. Undefined if it is one. Lone surrogates are refused, as UTF-8
 * encodes all of them alike, and two keys would become one.
 */
function refusalOf(key: string): readonly [tobe: string, description: string] | undefined {
  if (key === '') return ['a text that is not empty', 'an empty one'];
  if (key.length > MAX_KEY_BYTES || (key.length * 3 > MAX_KEY_BYTES && Buffer.byteLength(key) > MAX_KEY_BYTES))
    return [`at most ${MAX_KEY_BYTES} bytes of UTF-8`, `a string of ${key.length} characters`];
  return /\p{Surrogate}/u.test(key) ? ['well-formed text', 'a string with half a character'] : undefined;
}

export function isKey(text: string): boolean {
  return refusalOf(text) === undefined;
}

/** Returns the key. Throws ERR_INVALID_OPTION, without the key in the message, as it may be a secret. */
export function checkKey(value: unknown): string {
  if (typeof value !== 'string') throw expected('key', 'a text', value);
  const refusal = refusalOf(value);
  if (refusal !== undefined) throw expectedUnseen('key', ...refusal);
  return value;
}

/** Writes the key's SHA-256 to `words`. */
export function keyDigestInto(key: string, words: Int32Array): Int32Array {
  return digestInto(PURPOSE + key, words);
}
