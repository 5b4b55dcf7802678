/**
 * Tokens and ids: drawn here, in the thread that needs them; digests, and the sealing of a new token for whoever holds
 * the old.
 */

import { createCipheriv, createDecipheriv, hash, hkdfSync, randomFillSync } from 'node:crypto';
import { DIGEST_WORDS, ID_WORDS, SEALED_BYTES } from '../protocol/layout.js';
import type { RecordHeader } from '../protocol/record-header.js';
import { sameDigest } from '../protocol/table.js';

const TOKEN_BYTES = 32;
const BLOCK_BYTES = 4096;

/** Where randomness comes from; a test may put its own `fill` here to force what is drawn. */
export const randomness = { fill: (bytes: Uint8Array): void => void randomFillSync(bytes) };

// Drawn in blocks, as a call for 32 bytes costs nearly as much as one for 4096.
const block = Buffer.from(new ArrayBuffer(BLOCK_BYTES));
const blockWords = new Int32Array(block.buffer);
let used = BLOCK_BYTES;

/** Moves over so many random bytes, whole words of them, and returns where they start in `block`. */
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
  // It shall not lie about here as well.
  for (let word = at >>> 2; word < (at + TOKEN_BYTES) >>> 2; word++) blockWords[word] = 0;
  return token;
}

/** A new session's id, 128 random bits, put into `words`. */
export function drawIdInto(words: Int32Array): Int32Array {
  const at = draw(ID_WORDS * 4) >>> 2;
  for (let i = 0; i < ID_WORDS; i++) words[i] = blockWords[at + i] as number;
  return words;
}

/** A token's SHA-256, put into `words`. */
export function digestInto(token: string, words: Int32Array): Int32Array {
  // As latin1 text this costs a third of what it does as a Buffer; the types know only its older name.
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
 * Seals the next token of a session for whoever holds this one: AES-256-GCM under a key that HKDF-SHA-256 (RFC 5869)
 * derives from it. Each token seals once, so its key never meets a second nonce.
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

/** What `seal` sealed, or undefined if it was not sealed for this token. */
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
 * The token of the session with this head, by one that it has or had: itself, or within its grace what was sealed for
 * it. Undefined for any other.
 */
export function newestOf(token: string, head: RecordHeader, now: number): string | undefined {
  const digest = digestOf(token);
  if (sameDigest(head.digest, digest)) return token;
  const isHonoured = head.hasPrevious && sameDigest(head.previousDigest, digest) && now < head.graceUntil;
  return isHonoured ? unseal(token, head.sealed) : undefined;
}

/**
 * What the secrets of a token are derived from: the key stream under which `seal` puts the token that follows it. Of
 * 32 bytes; it tells nothing of the token, and whoever holds the one that follows finds it in the record
 * (`maskBefore`).
 */
export function maskOf(token: string): Uint8Array {
  const { key, nonce } = sealKey(token);
  return createCipheriv('aes-256-gcm', key, nonce).update(new Uint8Array(TOKEN_BYTES));
}

/**
 * The mask of the token that a session had before this one, which it has now; undefined once the grace of that has
 * passed, or if there was none.
 */
export function maskBefore(token: string, head: RecordHeader, now: number): Uint8Array | undefined {
  const isHonoured = head.hasPrevious && now < head.graceUntil && sameDigest(head.digest, digestOf(token));
  if (!isHonoured) return undefined;
  const bytes = Buffer.from(token, 'base64url');
  const sealed = new Uint8Array(head.sealed.slice(0, TOKEN_BYTES / 4).buffer);
  return sealed.map((byte, place) => byte ^ (bytes[place] as number));
}

function sealKey(token: string): { key: Uint8Array; nonce: Uint8Array } {
  const derived = new Uint8Array(hkdfSync('sha256', token, '', 'coatcheck rotation v1', 32 + 12));
  return { key: derived.subarray(0, 32), nonce: derived.subarray(32) };
}
