/**
 * Imports the keys of cookies, in any form, and checks them against their algorithm. Runs in the thread that starts a
 * manager.
 */

import { createPrivateKey, createPublicKey, createSecretKey, KeyObject } from 'node:crypto';
import { types } from 'node:util';
import { SessionError } from '../protocol/errors.js';
import { expectedUnseen } from '../validation/checking.js';
import type { Algorithm } from './jwt.js';

/** Limited, as every key is tried on every new cookie. */
const MOST_KEYS = 16;
const LEAST_KEY_BYTES = 32;

/** Shorter RSA keys are too weak; signatures of longer ones leave too little room in a cookie. */
const LEAST_RSA_BITS = 2048;
const MOST_RSA_BITS = 8192;
/** The least public exponent that FIPS 186-5 allows. With 1, anybody could sign. */
const LEAST_RSA_EXPONENT = 65_537n;

type Asymmetric = Exclude<Algorithm, 'HS256'>;

const kinds: Readonly<Record<Asymmetric, string>> = {
  EdDSA: 'Ed25519',
  RS256: `RSA (${LEAST_RSA_BITS} to ${MOST_RSA_BITS} bits)`,
  ES256: 'P-256',
};

/**
 * Imports a list of keys. Throws ERR_INVALID_OPTION, which names the key's index and reveals nothing of the key.
 * `algorithm` is undefined for the format 'signed'. Secrets are copied. Of other keys, the first is returned as a
 * private key, the rest as public ones, as they only verify.
 */
export function importKeys(what: string, keys: unknown, algorithm: Algorithm | undefined): readonly KeyObject[] {
  const form = `an array of 1 to ${MOST_KEYS} keys with the format ${algorithm === undefined ? "'signed'" : "'jwt'"}`;
  try {
    if (!Array.isArray(keys)) throw expectedUnseen(what, form, describeKey(keys));
    const count: number = keys.length;
    if (count < 1 || count > MOST_KEYS) throw expectedUnseen(what, form, `an array of ${count}`);
    return Array.from({ length: count }, (_, index) => importKey(`${what}[${index}]`, keys[index], index, algorithm));
  } catch (error) {
    // What a getter throws is not shown: it may quote a key.
    throw error instanceof SessionError ? error : expectedUnseen(what, form, 'an array that cannot be read');
  }
}

function importKey(what: string, key: unknown, index: number, algorithm: Algorithm | undefined): KeyObject {
  if (algorithm === undefined || algorithm === 'HS256') return importSecret(what, key);
  return importAsymmetric(what, key, index === 0, algorithm);
}

// ------------------------------------------------------------ secrets

/** A copy of the key. Intermediate copies are wiped. */
function importSecret(what: string, key: unknown): KeyObject {
  const form = `a secret of at least ${LEAST_KEY_BYTES} bytes: text, a Uint8Array or a secret KeyObject`;
  const bytes = secretBytes(key);
  if (bytes === undefined) throw expectedUnseen(what, form, describeKey(key));
  try {
    if (bytes.length < LEAST_KEY_BYTES) throw expectedUnseen(what, form, `one of ${bytes.length} bytes`);
    // Taken for a secret, a public key would let everybody sign.
    if (isNoSecret(bytes)) throw expectedUnseen(what, form, 'a key of another kind of algorithm');
    return createSecretKey(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** A copy of the key's bytes, which may be wiped; undefined for what is no secret key. */
function secretBytes(key: unknown): Uint8Array | undefined {
  if (typeof key === 'string') return new TextEncoder().encode(key);
  if (types.isUint8Array(key)) return new Uint8Array(key);
  return key instanceof KeyObject && key.type === 'secret' ? key.export() : undefined;
}

/** Whether the bytes are a key or certificate for another kind of algorithm, as PEM, JWK or DER. */
function isNoSecret(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  return text.includes('-----BEGIN ') || /^\s*[{[].*"kty"\s*:/s.test(text) || parseKey(bytes) !== undefined;
}

// ------------------------------------------------------------ other keys

function importAsymmetric(what: string, key: unknown, signs: boolean, algorithm: Asymmetric): KeyObject {
  const side = signs ? 'private' : 'private or public';
  const form = `a ${side} ${kinds[algorithm]} key, for the algorithm '${algorithm}': PEM, DER or a KeyObject`;
  const imported =
    key instanceof KeyObject ? key : typeof key === 'string' || types.isUint8Array(key) ? parse(key) : undefined;
  if (imported === undefined) throw expectedUnseen(what, form, describeKey(key));
  if (!fits(imported, algorithm) || (signs && imported.type !== 'private'))
    throw expectedUnseen(what, form, describeKey(imported));
  return signs || imported.type === 'public' ? imported : createPublicKey(imported);
}

function fits(
  { type, asymmetricKeyType: kind, asymmetricKeyDetails: details = {} }: KeyObject,
  algorithm: Asymmetric,
): boolean {
  if (type === 'secret') return false;
  switch (algorithm) {
    case 'EdDSA':
      return kind === 'ed25519';
    case 'ES256':
      return kind === 'ec' && details.namedCurve === 'prime256v1';
    case 'RS256': {
      const { modulusLength: bits = 0, publicExponent = 0n } = details;
      return kind === 'rsa' && bits >= LEAST_RSA_BITS && bits <= MOST_RSA_BITS && publicExponent >= LEAST_RSA_EXPONENT;
    }
  }
}

/** Parses a copy, as another thread may write to the memory of the original. The copy is wiped. */
function parse(key: string | Uint8Array): KeyObject | undefined {
  const bytes = typeof key === 'string' ? new TextEncoder().encode(key) : new Uint8Array(key);
  try {
    return parseKey(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** A key in any of the usual forms; undefined for anything else, and for an encrypted key. */
function parseKey(bytes: Uint8Array): KeyObject | undefined {
  const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const ways = [
    () => createPrivateKey({ key, format: 'pem' }),
    () => createPublicKey({ key, format: 'pem' }),
    () => createPrivateKey({ key, format: 'der', type: 'pkcs8' }),
    () => createPublicKey({ key, format: 'der', type: 'spki' }),
  ];
  for (const way of ways) {
    try {
      return way();
    } catch {
      // Try the next form.
    }
  }
  return undefined;
}

/** Describes a value that was passed as a key, without revealing any of it. */
export function describeKey(value: unknown): string {
  if (value === null || value === undefined) return `${value}`;
  if (value instanceof KeyObject) {
    const { type, asymmetricKeyType: kind, asymmetricKeyDetails: details } = value;
    const more = [kind, details?.modulusLength && `${details.modulusLength} bits`, details?.namedCurve].filter(Boolean);
    return `a KeyObject of type ${type}${more.length > 0 ? ` (${more.join(', ')})` : ''}`;
  }
  return typeof value === 'object' ? (Array.isArray(value) ? 'an array' : 'an object') : `a ${typeof value}`;
}
