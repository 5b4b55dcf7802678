/**
 * Drawing tokens and ids, their digests, and sealing a new token for the holder of the old one. Used in every thread of
 * the host.
 */

import { createCipheriv, createDecipheriv, hash, hkdfSync, randomFillSync } from 'node:crypto';
import { DIGEST_WORDS, ID_WORDS, SEALED_BYTES } from '../protocol/layout.js';
import type { SessionRecord } from '../protocol/record.js';
import { sameDigest } from '../protocol/table.js';

const TOKEN_BYTES = 32;
const BLOCK_BYTES = 4096;

/** The source of random bytes; tests replace `fill` to determine what is drawn. */
export const randomness = { fill: (bytes: Uint8Array): void => void randomFillSync(bytes) };

// Drawn in blocks of 4096 bytes, as a call for 32 bytes costs nearly as much.
const block = Buffer.from(new ArrayBuffer(BLOCK_BYTES));
const blockWords = new Int32Array(block.buffer);
let used = BLOCK_BYTES;

/** Consumes `count` random bytes (a multiple of four), and returns their offset in `block`. */
function draw(count: number): number {
  if (used + count > BLOCK_BYTES) {
    randomness.fill(block);
    used = 0;
  }
  used += count;
  return used - count;
}

/** A new token: 256 random bits as base64url. */
export function drawToken(): string {
  const at = draw(TOKEN_BYTES);
  const token = block.toString('base64url', at, at + TOKEN_BYTES);
  // Erased: a drawn token must not stay in memory here.
  for (let word = at >>> 2; word < (at + TOKEN_BYTES) >>> 2; word++) blockWords[word] = 0;
  return token;
}

/** Writes a new session's id, 128 random bits, to `words`. */
export function drawIdInto(words: Int32Array): Int32Array {
  const at = draw(ID_WORDS * 4) >>> 2;
  for (let i = 0; i < ID_WORDS; i++) words[i] = blockWords[at + i] as number;
  return words;
}

/** Writes a token's SHA-256 to `words`. */
export function digestInto(token: string, words: Int32Array): Int32Array {
  // As latin1 text this costs a third of what it does as a Buffer. 'binary' is the only name of that encoding which the
  // types know.
  const digest = hash('sha256', token, 'binary');
  for (let i = 0, at = 0; i < DIGEST_WORDS; i++, at += 4) {
    words[i] =
      digest.charCodeAt(at) |
      (digest.charCodeAt(at + 1) << 8) |
      (digest.charCodeAt(at + 2) << 16) |
      (digest.charCodeAt(at + 3) << 24);
  }
  return words;
}

export function digestOf(token: string): Int32Array {
  return digestInto(token, new Int32Array(DIGEST_WORDS));
}

/**
 * Seals the next token of a session for the holder of this one: AES-256-GCM under a key derived from this one by
 * HKDF-SHA-256 (RFC 5869). Each token seals once, so a fixed nonce is safe.
 */
export function seal(token: string, next: string): Int32Array {
  const { key, nonce } = sealKey(token);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const sealed = new Uint8Array(SEALED_BYTES);
  sealed.set(cipher.update(Buffer.from(next, 'base64url')));
  cipher.final();
  sealed.set(cipher.getAuthTag(), TOKEN_BYTES);
  return new Int32Array(sealed.buffer);
}

/** The token that `seal` sealed; undefined if it was not sealed for this token. */
export function unseal(token: string, sealed: Int32Array): string | undefined {
  const bytes = new Uint8Array(sealed.slice().buffer);
  const { key, nonce } = sealKey(token);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce);
  decipher.setAuthTag(bytes.subarray(TOKEN_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(0, TOKEN_BYTES)), decipher.final()]).toString('base64url');
  } catch {
    return undefined;
  }
}

/**
 * The token that the holder of `token` may use, by the header of the session's record: `token` itself if it is current,
 * or within its grace the one that was sealed for it. Undefined otherwise.
 */
export function newestTokenOf(token: string, record: SessionRecord, now: number): string | undefined {
  const digest = digestOf(token);
  if (sameDigest(record.digest, digest)) return token;
  const isHonoured = record.hasPrevious && sameDigest(record.previousDigest, digest) && now < record.graceUntil;
  return isHonoured ? unseal(token, record.sealed) : undefined;
}

/**
 * The mask of a token, 32 bytes from which its secrets are derived: the key stream with which `seal` encrypts the next
 * token. It does not reveal the token. The holder of the next token can compute it from the record (`maskBefore`).
 */
export function maskOf(token: string): Uint8Array {
  const { key, nonce } = sealKey(token);
  return createCipheriv('aes-256-gcm', key, nonce).update(new Uint8Array(TOKEN_BYTES));
}

/**
 * The mask of the token before `token`, which has to be the current one. Undefined once the grace of the one before has
 * passed, or if there was none.
 */
export function maskBefore(token: string, record: SessionRecord, now: number): Uint8Array | undefined {
  const isHonoured = record.hasPrevious && now < record.graceUntil && sameDigest(record.digest, digestOf(token));
  if (!isHonoured) return undefined;
  const bytes = Buffer.from(token, 'base64url');
  const sealed = new Uint8Array(record.sealed.slice(0, TOKEN_BYTES / 4).buffer);
  return sealed.map((byte, place) => byte ^ (bytes[place] as number));
}

function sealKey(token: string): { key: Uint8Array; nonce: Uint8Array } {
  const derived = new Uint8Array(hkdfSync('sha256', token, '', 'coatcheck rotation v1', 32 + 12));
  return { key: derived.subarray(0, 32), nonce: derived.subarray(32) };
}
