/** A thread's copy of one session's record, read field by field from its words. Used in every thread. */

import {
  DIGEST_WORDS,
  FLAG,
  ID_WORDS,
  MAX_RECORD_HEADER_WORDS,
  PREVIOUS_WORDS,
  RECORD_HEADER,
  SEALED_BYTES,
} from './layout.js';

const pair = new Int32Array(2);
const pairAsF64 = new Float64Array(pair.buffer);

/** Reads a number of eight bytes from two words of a record. */
export function readF64(words: Int32Array, at: number): number {
  pair[0] = words[at] as number;
  pair[1] = words[at + 1] as number;
  return pairAsF64[0] as number;
}

export function writeF64(words: Int32Array, at: number, value: number): void {
  pairAsF64[0] = value;
  words[at] = pair[0] as number;
  words[at + 1] = pair[1] as number;
}

/** The flags whose fields are numbers of eight bytes, in the order of their bits. */
const NUMBER_FLAGS = FLAG.idle | FLAG.expiresAt | FLAG.tokenIssuedAt | FLAG.authenticatedAt | FLAG.linkedTo;
/** How many bits are set in each number of five bits. */
const BITS = Uint8Array.from({ length: NUMBER_FLAGS + 1 }, (_, bits) => bits.toString(2).replaceAll('0', '').length);

/**
 * One record, made to be filled again and again by `TableView.load`. The views that it returns show what is loaded, so
 * they are valid until the next load into it. `idle` and `expiresAt` are Infinity if that timeout never ends the
 * session; `authenticatedAt` is NaN until a user logs in.
 */
export class SessionRecord {
  /** The record's words, without the links between its cells. What was not copied, or lies behind it, is undefined. */
  words = new Int32Array(MAX_RECORD_HEADER_WORDS + 16);
  /** The same memory as bytes. */
  bytes = new Uint8Array(this.words.buffer);
  digest = this.words.subarray(RECORD_HEADER.digest, RECORD_HEADER.digest + DIGEST_WORDS);
  id = this.words.subarray(RECORD_HEADER.id, RECORD_HEADER.id + ID_WORDS);

  /** Makes space for `count` words, and keeps those that are there. */
  ensureLength(count: number): void {
    if (this.words.length >= count) return;
    const grown = new Int32Array(Math.max(count, this.words.length * 2));
    grown.set(this.words);
    this.words = grown;
    this.bytes = new Uint8Array(grown.buffer);
    this.digest = grown.subarray(RECORD_HEADER.digest, RECORD_HEADER.digest + DIGEST_WORDS);
    this.id = grown.subarray(RECORD_HEADER.id, RECORD_HEADER.id + ID_WORDS);
  }

  get slot(): number {
    return this.words[RECORD_HEADER.slot] as number;
  }

  get generation(): number {
    return this.words[RECORD_HEADER.generation] as number;
  }

  get stampLow(): number {
    return this.words[RECORD_HEADER.stampLow] as number;
  }

  get stampHigh(): number {
    return this.words[RECORD_HEADER.stampHigh] as number;
  }

  /** Bytes of the whole record. */
  get length(): number {
    return this.words[RECORD_HEADER.length] as number;
  }

  get flags(): number {
    return this.words[RECORD_HEADER.flags] as number;
  }

  get version(): number {
    return this.words[RECORD_HEADER.version] as number;
  }

  get createdAt(): number {
    return readF64(this.words, RECORD_HEADER.createdAt);
  }

  /** The call that published the record, and the connection that made it. */
  get call(): number {
    return readF64(this.words, RECORD_HEADER.call);
  }

  get connection(): number {
    return this.words[RECORD_HEADER.connection] as number;
  }

  /** Where the number with this flag lies. */
  protected placeOf(flag: number): number {
    return RECORD_HEADER.words + 2 * (BITS[this.flags & (flag - 1)] as number);
  }

  #number(flag: number, otherwise: number): number {
    return this.flags & flag ? readF64(this.words, this.placeOf(flag)) : otherwise;
  }

  get idle(): number {
    return this.#number(FLAG.idle, Number.POSITIVE_INFINITY);
  }

  get expiresAt(): number {
    return this.#number(FLAG.expiresAt, Number.POSITIVE_INFINITY);
  }

  get tokenIssuedAt(): number {
    return this.#number(FLAG.tokenIssuedAt, this.createdAt);
  }

  get authenticatedAt(): number {
    return this.#number(FLAG.authenticatedAt, Number.NaN);
  }

  /** The connection that the session ends with; 0 for none. */
  get linkedTo(): number {
    return this.#number(FLAG.linkedTo, 0);
  }

  /** The digest is that of a caller's own key, not of a token. */
  get isKeyed(): boolean {
    return (this.flags & FLAG.keyed) !== 0;
  }

  get hasPrevious(): boolean {
    return (this.flags & FLAG.previous) !== 0;
  }

  /** Where the previous digest begins; behind it, until when it is honoured, and the new token, sealed. */
  protected get previousAt(): number {
    return RECORD_HEADER.words + 2 * (BITS[this.flags & NUMBER_FLAGS] as number);
  }

  /** The digest of the token before the last rotation. To be read only if `hasPrevious`, as the next two. */
  get previousDigest(): Int32Array {
    return this.words.subarray(this.previousAt, this.previousAt + DIGEST_WORDS);
  }

  get graceUntil(): number {
    return readF64(this.words, this.previousAt + DIGEST_WORDS);
  }

  get sealed(): Int32Array {
    const at = this.previousAt + DIGEST_WORDS + 2;
    return this.words.subarray(at, at + SEALED_BYTES / 4);
  }

  /** Since when the session has belonged to its user: since the login, or else since its creation. */
  get userSince(): number {
    return this.#number(FLAG.authenticatedAt, this.createdAt);
  }

  /** When the session ends if it is not seen after `seen`: by whichever timeout comes first. */
  endsAt(seen: number): number {
    return Math.min(seen + this.idle, this.expiresAt);
  }

  // ------------------------------------------------------------ the body

  /** Words that the header takes; the body begins behind them. */
  get headerWords(): number {
    return this.hasPrevious ? this.previousAt + PREVIOUS_WORDS : this.previousAt;
  }

  get userBytes(): number {
    return (this.words[RECORD_HEADER.lengths] as number) & 0xffff;
  }

  get clientBytes(): number {
    return (this.words[RECORD_HEADER.lengths] as number) >>> 16;
  }

  get dataBytes(): number {
    return this.length - this.dataStart;
  }

  /** Where the data begins, in bytes of the record. */
  get dataStart(): number {
    return this.headerWords * 4 + this.userBytes + this.clientBytes;
  }

  get user(): Uint8Array {
    const start = this.headerWords * 4;
    return this.bytes.subarray(start, start + this.userBytes);
  }

  get client(): Uint8Array {
    return this.bytes.subarray(this.dataStart - this.clientBytes, this.dataStart);
  }

  get data(): Uint8Array {
    return this.bytes.subarray(this.dataStart, this.length);
  }
}
